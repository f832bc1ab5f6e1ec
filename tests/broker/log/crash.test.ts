/**
 * A crash at every single disk call of a scenario, as a kill and as a power failure: the log that is recovered holds a
 * prefix of what was appended, everything that was flushed before, and nothing else.
 */
import { describe, expect, test } from 'vitest'
import { allRecords } from '#broker/protocol/records/batch-read.ts'
import { DirectoryLogManager } from '#broker/log/log-manager.ts'
import type { LogConfig, PartitionLog } from '#broker/log/log.ts'
import { asClient, batchOf, Crash, defaultConfig, Machine, topicId } from './harness.ts'

const partition = { topic: 'events', partition: 0 }
const config: LogConfig = { ...defaultConfig, segmentBytes: 700, indexIntervalBytes: 100 }

/** What the scenario knows when the crash comes. */
interface Progress {
  /** Values in the log, by offset. */
  readonly values: string[]
  /** Every history that may be found: the truncation that was under way may or may not have happened. */
  alternatives: string[][]
  /** Records below this are durable. */
  durable: number
}

function start(machine: Machine): DirectoryLogManager {
  const environment = machine.environment()
  const manager = new DirectoryLogManager({
    environment,
    logDirs: ['/data'],
    clusterId: 'c',
    nodeId: 1,
    configOf: () => config,
  })
  manager.start()
  return manager
}

function append(log: PartitionLog, progress: Progress, count: number, leaderEpoch: number): void {
  for (let index = 0; index < count; index++) {
    const value = `${leaderEpoch}.${progress.values.length}`
    // Counts from here on: a crash in the middle of the append may leave the record.
    progress.values.push(value)
    const result = log.appendAsLeader(batchOf([value]), { ...asClient, leaderEpoch })
    if (!('appended' in result)) throw new Error(`refused: ${JSON.stringify(result)}`)
  }
}

function flush(machine: Machine, log: PartitionLog, progress: Progress): void {
  log.flushLater(() => {
    progress.durable = Math.max(progress.durable, log.recoveryPoint)
  })
  machine.turn()
}

function scenario(machine: Machine, progress: Progress): void {
  const manager = start(machine)
  const log = manager.getOrCreate(partition, topicId, config)
  append(log, progress, 8, 1)
  flush(machine, log, progress)
  manager.checkpoint(() => 4)
  machine.turn()
  append(log, progress, 12, 2)
  manager.checkpoint(() => 9)
  machine.turn()
  append(log, progress, 3, 2)
  progress.alternatives = [[...progress.values]]
  const durableBefore = progress.durable
  progress.durable = Math.min(progress.durable, 6)
  log.truncateTo(6)
  progress.values.length = 6
  append(log, progress, 9, 3)
  flush(machine, log, progress)
  expect(durableBefore).toBeGreaterThan(6)
  expect(progress.durable).toBe(15)
  manager.close(() => 15)
}

function readAll(log: PartitionLog): string[] {
  const values: string[] = []
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    const result = log.read(offset, { maxBytes: 300, untilOffset: Infinity, atLeastOneBatch: true })
    if ('refused' in result || result.nextOffset === offset)
      throw new Error(`nothing to read at ${offset} of ${log.logEndOffset}`)
    for (const record of allRecords(result.records)) {
      expect(record.offset).toBe(values.length)
      values.push(record.value!.toString())
    }
    offset = result.nextOffset
  }
  return values
}

function isPrefix(values: readonly string[], of: readonly string[]): boolean {
  return values.length <= of.length && values.every((value, index) => value === of[index])
}

function check(machine: Machine, progress: Progress, where: string): void {
  const log = start(machine).get(partition)
  const values = log === undefined ? [] : readAll(log)
  const histories = [progress.values, ...progress.alternatives]
  if (!histories.some(history => isPrefix(values, history))) {
    throw new Error(
      `${where}: found ${values.join(' ')}, expected a prefix of ${histories.map(history => history.join(' ')).join(' | ')}`,
    )
  }
  if (values.length < progress.durable)
    throw new Error(`${where}: ${progress.durable} records were durable, ${values.length} are left`)
  if (log === undefined) return
  for (const [offset, value] of values.entries())
    expect([where, log.epochAt(offset)]).toEqual([where, Number(value.split('.')[0])])
  // And the log goes on.
  const next = log.appendAsLeader(batchOf(['next']), { ...asClient, leaderEpoch: 9 })
  expect(next).toMatchObject({ appended: { firstOffset: values.length } })
}

function run(machine: Machine): Progress {
  const progress: Progress = { values: [], alternatives: [], durable: 0 }
  try {
    scenario(machine, progress)
  } catch (error) {
    if (!(error instanceof Crash)) throw error
  }
  return progress
}

const calls = (() => {
  const machine = new Machine()
  run(machine)
  return machine.calls
})()

describe(`a crash at each of the ${calls} disk calls of a scenario`, () => {
  test('a kill loses nothing that was appended', () => {
    for (let at = 1; at <= calls; at++) {
      const machine = new Machine()
      machine.crashAtCall = at
      const progress = run(machine)
      machine.kill()
      // The last append may or may not have been written.
      if (progress.alternatives.length === 0) progress.durable = Math.max(0, progress.values.length - 1)
      check(machine, progress, `kill at call ${at}`)
    }
  })

  test.each([1, 2, 3, 4])('a power failure loses nothing that was flushed (seed %i)', seed => {
    for (let at = 1; at <= calls; at++) {
      const machine = new Machine()
      machine.crashAtCall = at
      const progress = run(machine)
      machine.powerFailure(seed * 1000 + at)
      check(machine, progress, `power failure at call ${at}, seed ${seed}`)
    }
  })

  test('a second crash during recovery does no harm', () => {
    for (let at = 20; at <= calls; at += 7) {
      for (let again = 1; again < 60; again += 5) {
        const machine = new Machine()
        machine.crashAtCall = at
        const progress = run(machine)
        machine.powerFailure(at)
        machine.crashAtCall = machine.calls + again
        try {
          start(machine)
        } catch (error) {
          if (!(error instanceof Crash)) throw error
        }
        machine.powerFailure(at + 1)
        check(machine, progress, `power failure at call ${at} and ${again} calls into recovery`)
      }
    }
  })
})
