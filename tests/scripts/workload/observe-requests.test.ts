import { describe, expect, test } from 'vitest'
import { recordBatch } from '#scripts/cluster/wire-requests.ts'
import { Writer } from '#scripts/cluster/wire-format.ts'
import type { ReplicaBatch } from '#scripts/history/operation.ts'
import { readBatches } from '#scripts/workload/observe-requests.ts'

/** A batch of one record at an offset, as a broker would have stamped it. */
function batchAt(offset: number, value: string): Buffer {
  const batch = recordBatch(Buffer.from(value))
  batch.writeBigInt64BE(BigInt(offset), 0)
  batch.writeInt32BE(7, 12)
  batch.writeBigInt64BE(4_001n, 43)
  batch.writeInt16BE(2, 51)
  batch.writeInt32BE(11, 53)
  return batch
}

/** Its key: a version, and the type. Its value: a version, and the epoch of the coordinator. */
function controlBatchAt(offset: number, type: number): Buffer {
  const record = new Writer().int8(0).varint(0).varint(0).varint(4).int16(0).int16(type)
  record.varint(6).int16(0).int32(5).varint(0)
  const bytes = record.toBuffer()
  const header = batchAt(offset, '').subarray(0, 61)
  const batch = new Writer().bytes(header).varint(bytes.length).bytes(bytes).toBuffer()
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt16BE(0x30, 21)
  return batch
}

describe('the records of a replica', () => {
  test('come with offset, leader epoch and what tells a retry: producer id, epoch and sequence', () => {
    const { batches, nextOffset } = readBatches(Buffer.concat([batchAt(5, 'k:1'), batchAt(6, 'k:2')]))
    expect(nextOffset).toBe(7)
    expect(batches).toHaveLength(2)
    expect(batches[0]).toEqual({
      baseOffset: 5,
      leaderEpoch: 7,
      producerId: '4001',
      producerEpoch: 2,
      baseSequence: 11,
      records: [[5, 'k:1']],
    })
  })

  test('are read up to an incomplete batch, which the next fetch brings whole', () => {
    const { batches, nextOffset } = readBatches(Buffer.concat([batchAt(0, 'k:0'), batchAt(1, 'k:1').subarray(0, 70)]))
    expect(batches.map(batch => batch.records)).toEqual([[[0, 'k:0']]])
    expect(nextOffset).toBe(1)
  })

  test.each([
    [0, 'ABORT'],
    [1, 'COMMIT'],
    [9, 'a control record of type 9'],
  ])('are not in control batches, which say how a transaction ended: type %i is %s', (type, marker) => {
    const [{ records, ...header }] = readBatches(batchAt(3, 'k:1')).batches as [ReplicaBatch]
    expect(records).toHaveLength(1)
    expect(readBatches(controlBatchAt(3, type))).toEqual({
      batches: [{ ...header, marker, records: [] }],
      nextOffset: 4,
    })
  })

  test('are not in a control batch that has no type either', () => {
    const control = batchAt(3, 'marker')
    control.writeInt16BE(0x20, 21)
    expect(readBatches(control)).toMatchObject({
      batches: [{ marker: 'a control record without a type', records: [] }],
      nextOffset: 4,
    })
  })

  test('refuse what the workload never writes: old formats and compression', () => {
    const old = batchAt(0, 'x')
    old.writeInt8(1, 16)
    expect(() => readBatches(old)).toThrow(/magic 2, got 1/)
    const compressed = batchAt(0, 'x')
    compressed.writeInt16BE(1, 21)
    expect(() => readBatches(compressed)).toThrow(/uncompressed batches, got codec 1/)
  })
})
