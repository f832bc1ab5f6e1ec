/**
 * What happens to a log while a cleaned segment takes the place of others: the steps are fsynced off the event loop, and everything else goes
 * on in between.
 */
import { describe, expect, test } from 'vitest'
import { DiskError } from '#broker/environment/environment.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { asClient, Crash, inspect, Machine, openLog, startWallMs } from '../harness.ts'
import { clean, compacted, lastValues, readAll, type SeenRecord } from './harness.ts'

const config = { ...compacted, fileDeleteDelayMs: 60_000 }
/** Each slice is all the work between two fsyncs. */
const sliceCost = 1e9

function written(machine: Machine): SegmentedLog {
  const log = openLog(machine, { config })
  log.updateConfig(config)
  const append = (key: string, value: string): void => {
    const batch = buildBatch([{ key, value }], { timestamp: startWallMs })
    const result = log.appendAsLeader(batch, asClient)
    if (!('appended' in result)) throw new Error(`refused: ${JSON.stringify(result)}`)
    log.setHighWatermark(log.logEndOffset)
  }
  for (let round = 0; round < 60; round++) append(`k${round % 4}`, `${round}${'z'.repeat(60)}`)
  const segments = log.segmentOffsets.length
  while (log.segmentOffsets.length === segments) append('filler', 'x'.repeat(700))
  append('tail', 'last')
  log.flush()
  inspect(machine).syncDirectory('/')
  return log
}

/** The number of steps of a whole cleaning, from a log of its own. */
function stepsOfACleaning(): number {
  const machine = new Machine()
  let steps = 0
  clean(machine, written(machine), { sliceCost, goesOn: step => (steps = step + 1) > 0 })
  return steps
}

function leftovers(machine: Machine, log: SegmentedLog): string[] {
  const names = machine.currentDisk!.list(log.directory).map(({ name }) => name)
  return names.filter(name => name.endsWith('.cleaned') || name.endsWith('.swap'))
}

const below = (records: readonly SeenRecord[], offset: number) => records.filter(record => record.offset < offset)

describe.each([...Array(stepsOfACleaning()).keys()])('a log in the middle of a cleaning, at its step %i,', at => {
  /** Does something to the log at that step, before the fsync of the step has begun, and gives the cleaning up. */
  function meanwhile(machine: Machine, log: SegmentedLog, act: () => void): void {
    clean(machine, log, {
      sliceCost,
      goesOn(step) {
        if (step < at) return true
        act()
        return false
      },
    })
  }

  test('can be read as before', () => {
    const machine = new Machine()
    const log = written(machine)
    const before = lastValues(readAll(log))
    meanwhile(machine, log, () => expect(lastValues(readAll(log))).toEqual(before))
    expect(lastValues(readAll(log))).toEqual(before)
    expect(leftovers(machine, log)).toEqual([])
  })

  test.each(['ordered', 'independent'] as const)('can be cut, and nothing comes back by a power failure (%s)', loss => {
    for (let seed = 1; seed <= 20; seed++) {
      const machine = new Machine()
      const log = written(machine)
      const cutAt = log.segmentOffsets.at(-1)!
      const before = lastValues(below(readAll(log), cutAt))
      meanwhile(machine, log, () => log.truncateTo(cutAt))
      expect(log.logEndOffset).toBe(cutAt)
      expect(lastValues(readAll(log))).toEqual(before)
      expect(leftovers(machine, log)).toEqual([])
      machine.powerFailure(seed, loss)
      const again = openLog(machine, { config, recoveryPoint: cutAt })
      expect(again.logEndOffset).toBe(cutAt)
      expect(lastValues(readAll(again))).toEqual(before)
      expect(leftovers(machine, again)).toEqual([])
    }
  })

  test('can begin anew', () => {
    const machine = new Machine()
    const log = written(machine)
    meanwhile(machine, log, () => log.truncateFullyAndStartAt(500))
    machine.powerFailure(3, 'independent')
    const again = openLog(machine, { config, recoveryPoint: 500, logStartOffset: 500 })
    expect([again.logStartOffset, again.logEndOffset]).toEqual([500, 500])
    expect(leftovers(machine, again)).toEqual([])
  })

  test('loses to retention what is below the log start offset, and nothing else', () => {
    const machine = new Machine()
    const log = written(machine)
    const lastBase = log.segmentOffsets.at(-1)!
    const kept = readAll(log).filter(({ offset }) => offset >= lastBase)
    meanwhile(machine, log, () => {
      log.advanceLogStart(lastBase)
      expect(log.enforceRetention(startWallMs, lastBase)).toBeGreaterThan(0)
    })
    expect(log.logStartOffset).toBe(lastBase)
    expect(readAll(log)).toEqual(kept)
    expect(leftovers(machine, log)).toEqual([])
  })

  test('is whole after a crash', () => {
    const machine = new Machine()
    const log = written(machine)
    const before = lastValues(readAll(log))
    try {
      meanwhile(machine, log, () => machine.kill())
    } catch (error) {
      // Giving the cleaning up is the first thing that the dead process would do.
      if (!(error instanceof Crash)) throw error
    }
    const again = openLog(machine, { config })
    expect(lastValues(readAll(again))).toEqual(before)
    expect(leftovers(machine, again)).toEqual([])
  })
})

describe.each(['ENOSPC', 'EMFILE'] as const)('a cleaning that finds %s from some call on,', code => {
  /** How the next cleaning of the log goes, when there is enough again. */
  const nextCleanings = {
    'is given up at once': (machine: Machine, log: SegmentedLog) =>
      void clean(machine, log, { sliceCost, goesOn: () => false }),
    'is whole': (machine: Machine, log: SegmentedLog) => void clean(machine, log, { sliceCost }),
    ...Object.fromEntries(
      [0, 1, 2, 3].map(at => [
        `is killed at step ${at}`,
        (machine: Machine, log: SegmentedLog) => {
          try {
            clean(machine, log, {
              sliceCost,
              goesOn(step) {
                if (step === at) machine.kill()
                return step < at
              },
            })
          } catch (error) {
            if (!(error instanceof Crash)) throw error
          }
        },
      ]),
    ),
  } satisfies Record<string, (machine: Machine, log: SegmentedLog) => void>

  test.each(Object.entries(nextCleanings))('loses nothing when the next one %s', (_name, next) => {
    let interrupted = 0
    for (let nth = 1, isHit = true; isHit; nth++) {
      isHit = false
      const machine = new Machine()
      const log = written(machine)
      const before = lastValues(readAll(log))
      const from = machine.calls + nth
      machine.failCall = call => {
        if (call < from) return undefined
        isHit = true
        return new DiskError(code, 'rename', '/data/somewhere')
      }
      try {
        clean(machine, log, { sliceCost })
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        log.fail(error)
        interrupted++
      }
      machine.failCall = undefined
      if (log.failedWith === undefined) {
        expect([nth, lastValues(readAll(log))]).toEqual([nth, before])
        next(machine, log)
      }
      machine.kill()
      const again = openLog(machine, { config })
      expect([nth, lastValues(readAll(again))]).toEqual([nth, before])
      expect([nth, leftovers(machine, again)]).toEqual([nth, []])
    }
    expect(interrupted).toBeGreaterThan(50)
  })
})
