/** All logs of a node: start, checkpoints, clean and unclean stop, deletion, a failing disk. */
import { describe, expect, test } from 'vitest'
import { DiskError } from '#broker/environment/environment.ts'
import { failingDisk } from '#broker/environment/faulty/failing-disk.ts'
import type { PartitionLog } from '#broker/log/log.ts'
import type { DirectoryLogManager } from '#broker/log/log-manager.ts'
import type { LogManagerOptions } from '#broker/log/log-manager.ts'
import { readFile, replaceFile } from '#broker/log/small-files.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { asClient, batchOf, defaultConfig, inspect, Machine, startWallMs, topicId, startManager } from './harness.ts'

const events = { topic: 'events', partition: 0 }
const other = { topic: 'my-other.topic', partition: 12 }

function start(machine: Machine, options: Partial<LogManagerOptions> = {}): DirectoryLogManager {
  const { environment = machine.environment() } = options
  return startManager(environment, { clusterId: 'c1', nodeId: 3, ...options })
}

function fill(log: PartitionLog, count: number): void {
  for (let index = 0; index < count; index++) {
    const result = log.appendAsLeader(batchOf([`v${log.logEndOffset}`]), asClient)
    if (!('appended' in result)) throw new Error(JSON.stringify(result))
  }
}

const text = (machine: Machine, path: string) => readFile(inspect(machine), path)?.toString()

describe('a log directory', () => {
  test('is formatted once and refused to another cluster or node', () => {
    const machine = new Machine()
    const id = start(machine).directories[0]!.id
    expect(id).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/)
    expect(text(machine, '/data/meta.properties')).toBe(`#\ncluster.id=c1\ndirectory.id=${id}\nnode.id=3\nversion=1\n`)
    expect(start(machine).directories[0]!.id).toBe(id)
    expect(() => start(machine, { clusterId: 'c2' })).toThrow('belongs to cluster c1')
    expect(() => start(machine, { nodeId: 4 })).toThrow('belongs to node 3')
  })

  test('keeps the topic id of each partition', () => {
    const machine = new Machine()
    start(machine).getOrCreate(other, topicId, defaultConfig)
    expect(text(machine, '/data/my-other.topic-12/partition.metadata')).toBe(`version: 0\ntopic_id: ${topicId}`)
    const manager = start(machine)
    expect(manager.get(other)?.topicId).toBe(topicId)
    expect(() => manager.getOrCreate(other, 'BBBBBBBBBBBBBBBBBBBBBQ', defaultConfig)).toThrow('delete it first')
  })
})

describe('a log that Apache Kafka has compacted, after a kill', () => {
  /** Offsets 0 to 4 and 10 to 14, in a segment each; what lay between was cleaned away. */
  function compacted(machine: Machine): void {
    const disk = inspect(machine)
    disk.makeDirectory('/data/events-0')
    for (const baseOffset of [0, 10]) {
      const batch = buildBatch(
        Array.from({ length: 5 }, (_, index) => ({ key: `k${index}`, value: 'v', timestamp: startWallMs })),
        { baseOffset, partitionLeaderEpoch: 0 },
      )
      replaceFile(disk, `/data/events-0/${String(baseOffset).padStart(20, '0')}.log`, batch, { durable: true })
    }
  }

  test('keeps what comes after the gap, though nobody knows its policy yet', () => {
    const machine = new Machine()
    compacted(machine)
    const checkpoint = '0\n1\nevents 0 10\n'
    replaceFile(inspect(machine), '/data/cleaner-offset-checkpoint', checkpoint, { durable: true })
    const log = start(machine).get(events)
    expect([log?.logStartOffset, log?.logEndOffset]).toEqual([0, 15])
  })

  test('without the cleaner’s checkpoint the gap is one that a power failure has left', () => {
    const machine = new Machine()
    compacted(machine)
    const log = start(machine).get(events)
    expect([log?.logStartOffset, log?.logEndOffset]).toEqual([0, 5])
  })
})

describe('stopping and starting', () => {
  test('a clean stop leaves the marker with the broker epoch, and the next start takes it away and scans nothing', () => {
    const machine = new Machine()
    const manager = start(machine, { brokerEpoch: () => 42 })
    fill(manager.getOrCreate(events, topicId, defaultConfig), 10)
    manager.close(() => 7)
    expect(text(machine, '/data/.kafka_cleanshutdown')).toBe('{"version":0,"brokerEpoch":42}')
    expect(text(machine, '/data/recovery-point-offset-checkpoint')).toBe('0\n1\nevents 0 10\n')
    expect(text(machine, '/data/replication-offset-checkpoint')).toBe('0\n1\nevents 0 7\n')
    const again = start(machine)
    expect(again.previousBrokerEpoch).toBe(42)
    expect(text(machine, '/data/.kafka_cleanshutdown')).toBeUndefined()
    expect(again.get(events)).toMatchObject({ logEndOffset: 10, recoveryPoint: 10 })
    expect([again.checkpointedHighWatermark(events), again.checkpointedHighWatermark(other)]).toEqual([7, 0])
  })

  test('after a kill the checkpoints say from where to recover', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = manager.getOrCreate(events, topicId, defaultConfig)
    fill(log, 5)
    log.flush()
    fill(log, 5)
    manager.checkpoint(() => 8)
    machine.turn()
    machine.kill()
    expect(text(machine, '/data/recovery-point-offset-checkpoint')).toBe('0\n1\nevents 0 5\n')
    const again = start(machine)
    expect(again.get(events)).toMatchObject({ logEndOffset: 10, recoveryPoint: 5 })
    expect([again.checkpointedHighWatermark(events), again.previousBrokerEpoch]).toEqual([8, -1])
  })

  test('a damaged checkpoint is named in the log and makes recovery start at the beginning', () => {
    const machine = new Machine()
    const manager = start(machine)
    fill(manager.getOrCreate(events, topicId, defaultConfig), 5)
    manager.close(() => 5)
    const file = inspect(machine).open('/data/recovery-point-offset-checkpoint', 'write')
    file.write([Buffer.from('9')], 0)
    inspect(machine).remove('/data/.kafka_cleanshutdown')
    const again = start(machine)
    expect(again.get(events)).toMatchObject({ logEndOffset: 5, recoveryPoint: 0 })
    expect(machine.lines).toContain('A checkpoint file is damaged and is not used.')
  })

  test('a damaged log start is said, with the records that come back by it', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = manager.getOrCreate(events, topicId, defaultConfig)
    fill(log, 9)
    log.advanceLogStart(4)
    manager.close(() => 9)
    const file = inspect(machine).open('/data/log-start-offset-checkpoint', 'write')
    file.write([Buffer.from('x')], 0)
    expect(start(machine).get(events)).toMatchObject({ logStartOffset: 0, logEndOffset: 9 })
    const warning = machine.logged.find(({ message }) => message === 'A checkpoint file is damaged and is not used.')
    expect(warning?.fields).toMatchObject({
      problem: expect.stringContaining('/data/log-start-offset-checkpoint'),
      consequence: expect.stringContaining('records that were deleted'),
    })
  })

  test('truncation below the checkpointed recovery point lowers the checkpoint first, also while a checkpoint is under way', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = manager.getOrCreate(events, topicId, defaultConfig)
    fill(log, 10)
    log.flush()
    manager.checkpoint(() => 0)
    log.truncateTo(4)
    machine.turn()
    expect(text(machine, '/data/recovery-point-offset-checkpoint')).toBe('0\n1\nevents 0 4\n')
  })

  test('the log start offset is remembered when the segments do not tell it', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = manager.getOrCreate(events, topicId, defaultConfig)
    fill(log, 10)
    log.advanceLogStart(6)
    manager.close(() => 10)
    const again = start(machine).get(events)!
    expect(again.logStartOffset).toBe(6)
    expect(again.read(5, { maxBytes: 1000, untilOffset: 10, atLeastOneBatch: true })).toEqual({
      refused: 'OFFSET_OUT_OF_RANGE',
    })
  })
})

test('a node that stops before it is registered keeps the broker epoch of its last clean stop', () => {
  const machine = new Machine()
  start(machine, { brokerEpoch: () => 17 }).close(() => 0)
  const again = start(machine, { brokerEpoch: () => -1 })
  expect(again.previousBrokerEpoch).toBe(17)
  again.close(() => 0)
  expect(start(machine).previousBrokerEpoch).toBe(17)
})

test('a log directory that was not there at the last clean stop makes that stop count as none', () => {
  const machine = new Machine()
  const stop = (logDirs: readonly string[], epoch: number): void =>
    start(machine, { logDirs, brokerEpoch: () => epoch }).close(() => 0)
  stop(['/a', '/b'], 30)
  stop(['/a'], 100)
  const both = start(machine, { logDirs: ['/a', '/b'], brokerEpoch: () => -1 })
  expect(both.previousBrokerEpoch).toBe(-1)
  both.close(() => 0)
  // It was not registered, so nothing is known better.
  expect(start(machine, { logDirs: ['/a', '/b'] }).previousBrokerEpoch).toBe(-1)
  stop(['/a', '/b'], 200)
  stop(['/a', '/b'], 201)
  expect(start(machine, { logDirs: ['/a', '/b'] }).previousBrokerEpoch).toBe(201)
})

describe('deletion', () => {
  test('renames the directory at once and removes it after file.delete.delay.ms', () => {
    const machine = new Machine()
    const manager = start(machine)
    fill(manager.getOrCreate(events, topicId, defaultConfig), 3)
    manager.delete(events)
    expect(manager.get(events)).toBeUndefined()
    const names = () =>
      inspect(machine)
        .list('/data')
        .map(entry => entry.name)
        .filter(name => name.startsWith('events'))
    expect(names()).toEqual([expect.stringMatching(/^events-0\.[0-9a-f]{32}-delete$/)])
    machine.advance(1000)
    expect(names()).toEqual([])
  })

  test('a log that is set aside keeps its records under a name that no start takes for a partition, nor removes', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = manager.getOrCreate(events, topicId, defaultConfig)
    fill(log, 3)
    log.flush()
    manager.setAside(events)
    expect(manager.get(events)).toBeUndefined()
    const stray = () =>
      inspect(machine)
        .list('/data')
        .map(entry => entry.name)
        .filter(name => name.startsWith('events'))
    expect(stray()).toEqual([expect.stringMatching(/^events-0\.[0-9a-f]{32}-stray$/)])
    const kept = () =>
      inspect(machine)
        .list(`/data/${stray()[0]!}`)
        .map(entry => entry.name)
    expect(kept()).toContain('00000000000000000000.log')
    machine.advance(120_000)
    manager.close(() => 0)
    expect(start(machine).get(events)).toBeUndefined()
    expect(kept()).toContain('00000000000000000000.log')
  })

  test.each(['EMFILE', 'ENOSPC'] as const)(
    'a log that cannot be set aside (%s) is not taken for one that was',
    code => {
      const machine = new Machine()
      const manager = start(machine)
      fill(manager.getOrCreate(events, topicId, defaultConfig), 3)
      const id = machine.faults.add(failingDisk({ code, operations: ['rename'], path: /events-0/ }))
      expect([manager.setAside(events), manager.get(events)]).toEqual([false, undefined])
      // A topic of the same name must not begin with its records.
      const another = () => manager.getOrCreate(events, 'BBBBBBBBBBBBBBBBBBBBBQ', defaultConfig)
      expect(another).toThrow(DiskError)
      expect(inspect(machine).stat('/data/events-0/00000000000000000000.log')?.bytes).toBeGreaterThan(0)
      machine.faults.heal(id)
      machine.advance(1000)
      expect([another().logEndOffset, manager.directories[0]!.online]).toEqual([0, true])
      const names = inspect(machine)
        .list('/data')
        .map(({ name }) => name)
        .filter(name => name.startsWith('events'))
        .sort()
      expect(names).toEqual(['events-0', expect.stringMatching(/-stray$/)])
    },
  )

  test('a log that cannot be deleted is not taken for a new one of its name', () => {
    const machine = new Machine()
    const manager = start(machine)
    fill(manager.getOrCreate(events, topicId, defaultConfig), 3)
    const id = machine.faults.add(failingDisk({ code: 'EMFILE', operations: ['rename', 'remove'], path: /events-0/ }))
    manager.delete(events)
    const another = () => manager.getOrCreate(events, 'BBBBBBBBBBBBBBBBBBBBBQ', defaultConfig)
    expect(another).toThrow(DiskError)
    machine.faults.heal(id)
    expect(another().logEndOffset).toBe(0)
  })

  test('a new log of the same name starts empty and is not covered by old checkpoints', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = manager.getOrCreate(events, topicId, defaultConfig)
    fill(log, 9)
    log.flush()
    manager.checkpoint(() => 9)
    machine.turn()
    manager.delete(events)
    const fresh = manager.getOrCreate(events, 'BBBBBBBBBBBBBBBBBBBBBQ', defaultConfig)
    expect(fresh.logEndOffset).toBe(0)
    expect(text(machine, '/data/recovery-point-offset-checkpoint')).toBe('0\n0\n')
  })
})

describe('a failing disk', () => {
  const failing = (machine: Machine) => {
    machine.failCall = () => new DiskError('EIO', 'write', '/data')
  }

  test('an append is refused, nothing of it counts, and the directory goes offline with all its partitions', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = manager.getOrCreate(events, topicId, defaultConfig)
    manager.getOrCreate(other, topicId, defaultConfig)
    fill(log, 3)
    const failures: unknown[] = []
    manager.onDirectoryFailure((id, partitions, error) => failures.push([id, partitions, error.message]))
    failing(machine)
    expect(log.appendAsLeader(batchOf(['x']), asClient)).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
    machine.failCall = undefined
    expect(log.appendAsLeader(batchOf(['x']), asClient)).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
    expect(log.logEndOffset).toBe(3)
    expect(failures).toEqual([])
    machine.turn()
    expect(failures).toEqual([[manager.directories[0]!.id, [events, other], 'write /data: EIO']])
    expect(manager.directories[0]!.online).toBe(false)
    expect(manager.get(other)).toBeUndefined()
    machine.kill()
    expect(start(machine).get(events)?.logEndOffset).toBe(3)
  })

  test('one write that fails leaves no bytes behind', () => {
    const machine = new Machine()
    const manager = start(machine)
    const log = manager.getOrCreate(events, topicId, defaultConfig)
    fill(log, 3)
    const size = inspect(machine).stat('/data/events-0/00000000000000000000.log')!.bytes
    const at = machine.calls + 1
    machine.failCall = call => (call === at ? new DiskError('ENOSPC', 'write', '/data') : undefined)
    expect(log.appendAsLeader(batchOf(['x']), asClient)).toMatchObject({ refused: 'KAFKA_STORAGE_ERROR' })
    expect(inspect(machine).stat('/data/events-0/00000000000000000000.log')!.bytes).toBe(size)
  })

  test('a new log is not made in a directory that fails just then', () => {
    const machine = new Machine()
    const manager = start(machine)
    fill(manager.getOrCreate(events, topicId, defaultConfig), 3)
    manager.checkpoint(() => 3)
    machine.turn()
    manager.delete(events)
    // The one directory there is fails while its checkpoints are put right.
    failing(machine)
    expect(() => manager.getOrCreate(events, 'BBBBBBBBBBBBBBBBBBBBBQ', defaultConfig)).toThrow(DiskError)
    machine.failCall = undefined
    expect(manager.get(events)).toBeUndefined()
    expect(
      inspect(machine)
        .list('/data')
        .map(entry => entry.name),
    ).not.toContain('events-0')
  })

  test('a node with no usable log directory says why it does not start', () => {
    const machine = new Machine()
    failing(machine)
    expect(() => start(machine)).toThrow('None of the log directories can be used')
  })
})

describe('where the metadata has a log, at the start', () => {
  const both = { logDirs: ['/a', '/b'] }
  const homes = (machine: Machine) =>
    ['/a', '/b'].filter(path => inspect(machine).stat(`${path}/events-0`) !== undefined)
  const idOf = (manager: DirectoryLogManager, path: string) => manager.directories.find(each => each.path === path)!.id

  /** A log of five records in /a, and one of two in /b, as if /a had been away while /b was written. */
  function twice() {
    const machine = new Machine()
    const first = start(machine, both)
    fill(first.getOrCreate(events, topicId, defaultConfig), 5)
    first.close(() => 5)
    const second = start(machine, { logDirs: ['/b'] })
    fill(second.getOrCreate(events, topicId, defaultConfig), 2)
    second.close(() => 2)
    return { machine, manager: start(machine, both) }
  }

  test.each([
    ['/a', 5],
    ['/b', 2],
  ])('of two logs the one in %s stays when the metadata names it', (path, end) => {
    const { machine, manager } = twice()
    manager.settle(() => idOf(manager, path))
    expect(manager.get(events)).toMatchObject({ logEndOffset: end, directory: `${path}/events-0` })
    expect(homes(machine)).toEqual([path])
    expect(machine.lines).toContain('Several log directories hold a log of a partition; one stays.')
  })

  test('of two logs none is touched when the metadata names neither: the node stops and says so', () => {
    const { machine, manager } = twice()
    expect(() => manager.settle(() => 'CCCCCCCCCCCCCCCCCCCCCQ')).toThrow(
      'events-0 is in /a and in /b: remove all but one of them.',
    )
    expect(homes(machine)).toEqual(['/a', '/b'])
  })

  test('of two logs the one of a topic that is no more goes', () => {
    const machine = new Machine()
    const first = start(machine, both)
    first.getOrCreate(events, 'BBBBBBBBBBBBBBBBBBBBBQ', defaultConfig)
    first.close(() => 0)
    const second = start(machine, { logDirs: ['/b'] })
    fill(second.getOrCreate(events, topicId, defaultConfig), 2)
    second.close(() => 2)
    const manager = start(machine, both)
    manager.settle((_partition, id) => (id === topicId ? 'CCCCCCCCCCCCCCCCCCCCCQ' : undefined))
    expect(manager.get(events)).toMatchObject({ logEndOffset: 2, topicId })
    expect(homes(machine)).toEqual(['/b'])
  })

  /** A move from /a to /b whose copy is complete. */
  function moving() {
    const machine = new Machine()
    const manager = start(machine, both)
    const log = manager.getOrCreate(events, topicId, defaultConfig)
    fill(log, 5)
    const copy = manager.createFuture(events, '/b', defaultConfig)
    const read = log.read(0, { maxBytes: 100_000, untilOffset: 5, atLeastOneBatch: true })
    if ('refused' in read) throw new Error(read.refused)
    copy.appendAsFollower(read.records)
    manager.close(() => 5)
    return machine
  }

  test('a copy takes the place of a log that is gone with its directory, when the controller knows of it', () => {
    const machine = moving()
    // The disk of /a is another one.
    inspect(machine).remove('/a')
    const manager = start(machine, both)
    manager.settle(() => idOf(manager, '/b'))
    expect(manager.get(events)).toMatchObject({ logEndOffset: 5, directory: '/b/events-0' })
    expect(manager.future(events)).toBeUndefined()
  })

  test('a copy of a log that is gone with its directory goes too, when the controller does not know of it', () => {
    const machine = moving()
    inspect(machine).remove('/a')
    const manager = start(machine, both)
    manager.settle(() => 'CCCCCCCCCCCCCCCCCCCCCQ')
    expect([manager.get(events), manager.future(events)]).toEqual([undefined, undefined])
  })

  test('a copy waits as long as the directory of its log is offline, and so does the log', () => {
    const machine = moving()
    const directoryId = text(machine, '/a/meta.properties')?.match(/^directory\.id=(.*)$/m)?.[1]
    if (directoryId === undefined) throw new Error('/a has no id')
    const at = machine.calls + 1
    machine.failCall = call => (call === at ? new DiskError('EIO', 'open', '/a') : undefined)
    const manager = start(machine, both)
    expect(manager.directories.map(({ path, online }) => [path, online])).toEqual([
      ['/a', false],
      ['/b', true],
    ])
    manager.settle(() => directoryId)
    expect(manager.future(events)?.log.logEndOffset).toBe(5)
    expect(() => manager.getOrCreate(events, topicId, defaultConfig, { directoryId })).toThrow(DiskError)
    expect(homes(machine)).toEqual(['/a'])
    const named = { directoryId: idOf(manager, '/b') }
    expect(manager.getOrCreate(other, topicId, defaultConfig, named).directory).toBe('/b/my-other.topic-12')
    manager.close(() => 5)
    const repaired = start(machine, both)
    repaired.settle(() => directoryId)
    expect(repaired.get(events)).toMatchObject({ logEndOffset: 5, directory: '/a/events-0' })
    expect(repaired.future(events)?.log.logEndOffset).toBe(5)
  })

  /** A log of five records in /a, closed; and what each start says after `/a` failed at its call `failAt`, counted from 1. */
  function startsWithFailing() {
    const machine = new Machine()
    const first = start(machine, both)
    const directoryId = idOf(first, '/a')
    fill(first.getOrCreate(events, topicId, defaultConfig, { directoryId }), 5)
    first.close(() => 5)
    const startFailingAt = (failAt: number) => {
      const at = machine.calls + failAt
      machine.failCall = call => (call === at ? new DiskError('EIO', 'read', '/a') : undefined)
      const manager = start(machine, both)
      machine.failCall = undefined
      return manager
    }
    return { machine, directoryId, startFailingAt }
  }

  test.each([true, false])(
    'a log is never begun anew while its directory is offline, whichever call failed (the replica is new: %s)',
    isNew => {
      const idsKnown = new Set<boolean>()
      for (let failAt = 1; ; failAt += 1) {
        const { machine, directoryId, startFailingAt } = startsWithFailing()
        const manager = startFailingAt(failAt)
        const [a, b] = manager.directories
        // The calls of /a come first.
        if (a?.online === true) break
        expect(b?.online).toBe(true)
        idsKnown.add(a?.id === directoryId)
        manager.settle(() => directoryId)
        expect(() => manager.getOrCreate(events, topicId, defaultConfig, { directoryId, isNew })).toThrow(DiskError)
        expect(homes(machine)).toEqual(['/a'])
        manager.close(() => 0)
        const repaired = start(machine, both)
        repaired.settle(() => directoryId)
        machine.advance(120_000)
        expect(repaired.get(events)).toMatchObject({ logEndOffset: 5, directory: '/a/events-0' })
      }
      // It failed before its id was read, and after.
      expect(idsKnown).toEqual(new Set([false, true]))
    },
  )

  test('a replica of which the metadata names no directory is not begun anew while one is offline, unless it is new', () => {
    const { machine, startFailingAt } = startsWithFailing()
    const manager = startFailingAt(1)
    manager.settle(() => 'AAAAAAAAAAAAAAAAAAAAAA')
    expect(() => manager.getOrCreate(events, topicId, defaultConfig)).toThrow('create events-0: EIO')
    expect(homes(machine)).toEqual(['/a'])
    expect(manager.getOrCreate(other, topicId, defaultConfig, { isNew: true }).directory).toBe('/b/my-other.topic-12')
  })

  describe('a disk that comes back empty is told of', () => {
    const missing = /^Logs are not in the log directory|^The metadata has logs in a log directory that is not/
    const made = /^A log directory had no meta\.properties/
    const told = (machine: Machine, kind: RegExp) => machine.logged.filter(({ message }) => kind.test(message))
    const withLog = () => {
      const machine = new Machine()
      const manager = start(machine, both)
      const log = manager.getOrCreate(events, topicId, defaultConfig, { isNew: true })
      fill(log, 3)
      const home = manager.directoryOf(events)!
      manager.close(() => 3)
      expect([...told(machine, made), ...told(machine, missing)]).toEqual([])
      return { machine, directoryId: home.id, home: home.path }
    }

    test('with a new id: both the directory and the log', () => {
      const { machine, directoryId, home } = withLog()
      inspect(machine).remove(home)
      const manager = start(machine, both)
      expect(told(machine, made).map(({ fields }) => fields)).toEqual([
        { directory: home, directoryId: idOf(manager, home), logs: 0, otherDirectories: 1 },
      ])
      for (let index = 0; index < 12; index++)
        manager.getOrCreate({ topic: 'many', partition: index }, topicId, defaultConfig, { directoryId })
      machine.turn()
      // Once for all of them.
      const partitions = ['many-0', 'many-1', 'many-2', 'many-3', 'many-4']
      expect(told(machine, missing)).toMatchObject([
        { fields: { metadataDirectoryId: directoryId, logs: 12, partitions } },
      ])
    })

    test('with its old id: the log', () => {
      const { machine, directoryId, home } = withLog()
      inspect(machine).remove(`${home}/events-0`)
      const manager = start(machine, both)
      manager.getOrCreate(events, topicId, defaultConfig, { directoryId })
      machine.turn()
      expect(told(machine, missing)).toMatchObject([
        { fields: { directories: [home], metadataDirectoryId: directoryId, logs: 1, partitions: ['events-0'] } },
      ])
      // One that became a replica since was never there.
      manager.getOrCreate(other, topicId, defaultConfig, { directoryId, isNew: true })
      machine.turn()
      expect(told(machine, missing)).toHaveLength(1)
      expect(told(machine, made)).toEqual([])
    })

    test('a lost meta.properties beside logs', () => {
      const machine = new Machine()
      start(machine).getOrCreate(events, topicId, defaultConfig, { isNew: true })
      inspect(machine).remove('/data/meta.properties')
      start(machine)
      expect(told(machine, made)).toMatchObject([{ fields: { directory: '/data', logs: 1 } }])
    })
  })

  test('a log whose directory fails just as it is begun anew there is not begun in another, unless it is new', () => {
    const begin = (isNew: boolean) => {
      const machine = new Machine()
      const manager = start(machine, both)
      fill(manager.getOrCreate(events, topicId, defaultConfig), 3)
      manager.checkpoint(() => 3)
      machine.turn()
      manager.delete(events)
      const at = machine.calls + 1
      machine.failCall = call => (call === at ? new DiskError('EIO', 'write', '/a') : undefined)
      const path = () => manager.getOrCreate(events, 'BBBBBBBBBBBBBBBBBBBBBQ', defaultConfig, { isNew }).directory
      return { manager, machine, path }
    }
    const old = begin(false)
    expect(old.path).toThrow('create events-0: EIO')
    expect(old.manager.directories.map(({ online }) => online)).toEqual([false, true])
    expect(begin(true).path()).toBe('/b/events-0')
  })

  test('a copy that does not say of which topic it is is removed', () => {
    const machine = moving()
    const name = inspect(machine)
      .list('/b')
      .find(entry => entry.name.endsWith('-future'))!.name
    inspect(machine).remove(`/b/${name}/partition.metadata`)
    const manager = start(machine, both)
    expect(manager.future(events)).toBeUndefined()
    expect(machine.lines).toContain('Removing a copy of a log that was under way.')
    expect(inspect(machine).stat(`/b/${name}`)).toBeUndefined()
  })
})
