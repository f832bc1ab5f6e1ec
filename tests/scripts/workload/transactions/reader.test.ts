import { describe, expect, test } from 'vitest'
import { buildBatch, buildControlBatch } from '#broker/protocol/records/batch-build.ts'
import { sort } from '#scripts/workload/transactions/reader.ts'

const written = (baseOffset: number, producerId: bigint, ...values: readonly string[]) =>
  buildBatch(
    values.map(value => ({ value })),
    { baseOffset, producerId, producerEpoch: 0, baseSequence: 0, transactional: true },
  )
const plain = (baseOffset: number, value: string) => buildBatch([{ value }], { baseOffset })
const marker = (baseOffset: number, producerId: bigint, type: 'commit' | 'abort') =>
  buildControlBatch(type, Buffer.alloc(6), { baseOffset, producerId, producerEpoch: 0, transactional: true })

const valuesOf = (records: readonly { readonly value: string }[]) => records.map(({ value }) => value)

describe('what a reader of committed records is shown', () => {
  test('leaves out what the list of aborted transactions names, from their first offset to their marker', () => {
    const bytes = Buffer.concat([
      written(0, 7n, 'aborted', 'aborted too'),
      written(2, 8n, 'of another producer'),
      plain(3, 'plain'),
      marker(4, 7n, 'abort'),
      written(5, 7n, 'the next transaction of the first'),
      marker(6, 8n, 'commit'),
    ])
    const seen = sort(bytes, [{ producerId: 7n, firstOffset: 0 }], 0)
    expect(valuesOf(seen.records)).toEqual(['of another producer', 'plain', 'the next transaction of the first'])
    expect(valuesOf(seen.leftOut)).toEqual(['aborted', 'aborted too'])
    expect(seen.nextOffset).toBe(7)
  })

  test('two aborted transactions of one producer, with a committed one between them', () => {
    const bytes = Buffer.concat([
      written(0, 7n, 'first'),
      marker(1, 7n, 'abort'),
      written(2, 7n, 'second'),
      marker(3, 7n, 'commit'),
      written(4, 7n, 'third'),
      marker(5, 7n, 'abort'),
    ])
    const aborted = [
      { producerId: 7n, firstOffset: 4 },
      { producerId: 7n, firstOffset: 0 },
    ]
    const seen = sort(bytes, aborted, 0)
    expect(valuesOf(seen.records)).toEqual(['second'])
    expect(valuesOf(seen.leftOut)).toEqual(['first', 'third'])
  })

  test('what the producer of an aborted transaction writes without one is shown', () => {
    const bytes = Buffer.concat([
      written(0, 7n, 'aborted'),
      buildBatch([{ value: 'idempotent' }], { baseOffset: 1, producerId: 7n, producerEpoch: 0, baseSequence: 1 }),
    ])
    expect(valuesOf(sort(bytes, [{ producerId: 7n, firstOffset: 0 }], 0).records)).toEqual(['idempotent'])
  })

  test('begins where it is asked to, in the middle of a batch', () => {
    expect(valuesOf(sort(written(10, 7n, 'a', 'b', 'c'), [], 11).records)).toEqual(['b', 'c'])
  })

  test('stays where it is when nothing came', () => {
    expect(sort(Buffer.alloc(0), [], 5)).toEqual({ records: [], leftOut: [], nextOffset: 5 })
  })
})
