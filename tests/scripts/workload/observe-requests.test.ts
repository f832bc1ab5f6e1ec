import { describe, expect, test } from 'vitest'
import { recordBatch } from '#scripts/cluster/wire-requests.ts'
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

  test('leave out control batches but go past them', () => {
    const control = batchAt(3, 'marker')
    control.writeInt16BE(0x20, 21)
    expect(readBatches(control)).toEqual({ batches: [], nextOffset: 4 })
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
