import { describe, expect, test } from 'vitest'
import { Reader, Writer } from '#scripts/cluster/wire-format.ts'
import type { WireClient } from '#scripts/cluster/wire.ts'
import { fetchAsConsumer, produceBatch, readRecords, recordBatch } from '#scripts/workload/hand-requests.ts'

const hour = 3_600_000
const now = 1_795_919_073_935

/** As a broker stores it: with an offset and a leader epoch. */
function stored(batch: Buffer, baseOffset: number, leaderEpoch: number): Buffer {
  const copy = Buffer.from(batch)
  copy.writeBigInt64BE(BigInt(baseOffset), 0)
  copy.writeInt32BE(leaderEpoch, 12)
  return copy
}

describe('a record batch that a script makes', () => {
  test('comes back as it was written: keys, tombstones, timestamps on both sides of the first, letters of all kinds', () => {
    const records = [
      { key: 'ada', value: 'London', timestamp: now },
      { key: 'ada', value: null, timestamp: now - 30 * 24 * hour },
      { value: 'größer als 𝒳', timestamp: now + hour },
      { value: '', timestamp: now },
    ]
    const read = readRecords(stored(recordBatch(records), 40, 7))
    expect(read).toEqual({
      records: records.map(({ key = null, value, timestamp }, index) => ({
        offset: 40 + index,
        key,
        value,
        timestamp,
        leaderEpoch: 7,
      })),
      nextOffset: 44,
    })
  })

  test('carries the producer it is told, at the places of the format', () => {
    const batch = recordBatch([{ value: 'a', timestamp: now }], { id: 123_456_789_012n, epoch: 3, sequence: 41 })
    expect([batch.readBigInt64BE(43), batch.readInt16BE(51), batch.readInt32BE(53)]).toEqual([123_456_789_012n, 3, 41])
    const anonymous = recordBatch([{ value: 'a', timestamp: now }])
    expect([anonymous.readBigInt64BE(43), anonymous.readInt16BE(51), anonymous.readInt32BE(53)]).toEqual([-1n, -1, -1])
  })
})

describe('what a fetch brings', () => {
  const batch = stored(recordBatch([{ value: 'a', timestamp: now }]), 0, 0)

  test('ends before a batch that is not whole', () => {
    const next = stored(recordBatch([{ value: 'b', timestamp: now }]), 1, 0)
    const read = readRecords(Buffer.concat([batch, next.subarray(0, next.length - 1)]))
    expect(read.records.map(({ value }) => value)).toEqual(['a'])
    expect(read.nextOffset).toBe(1)
  })

  test('goes on behind control batches, which hold no records, and behind nothing where nothing came', () => {
    const control = stored(recordBatch([{ value: 'marker', timestamp: now }]), 1, 0)
    control.writeInt16BE(0x20, 21)
    expect(readRecords(Buffer.concat([batch, control]))).toMatchObject({ nextOffset: 2, records: [{ value: 'a' }] })
    expect(readRecords(Buffer.alloc(0))).toEqual({ records: [], nextOffset: undefined })
  })

  test('has the time of the broker on topics with LogAppendTime', () => {
    const appended = Buffer.from(batch)
    appended.writeInt16BE(0x08, 21)
    appended.writeBigInt64BE(BigInt(now + hour), 35)
    expect(readRecords(appended).records[0]?.timestamp).toBe(now + hour)
  })

  test('is refused when it is compressed', () => {
    const compressed = Buffer.from(batch)
    compressed.writeInt16BE(1, 21)
    expect(() => readRecords(compressed)).toThrow(/uncompressed/)
  })
})

describe('a client over its quota', () => {
  const answering = (body: Writer) =>
    ({ request: () => Promise.resolve(new Reader(body.toBuffer())) }) as unknown as WireClient
  const place = { topic: 'orders', partition: 2 }

  test('is told with the answer to a batch how long to wait', async () => {
    const body = new Writer()
      .array(['orders'], (topic, writer) =>
        writer.string(topic).array([2], (partition, w) => w.int32(partition).int16(0).int64(40n).int64(-1n)),
      )
      .int32(1_200)
    const question = { ...place, records: [{ value: 'a', timestamp: now }], acks: -1, timeoutMs: 1_000 } as const
    expect(await produceBatch(answering(body), question)).toEqual({
      errorCode: 0,
      offset: 40,
      logAppendTime: -1,
      throttleTimeMs: 1_200,
    })
  })

  test('gets no records and no partition from a fetch, and begins there again', async () => {
    const throttled = new Writer().int32(900).int16(0).int32(0).int32(0)
    const answer = await fetchAsConsumer(answering(throttled), { ...place, offset: 7 })
    expect(answer).toMatchObject({ errorCode: 0, throttleTimeMs: 900, records: [], nextOffset: 7 })
  })

  test('is no excuse for an answer that lacks the partition without telling to wait', async () => {
    const empty = new Writer().int32(0).int16(0).int32(0).int32(0)
    await expect(fetchAsConsumer(answering(empty), { ...place, offset: 7 })).rejects.toThrow(/does not name orders-2/)
  })
})
