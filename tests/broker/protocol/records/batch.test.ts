/** Record batches: golden bytes, building and reading, stamping in place, validation of damaged ones. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  batches,
  BatchView,
  readInt64,
  stampMaxTimestamp,
  stampOffsetAndEpoch,
  wholeBatchesBytes,
  writeInt64,
} from '#broker/protocol/records/batch.ts'
import { buildBatch, buildControlBatch, buildEndTransactionMarker } from '#broker/protocol/records/batch-build.ts'
import type { BatchOptions, RecordInput } from '#broker/protocol/records/batch-build.ts'
import {
  controlTypeOf,
  endTransactionMarkerOf,
  MalformedBatchError,
  readRecords,
} from '#broker/protocol/records/batch-read.ts'
import { checkBatchBytes, checkBatchCounts, RecordWalk } from '#broker/protocol/records/batch-validate.ts'

const recordArbitrary = fc.record({
  key: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: null }),
  value: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null }),
  timestamp: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  headers: fc.array(
    fc.record({ key: fc.string({ maxLength: 10 }), value: fc.option(fc.uint8Array({ maxLength: 20 }), { nil: null }) }),
    { maxLength: 3 },
  ),
})
const recordsArbitrary = fc.array(recordArbitrary, { minLength: 1, maxLength: 20 })

describe('building and reading', () => {
  // The bytes were written by kafka-clients 4.3.1 (MemoryRecords) from the same values.
  test('a batch has the bytes that Kafka gives it', () => {
    const records = [
      { key: 'k', value: 'v', headers: [{ key: 'h', value: '1' }] },
      { key: null, value: null, timestamp: 1_700_000_000_123 },
    ]
    const plain = { timestamp: 1_700_000_000_000, baseOffset: 5, partitionLeaderEpoch: 2 }
    expect(buildBatch(records, plain).toString('hex')).toBe(
      '0000000000000005000000460000000202ed0d2d6e0000000000010000018bcfe568000000018bcfe5687bffffffffffffffffffff' +
        'ffffffff0000000218000000026b027602026802310e00f60102010100',
    )
    const producer = { producerId: 4242n, producerEpoch: 3, baseSequence: 17, transactional: true }
    const large = [{ key: 'key', value: Buffer.alloc(200) }]
    expect(buildBatch(large, { ...plain, ...producer, baseOffset: 70, partitionLeaderEpoch: 9 }).toString('hex')).toBe(
      '00000000000000460000010500000009021741334f0010000000000000018bcfe568000000018bcfe5680000000000000010920003' +
        `0000001100000001a403000000066b65799003${'00'.repeat(201)}`,
    )
  })

  test('a transaction marker has the bytes that Kafka gives it', () => {
    const timestamp = 1_700_000_000_000
    const marker = buildEndTransactionMarker('abort', {
      producerId: 4242n,
      producerEpoch: 3,
      coordinatorEpoch: 8,
      timestamp,
    })
    stampOffsetAndEpoch(marker, 0, 11, 6)
    expect(marker.toString('hex')).toBe(
      '000000000000000b000000420000000602b232b5350030000000000000018bcfe568000000018bcfe5680000000000000010920003' +
        'ffffffff000000012000000008000000000c00000000000800',
    )
  })

  test('records come back as they went in, also compressed', () => {
    fc.assert(
      fc.property(
        recordsArbitrary,
        fc.constantFrom('none' as const, 'gzip' as const, 'zstd' as const),
        fc.nat(1e9),
        (records, compression, baseOffset) => {
          const batch = buildBatch(records, { compression, baseOffset })
          expect(checkBatchBytes(batch, 0)).toBeUndefined()
          expect(checkBatchCounts(new BatchView(batch))).toBeUndefined()
          const read = readRecords(batch)
          expect(read.map(({ key, value, timestamp, headers }) => ({ key, value, timestamp, headers }))).toEqual(
            records.map(({ key, value, timestamp, headers }) => ({
              key: key && Buffer.from(key),
              value: value && Buffer.from(value),
              timestamp,
              headers: headers.map(header => ({ key: header.key, value: header.value && Buffer.from(header.value) })),
            })),
          )
          expect(read.map(record => record.offset)).toEqual(records.map((_, index) => baseOffset + index))
        },
      ),
    )
  })

  test('header fields can be read without decoding', () => {
    const options: BatchOptions = {
      timestamp: 7,
      baseOffset: 2 ** 40 + 3,
      partitionLeaderEpoch: 9,
      producerId: 2n ** 60n,
      producerEpoch: 4,
      baseSequence: 0x7ffffffe,
      transactional: true,
      compression: 'gzip',
    }
    const view = new BatchView(
      buildBatch([{ value: 'a' }, { value: 'b', timestamp: 3 }, { value: 'c', timestamp: 12 }], options),
    )
    expect({
      baseOffset: view.baseOffset,
      lastOffset: view.lastOffset,
      nextOffset: view.nextOffset,
      epoch: view.partitionLeaderEpoch,
      magic: view.magic,
      producer: [view.producerId, view.hasProducerId, view.producerEpoch, view.baseSequence, view.lastSequence],
      times: [view.baseTimestamp, view.maxTimestamp],
      flags: [view.isTransactional, view.isControl, view.isCompressed, view.isLogAppendTime],
      count: view.recordsCount,
    }).toEqual({
      baseOffset: 2 ** 40 + 3,
      lastOffset: 2 ** 40 + 5,
      nextOffset: 2 ** 40 + 6,
      epoch: 9,
      magic: 2,
      producer: [2n ** 60n, true, 4, 0x7ffffffe, 0],
      times: [7, 12],
      flags: [true, false, true, false],
      count: 3,
    })
  })

  test('control records tell their type', () => {
    const marker = new BatchView(
      buildEndTransactionMarker('abort', { producerId: 5n, producerEpoch: 1, coordinatorEpoch: 8, timestamp: 99 }),
    )
    expect([marker.isControl, marker.isTransactional, endTransactionMarkerOf(marker)]).toEqual([
      true,
      true,
      { type: 'abort', coordinatorEpoch: 8, timestamp: 99 },
    ])
    const leader = new BatchView(buildControlBatch('leaderChange', Buffer.from([0, 0])))
    expect([controlTypeOf(readRecords(leader)[0]!), endTransactionMarkerOf(leader)]).toEqual([2, undefined])
  })

  test('a payload that cannot be decompressed is malformed', () => {
    const batch = buildBatch([{ value: 'a' }])
    batch.writeInt16BE(3, 21)
    expect(() => readRecords(batch)).toThrow(MalformedBatchError)
    expect(() => readRecords(batch)).toThrow('lz4')
  })
})

describe('stamping', () => {
  test('offset and epoch leave the CRC valid, a timestamp renews it', () => {
    const batch = buildBatch([{ value: 'a' }, { value: 'b' }], { timestamp: 5 })
    stampOffsetAndEpoch(batch, 0, 2 ** 45 + 7, 12)
    const view = new BatchView(batch)
    expect([view.baseOffset, view.partitionLeaderEpoch, view.crc === view.computeCrc()]).toEqual([
      2 ** 45 + 7,
      12,
      true,
    ])
    stampMaxTimestamp(batch, 0, 1234, true)
    expect([view.maxTimestamp, view.isLogAppendTime, view.crc === view.computeCrc()]).toEqual([1234, true, true])
    expect(readRecords(view).map(record => record.timestamp)).toEqual([1234, 1234])
    stampMaxTimestamp(batch, 0, 77, false)
    expect([view.maxTimestamp, view.isLogAppendTime, view.crc === view.computeCrc()]).toEqual([77, false, true])
  })

  test('64-bit numbers are exact over the safe range', () => {
    const bytes = Buffer.alloc(8)
    fc.assert(
      fc.property(fc.maxSafeInteger(), value => {
        writeInt64(bytes, value, 0)
        expect([readInt64(bytes, 0), bytes.readBigInt64BE(0)]).toEqual([value, BigInt(value)])
      }),
    )
  })
})

describe('iteration', () => {
  test('visits whole batches only, whatever follows', () => {
    fc.assert(
      fc.property(
        fc.array(recordsArbitrary, { maxLength: 5 }),
        fc.uint8Array({ maxLength: 100 }),
        fc.nat(),
        (groups, rest, cut) => {
          const built = groups.map(records => buildBatch(records))
          const whole = Buffer.concat(built)
          expect([...batches(whole)].map(view => view.sizeBytes)).toEqual(built.map(batch => batch.length))
          const torn = whole.subarray(0, whole.length === 0 ? 0 : cut % whole.length)
          const sizes = [...batches(torn)].map(view => view.sizeBytes)
          expect(sizes).toEqual(built.slice(0, sizes.length).map(batch => batch.length))
          expect(wholeBatchesBytes(torn)).toBe(sizes.reduce((sum, size) => sum + size, 0))
          // Random bytes may look like a batch, but never reach beyond the buffer.
          for (const view of batches(Buffer.from(rest)))
            expect(view.start + view.sizeBytes).toBeLessThanOrEqual(rest.length)
        },
      ),
    )
  })

  test.each([-1, 0, 48, -2147483648, 2147483647])('a length of %i ends it', length => {
    const batch = buildBatch([{ value: 'a' }])
    batch.writeInt32BE(length, 8)
    expect([...batches(batch)]).toEqual([])
  })
})

describe('validation', () => {
  const walk = new RecordWalk()

  test('the walk finds the largest timestamp, records out of bounds and missing keys', () => {
    const records: RecordInput[] = [
      { key: 'a', value: 'x', timestamp: 100 },
      { key: null, value: 'y', timestamp: 300 },
      { key: 'c', value: null, timestamp: 200 },
    ]
    walk.earliestTimestamp = 150
    walk.latestTimestamp = 250
    walk.keysRequired = true
    expect(walk.walk(new BatchView(buildBatch(records)))).toBeUndefined()
    expect([walk.maxTimestamp, walk.badTimestamps, walk.missingKeys]).toEqual([
      300,
      [{ index: 0, timestamp: 100 }],
      [1],
    ])
  })

  test('any single damaged byte is noticed', () => {
    const batch = buildBatch([{ key: 'k', value: 'v'.repeat(50) }, { value: 'w' }], { timestamp: 9 })
    fc.assert(
      fc.property(fc.integer({ min: 8, max: batch.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        fc.pre(at < 12 || at >= 16) // the leader epoch is not covered by the CRC
        const damaged = Buffer.from(batch)
        damaged[at]! ^= flip
        expect(checkBatchBytes(damaged, 0)).toBeDefined()
      }),
    )
  })

  test('records that do not fit their frame are refused, even with a right CRC, and never read beyond the batch', () => {
    fc.assert(
      fc.property(recordsArbitrary, fc.nat(), fc.integer({ min: 1, max: 255 }), (records, where, flip) => {
        const batch = buildBatch(records)
        const guarded = Buffer.concat([batch, Buffer.alloc(64, 1)])
        const at = 61 + (where % (batch.length - 61))
        guarded[at]! ^= flip
        const view = new BatchView(guarded)
        const problem = walk.walk(view)
        try {
          readRecords(view)
          // What the reader takes, the walk may only refuse for offsets that do not rise by one.
          if (problem !== undefined) expect(problem.kind).toBe('invalid')
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBatchError)
          expect(problem).toBeDefined()
        }
      }),
      { numRuns: 500 },
    )
  })

  test.each<[string, (batch: Buffer) => void]>([
    ['at least one record', batch => batch.writeInt32BE(0, 57)],
    ['last offset delta', batch => batch.writeInt32BE(7, 23)],
    ['Unknown compression', batch => batch.writeInt16BE(5, 21)],
  ])('%s', (message, damage) => {
    const batch = buildBatch([{ value: 'a' }])
    damage(batch)
    expect(checkBatchCounts(new BatchView(batch))?.message).toContain(message)
  })
})
