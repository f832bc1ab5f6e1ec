/** The log of one partition on a simulated disk: append, read, roll, truncate, epochs, reopening. */
import { describe, expect, test } from 'vitest'
import { DiskError } from '#broker/environment/environment.ts'
import { allRecords } from '#broker/protocol/records/batch-read.ts'
import { batches } from '#broker/protocol/records/batch.ts'
import type { AppendInfo, AppendResult } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { asClient, batchOf, defaultConfig, inspect, logDirectory, Machine, openLog, startWallMs } from './harness.ts'

function appended(result: AppendResult): AppendInfo {
  if (!('appended' in result))
    throw new Error(
      `not appended: ${JSON.stringify(result, (_, value) => (typeof value === 'bigint' ? String(value) : value))}`,
    )
  return result.appended
}

function fill(log: SegmentedLog, count: number, epoch = 0): void {
  for (let index = 0; index < count; index++)
    appended(log.appendAsLeader(batchOf([`v${log.logEndOffset}`]), { ...asClient, leaderEpoch: epoch }))
}

function valuesOf(log: SegmentedLog, from: number, maxBytes = 1 << 20, untilOffset = Infinity): string[] {
  const values: string[] = []
  let offset = from
  for (;;) {
    const result = log.read(offset, { maxBytes, untilOffset, atLeastOneBatch: true })
    if ('refused' in result) throw new Error(result.refused)
    if (result.records.length === 0) return values
    for (const record of allRecords(result.records)) if (record.offset >= offset) values.push(record.value!.toString())
    offset = result.nextOffset
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `v${from + index}`)

describe('append and read', () => {
  test('a leader stamps offsets and its epoch and returns where the records are', () => {
    const log = openLog(new Machine())
    expect(appended(log.appendAsLeader(batchOf(['a', 'b']), { ...asClient, leaderEpoch: 3 }))).toEqual({
      firstOffset: 0,
      lastOffset: 1,
      logAppendTimeMs: -1,
      bytes: batchOf(['a', 'b']).length,
    })
    expect(appended(log.appendAsLeader(batchOf(['c']), { ...asClient, leaderEpoch: 4 })).firstOffset).toBe(2)
    const result = log.read(0, { maxBytes: 1000, untilOffset: 3, atLeastOneBatch: true })
    if ('refused' in result) throw new Error('refused')
    expect(
      [...batches(result.records)].map(batch => [
        batch.baseOffset,
        batch.partitionLeaderEpoch,
        batch.crc === batch.computeCrc(),
      ]),
    ).toEqual([
      [0, 3, true],
      [2, 4, true],
    ])
    expect(result.nextOffset).toBe(3)
    expect(log.latestEpoch).toBe(4)
    expect(log.endOffsetForEpoch(3)).toEqual({ leaderEpoch: 3, endOffset: 2 })
    expect(log.epochAt(1)).toBe(3)
  })

  test('a read returns whole batches only, within maxBytes, but the first one whatever its size', () => {
    const log = openLog(new Machine())
    fill(log, 10)
    const one = batchOf(['v0']).length
    const read = (maxBytes: number, atLeastOneBatch: boolean) => {
      const result = log.read(2, { maxBytes, untilOffset: Infinity, atLeastOneBatch })
      if ('refused' in result) throw new Error('refused')
      return [result.baseOffset, result.nextOffset, result.records.length]
    }
    expect(read(one * 3 + 10, true)).toEqual([2, 5, one * 3])
    expect(read(10, true)).toEqual([2, 3, one])
    expect(read(10, false)).toEqual([-1, 2, 0])
    expect(read(0, true)).toEqual([2, 3, one])
  })

  test('a read never reaches untilOffset, also not with a batch that spans it', () => {
    const log = openLog(new Machine())
    appended(log.appendAsLeader(batchOf(['a']), asClient))
    appended(log.appendAsLeader(batchOf(['b', 'c', 'd']), asClient))
    expect(valuesOf(log, 0, 1000, 2)).toEqual(['a'])
    expect(valuesOf(log, 0, 1000, 4)).toEqual(['a', 'b', 'c', 'd'])
    expect(log.read(4, { maxBytes: 10, untilOffset: 4, atLeastOneBatch: true })).toMatchObject({ nextOffset: 4 })
    expect(log.read(5, { maxBytes: 10, untilOffset: 9, atLeastOneBatch: true })).toEqual({
      refused: 'OFFSET_OUT_OF_RANGE',
    })
  })

  test('segments roll by size and reads go on across them', () => {
    const machine = new Machine()
    const log = openLog(machine, { config: { ...defaultConfig, segmentBytes: 1000 } })
    fill(log, 100)
    expect(log.segmentOffsets.length).toBeGreaterThan(5)
    expect(valuesOf(log, 0)).toEqual(range(0, 100))
    expect(valuesOf(log, 37, 100)).toEqual(range(37, 100))
    machine.turn()
    expect(log.recoveryPoint).toBe(log.segmentOffsets.at(-1))
  })

  test('segments roll by the time of their records, and by wall time when records have none', () => {
    const log = openLog(new Machine(), { config: { ...defaultConfig, segmentMs: 1000 } })
    for (const afterMs of [0, 500, 1000, 1001, 2001, 2002])
      appended(log.appendAsLeader(batchOf(['x'], { timestamp: startWallMs + afterMs }), asClient))
    expect(log.segmentOffsets).toEqual([0, 3, 5])
    const machine = new Machine()
    const without = openLog(machine, { config: { ...defaultConfig, segmentMs: 1000 } })
    for (const wallMs of [startWallMs, startWallMs + 1000, startWallMs + 1001]) {
      appended(without.appendAsLeader(batchOf(['x'], { timestamp: -1 }), { ...asClient, wallMs }))
    }
    expect(without.segmentOffsets).toEqual([0, 2])
  })

  test('a full index rolls the segment', () => {
    const log = openLog(new Machine(), { config: { ...defaultConfig, segmentIndexBytes: 40, indexIntervalBytes: 0 } })
    fill(log, 20)
    expect(log.segmentOffsets.length).toBeGreaterThan(3)
    expect(valuesOf(log, 0)).toEqual(range(0, 20))
  })
})

describe('refusals', () => {
  const refused = (result: AppendResult) => ('refused' in result ? result.refused : 'accepted')
  test.each<[string, (batch: Buffer) => Buffer]>([
    [
      'CORRUPT_MESSAGE',
      batch => {
        batch[70]! ^= 1
        return batch
      },
    ],
    ['CORRUPT_MESSAGE', batch => batch.subarray(0, batch.length - 1)],
    ['CORRUPT_MESSAGE', batch => Buffer.concat([batch, Buffer.from([1])])],
    ['INVALID_RECORD', () => Buffer.alloc(0)],
    [
      'INVALID_RECORD',
      batch => {
        batch.writeInt8(1, 16)
        return batch
      },
    ],
    [
      'INVALID_RECORD',
      batch => {
        batch.writeInt32BE(5, 4)
        return batch
      },
    ],
    ['INVALID_RECORD', batch => Buffer.concat([batch, batch])],
    ['INVALID_RECORD', () => batchOf(['a'], { control: true })],
    ['INVALID_RECORD', () => batchOf(['a'], { producerId: 1n, producerEpoch: 0 })],
    ['MESSAGE_TOO_LARGE', () => batchOf(['x'.repeat(600_000)])],
    ['INVALID_TIMESTAMP', () => batchOf(['a'], { logAppendTime: true })],
  ])('%s', (name, damage) => {
    const log = openLog(new Machine())
    expect(refused(log.appendAsLeader(damage(batchOf(['abc'])), asClient))).toBe(name)
    expect([log.logEndOffset, log.sizeBytes]).toEqual([0, 0])
  })

  test('timestamps out of bounds are named record by record', () => {
    const log = openLog(new Machine(), {
      config: { ...defaultConfig, messageTimestampBeforeMaxMs: 1000, messageTimestampAfterMaxMs: 500 },
    })
    const at = (afterMs: number) => batchOf(['a'], { timestamp: startWallMs + afterMs })
    expect(refused(log.appendAsLeader(at(501), asClient))).toBe('INVALID_TIMESTAMP')
    expect(log.appendAsLeader(at(-1001), asClient)).toMatchObject({
      refused: 'INVALID_TIMESTAMP',
      recordErrors: [{ batchIndex: 0 }],
    })
    expect(refused(log.appendAsLeader(at(500), asClient))).toBe('accepted')
    expect(refused(log.appendAsLeader(at(-1000), asClient))).toBe('accepted')
  })

  test('an append larger than a segment is refused', () => {
    const log = openLog(new Machine(), { config: { ...defaultConfig, segmentBytes: 100 } })
    expect(refused(log.appendAsLeader(batchOf(['x'.repeat(100)]), asClient))).toBe('RECORD_LIST_TOO_LARGE')
  })
})

test('LogAppendTime stamps the time of the broker into the batch and renews the CRC', () => {
  const log = openLog(new Machine(), { config: { ...defaultConfig, messageTimestampType: 'LogAppendTime' } })
  expect(
    appended(log.appendAsLeader(batchOf(['a'], { timestamp: 5 }), { ...asClient, wallMs: 777 })).logAppendTimeMs,
  ).toBe(777)
  const result = log.read(0, { maxBytes: 1000, untilOffset: 1, atLeastOneBatch: true })
  if ('refused' in result) throw new Error('refused')
  const [batch] = [...batches(result.records)]
  expect([batch!.isLogAppendTime, batch!.maxTimestamp, batch!.crc === batch!.computeCrc()]).toEqual([true, 777, true])
  expect([...allRecords(result.records)][0]!.timestamp).toBe(777)
})

describe('truncation', () => {
  test('drops everything at and above the offset, also across segments, and its epochs', () => {
    const log = openLog(new Machine(), { config: { ...defaultConfig, segmentBytes: 1000 } })
    fill(log, 30, 1)
    fill(log, 30, 2)
    log.truncateTo(25)
    expect([log.logEndOffset, log.latestEpoch]).toEqual([25, 1])
    expect(valuesOf(log, 0)).toEqual(range(0, 25))
    fill(log, 10, 5)
    expect(valuesOf(log, 0)).toEqual(range(0, 35))
    expect(log.endOffsetForEpoch(1)).toEqual({ leaderEpoch: 1, endOffset: 25 })
    expect(log.endOffsetForEpoch(3)).toEqual({ leaderEpoch: 1, endOffset: 25 })
    expect(log.endOffsetForEpoch(6)).toEqual({ leaderEpoch: -1, endOffset: -1 })
  })

  test('a batch that spans the offset goes as a whole', () => {
    const log = openLog(new Machine())
    appended(log.appendAsLeader(batchOf(['a', 'b', 'c']), asClient))
    log.truncateTo(2)
    expect([log.logEndOffset, log.sizeBytes]).toEqual([0, 0])
  })

  test('starting anew drops all and goes on at the new offset', () => {
    const machine = new Machine()
    const log = openLog(machine)
    fill(log, 20)
    log.truncateFullyAndStartAt(1000)
    expect([log.logStartOffset, log.logEndOffset, log.latestEpoch]).toEqual([1000, 1000, undefined])
    fill(log, 5, 2)
    expect(valuesOf(log, 1000)).toEqual(range(1000, 1005))
    machine.kill()
    const again = openLog(machine, { logStartOffset: 1000 })
    expect(valuesOf(again, 1000)).toEqual(range(1000, 1005))
  })
})

describe('reopening', () => {
  test('after a clean close nothing is scanned and everything is there', () => {
    const machine = new Machine()
    const log = openLog(machine, { config: { ...defaultConfig, segmentBytes: 1000 } })
    fill(log, 100, 7)
    log.close()
    const again = openLog(machine, { cleanShutdown: true })
    expect([again.logEndOffset, again.latestEpoch, again.recoveryPoint]).toEqual([100, 7, 100])
    expect(valuesOf(again, 0)).toEqual(range(0, 100))
  })

  test('after a kill everything that was appended is there again, epochs too', () => {
    const machine = new Machine()
    const log = openLog(machine, { config: { ...defaultConfig, segmentBytes: 1000 } })
    fill(log, 50, 7)
    fill(log, 50, 9)
    machine.kill()
    const again = openLog(machine)
    expect([again.logEndOffset, again.latestEpoch]).toEqual([100, 9])
    expect(again.endOffsetForEpoch(7)).toEqual({ leaderEpoch: 7, endOffset: 50 })
    expect(valuesOf(again, 0)).toEqual(range(0, 100))
  })

  test('a torn tail is cut at the last whole batch, and the cut is logged', () => {
    const machine = new Machine()
    const log = openLog(machine)
    fill(log, 10)
    machine.kill()
    const path = `${logDirectory}/00000000000000000000.log`
    const disk = inspect(machine)
    const size = disk.stat(path)!.bytes
    disk.open(path, 'write').truncate(size - 3)
    const again = openLog(machine)
    expect(again.logEndOffset).toBe(9)
    expect(machine.lines).toContain('Cutting the tail of a log that was not stopped cleanly.')
    fill(again, 1)
    expect(valuesOf(again, 0)).toEqual(range(0, 10))
  })

  test('damage below the recovery point is not looked at, damage above it cuts', () => {
    const machine = new Machine()
    const log = openLog(machine, { config: { ...defaultConfig, indexIntervalBytes: 0 } })
    fill(log, 10)
    log.flush()
    log.prepareCheckpoint()
    const point = log.recoveryPoint
    fill(log, 10)
    machine.kill()
    const disk = inspect(machine)
    const file = disk.open(`${logDirectory}/00000000000000000000.log`, 'write')
    const one = file.size() / 20
    file.write([Buffer.from([0xff])], Math.floor(one * 3.9))
    file.write([Buffer.from([0xff])], Math.floor(one * 16.9))
    const again = openLog(machine, { recoveryPoint: point })
    expect(again.logEndOffset).toBe(16)
  })
})

test('a follower takes batches as they are, drops a partial one at the end, and refuses overlap and damage', () => {
  const source = openLog(new Machine())
  fill(source, 5, 3)
  const read = source.read(0, { maxBytes: 10_000, untilOffset: 5, atLeastOneBatch: true })
  if ('refused' in read) throw new Error('refused')
  const one = read.records.length / 5
  const log = openLog(new Machine())
  expect(log.appendAsFollower(Buffer.from(read.records.subarray(0, one * 2 + 30)))).toEqual({
    lastOffset: 1,
    bytes: one * 2,
  })
  expect(log.latestEpoch).toBe(3)
  expect(() => log.appendAsFollower(Buffer.from(read.records))).toThrow('truncate first')
  const damaged = Buffer.from(read.records.subarray(one * 2))
  damaged[damaged.length - 1]! ^= 1
  expect(() => log.appendAsFollower(damaged)).toThrow('corrupt')
  log.appendAsFollower(Buffer.from(read.records.subarray(one * 2)))
  expect(valuesOf(log, 0)).toEqual(range(0, 5))
})

test('a follower takes offsets that are missing as they are: its leader was compacted, whatever the policy is now', () => {
  const source = openLog(new Machine())
  fill(source, 10, 3)
  const read = source.read(0, { maxBytes: 10_000, untilOffset: 10, atLeastOneBatch: true })
  if ('refused' in read) throw new Error('refused')
  const one = read.records.length / 10
  const machine = new Machine()
  const config = { ...defaultConfig, segmentBytes: one * 2 }
  const log = openLog(machine, { config })
  for (const offset of [0, 1, 4, 5, 8, 9])
    log.appendAsFollower(Buffer.from(read.records.subarray(one * offset, one * (offset + 1))))
  expect([log.logEndOffset, log.segmentOffsets]).toEqual([10, [0, 2, 6]])
  expect(valuesOf(log, 2)).toEqual(['v4', 'v5', 'v8', 'v9'])
  const expected = ['v0', 'v1', 'v4', 'v5', 'v8', 'v9']
  machine.kill()
  const recovered = openLog(machine, { config })
  expect(valuesOf(recovered, 0)).toEqual(expected)
  recovered.close()
  expect(valuesOf(openLog(machine, { config, cleanShutdown: true }), 0)).toEqual(expected)
})

test('flushLater makes durable what was appended before and shares rounds', () => {
  const machine = new Machine()
  const log = openLog(machine)
  fill(log, 3)
  const results: unknown[] = []
  log.flushLater(result => results.push(result))
  fill(log, 2)
  log.flushLater(result => results.push(result))
  log.flushLater(result => results.push(result))
  expect(results).toEqual([])
  machine.turn()
  expect(results).toEqual([{ durableOffset: 3 }, { durableOffset: 5 }, { durableOffset: 5 }])
  expect(log.recoveryPoint).toBe(5)
  machine.powerFailure(1)
  const again = openLog(machine, { recoveryPoint: 5 })
  expect(valuesOf(again, 0)).toEqual(range(0, 5))
})

test('a flush that is under way when the log fails says that nothing is durable', () => {
  const machine = new Machine()
  const log = openLog(machine)
  log.appendAsLeader(batchOf(['a']), asClient)
  const results: object[] = []
  log.flushLater(result => results.push(result))
  const error = new DiskError('EIO', 'sync', logDirectory)
  log.markFailed(error)
  machine.turn()
  expect(results).toEqual([{ error }])
})
