/**
 * What leaves a log, and when it is made durable: retention, the log start offset, delayed deletion, flush.messages and
 * flush.ms.
 */
import { describe, expect, test } from 'vitest'
import { DiskError } from '#broker/environment/environment.ts'
import type { Fault } from '#broker/environment/faulty/fault.ts'
import type { LogConfig } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { asClient, batchOf, defaultConfig, inspect, logDirectory, Machine, openLog, startWallMs } from './harness.ts'

/** One record a segment, one second apart. */
const config: LogConfig = { ...defaultConfig, segmentBytes: 100 }

function fill(log: SegmentedLog, count: number, timestamp?: number): void {
  for (let index = 0; index < count; index++) {
    const batch = batchOf(['x'.repeat(10)], { timestamp: timestamp ?? startWallMs + log.logEndOffset * 1000 })
    const result = log.appendAsLeader(batch, asClient)
    if (!('appended' in result)) throw new Error(JSON.stringify(result))
  }
}

const names = (machine: Machine, suffix: string) =>
  inspect(machine)
    .list(logDirectory)
    .map(entry => entry.name)
    .filter(name => name.endsWith(suffix))
    .sort()

/** Renames that find no room in the directory, by their number from 0. */
function renameFails(isIt: (nth: number) => boolean): Fault {
  let nth = 0
  return {
    kind: 'failing-disk',
    summary: 'some renames fail',
    beforeCall: ({ operation, path }) => {
      if (operation === 'rename' && isIt(nth++)) throw new DiskError('ENOSPC', operation, path)
    },
  }
}

describe('retention', () => {
  test('by time: segments whose newest record is older than retention.ms go, oldest first', () => {
    const log = openLog(new Machine(), { config: { ...config, retentionMs: 5000 } })
    fill(log, 10)
    expect(log.enforceRetention(startWallMs + 9000, 10)).toBe(4)
    expect([log.logStartOffset, log.segmentOffsets[0]]).toEqual([4, 4])
    expect(log.read(3, { maxBytes: 1, untilOffset: 10, atLeastOneBatch: true })).toEqual({
      refused: 'OFFSET_OUT_OF_RANGE',
    })
  })

  test('when all is too old a new segment is begun first and the log is empty', () => {
    const log = openLog(new Machine(), { config: { ...config, retentionMs: 5000 } })
    fill(log, 10)
    expect(log.enforceRetention(startWallMs + 60_000, 10)).toBe(10)
    expect([log.logStartOffset, log.logEndOffset, log.segmentOffsets]).toEqual([10, 10, [10]])
    expect(log.enforceRetention(startWallMs + 90_000, 10)).toBe(0)
    fill(log, 1)
    expect(log.logEndOffset).toBe(11)
  })

  test('that cannot rename a file changes nothing: what was there is there, for readers and after a restart', () => {
    for (let failing = 0; failing < 9; failing++) {
      const machine = new Machine()
      const log = openLog(machine, { config: { ...config, retentionMs: 5000 } })
      fill(log, 10)
      const before = names(machine, '')
      machine.faults.add(renameFails(nth => nth === failing))
      expect(() => log.enforceRetention(startWallMs + 9000, 10)).toThrow(DiskError)
      expect(names(machine, '')).toEqual(before)
      expect([log.logStartOffset, log.segmentOffsets[0], log.failedWith]).toEqual([0, 0, undefined])
      for (let offset = 0; offset < 10; offset++)
        expect(log.read(offset, { maxBytes: 1, untilOffset: 10, atLeastOneBatch: true })).toMatchObject({
          baseOffset: offset,
        })
      expect(log.enforceRetention(startWallMs + 9000, 10)).toBe(4)
      machine.kill()
      expect(openLog(machine, { config }).segmentOffsets).toEqual([4, 5, 6, 7, 8, 9])
    }
  })

  test('that can neither rename nor take back what it renamed is a failure of the log', () => {
    const machine = new Machine()
    const log = openLog(machine, { config: { ...config, retentionMs: 5000 } })
    fill(log, 10)
    machine.faults.add(renameFails(nth => nth >= 2))
    expect(() => log.enforceRetention(startWallMs + 9000, 10)).toThrow(DiskError)
    expect(log.failedWith).toMatchObject({ code: 'EIO' })
  })

  test('nothing at or above the high watermark goes', () => {
    const log = openLog(new Machine(), { config: { ...config, retentionMs: 0 } })
    fill(log, 10)
    expect(log.enforceRetention(startWallMs + 60_000, 3)).toBe(3)
    expect(log.logStartOffset).toBe(3)
  })

  test('by size: the log stays at or above retention.bytes', () => {
    const machine = new Machine()
    const log = openLog(machine, { config })
    fill(log, 10)
    const one = log.sizeBytes / 10
    log.updateConfig({ ...config, retentionBytes: one * 3 + 5 })
    expect(log.enforceRetention(startWallMs, 10)).toBe(6)
    expect(log.sizeBytes).toBe(one * 4)
  })

  test('records from the future keep their segment, and what follows it, until their time has come; a line says so', () => {
    const machine = new Machine()
    const log = openLog(machine, { config: { ...config, retentionMs: 5000 } })
    fill(log, 1, startWallMs + 60_000)
    fill(log, 3, startWallMs)
    expect(log.enforceRetention(startWallMs + 30_000, 4)).toBe(0)
    const line = machine.logged.find(({ message }) => message.startsWith('A segment has records from the future'))
    expect(line?.fields).toMatchObject({ timestamp: startWallMs + 60_000 })
    expect(log.enforceRetention(startWallMs + 65_000, 4)).toBe(0)
    expect(log.enforceRetention(startWallMs + 65_001, 4)).toBe(4)
  })

  test('a change of a setting counts from the next pass, append or roll on', () => {
    const log = openLog(new Machine(), { config })
    fill(log, 6)
    const later = startWallMs + 60_000
    expect(log.enforceRetention(later, 6)).toBe(0)
    log.updateConfig({ ...config, retentionBytes: log.sizeBytes - 100 })
    expect(log.enforceRetention(later, 6)).toBe(1)
    log.updateConfig({ ...config, retentionMs: 57_000 })
    expect(log.enforceRetention(later, 6)).toBe(2)
    log.updateConfig({ ...config, retentionMs: 1, cleanupPolicy: ['compact'] })
    expect(log.enforceRetention(later, 6)).toBe(0)
    log.updateConfig({ ...config, segmentBytes: 1000 })
    fill(log, 2)
    expect(log.segmentOffsets).toEqual([3, 4, 5])
    log.updateConfig({ ...config, segmentBytes: 1000, segmentMs: 10 })
    fill(log, 1)
    expect(log.segmentOffsets).toEqual([3, 4, 5, 8])
    const bounds = { messageTimestampBeforeMaxMs: 1000, messageTimestampAfterMaxMs: 500 }
    const at = (timestamp: number) => {
      const result = log.appendAsLeader(batchOf(['x'], { timestamp }), asClient)
      return 'refused' in result ? result.refused : 'appended'
    }
    expect([at(startWallMs - 1001), at(startWallMs + 501)]).toEqual(['appended', 'appended'])
    log.updateConfig({ ...config, ...bounds })
    expect([-1001, -1000, 500, 501].map(ms => at(startWallMs + ms))).toEqual([
      'INVALID_TIMESTAMP',
      'appended',
      'appended',
      'INVALID_TIMESTAMP',
    ])
  })

  test('segment.jitter.ms lets a segment be rolled earlier, by less than the jitter', () => {
    const jittered = { ...defaultConfig, segmentMs: 1000, segmentJitterMs: 400 }
    const rolledAfter = Array.from({ length: 40 }, (_, partition) => {
      const machine = new Machine()
      // Each its own: what the generator of the machine gives first differs.
      for (let skip = 0; skip < partition; skip++) machine.environment().random.below(2)
      const log = openLog(machine, { config: jittered })
      for (let ms = 0; ms <= 1100; ms += 10) {
        log.appendAsLeader(batchOf(['x'], { timestamp: startWallMs + ms }), asClient)
        if (log.segmentOffsets.length > 1) return ms
      }
      return Infinity
    })
    expect(Math.min(...rolledAfter)).toBeGreaterThan(600)
    expect(Math.max(...rolledAfter)).toBeLessThanOrEqual(1010)
    expect(new Set(rolledAfter).size).toBeGreaterThan(10)
  })

  test('records without timestamps age by the file', () => {
    const machine = new Machine()
    const log = openLog(machine, { config: { ...config, retentionMs: 5000 } })
    fill(log, 3, -1)
    expect(log.enforceRetention(startWallMs + 5000, 3)).toBe(0)
    expect(log.enforceRetention(startWallMs + 5001, 3)).toBe(3)
  })

  test('a compacted topic keeps its segments, but what lies below the log start offset goes', () => {
    const log = openLog(new Machine(), {
      config: { ...config, retentionMs: 0, retentionBytes: 0, cleanupPolicy: ['compact'] },
    })
    fill(log, 5)
    expect(log.enforceRetention(startWallMs + 60_000, 5)).toBe(0)
    log.advanceLogStart(3)
    expect(log.enforceRetention(startWallMs + 60_000, 5)).toBe(3)
    expect(log.segmentOffsets[0]).toBe(3)
  })

  test('files are renamed at once, removed after file.delete.delay.ms, or at the next start', () => {
    const machine = new Machine()
    const log = openLog(machine, { config: { ...config, retentionMs: 5000 } })
    fill(log, 4)
    machine.turn()
    log.enforceRetention(startWallMs + 7000, 4)
    expect(names(machine, '.log.deleted')).toEqual([
      '00000000000000000000.log.deleted',
      '00000000000000000001.log.deleted',
    ])
    expect(names(machine, '.index.deleted')).toHaveLength(2)
    machine.advance(999)
    expect(names(machine, '.deleted')).not.toEqual([])
    machine.advance(1)
    expect(names(machine, '.deleted')).toEqual([])
    fill(log, 4)
    log.enforceRetention(startWallMs + 10_000, 8)
    expect(names(machine, '.deleted')).not.toEqual([])
    machine.kill()
    const again = openLog(machine, { config })
    expect([names(machine, '.deleted'), again.logStartOffset]).toEqual([[], 5])
  })

  test.each(Array.from({ length: 10 }, (_, seed) => seed))(
    'what was removed is durably gone, also from a log that nothing is appended to any more (seed %i)',
    seed => {
      const machine = new Machine()
      const log = openLog(machine, { config: { ...config, retentionMs: 5000 } })
      machine.currentDisk!.syncDirectory('/')
      fill(log, 4)
      log.flush()
      // What rolled segments began is over.
      machine.turn()
      log.enforceRetention(startWallMs + 7000, 4)
      machine.advance(1000)
      machine.powerFailure(seed)
      expect([...names(machine, '.log'), ...names(machine, '.deleted')]).toEqual([
        '00000000000000000002.log',
        '00000000000000000003.log',
      ])
    },
  )

  test('a directory that cannot be fsynced after a removal is a failure of the log, as any other time', () => {
    const machine = new Machine()
    const failures: DiskError[] = []
    const log = openLog(machine, {
      config: { ...config, retentionMs: 5000 },
      onFailure: error => failures.push(error),
    })
    fill(log, 4)
    log.flush()
    machine.turn()
    log.enforceRetention(startWallMs + 7000, 4)
    machine.faults.add({
      kind: 'failing-disk',
      summary: 'names cannot be fsynced',
      beforeCall: ({ operation, path }) => {
        if (operation === 'syncDirectory') throw new DiskError('EIO', operation, path)
      },
    })
    machine.advance(1000)
    machine.turn()
    expect(failures.map(({ code }) => code)).toEqual(['EIO'])
  })

  test('epochs of what is gone go, too, and the one that spans the start begins there', () => {
    const log = openLog(new Machine(), { config: { ...config, retentionMs: 5000 } })
    for (let epoch = 1; epoch <= 3; epoch++) {
      for (let index = 0; index < 3; index++) {
        log.appendAsLeader(batchOf(['x'.repeat(10)], { timestamp: startWallMs + log.logEndOffset * 1000 }), {
          ...asClient,
          leaderEpoch: epoch,
        })
      }
    }
    log.enforceRetention(startWallMs + 9000, 9)
    expect(log.logStartOffset).toBe(4)
    expect([log.endOffsetForEpoch(1), log.endOffsetForEpoch(2)]).toEqual([
      { leaderEpoch: 1, endOffset: 4 },
      { leaderEpoch: 2, endOffset: 6 },
    ])
  })
})

describe('flushing', () => {
  test('flush.messages flushes before the append is acknowledged', () => {
    const log = openLog(new Machine(), { config: { ...config, segmentBytes: 10_000, flushMessages: 3 } })
    const points = Array.from({ length: 7 }, () => {
      fill(log, 1)
      return log.recoveryPoint
    })
    expect(points).toEqual([0, 0, 3, 3, 3, 6, 6])
  })

  test('flush.ms flushes what is older', () => {
    const machine = new Machine()
    const log = openLog(machine, { config: { ...config, segmentBytes: 10_000, flushMs: 1000 } })
    fill(log, 1)
    machine.advance(600)
    fill(log, 1)
    machine.advance(399)
    expect(log.recoveryPoint).toBe(0)
    machine.advance(1)
    expect(log.recoveryPoint).toBe(2)
    fill(log, 1)
    machine.advance(1000)
    expect(log.recoveryPoint).toBe(3)
  })

  test('flush.ms and flush.messages at their defaults, the largest numbers there are, never flush', () => {
    const machine = new Machine()
    const never = { flushMs: Number.MAX_SAFE_INTEGER, flushMessages: Number.MAX_SAFE_INTEGER }
    const log = openLog(machine, { config: { ...config, segmentBytes: 10_000, ...never } })
    fill(log, 5)
    log.updateConfig({ ...config, ...never })
    machine.advance(2 ** 32)
    expect(log.recoveryPoint).toBe(0)
  })

  test('a segment that retention removes while its fsync is under way does no harm', () => {
    const machine = new Machine()
    const log = openLog(machine, { config: { ...config, retentionMs: 0 } })
    fill(log, 5)
    log.enforceRetention(startWallMs + 60_000, 5)
    machine.advance(5000)
    expect([log.failedWith, log.recoveryPoint]).toEqual([undefined, 5])
  })

  test('an fsync that fails takes the log offline and tells everybody who waits', () => {
    const machine = new Machine()
    const failures: unknown[] = []
    const log = openLog(machine, { config, onFailure: error => failures.push(error.code) })
    fill(log, 1)
    machine.failCall = () => new DiskError('EIO', 'sync', logDirectory)
    const results: unknown[] = []
    log.flushLater(result => results.push('error' in result))
    machine.turn()
    expect([results, failures, log.recoveryPoint]).toEqual([[true], ['EIO'], 0])
    expect(log.appendAsLeader(batchOf(['x']), asClient)).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
  })
})
