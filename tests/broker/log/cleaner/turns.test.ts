/** How much of a turn of the event loop the cleaner takes from a log of many small segments, none of which was opened since the start. */
import { expect, test } from 'vitest'
import type { Environment } from '#broker/environment/environment.ts'
import type { CleanerSettings } from '#broker/log/cleaner/log-cleaner.ts'
import type { DirectoryLogManager } from '#broker/log/log-manager.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { asClient, Machine, startWallMs, topicId, startManager } from '../harness.ts'
import { compacted, lastValues, readAll } from './harness.ts'

const config = { ...compacted, segmentBytes: 150, minCompactionLagMs: 1, maxCompactionLagMs: 1 }
const settings: CleanerSettings = {
  isEnabled: true,
  threads: 1,
  dedupeBufferBytes: 1024 * 1024,
  loadFactor: 0.9,
  ioBufferBytes: 512 * 1024,
  maxBytesPerSecond: Number.MAX_VALUE,
  backoffMs: 15_000,
}

function start(environment: Environment): { manager: DirectoryLogManager; log: SegmentedLog } {
  const manager = startManager(environment, { configOf: () => config })
  return { manager, log: manager.getOrCreate({ topic: 'events', partition: 0 }, topicId, config) as SegmentedLog }
}

/** Disk calls of the turn that made most of them, while a log of so many segments is looked at and cleaned. */
function mostCalls(segments: number): number {
  const machine = new Machine()
  const before = start(machine.environment())
  for (let index = 0; index < segments; index++) {
    const batch = buildBatch([{ key: `k${index % 7}`, value: 'x'.repeat(60) }], { timestamp: startWallMs })
    if (!('appended' in before.log.appendAsLeader(batch, asClient))) throw new Error('refused')
  }
  before.manager.close(() => segments)
  machine.nowMs = 1000
  const environment = machine.environment()
  let most = 0
  const counted = (run: () => void) => () => {
    const calls = machine.calls
    run()
    most = Math.max(most, machine.calls - calls)
  }
  const { timers } = environment
  const { manager, log } = start({
    ...environment,
    timers: { after: (delayMs, run) => timers.after(delayMs, counted(run)), soon: run => timers.soon(counted(run)) },
  })
  expect(log.segmentOffsets).toHaveLength(segments)
  log.updateConfig(config)
  log.setHighWatermark(segments)
  manager.cleaner.configure(settings)
  for (let ms = 0; manager.cleaner.figures.cleanings === 0; ms++) {
    machine.advance(manager.cleaner.current === undefined ? 15_000 : 20)
    if (ms > 10_000) throw new Error('it was not cleaned')
  }
  expect(lastValues(readAll(log)).size).toBe(7)
  return most
}

test('a log of a thousand segments takes no more of a turn than one of three hundred', () => {
  const few = mostCalls(300)
  expect(mostCalls(1000)).toBeLessThan(few * 1.2)
  expect(few).toBeLessThan(1500)
})
