/** Offset and time index: look-ups, damage, Kafka's zero tail, missing files; and look-ups by time. */
import { describe, expect, test } from 'vitest'
import { BatchView, stampOffsetAndEpoch } from '#broker/protocol/records/batch.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import type { BatchOptions } from '#broker/protocol/records/batch-build.ts'
import { OffsetIndex } from '#broker/log/offset-index.ts'
import type { LogConfig } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { TimeIndex } from '#broker/log/time-index.ts'
import { asClient, batchOf, defaultConfig, inspect, logDirectory, Machine, openLog, startWallMs } from './harness.ts'

const config: LogConfig = { ...defaultConfig, segmentBytes: 60_000, indexIntervalBytes: 200 }
const stem = `${logDirectory}/00000000000000000000`

function fill(log: SegmentedLog, count: number): void {
  for (let index = 0; index < count; index++) {
    const result = log.appendAsLeader(
      batchOf([`v${log.logEndOffset}`], { timestamp: startWallMs + log.logEndOffset * 10 }),
      asClient,
    )
    if (!('appended' in result)) throw new Error(JSON.stringify(result))
  }
}

function baseOffsetAt(log: SegmentedLog, offset: number): number {
  const result = log.read(offset, { maxBytes: 1, untilOffset: Infinity, atLeastOneBatch: true })
  if ('refused' in result) throw new Error('refused')
  return result.baseOffset
}

describe('an index', () => {
  test('finds the last entry at or below, in the file and in memory, over many pages', () => {
    const disk = inspect(new Machine())
    const index = new OffsetIndex(disk, '/x.index', 1000, true)
    for (let entry = 0; entry < 3000; entry++) index.append(1000 + entry * 3, entry * 70)
    const find = (offset: number) => index.lookup(offset)
    for (const at of [0, 1, 511, 512, 513, 1024, 2047, 2900, 2999]) {
      expect(find(1000 + at * 3)).toEqual({ offset: 1000 + at * 3, position: at * 70 })
      expect(find(1000 + at * 3 + 2)).toEqual({ offset: 1000 + at * 3, position: at * 70 })
    }
    expect(find(999)).toBeUndefined()
    index.truncateTo(1000 + 700 * 3)
    expect([index.entries, index.lastOffset, find(99_999)]).toEqual([
      700,
      1000 + 699 * 3,
      { offset: 1000 + 699 * 3, position: 699 * 70 },
    ])
    index.settle()
    expect(disk.stat('/x.index')!.bytes).toBe(700 * 8)
    expect(new OffsetIndex(disk, '/x.index', 1000, false).lastOffset).toBe(1000 + 699 * 3)
  })

  test('has the bytes that Kafka gives its entries', () => {
    const disk = inspect(new Machine())
    const offsets = new OffsetIndex(disk, '/x.index', 50, true)
    offsets.append(55, 4097)
    offsets.settle()
    const times = new TimeIndex(disk, '/x.timeindex', 50, true)
    times.append(1_700_000_000_000, 55)
    times.append(1_700_000_000_000, 56) // no larger timestamp: no entry
    times.settle()
    const bytes = (path: string) => {
      const target = Buffer.alloc(100)
      return target.subarray(0, disk.open(path, 'read').read(target, 0)).toString('hex')
    }
    expect([bytes('/x.index'), bytes('/x.timeindex')]).toEqual(['0000000500001001', '0000018bcfe5680000000005'])
  })
})

describe('a damaged index', () => {
  const scenarios: [string, (machine: Machine) => void][] = [
    ['is missing', machine => inspect(machine).remove(`${stem}.index`)],
    [
      'is missing with its twin',
      machine => ['.index', '.timeindex'].forEach(suffix => inspect(machine).remove(stem + suffix)),
    ],
    [
      'ends in half an entry',
      machine =>
        inspect(machine)
          .open(`${stem}.index`, 'write')
          .truncate(8 * 20 + 3),
    ],
    [
      'points beyond the log',
      machine =>
        inspect(machine)
          .open(`${stem}.index`, 'write')
          .write([Buffer.from('7fffffff', 'hex')], 8 * 30 + 4),
    ],
    [
      'points into the middle of a batch',
      machine =>
        inspect(machine)
          .open(`${stem}.index`, 'write')
          .write([Buffer.from([0, 0, 0, 77])], 4),
    ],
    [
      'is full of noise',
      machine =>
        inspect(machine)
          .open(`${stem}.index`, 'write')
          .write([Buffer.alloc(800, 0xab)], 0),
    ],
    [
      'has a time index of zeros',
      machine =>
        inspect(machine)
          .open(`${stem}.timeindex`, 'write')
          .write([Buffer.alloc(12 * 9)], 12 * 5),
    ],
  ]
  test.each(scenarios.flatMap(([name, damage]) => [true, false].map(clean => [name, clean, damage] as const)))(
    'that %s is rebuilt (clean stop: %s)',
    (_, clean, damage) => {
      const machine = new Machine()
      const log = openLog(machine, { config })
      fill(log, 400)
      log.close()
      machine.kill()
      damage(machine)
      const again = openLog(machine, { config, cleanShutdown: clean })
      expect(again.logEndOffset).toBe(400)
      for (const offset of [0, 7, 150, 299, 399]) expect(baseOffsetAt(again, offset)).toBe(offset)
      fill(again, 5)
      expect([again.logEndOffset, baseOffsetAt(again, 401)]).toEqual([405, 401])
    },
  )

  test('with the zero tail that a killed Apache Kafka leaves is cut to its entries', () => {
    const machine = new Machine()
    const log = openLog(machine, { config })
    fill(log, 300)
    log.close()
    machine.kill()
    const disk = inspect(machine)
    for (const suffix of ['.index', '.timeindex']) {
      const file = disk.open(stem + suffix, 'write')
      file.write([Buffer.alloc(120)], file.size())
    }
    const again = openLog(machine, { config, recoveryPoint: 100 })
    fill(again, 50)
    again.close()
    const reopened = openLog(machine, { config, cleanShutdown: true })
    for (const offset of [0, 99, 250, 349]) expect(baseOffsetAt(reopened, offset)).toBe(offset)
    expect(reopened.findByTimestamp(startWallMs + 3200, 350)).toMatchObject({ offset: 320 })
  })
})

describe('look-up by time', () => {
  test('finds the first record at or after the time, in any segment', () => {
    const log = openLog(new Machine(), { config: { ...config, segmentBytes: 3000 } })
    fill(log, 200)
    expect(log.segmentOffsets.length).toBeGreaterThan(3)
    for (const offset of [0, 1, 57, 120, 199]) {
      const timestamp = startWallMs + offset * 10
      expect(log.findByTimestamp(timestamp, 200)).toEqual({ offset, timestamp, leaderEpoch: 0 })
      if (offset > 0) expect(log.findByTimestamp(timestamp - 9, 200)).toEqual({ offset, timestamp, leaderEpoch: 0 })
    }
    expect(log.findByTimestamp(startWallMs + 1991, 200)).toBeUndefined()
    expect(log.findByTimestamp(startWallMs + 1990, 199)).toBeUndefined()
    expect(log.findMaxTimestamp()).toEqual({ offset: 199, timestamp: startWallMs + 1990, leaderEpoch: 0 })
  })

  const append = (log: SegmentedLog, timestamps: number[], options: BatchOptions = {}) =>
    log.appendAsLeader(
      buildBatch(
        timestamps.map(timestamp => ({ value: 'x', timestamp })),
        options,
      ),
      { ...asClient, leaderEpoch: 5 },
    )

  test('looks into batches, also compressed ones, and takes times out of order', () => {
    const log = openLog(new Machine(), { config })
    append(log, [10, 50, 20])
    append(log, [30, 90, 90], { compression: 'gzip' })
    append(log, [40, 70])
    expect(log.findByTimestamp(15, 100)).toEqual({ offset: 1, timestamp: 50, leaderEpoch: 5 })
    expect(log.findByTimestamp(60, 100)).toEqual({ offset: 4, timestamp: 90, leaderEpoch: 5 })
    expect(log.findMaxTimestamp()).toEqual({ offset: 4, timestamp: 90, leaderEpoch: 5 })
    log.advanceLogStart(2)
    expect(log.findByTimestamp(15, 100)).toEqual({ offset: 2, timestamp: 20, leaderEpoch: 5 })
  })

  test('answers with the start of a batch whose codec is not here', () => {
    const log = openLog(new Machine(), { config })
    append(log, [10])
    const opaque = buildBatch([
      { value: 'x', timestamp: 20 },
      { value: 'y', timestamp: 30 },
    ])
    opaque.writeInt16BE(3, 21) // lz4, which the payload is not
    opaque.writeUInt32BE(new BatchView(opaque).computeCrc(), 17)
    // A leader would refuse it; a follower takes what its leader has.
    stampOffsetAndEpoch(opaque, 0, 1, 0)
    log.appendAsFollower(opaque)
    expect(log.findByTimestamp(25, 100)).toEqual({ offset: 1, timestamp: 30, leaderEpoch: 0 })
  })

  test('finds nothing in a log without timestamps', () => {
    const log = openLog(new Machine(), { config })
    append(log, [-1, -1])
    expect([log.findByTimestamp(0, 10), log.findMaxTimestamp()]).toEqual([undefined, undefined])
  })
})
