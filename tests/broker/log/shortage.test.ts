/**
 * A log for which there is no file descriptor, or no space, at any one call: what was asked for is refused or done, never half done; nothing
 * that was acknowledged is lost, nothing goes offline, and all goes on as soon as there is enough.
 */
import { describe, expect, test } from 'vitest'
import { DiskError, type DiskErrorCode } from '#broker/environment/environment.ts'
import { failingDisk } from '#broker/environment/faulty/failing-disk.ts'
import type { DirectoryLogManager } from '#broker/log/log-manager.ts'
import type { LogConfig } from '#broker/log/log.ts'
import { OpenFiles } from '#broker/log/open-files.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { buildEndTransactionMarker } from '#broker/protocol/records/batch-build.ts'
import { batches } from '#broker/protocol/records/batch.ts'
import { Prng } from '#simulator/world/prng.ts'
import { clean, compacted } from './cleaner/harness.ts'
import { wholeLog } from './crashes/whole-log.ts'
import { asClient, batchOf, defaultConfig, inspect, Machine, startWallMs, topicId, startManager } from './harness.ts'

const events = { topic: 'events', partition: 0 }
const config: LogConfig = { ...defaultConfig, segmentBytes: 700, indexIntervalBytes: 100 }
const shortages: readonly DiskErrorCode[] = ['EMFILE', 'ENOSPC']
/** Calls that need a descriptor. */
const opening = ['open', 'list', 'syncDirectory'] as const

function start(machine: Machine, logConfig = config): { manager: DirectoryLogManager; log: SegmentedLog } {
  const openFiles = new OpenFiles(8)
  const manager = startManager(machine.environment(), { openFiles, configOf: () => logConfig })
  const log = manager.getOrCreate(events, topicId, logConfig) as SegmentedLog
  log.updateConfig(logConfig)
  return { manager, log }
}

/** Throws the DiskError for which the append is refused. */
function appended(result: ReturnType<SegmentedLog['appendAsLeader']>): void {
  if ('appended' in result) return
  expect(result).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
  throw 'cause' in result ? result.cause : new Error('refused without a cause')
}

function append(log: SegmentedLog, value = 'x'): boolean {
  return attempt(() =>
    appended(log.appendAsLeader(batchOf([value], { timestamp: startWallMs + log.logEndOffset }), asClient)),
  )
}

const fill = (log: SegmentedLog, count: number) => {
  for (let index = 0; index < count; index++) expect(append(log)).toBe(true)
}

const read = (log: SegmentedLog, offset: number) =>
  log.read(offset, { maxBytes: 200, untilOffset: log.logEndOffset, atLeastOneBatch: true })

/** What a reader finds, as it is with compaction: offset and checksum of each batch. */
function contents(log: SegmentedLog): string[] {
  const found: string[] = []
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    const result = log.read(offset, { maxBytes: 1 << 20, untilOffset: log.logEndOffset, atLeastOneBatch: true })
    if ('refused' in result || result.records.length === 0) throw new Error(`nothing at ${offset}`)
    for (const { baseOffset, crc } of batches(result.records)) found.push(`${baseOffset} ${crc}`)
    offset = result.nextOffset
  }
  return found
}

/** True when it was done, false when it was refused. */
function attempt(run: () => unknown): boolean {
  try {
    run()
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(DiskError)
    return false
  }
}

describe('without file descriptors', () => {
  test('now and then, whatever is done with a log, nothing is lost or offline, and it is whole', () => {
    let refused = 0
    for (let seed = 1; seed <= 60; seed++) {
      const random = new Prng(seed)
      const machine = new Machine()
      const { manager, log } = start(machine)
      let sequence = 0
      const producer = { producerId: 7n, producerEpoch: 0, transactional: true }
      const steps: (() => unknown)[] = [
        () => {
          if (!append(log)) throw new DiskError('EMFILE', 'append', '/data')
        },
        () => {
          const records = batchOf(['t'], { ...producer, baseSequence: sequence, timestamp: startWallMs })
          const result = log.appendAsLeader(records, asClient)
          // A truncation may have taken the beginning of the sequence.
          if ('refused' in result && result.cause !== undefined) appended(result)
        },
        () => {
          const records = buildEndTransactionMarker('abort', {
            ...producer,
            coordinatorEpoch: 1,
            timestamp: startWallMs,
          })
          const result = log.appendAsLeader(records, { ...asClient, origin: 'coordinator' })
          if ('refused' in result && result.cause !== undefined) appended(result)
        },
        () => read(log, random.below(log.logEndOffset + 1)),
        () => log.flush(),
        () => log.flushLater(() => {}),
        () => manager.checkpoint(() => log.logEndOffset),
        () => log.findByTimestamp(startWallMs + random.below(50), log.logEndOffset),
        () => log.truncateTo(Math.max(0, log.logEndOffset - random.below(8))),
        () => machine.turn(),
      ]
      for (let step = 0; step < 120; step++) {
        const id = random.chance(1, 2)
          ? machine.faults.add(failingDisk({ code: 'EMFILE', operations: opening, oneIn: 2 }))
          : undefined
        const end = log.logEndOffset
        const chosen = random.below(steps.length)
        if (!attempt(steps[chosen]!)) {
          refused++
          // What was refused has changed nothing that can be seen.
          expect([seed, step, chosen, log.logEndOffset]).toEqual([seed, step, chosen, end])
        }
        if (id !== undefined) machine.faults.heal(id)
        sequence = (log.producers().find(({ producerId }) => producerId === 7n)?.lastSequence ?? -1) + 1
      }
      machine.turn()
      expect([seed, manager.directories[0]!.online, log.failedWith]).toEqual([seed, true, undefined])
      fill(log, 1)
      const found = wholeLog(log)
      manager.checkpoint(() => log.logEndOffset)
      machine.turn()
      machine.kill()
      expect(wholeLog(start(machine).log)).toEqual(found)
    }
    expect(refused).toBeGreaterThan(300)
  })

  test('for a long time: what is open is written, index entries wait in memory, and a crash loses none of it', () => {
    const machine = new Machine()
    const everyBatch = { ...defaultConfig, indexIntervalBytes: 1 }
    const { log } = start(machine, everyBatch)
    fill(log, 1)
    const id = machine.faults.add(failingDisk({ code: 'EMFILE', operations: opening }))
    fill(log, 1100)
    expect(log.active.offsetIndex.entries).toBe(1100)
    machine.faults.heal(id)
    fill(log, 100)
    const found = contents(log)
    expect(found).toHaveLength(1201)
    machine.kill()
    const again = start(machine, everyBatch).log
    expect(contents(again)).toEqual(found)
    // The last entries were in memory alone, and are made anew.
    expect(again.active.offsetIndex.entries).toBe(1200)
  })

  test('a node says at its start what it lacks, and takes no directory for a failed one', () => {
    const machine = new Machine()
    const { manager } = start(machine)
    manager.close(() => 0)
    const environment = machine.environment()
    machine.faults.add(failingDisk({ code: 'EMFILE', operations: ['open'], path: /events-0/ }))
    expect(() => startManager(environment, { configOf: () => config })).toThrow(
      /Not enough file descriptors.*ulimit -n/,
    )
  })

  test('a log is deleted all the same; its files go when they can', () => {
    const machine = new Machine()
    const { manager, log } = start(machine)
    fill(log, 3)
    const names = () =>
      inspect(machine)
        .list('/data')
        .map(({ name }) => name)
        .filter(name => name.startsWith('events'))
    const id = machine.faults.add(failingDisk({ code: 'EMFILE', operations: ['remove', 'syncDirectory'] }))
    manager.delete(events)
    machine.advance(1000)
    expect(names()).toEqual([expect.stringMatching(/-delete$/)])
    machine.faults.heal(id)
    machine.advance(10_000)
    expect(names()).toEqual([])
    expect(manager.directories[0]!.online).toBe(true)
  })
})

describe.each(shortages)('%s at any one call', code => {
  /** Fails each call of `run` in turn, once; `run` is then done again until it is done. */
  function atEachCall(
    prepare: (machine: Machine) => { manager: DirectoryLogManager; log: SegmentedLog },
    run: (log: SegmentedLog, machine: Machine) => void,
    check: (log: SegmentedLog, place: string) => void,
  ): number {
    for (let nth = 1; ; nth++) {
      const machine = new Machine()
      const { manager, log } = prepare(machine)
      const at = machine.calls + nth
      let isHit = false
      machine.failCall = call => {
        if (call !== at) return undefined
        isHit = true
        return new DiskError(code, 'open', '/data/somewhere')
      }
      const place = `${code} at call ${nth}`
      for (let times = 0; !attempt(() => run(log, machine)); times++) {
        expect([place, times < 3]).toEqual([place, true])
        machine.advance(1000)
      }
      machine.failCall = undefined
      // A full directory is looked at once a second.
      machine.advance(1000)
      expect([place, manager.directories[0]!.online, log.failedWith]).toEqual([place, true, undefined])
      check(log, place)
      fill(log, 1)
      const found = contents(log)
      manager.checkpoint(() => log.logEndOffset)
      machine.turn()
      machine.kill()
      expect([place, contents(start(machine).log)]).toEqual([place, found])
      if (!isHit) return nth - 1
    }
  }

  const filled = (machine: Machine) => {
    const started = start(machine)
    fill(started.log, 25)
    return started
  }

  test('of a truncation', () => {
    const flushed = (machine: Machine) => {
      const started = filled(machine)
      started.log.flush()
      started.manager.checkpoint(() => 25)
      machine.turn()
      return started
    }
    for (const prepare of [filled, flushed]) {
      const calls = atEachCall(
        prepare,
        log => log.truncateTo(9),
        (log, place) => expect([place, log.logEndOffset, contents(log).length]).toEqual([place, 9, 9]),
      )
      expect(calls).toBeGreaterThan(20)
    }
  })

  test('of a new beginning', () => {
    const calls = atEachCall(
      filled,
      log => log.truncateFullyAndStartAt(100),
      (log, place) => expect([place, log.logStartOffset, log.logEndOffset]).toEqual([place, 100, 100]),
    )
    expect(calls).toBeGreaterThan(20)
  })

  test('of a pass of retention', () => {
    const calls = atEachCall(
      filled,
      log => {
        log.advanceLogStart(20)
        log.enforceRetention(startWallMs, 25)
        if (log.segmentOffsets[0]! < 15) throw new Error('nothing was deleted')
      },
      (log, place) => expect([place, log.logEndOffset]).toEqual([place, 25]),
    )
    expect(calls).toBeGreaterThan(5)
  })

  test('of a swap of segments', () => {
    const dirty = (machine: Machine) => {
      const started = start(machine, compacted)
      for (let index = 0; index < 40; index++) expect(append(started.log, `v${index % 5}`)).toBe(true)
      started.log.setHighWatermark(40)
      started.log.flush()
      return started
    }
    const kept = () => {
      const machine = new Machine()
      const { log } = dirty(machine)
      clean(machine, log)
      return contents(log).length
    }
    const expected = kept()
    expect(expected).toBeLessThan(40)
    const calls = atEachCall(
      dirty,
      (log, machine) => {
        // A cleaning that was given up is begun anew.
        if (contents(log).length > expected) clean(machine, log)
      },
      (log, place) => expect([place, contents(log).length]).toEqual([place, expected]),
    )
    expect(calls).toBeGreaterThan(50)
  })

  test('of an append that flush.messages has flushed: it is refused before anything of it is in the log, or it is durable', () => {
    let refusals = 0
    for (let nth = 1, isHit = true; isHit; nth++) {
      isHit = false
      const machine = new Machine()
      const { manager, log } = start(machine, { ...config, flushMessages: 1 })
      const producer = { producerId: 7n, producerEpoch: 0 }
      const begun = batchOf(['t'], { ...producer, baseSequence: 0, transactional: true, timestamp: startWallMs })
      expect(log.appendAsLeader(begun, asClient)).toHaveProperty('appended')
      const marker = buildEndTransactionMarker('abort', { ...producer, coordinatorEpoch: 0, timestamp: startWallMs })
      const at = machine.calls + nth
      machine.failCall = call => {
        if (call !== at) return undefined
        isHit = true
        return new DiskError(code, 'open', '/data/somewhere')
      }
      const result = log.appendAsLeader(marker, { origin: 'coordinator', leaderEpoch: 0, wallMs: startWallMs })
      machine.failCall = undefined
      const place = `${code} at call ${nth}`
      if ('appended' in result) expect([place, log.failedWith]).toEqual([place, undefined])
      else if (log.failedWith === undefined) {
        refusals++
        expect([place, log.logEndOffset]).toEqual([place, 1])
      } else {
        // It is in the log: a log that goes on would say so, and this one says nothing more.
        expect([place, log.logEndOffset, manager.directories[0]!.online]).toEqual([place, 2, false])
      }
      const isIn = log.logEndOffset === 2
      if ('appended' in result) machine.powerFailure(nth)
      else machine.kill()
      expect([place, start(machine).log.logEndOffset]).toEqual([place, isIn ? 2 : 1])
    }
    expect(refusals).toBeGreaterThan(0)
  })
})
