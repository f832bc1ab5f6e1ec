/** What a leader accepts from producers, looks into and rewrites: compressed batches, timestamps, keys, compression.type. */
import { describe, expect, test } from 'vitest'
import type { AppendResult, LogConfig } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import {
  BatchView,
  batchHeaderBytes,
  compressionNames,
  stampCrc,
  type CompressionName,
} from '#broker/protocol/records/batch.ts'
import { buildBatch, varint, type RecordInput } from '#broker/protocol/records/batch-build.ts'
import { allRecords, readRecords } from '#broker/protocol/records/batch-read.ts'
import { compress } from '#broker/protocol/records/compression.ts'
import { asClient, defaultConfig, Machine, openLog, startWallMs } from './harness.ts'

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

function logWith(config: Partial<LogConfig> = {}): SegmentedLog {
  return openLog(new Machine(), { config: { ...defaultConfig, ...config } })
}

function stored(log: SegmentedLog): BatchView {
  const result = log.read(0, { maxBytes: 1 << 20, untilOffset: log.logEndOffset, atLeastOneBatch: true })
  if ('refused' in result) throw new Error(result.refused)
  return new BatchView(result.records)
}

function refusal(result: AppendResult) {
  if (!('refused' in result)) throw new Error('accepted')
  return result
}

const three: RecordInput[] = [
  { key: 'a', value: 'one', timestamp: startWallMs + 2 },
  { key: 'b', value: 'two'.repeat(100), timestamp: startWallMs + 9, headers: [{ key: 'h', value: 'x' }] },
  { key: 'c', value: null, timestamp: startWallMs },
]

/** A batch whose payload is given as it is. */
function withPayload(codec: CompressionName, payload: Buffer, count: number): Buffer {
  const head = buildBatch(
    Array.from({ length: count }, () => ({ key: 'k', value: 'v' })),
    { timestamp: startWallMs },
  )
  const bytes = Buffer.concat([head.subarray(0, batchHeaderBytes), payload])
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt16BE(compressionNames.indexOf(codec), 21)
  stampCrc(bytes, 0)
  return bytes
}

describe('compression.type', () => {
  const pairs = codecs.flatMap(from => codecs.map(to => [from, to] as const))

  test.each(pairs)('a batch that comes as %s is stored as %s, its records unchanged', (from, to) => {
    const log = logWith({ compressionType: to })
    const batch = buildBatch(three, { compression: from, producerId: 5n, producerEpoch: 1, baseSequence: 7 })
    expect(log.appendAsLeader(batch, asClient)).toMatchObject({ appended: { firstOffset: 0, lastOffset: 2 } })
    const view = stored(log)
    expect(compressionNames[view.compressionId]).toBe(to)
    expect(view.crc).toBe(view.computeCrc())
    expect([view.producerId, view.producerEpoch, view.baseSequence]).toEqual([5n, 1, 7])
    expect(readRecords(view)).toEqual(readRecords(buildBatch(three)))
    expect(log.logEndOffset).toBe(3)
  })

  test.each(codecs)('producer leaves %s as it is, byte for byte', codec => {
    const log = logWith()
    const batch = buildBatch(three, { compression: codec })
    const payload = Buffer.from(batch.subarray(batchHeaderBytes))
    log.appendAsLeader(batch, asClient)
    expect(stored(log).payload.equals(payload)).toBe(true)
  })

  test('what grows beyond max.message.bytes on the way is refused', () => {
    const batch = () => buildBatch([{ key: 'k', value: 'a'.repeat(100_000) }], { compression: 'gzip' })
    const log = logWith({ compressionType: 'none', maxMessageBytes: 10_000 })
    expect(refusal(log.appendAsLeader(batch(), asClient)).refused).toBe('MESSAGE_TOO_LARGE')
    expect(logWith({ maxMessageBytes: 10_000 }).appendAsLeader(batch(), asClient)).toHaveProperty('appended')
  })

  test('a batch with LogAppendTime is rewritten too', () => {
    const log = logWith({ compressionType: 'zstd', messageTimestampType: 'LogAppendTime' })
    log.appendAsLeader(buildBatch(three), asClient)
    const view = stored(log)
    expect([view.isLogAppendTime, view.maxTimestamp, view.crc === view.computeCrc()]).toEqual([true, startWallMs, true])
  })
})

describe.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('inside of a batch compressed with %s', codec => {
  const plain = () => Buffer.from(buildBatch(three).subarray(batchHeaderBytes))

  test('the largest timestamp is the one of the records, whatever the header says', () => {
    const log = logWith()
    const batch = buildBatch(three, { compression: codec })
    batch.writeBigInt64BE(BigInt(startWallMs + 500), 35)
    stampCrc(batch, 0)
    log.appendAsLeader(batch, asClient)
    expect(stored(log).maxTimestamp).toBe(startWallMs + 9)
    expect(log.findByTimestamp(startWallMs + 3, 3)).toEqual({ offset: 1, timestamp: startWallMs + 9, leaderEpoch: 0 })
    expect(log.findMaxTimestamp()).toEqual({ offset: 1, timestamp: startWallMs + 9, leaderEpoch: 0 })
  })

  test('the count of records must be right', () => {
    for (const count of [2, 4]) {
      const batch = withPayload(codec, compress(codec, plain()), count)
      expect(refusal(logWith().appendAsLeader(batch, asClient)).refused).toBe('INVALID_RECORD')
    }
  })

  test('bytes that are no records, or no compressed data, are refused', () => {
    const noise = Buffer.from('neither compressed nor records at all')
    for (const payload of [noise, compress(codec, noise), Buffer.alloc(0)]) {
      const batch = withPayload(codec, payload, 1)
      expect(refusal(logWith().appendAsLeader(batch, asClient)).refused).toBe('INVALID_RECORD')
    }
  })

  test('offsets that do not count 0, 1, 2, … are put right', () => {
    const records = plain()
    // The offset delta of the first record: behind length, attributes and timestamp delta of one byte each.
    const wrong = Buffer.from(records)
    expect(wrong[3]).toBe(0)
    wrong[3] = varint(1)[0] ?? 0
    const batch = withPayload(codec, compress(codec, wrong), 3)
    batch.writeBigInt64BE(BigInt(startWallMs + 2), 27)
    stampCrc(batch, 0)
    const log = logWith()
    expect(log.appendAsLeader(batch, asClient)).toHaveProperty('appended')
    const found = [...allRecords(stored(log).bytes)]
    expect(found.map(({ offset }) => offset)).toEqual([0, 1, 2])
    expect(found).toEqual(readRecords(buildBatch(three)))
    expect(compressionNames[stored(log).compressionId]).toBe(codec)
  })

  test('keys are missed on a compacted topic', () => {
    const log = logWith({ cleanupPolicy: ['compact'] })
    const batch = buildBatch([{ key: 'a', value: 'x' }, { value: 'y' }], { compression: codec, timestamp: startWallMs })
    expect(refusal(log.appendAsLeader(batch, asClient)).recordErrors).toEqual([
      { batchIndex: 1, message: 'Compacted topic cannot accept message without key in topic partition events-0' },
    ])
  })
})

test('a small batch that unfolds into more than 100 MiB is refused, and the memory does not follow it', () => {
  const bomb = withPayload('zstd', compress('zstd', Buffer.alloc(200 * 1024 * 1024)), 1)
  expect(bomb.length).toBeLessThan(50_000)
  const before = process.memoryUsage().rss
  expect(refusal(logWith().appendAsLeader(bomb, asClient))).toMatchObject({
    refused: 'INVALID_RECORD',
    message: 'The records cannot be decompressed: more than 104857600 bytes come out.',
  })
  expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024)
})

describe('record errors are those of Kafka', () => {
  test('for timestamps, which outweigh missing keys', () => {
    const log = logWith({
      cleanupPolicy: ['compact'],
      messageTimestampBeforeMaxMs: 1000,
      messageTimestampAfterMaxMs: 10,
    })
    const batch = buildBatch([
      { key: 'a', value: 'x', timestamp: startWallMs },
      { value: 'y', timestamp: startWallMs + 11 },
      { key: 'c', value: 'z', timestamp: startWallMs - 1001 },
    ])
    expect(refusal(log.appendAsLeader(batch, asClient))).toEqual({
      refused: 'INVALID_TIMESTAMP',
      message: 'One or more records have been rejected due to invalid timestamp',
      recordErrors: [
        { batchIndex: 1, message: 'Compacted topic cannot accept message without key in topic partition events-0' },
        {
          batchIndex: 2,
          message: `Timestamp ${startWallMs - 1001} of message with offset 2 is out of range. The timestamp should be within [${startWallMs - 1000}, ${startWallMs + 10}]`,
        },
      ],
    })
    expect(log.logEndOffset).toBe(0)
  })

  test('for keys, of which the first three are told', () => {
    const log = logWith({ cleanupPolicy: ['compact'] })
    const batch = buildBatch(
      Array.from({ length: 4 }, () => ({ value: 'x' })),
      { timestamp: startWallMs },
    )
    const said = 'Compacted topic cannot accept message without key in topic partition events-0'
    expect(refusal(log.appendAsLeader(batch, asClient)).message).toBe(
      `One or more records have been rejected due to 4 record errors in total, and only showing the first three errors at most: [RecordError(batchIndex=0, message='${said}'), RecordError(batchIndex=1, message='${said}'), RecordError(batchIndex=2, message='${said}')]`,
    )
  })
})
