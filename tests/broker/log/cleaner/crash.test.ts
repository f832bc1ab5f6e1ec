/**
 * A crash at every single disk call of a scenario with two cleanings, as a kill and as a power failure: whatever is found afterwards, every
 * key has the value that was written last, nothing that was durable is missing, no aborted record is seen, and no half-done file is left.
 */
import { describe, expect, test } from 'vitest'
import type { DirectoryLogManager } from '#broker/log/log-manager.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { Crash, Machine, topicId, startManager } from '../harness.ts'
import { compacted } from './harness.ts'
import { History } from './history.ts'

const partition = { topic: 'events', partition: 0 }
const config = { ...compacted, segmentBytes: 600 }
const settings = {
  isEnabled: true,
  threads: 1,
  dedupeBufferBytes: 1 << 20,
  loadFactor: 0.9,
  ioBufferBytes: 16 * 1024,
  maxBytesPerSecond: Infinity,
  backoffMs: 5,
}

interface Progress {
  readonly history: History
  /** Records below this are durable. */
  durable: number
  /** The disk call by which the first records, and the names of their files, were durable. */
  durableSinceCall: number
}

function start(machine: Machine): DirectoryLogManager {
  // As at a start, when the settings of topics are not known yet.
  return startManager(machine.environment(), { configOf: () => ({ ...config, cleanupPolicy: ['delete'] }) })
}

function flush(machine: Machine, log: SegmentedLog, progress: Progress): void {
  log.flushLater(() => {
    progress.durable = Math.max(progress.durable, log.recoveryPoint)
  })
  machine.turn()
  progress.durableSinceCall = Math.min(progress.durableSinceCall, machine.calls)
}

/** Lets the cleaner work until it has nothing to do. */
function cleanAll(machine: Machine, manager: DirectoryLogManager, progress: Progress, log: SegmentedLog): void {
  const { figures } = manager.cleaner
  for (let idle = 0, before = figures.cleanings; idle < 12; idle++) {
    machine.advance(1)
    progress.durable = Math.max(progress.durable, log.recoveryPoint)
    if (manager.cleaner.current !== undefined || figures.cleanings !== before) idle = 0
    before = figures.cleanings
  }
}

function scenario(machine: Machine, progress: Progress): DirectoryLogManager {
  const { history } = progress
  const manager = start(machine)
  const log = manager.getOrCreate(partition, topicId, config) as SegmentedLog
  log.updateConfig(config)
  const write = (round: number): void => {
    history.append(
      log,
      [
        { key: 'a', value: `${round}` },
        { key: `once-${round}`, value: 'x' },
      ],
      { leaderEpoch: round },
    )
    history.append(log, [{ key: 'b', value: round % 2 === 0 ? null : `${round}` }], { leaderEpoch: round })
    history.append(log, [{ key: 'a', value: 'never' }], { producerId: 5n, transactional: true, leaderEpoch: round })
    history.append(log, [{ key: 'c', value: `${round}` }], { producerId: 6n, transactional: true, leaderEpoch: round })
    history.end(log, 'abort', 5n, { leaderEpoch: round })
    history.append(log, [{ key: 'd', value: `${round}` }], { producerId: 7n, compression: 'gzip', leaderEpoch: round })
    history.end(log, 'commit', 6n, { leaderEpoch: round })
  }
  for (let round = 1; round <= 3; round++) write(round)
  flush(machine, log, progress)
  manager.checkpoint(() => log.logEndOffset)
  machine.turn()
  write(4)
  manager.cleaner.configure(settings)
  cleanAll(machine, manager, progress, log)
  expect(manager.cleaner.figures.cleanings).toBeGreaterThan(0)
  history.check(log, 'after the first cleaning')
  machine.advance(config.deleteRetentionMs)
  for (let round = 5; round <= 6; round++) write(round)
  cleanAll(machine, manager, progress, log)
  history.check(log, 'after the second cleaning')
  manager.close(() => log.logEndOffset)
  progress.durable = log.logEndOffset
  return manager
}

function run(machine: Machine): Progress {
  const progress: Progress = { history: new History(), durable: 0, durableSinceCall: Infinity }
  try {
    scenario(machine, progress)
  } catch (error) {
    if (!(error instanceof Crash)) throw error
  }
  return progress
}

function check(machine: Machine, progress: Progress, where: string): void {
  const { history, durable } = progress
  const manager = start(machine)
  const log = manager.get(partition) as SegmentedLog | undefined
  if (log === undefined) {
    expect([where, durable]).toEqual([where, 0])
    return
  }
  expect([where, log.logEndOffset >= durable]).toEqual([where, true])
  history.cut(log.logEndOffset)
  log.setHighWatermark(log.logEndOffset)
  history.check(log, where)
  const names = machine.currentDisk!.list(log.directory).map(({ name }) => name)
  expect([where, names.filter(name => /cleaned|swap/.test(name))]).toEqual([where, []])
  // And it is cleaned once more, as far as it has come.
  log.updateConfig(config)
  manager.cleaner.configure(settings)
  cleanAll(machine, manager, progress, log)
  history.check(log, `${where}, cleaned again`)
  manager.close(() => log.logEndOffset)
}

const { calls, durableSinceCall } = (() => {
  const machine = new Machine()
  const { durableSinceCall } = run(machine)
  return { calls: machine.calls, durableSinceCall }
})()

describe(`a crash at each of the ${calls} disk calls of two cleanings`, () => {
  test('a kill loses nothing that was appended', { timeout: 300_000 }, () => {
    for (let at = 1; at <= calls; at++) {
      const machine = new Machine()
      machine.crashAtCall = at
      const progress = run(machine)
      machine.kill()
      // The last append may or may not have been written.
      progress.durable = Math.max(progress.durable, progress.history.entries.length - 2)
      check(machine, progress, `kill at call ${at}`)
    }
  })

  test.each(['ordered', 'independent'] as const)(
    'a power failure loses nothing that was durable, whether the names of files are lost in order or not (%s)',
    { timeout: 300_000 },
    directoryLoss => {
      // Out of order the name of the very first segment may be lost, as long as nothing was asked to be durable.
      for (let at = directoryLoss === 'ordered' ? 1 : durableSinceCall; at <= calls; at++) {
        const machine = new Machine()
        machine.crashAtCall = at
        const progress = run(machine)
        machine.powerFailure(at, directoryLoss)
        check(machine, progress, `power failure at call ${at}, ${directoryLoss}`)
      }
    },
  )

  test('a second crash, while the first is recovered from, does no harm', { timeout: 300_000 }, () => {
    for (let at = 150; at <= calls; at += 11) {
      for (let again = 1; again < 80; again += 9) {
        const machine = new Machine()
        machine.crashAtCall = at
        const progress = run(machine)
        machine.powerFailure(at, 'independent')
        machine.crashAtCall = machine.calls + again
        try {
          start(machine)
        } catch (error) {
          if (!(error instanceof Crash)) throw error
        }
        machine.powerFailure(at + 1, 'independent')
        check(machine, progress, `power failure at call ${at} and ${again} calls into recovery`)
      }
    }
  })
})
