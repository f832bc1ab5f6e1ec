/** A log that is cut: what the checkpoints say about it is lowered on disk before, and a failover that cuts many logs does not write them for each. */
import { describe, expect, test } from 'vitest'
import type { DirectoryLogManager } from '#broker/log/log-manager.ts'
import {
  cleanerOffsetFile,
  logStartOffsetFile,
  readOffsetCheckpoint,
  recoveryPointFile,
} from '#broker/log/checkpoints.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { failingDisk } from '#broker/environment/faulty/failing-disk.ts'
import { asClient, batchOf, Crash, defaultConfig, inspect, Machine, topicId, startManager } from './harness.ts'

function start(machine: Machine): DirectoryLogManager {
  return startManager(machine.environment())
}

const partitionOf = (partition: number) => ({ topic: 'events', partition })

function fill(manager: DirectoryLogManager, partition: number, records: number): SegmentedLog {
  const log = manager.getOrCreate(partitionOf(partition), topicId, defaultConfig) as SegmentedLog
  for (let index = 0; index < records; index++) log.appendAsLeader(batchOf([`v${index}`]), asClient)
  log.flush()
  return log
}

const inFile = (machine: Machine, file: string, partition = 0): number =>
  readOffsetCheckpoint(inspect(machine), `/data/${file}`).get(`events-${partition}`) ?? 0

describe('before a log is cut', () => {
  test.each([
    ['how far it was cleaned', cleanerOffsetFile],
    ['how far it is durable', recoveryPointFile],
  ])('%s is lowered on disk', (_what, file) => {
    let points = 0
    let isCut = false
    for (let change = 1; ; change++) {
      const machine = new Machine()
      const manager = start(machine)
      const log = fill(manager, 0, 20)
      const [directory] = manager.directories as unknown as { setCleanerOffset(...args: unknown[]): void }[]
      directory!.setCleanerOffset(partitionOf(0), 15, () => {})
      manager.checkpoint(() => 20)
      machine.turn()
      expect([inFile(machine, file), log.logEndOffset]).toEqual([file === cleanerOffsetFile ? 15 : 20, 20])
      const { path, sizeBytes } = log.currentSegments[0]!
      machine.crashAfterChange = machine.changes + change
      let isOver = true
      try {
        log.truncateTo(6)
      } catch (error) {
        if (!(error instanceof Crash)) throw error
        isOver = false
      }
      machine.kill()
      points++
      if (inspect(machine).stat(path)!.bytes < sizeBytes) {
        isCut = true
        expect([change, inFile(machine, file)]).toEqual([change, 6])
      }
      if (isOver) break
    }
    expect([points > 5, isCut]).toEqual([true, true])
  })

  describe.each(['ENOSPC', 'EMFILE'] as const)('and that fails for once (%s)', code => {
    test.each([
      ['how far it was cleaned', cleanerOffsetFile, 15],
      ['how far it is durable', recoveryPointFile, 20],
      ['where it starts', logStartOffsetFile, 10],
    ])('the next try lowers %s on disk', (_what, file, before) => {
      const machine = new Machine()
      const manager = start(machine)
      const log = fill(manager, 0, 20)
      const [directory] = manager.directories as unknown as { setCleanerOffset(...args: unknown[]): void }[]
      directory!.setCleanerOffset(partitionOf(0), 15, () => {})
      log.setHighWatermark(20)
      log.advanceLogStart(10)
      manager.checkpoint(() => 20)
      machine.turn()
      expect(inFile(machine, file)).toBe(before)
      const path = new RegExp(file)
      const id = machine.faults.add(failingDisk({ code, operations: ['open', 'rename'], path }))
      expect(() => log.truncateTo(6)).toThrow(code)
      expect([inFile(machine, file), log.logEndOffset]).toEqual([before, 20])
      machine.faults.heal(id)
      log.truncateTo(6)
      expect(log.logEndOffset).toBe(6)
      // No checkpoint comes before the power fails.
      expect(inFile(machine, file)).toBe(6)
    })
  })
})

describe('a failover that cuts many logs', () => {
  const count = 40

  function cutAll(highWatermark: number): {
    readonly writes: number
    readonly machine: Machine
    readonly manager: DirectoryLogManager
  } {
    const machine = new Machine()
    const manager = start(machine)
    const logs = Array.from({ length: count }, (_, partition) => fill(manager, partition, 12))
    for (const log of logs) log.setHighWatermark(highWatermark)
    manager.checkpoint(() => highWatermark)
    machine.turn()
    expect(inFile(machine, recoveryPointFile, 3)).toBe(12)
    let writes = 0
    machine.faults.add({
      kind: 'probe',
      summary: 'counts checkpoints',
      changeWrite(call) {
        if (call.path.includes(recoveryPointFile)) writes++
        return undefined
      },
    })
    for (const log of logs) log.truncateTo(9)
    return { writes, machine, manager }
  }

  test('writes their recovery points once, not above where any of them is cut', () => {
    const { writes, machine, manager } = cutAll(8)
    expect(writes).toBe(1)
    for (let partition = 0; partition < count; partition++)
      expect(inFile(machine, recoveryPointFile, partition)).toBeLessThanOrEqual(9)
    // The next checkpoint has them where they are.
    manager.checkpoint(() => 8)
    machine.turn()
    expect(inFile(machine, recoveryPointFile, 5)).toBe(9)
  })

  test('below their high watermarks, which is not expected, writes them for each', () => {
    const { writes, machine } = cutAll(11)
    expect(writes).toBe(count)
    for (let partition = 0; partition < count; partition++)
      expect(inFile(machine, recoveryPointFile, partition)).toBeLessThanOrEqual(9)
  })
})
