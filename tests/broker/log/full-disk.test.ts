/**
 * A log directory without space: appends are refused and nothing of them counts, reads and deletions go on, and when there is space again so
 * do the appends, without a restart. An fsync that finds no space is a failure like any other.
 */
import { describe, expect, test } from 'vitest'
import { DiskError } from '#broker/environment/environment.ts'
import { failingDisk } from '#broker/environment/faulty/failing-disk.ts'
import { fullDisk } from '#broker/environment/faulty/full-disk.ts'
import type { DirectoryLogManager } from '#broker/log/log-manager.ts'
import type { LogConfig } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { buildEndTransactionMarker } from '#broker/protocol/records/batch-build.ts'
import { wholeLog } from './crashes/whole-log.ts'
import { asClient, batchOf, defaultConfig, inspect, Machine, startWallMs, topicId, startManager } from './harness.ts'

const events = { topic: 'events', partition: 0 }
const other = { topic: 'other', partition: 0 }
const config: LogConfig = { ...defaultConfig, segmentBytes: 700, indexIntervalBytes: 100 }

function start(machine: Machine, logDirs = ['/data']): DirectoryLogManager {
  return startManager(machine.environment(), { logDirs, configOf: () => config })
}

function append(log: SegmentedLog, value = 'x'): ReturnType<SegmentedLog['appendAsLeader']> {
  return log.appendAsLeader(batchOf([value], { timestamp: startWallMs + log.logEndOffset }), asClient)
}

const fill = (log: SegmentedLog, count: number) => {
  for (let index = 0; index < count; index++) expect(append(log)).toHaveProperty('appended')
}

const logOf = (manager: DirectoryLogManager, partition = events) =>
  manager.getOrCreate(partition, topicId, config) as SegmentedLog

describe('a full log directory', () => {
  test('refuses appends, serves reads, and takes appends again when a probe finds space', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = logOf(manager)
    const second = logOf(manager, other)
    fill(log, 3)
    const cameBack: string[] = []
    manager.onSpace(id => cameBack.push(id))
    const id = machine.faults.add(fullDisk())
    expect(append(log)).toMatchObject({
      refused: 'KAFKA_STORAGE_ERROR',
      message: expect.stringContaining('disk is full'),
    })
    // Known from then on: no log of the directory tries.
    const { changes } = machine
    expect(append(second)).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
    expect(() => log.appendAsFollower(batchOf(['y'], { baseOffset: 3 }))).toThrow(DiskError)
    expect(machine.changes).toBe(changes)
    expect([log.logEndOffset, manager.directories[0]!.online]).toEqual([3, true])
    expect(log.read(0, { maxBytes: 1000, untilOffset: 3, atLeastOneBatch: true })).toMatchObject({ nextOffset: 3 })
    machine.advance(5000)
    expect(append(log)).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
    machine.faults.heal(id)
    expect(append(log)).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
    machine.advance(1000)
    expect(cameBack).toEqual([manager.directories[0]!.id])
    fill(log, 20)
    fill(second, 1)
    expect(wholeLog(log)).toHaveLength(23)
    expect(
      inspect(machine)
        .list('/data')
        .map(({ name }) => name),
    ).not.toContain('.space-probe')
    machine.kill()
    expect(wholeLog(logOf(start(machine)))).toHaveLength(23)
  })

  test('wherever the space ends in the middle of work, the log is whole, goes on, and a crash finds it so', () => {
    let refusals = 0
    for (let afterBytes = 0; afterBytes < 4000; afterBytes += 29) {
      const machine = new Machine()
      const manager = start(machine)
      const log = logOf(manager)
      const id = machine.faults.add(fullDisk({ afterBytes }))
      let acknowledged = 0
      for (let round = 0; round < 30; round++) {
        const kind = round % 3 === 2 ? 'marker' : 'data'
        const producer = { producerId: 7n, producerEpoch: 0, transactional: true }
        const records =
          kind === 'marker'
            ? buildEndTransactionMarker('abort', { ...producer, coordinatorEpoch: 1, timestamp: startWallMs })
            : batchOf([`v${acknowledged}`], {
                ...producer,
                timestamp: startWallMs,
                baseSequence: acknowledged - Math.floor(acknowledged / 3),
              })
        const result = log.appendAsLeader(
          records,
          kind === 'marker' ? { ...asClient, origin: 'coordinator' } : asClient,
        )
        if (!('appended' in result)) {
          expect(result).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
          refusals++
          break
        }
        acknowledged++
        machine.turn()
        if (round % 7 === 6) manager.checkpoint(() => log.logEndOffset)
        machine.turn()
      }
      expect([afterBytes, log.logEndOffset, manager.directories[0]!.online]).toEqual([afterBytes, acknowledged, true])
      expect(wholeLog(log)).toHaveLength(acknowledged)
      // Once a crash at this moment, once more appends first.
      if (afterBytes % 2 === 0) {
        machine.faults.heal(id)
        machine.advance(2000)
        const more = log.appendAsLeader(batchOf(['more']), asClient)
        expect(more).toMatchObject({ appended: { firstOffset: acknowledged } })
        acknowledged++
      }
      machine.kill()
      const found = wholeLog(start(machine).get(events) as SegmentedLog)
      expect([afterBytes, found.length]).toEqual([afterBytes, acknowledged])
    }
    expect(refusals).toBeGreaterThan(50)
  })

  test('retention and deletion free space at once', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = logOf(manager)
    logOf(manager, other)
    fill(log, 30)
    log.flush()
    machine.faults.add(fullDisk())
    expect(append(log)).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
    log.advanceLogStart(20)
    expect(log.enforceRetention(startWallMs, 30)).toBeGreaterThan(0)
    manager.delete(other)
    machine.advance(0)
    const left = inspect(machine)
      .list('/data/events-0')
      .map(({ name }) => name)
    expect(left.filter(name => name.endsWith('.deleted'))).toEqual([])
    expect(
      inspect(machine)
        .list('/data')
        .map(({ name }) => name)
        .filter(name => name.startsWith('other')),
    ).toEqual([])
    expect(manager.directories[0]!.online).toBe(true)
    expect(wholeLog(log).at(-1)).toMatchObject({ nextOffset: 30 })
  })

  test('a truncation that cannot note itself is refused, and done later', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = logOf(manager)
    fill(log, 12)
    log.flush()
    machine.turn()
    manager.checkpoint(() => 12)
    machine.turn()
    const id = machine.faults.add(fullDisk())
    expect(() => log.truncateTo(5)).toThrow(DiskError)
    expect([log.logStartOffset, log.logEndOffset, log.failedWith]).toEqual([0, 12, undefined])
    expect(wholeLog(log)).toHaveLength(12)
    machine.faults.heal(id)
    machine.advance(2000)
    log.truncateTo(5)
    expect(wholeLog(log)).toHaveLength(5)
    fill(log, 1)
  })

  test('a truncation needs no space for what was noted when the log was made', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = logOf(manager)
    fill(log, 12)
    machine.faults.add(fullDisk())
    log.truncateTo(5)
    log.flush()
    expect([wholeLog(log).length, log.recoveryPoint, manager.directories[0]!.online]).toEqual([5, 5, true])
  })

  test('does not keep a node from stopping: every log keeps what it can, nothing is held or tried any more', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = logOf(manager)
    const second = logOf(manager, other)
    // Both are known to a power failure, and so is all but the last of their records.
    for (const each of [log, second]) {
      fill(each, 3)
      each.flush()
    }
    manager.checkpoint(() => 3)
    machine.turn()
    for (const each of [log, second]) fill(each, 2)
    machine.faults.add(fullDisk())
    expect(append(log)).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
    manager.close(() => 5)
    const { calls } = machine
    machine.advance(60_000)
    expect(machine.calls).toBe(calls)
    expect(inspect(machine).stat('/data/.lock')).toBeUndefined()
    expect(inspect(machine).stat('/data/.kafka_cleanshutdown')).toBeUndefined()
    machine.powerFailure(5)
    const again = start(machine)
    for (const partition of [events, other]) expect(wholeLog(again.get(partition) as SegmentedLog)).toHaveLength(5)
  })

  test('new logs go elsewhere; one that has to be there is made when there is space', () => {
    const machine = new Machine()
    const manager = start(machine, ['/data', '/more'])
    const log = logOf(manager)
    expect(manager.directoryOf(events)?.path).toBe('/data')
    // The other one has more logs, and would not be chosen.
    for (let index = 0; index < 3; index++) {
      manager.prefer({ topic: 'more', partition: index }, '/more')
      logOf(manager, { topic: 'more', partition: index })
    }
    const id = machine.faults.add(
      failingDisk({ code: 'ENOSPC', operations: ['write', 'makeDirectory'], path: /^\/data/ }),
    )
    expect(append(log)).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
    logOf(manager, other)
    expect(manager.directoryOf(other)?.path).toBe('/more')
    const [first] = manager.directories
    const named = { topic: 'named', partition: 0 }
    const create = () => manager.getOrCreate(named, topicId, config, { directoryId: first!.id, isNew: true })
    expect(create).toThrow(DiskError)
    expect(inspect(machine).stat('/data/named-0')).toBeUndefined()
    machine.faults.heal(id)
    machine.advance(2000)
    fill(create() as SegmentedLog, 2)
    machine.kill()
    expect(start(machine, ['/data', '/more']).get(named)?.topicId).toBe(topicId)
  })

  test('does not stop a node that starts: its logs are served, and take appends when there is space', () => {
    const machine = new Machine()
    const manager = start(machine)
    fill(logOf(manager), 5)
    manager.close(() => 5)
    const id = machine.faults.add(fullDisk())
    const again = start(machine)
    const log = again.get(events) as SegmentedLog
    expect(log.read(0, { maxBytes: 1000, untilOffset: 5, atLeastOneBatch: true })).toMatchObject({ nextOffset: 5 })
    expect(append(log)).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
    machine.faults.heal(id)
    machine.advance(2000)
    fill(log, 1)
  })

  test.each(['ENOSPC', 'EDQUOT'] as const)('an fsync that fails with %s takes the directory offline', code => {
    const machine = new Machine()
    const manager = start(machine)
    const log = logOf(manager)
    fill(log, 2)
    machine.faults.add(failingDisk({ code, operations: ['sync'] }))
    let error: Error | undefined
    log.flushLater(result => {
      if ('error' in result) error = result.error
    })
    machine.turn()
    expect(error).toMatchObject({ code })
    expect(manager.directories[0]!.online).toBe(false)
  })
})
