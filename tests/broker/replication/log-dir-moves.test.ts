/**
 * Replicas that move between the log directories of their broker while they lead and follow.
 * Sources: KIP-113, KIP-858, KIP-1066; answers as Apache Kafka 4.3.1 gives them.
 */
import { describe, expect, test } from 'vitest'
import { DiskError } from '#broker/environment/environment.ts'
import { allRecords } from '#broker/protocol/records/batch-read.ts'
import { TestCluster, type TestBroker } from './test-cluster.ts'

const events = { topic: 'events', partition: 0 }
const dirs = ['/a', '/b']

function values(broker: TestBroker): string[] {
  const { log } = broker.replica('events')
  const found: string[] = []
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    const read = log.read(offset, { maxBytes: 1 << 20, untilOffset: log.logEndOffset, atLeastOneBatch: true })
    if ('refused' in read) throw new Error(read.refused)
    for (const record of allRecords(read.records)) found.push(String(record.value))
    offset = read.nextOffset
  }
  return found
}

const pathOf = (broker: TestBroker): string | undefined => broker.logs.directoryOf(events)?.path
const idOf = (broker: TestBroker, path: string): string =>
  broker.logs.directories.find(directory => directory.path === path)!.id

/** One broker that leads a partition in `/a`. */
async function leader(settings: Record<string, string> = {}, count = 1) {
  const cluster = new TestCluster(count, settings, dirs)
  cluster.createTopic(
    'events',
    Array.from({ length: count }, (_, index) => index + 1),
  )
  const broker = cluster.broker(1)
  expect((await cluster.until(broker.produce('events', ['r0', 'r1', 'r2']))).errorCode).toBe(0)
  expect(pathOf(broker)).toBe('/a')
  return { cluster, broker }
}

describe('a move', () => {
  test('takes the records to the other directory while the leader goes on appending, and the controller knows first', async () => {
    const { cluster, broker } = await leader()
    cluster.assignsDirectories = false
    expect(broker.manager.alterLogDir(events, '/b')).toBe('NONE')
    await cluster.until(broker.produce('events', ['r3']))
    await cluster.time.settle()
    expect(broker.assignments.map(({ directoryId }) => directoryId)).toEqual([idOf(broker, '/b')])
    expect(broker.manager.assignedDirectory(events)).toBe(idOf(broker, '/b'))
    await cluster.until(broker.produce('events', ['r4']))
    await cluster.time.settle()
    // Complete, but not before the controller agreed.
    expect(pathOf(broker)).toBe('/a')
    expect(broker.logs.future(events)?.log.logEndOffset).toBe(5)
    broker.assigned()
    await cluster.time.settle()
    expect(pathOf(broker)).toBe('/b')
    expect(broker.replica('events').log.directory).toBe('/b/events-0')
    expect(broker.logs.future(events)).toBeUndefined()
    expect((await cluster.until(broker.produce('events', ['r5']))).baseOffset).toBe(5)
    expect(values(broker)).toEqual(['r0', 'r1', 'r2', 'r3', 'r4', 'r5'])
    // The former directory goes after file.delete.delay.ms.
    const names = () =>
      broker.disk
        .for({ nowUs: 0, wallMs: 0, alive: () => {}, fsyncBlocks: () => {}, fsyncLater: d => d(), note: () => {} })
        .list('/a')
        .filter(({ kind }) => kind === 'directory')
        .map(({ name }) => name)
    expect(names()).toEqual([expect.stringMatching(/^events-0\.[0-9a-f]{32}-delete$/)])
    await cluster.time.run(61_000)
    expect(names()).toEqual([])
  })

  test('of a follower keeps it in the in-sync set', async () => {
    const { cluster, broker } = await leader({}, 2)
    const follower = cluster.broker(2)
    expect(follower.manager.alterLogDir(events, '/b')).toBe('NONE')
    for (let index = 3; index < 20; index++)
      expect((await cluster.until(broker.produce('events', [`r${index}`]))).errorCode).toBe(0)
    await cluster.time.run(1000)
    expect(pathOf(follower)).toBe('/b')
    expect(cluster.partition('events').isr).toEqual([1, 2])
    expect(values(follower)).toEqual(values(broker))
  })

  test('is told by DescribeLogDirs until it is over', async () => {
    const { cluster, broker } = await leader()
    cluster.assignsDirectories = false
    broker.manager.alterLogDir(events, '/b')
    const described = () =>
      broker.manager
        .describeLogDirs(() => true)
        .map(({ logs }) => logs.map(({ isFuture, offsetLag, sizeBytes }) => ({ isFuture, offsetLag, sizeBytes })))
    const sizeBytes = broker.replica('events').log.sizeBytes
    expect(described()).toEqual([
      [{ isFuture: false, offsetLag: 0, sizeBytes }],
      [{ isFuture: true, offsetLag: 3, sizeBytes: 0 }],
    ])
    await cluster.time.settle()
    expect(described()[1]).toEqual([{ isFuture: true, offsetLag: 0, sizeBytes }])
    broker.assigned()
    await cluster.time.settle()
    expect(described()).toEqual([[], [{ isFuture: false, offsetLag: 0, sizeBytes }]])
  })

  test('is held to replica.alter.log.dirs.io.max.bytes.per.second, which can be raised meanwhile', async () => {
    const cluster = new TestCluster(1, {}, dirs)
    cluster.configure('broker', '', 'replica.alter.log.dirs.io.max.bytes.per.second', '1000')
    cluster.createTopic('events', [1])
    const broker = cluster.broker(1)
    for (let index = 0; index < 100; index++) await cluster.until(broker.produce('events', ['x'.repeat(400)]))
    const bytes = broker.replica('events').log.sizeBytes
    broker.manager.alterLogDir(events, '/b')
    await cluster.time.run(20_000)
    const copied = broker.logs.future(events)!.log.sizeBytes
    expect(copied).toBeGreaterThan(10_000)
    expect(copied).toBeLessThan(25_000)
    expect(copied).toBeLessThan(bytes)
    cluster.configure('broker', '', 'replica.alter.log.dirs.io.max.bytes.per.second', null)
    await cluster.time.run(1000)
    expect(pathOf(broker)).toBe('/b')
    expect(broker.replica('events').log.sizeBytes).toBe(bytes)
  })

  test('ends when the replica is asked to stay, and the controller is told', async () => {
    const { cluster, broker } = await leader()
    cluster.assignsDirectories = false
    broker.manager.alterLogDir(events, '/b')
    await cluster.time.settle()
    expect(broker.manager.assignedDirectory(events)).toBe(idOf(broker, '/b'))
    expect(broker.manager.alterLogDir(events, '/a')).toBe('NONE')
    expect(broker.manager.assignedDirectory(events)).toBe(idOf(broker, '/a'))
    expect(broker.changedDirectories).toHaveLength(1)
    // The answer to what was asked before is no answer any more.
    broker.assigned()
    await cluster.time.settle()
    expect([pathOf(broker), broker.logs.future(events)]).toEqual(['/a', undefined])
    expect(values(broker)).toEqual(['r0', 'r1', 'r2'])
  })

  test('goes on after a restart', async () => {
    const { cluster, broker } = await leader()
    cluster.assignsDirectories = false
    broker.manager.alterLogDir(events, '/b')
    await cluster.time.settle()
    broker.kill()
    cluster.assignsDirectories = true
    broker.assignments.length = 0
    cluster.restart(1)
    await cluster.time.run(1000)
    expect(pathOf(broker)).toBe('/b')
    expect(values(broker)).toEqual(['r0', 'r1', 'r2'])
  })

  test('asks again when the controller refuses the directory', async () => {
    const { cluster, broker } = await leader()
    cluster.assignsDirectories = false
    broker.manager.alterLogDir(events, '/b')
    await cluster.time.settle()
    broker.assignments.shift()!.done(false)
    await cluster.time.settle()
    expect(broker.assignments).toEqual([])
    await cluster.time.run(1500)
    expect(broker.assignments).toHaveLength(1)
    broker.assigned()
    await cluster.time.settle()
    expect(pathOf(broker)).toBe('/b')
  })
})

describe('while a replica moves', () => {
  test('a truncation to the leader’s epoch cuts the copy too', async () => {
    const cluster = new TestCluster(2, { 'min.insync.replicas': '1' }, dirs)
    cluster.assignsDirectories = false
    cluster.createTopic('events', [1, 2])
    const [first, second] = [cluster.broker(1), cluster.broker(2)]
    await cluster.until(first.produce('events', ['a', 'b']))
    await cluster.time.run(1000)
    // Leads alone, unknown to the other, and appends what nobody will have committed.
    cluster.cut.add('2>1')
    await first.produce('events', ['lost', 'lost too'], { acks: 1 })
    first.manager.alterLogDir(events, '/b')
    await cluster.time.settle()
    expect(first.logs.future(events)?.log.logEndOffset).toBe(4)
    cluster.change('events', { leader: 2, isr: [2] })
    cluster.cut.clear()
    await cluster.until(second.produce('events', ['c']))
    await cluster.time.run(2000)
    expect(first.logs.future(events)?.log.logEndOffset).toBe(3)
    while (first.assignments.length > 0) first.assigned()
    await cluster.time.run(1000)
    while (first.assignments.length > 0) first.assigned()
    await cluster.time.run(1000)
    expect(pathOf(first)).toBe('/b')
    expect(values(first)).toEqual(['a', 'b', 'c'])
    expect(first.replica('events').log.endOffsetForEpoch(1)).toEqual(second.replica('events').log.endOffsetForEpoch(1))
  })

  test('deleted records stay deleted, also those that were copied', async () => {
    const { cluster, broker } = await leader()
    cluster.assignsDirectories = false
    await cluster.until(broker.produce('events', ['r3']))
    broker.manager.alterLogDir(events, '/b')
    await cluster.time.settle()
    broker.replica('events').raiseLogStart(2)
    await cluster.until(broker.produce('events', ['r4']))
    broker.assigned()
    await cluster.time.settle()
    expect(pathOf(broker)).toBe('/b')
    expect(broker.replica('events').log).toMatchObject({ logStartOffset: 2, logEndOffset: 5 })
    broker.kill()
    cluster.restart(1)
    expect(broker.replica('events').log).toMatchObject({ logStartOffset: 2, logEndOffset: 5 })
  })

  test.each([
    ['', 3],
    [', as does what is added', 5],
  ])('records deleted during its last fsync stay deleted%s', async (_, end) => {
    const { cluster, broker } = await leader()
    expect(broker.manager.alterLogDir(events, '/b')).toBe('NONE')
    const copy = broker.logs.future(events)!.log
    const flushLater = copy.flushLater.bind(copy)
    let flushes = 0
    copy.flushLater = done => {
      flushes += 1
      const isLast = flushes === 2
      flushLater(result => {
        if (isLast) {
          for (let offset = 3; offset < end; offset += 1) void broker.produce('events', [`r${offset}`])
          broker.replica('events').raiseLogStart(3)
        }
        done(result)
      })
    }
    await cluster.time.run(1000)
    expect([pathOf(broker), flushes]).toEqual(['/b', 2])
    expect(broker.replica('events').log.logStartOffset).toBe(3)
    expect(values(broker)).toEqual(['r3', 'r4'].slice(0, end - 3))
    // A crash does not bring them back.
    broker.kill()
    cluster.restart(1)
    await cluster.time.run(1000)
    expect(broker.replica('events').log.logStartOffset).toBe(3)
    expect(values(broker)).toEqual(['r3', 'r4'].slice(0, end - 3))
  })

  test('records deleted beyond the end of the copy make it begin anew', async () => {
    const { cluster, broker } = await leader()
    broker.manager.alterLogDir(events, '/b')
    broker.replica('events').raiseLogStart(3)
    await cluster.until(broker.produce('events', ['r3']))
    await cluster.time.settle()
    expect([pathOf(broker), values(broker)]).toEqual(['/b', ['r3']])
  })

  test('retention drops segments of the copy', async () => {
    const often = { 'log.retention.check.interval.ms': '1000', 'log.initial.task.delay.ms': '0' }
    const cluster = new TestCluster(1, often, dirs)
    cluster.createTopic('events', [1], { 'segment.bytes': '1048576', 'retention.bytes': '2000000' })
    const broker = cluster.broker(1)
    const big = async (count: number) => {
      for (let index = 0; index < count; index++) await cluster.until(broker.produce('events', ['x'.repeat(400_000)]))
    }
    cluster.assignsDirectories = false
    await big(4)
    broker.manager.alterLogDir(events, '/b')
    await cluster.time.settle()
    await big(4)
    await cluster.time.run(2000)
    const { log } = broker.replica('events')
    expect(log.logStartOffset).toBeGreaterThan(3)
    expect(broker.logs.future(events)?.log.logStartOffset).toBeGreaterThanOrEqual(log.logStartOffset)
    expect(broker.logs.future(events)?.log.sizeBytes).toBeLessThan(4_000_000)
  })

  test('its topic can be deleted, and nothing of it stays', async () => {
    const { cluster, broker } = await leader()
    cluster.assignsDirectories = false
    broker.manager.alterLogDir(events, '/b')
    await cluster.time.settle()
    cluster.commit([{ type: 'RemoveTopic', topicId: cluster.image.topicsByName.get('events')!.id }])
    await cluster.time.run(61_000)
    expect(broker.logs.future(events)).toBeUndefined()
    expect(broker.manager.describeLogDirs(() => true).map(({ logs }) => logs)).toEqual([[], []])
    // A late answer of the controller is for nobody.
    broker.assigned()
    await cluster.time.settle()
    expect(broker.logs.get(events)).toBeUndefined()
  })

  test('the epochs of leaders that wrote nothing go along', async () => {
    const { cluster, broker } = await leader({}, 2)
    cluster.change('events', { leader: 2 })
    cluster.change('events', { leader: 1 })
    await cluster.time.run(1000)
    const before = broker.replica('events').log.latestEpoch
    expect(before).toBe(2)
    broker.manager.alterLogDir(events, '/b')
    await cluster.time.run(1000)
    expect(pathOf(broker)).toBe('/b')
    expect(broker.replica('events').log.latestEpoch).toBe(before)
  })

  test('the directory of the copy can fail: the replica stays where it is', async () => {
    const { cluster, broker } = await leader()
    cluster.assignsDirectories = false
    broker.manager.alterLogDir(events, '/b')
    broker.failingPath = '/b'
    await cluster.until(broker.produce('events', ['r3']))
    await cluster.time.settle()
    broker.failingPath = undefined
    expect(broker.failedDirectories).toEqual([idOf(broker, '/b')])
    expect(broker.manager.assignedDirectory(events)).toBe(idOf(broker, '/a'))
    expect((await cluster.until(broker.produce('events', ['r4']))).errorCode).toBe(0)
    expect(values(broker)).toEqual(['r0', 'r1', 'r2', 'r3', 'r4'])
  })

  test('a copy whose fsync finds no space is given up, and nothing is left that would keep the replica from moving', async () => {
    const { cluster, broker } = await leader()
    broker.manager.alterLogDir(events, '/b')
    const copy = broker.logs.future(events)!.log
    copy.flushLater = done => done({ error: new DiskError('ENOSPC', 'write', '/b') })
    await cluster.time.run(1000)
    expect([broker.logs.future(events), broker.manager.assignedDirectory(events)]).toEqual([
      undefined,
      idOf(broker, '/a'),
    ])
    expect(broker.lines.map(({ message }) => message)).toContain(
      'a replica cannot be moved: the other log directory is full',
    )
    expect(broker.manager.alterLogDir(events, '/b')).toBe('NONE')
    await cluster.time.run(1000)
    expect([pathOf(broker), values(broker)]).toEqual(['/b', ['r0', 'r1', 'r2']])
  })

  test.each([1, 2])('a copy for whose fsync %i there is no descriptor is fsynced later', async nth => {
    const { cluster, broker } = await leader()
    broker.manager.alterLogDir(events, '/b')
    const copy = broker.logs.future(events)!.log
    const flushLater = copy.flushLater.bind(copy)
    let flushes = 0
    copy.flushLater = done => {
      if (++flushes === nth) done({ error: new DiskError('EMFILE', 'open', '/b') })
      else flushLater(done)
    }
    await cluster.until(broker.produce('events', ['r3']))
    await cluster.time.run(5000)
    expect([pathOf(broker), values(broker)]).toEqual(['/b', ['r0', 'r1', 'r2', 'r3']])
    expect(broker.manager.assignedDirectory(events)).toBe(idOf(broker, '/b'))
    expect(flushes).toBeGreaterThan(2)
  })

  test('waits while there are no descriptors at all, and goes on', async () => {
    const { cluster, broker } = await leader()
    broker.failingCode = 'EMFILE'
    broker.manager.alterLogDir(events, '/b')
    broker.failingPath = '/b'
    await cluster.until(broker.produce('events', ['r3']))
    await cluster.time.run(5000)
    expect([pathOf(broker), broker.failedDirectories]).toEqual(['/a', []])
    broker.failingPath = undefined
    if (broker.logs.future(events) === undefined) broker.manager.alterLogDir(events, '/b')
    await cluster.time.run(5000)
    expect([pathOf(broker), values(broker)]).toEqual(['/b', ['r0', 'r1', 'r2', 'r3']])
  })

  test('its own directory can fail after the controller took the other: it is told where the replica was', async () => {
    const { cluster, broker } = await leader()
    cluster.assignsDirectories = false
    broker.manager.alterLogDir(events, '/b')
    await cluster.time.settle()
    // What a controller would have that answered just now.
    expect(broker.manager.assignedDirectory(events)).toBe(idOf(broker, '/b'))
    broker.failingPath = '/a'
    const refused = await cluster.until(broker.produce('events', ['r3']))
    expect(refused.errorCode).toBe(56)
    await cluster.time.settle()
    expect(broker.failedDirectories).toEqual([idOf(broker, '/a')])
    expect(broker.manager.assignedDirectory(events)).toBe(idOf(broker, '/a'))
    expect(broker.changedDirectories).toContainEqual({
      topicId: cluster.image.topicsByName.get('events')!.id,
      partition: 0,
    })
  })
})

describe('the directory that failed with a log is not told', () => {
  /** `/a` failed with the log of `events`, which was led here. */
  async function lost() {
    const { cluster, broker } = await leader()
    broker.failingPath = '/a'
    await cluster.until(broker.produce('events', ['r3']))
    await cluster.time.settle()
    expect(broker.manager.assignedDirectory(events)).toBe(idOf(broker, '/a'))
    return { cluster, broker }
  }

  test('once its topic is deleted, also for another topic of that name whose log cannot be made', async () => {
    const { cluster, broker } = await lost()
    cluster.commit([{ type: 'RemoveTopic', topicId: cluster.image.topicsByName.get('events')!.id }])
    expect(broker.manager.assignedDirectory(events)).toBeUndefined()
    broker.failingPath = '/b'
    cluster.createTopic('events', [1])
    expect(broker.manager.find('events', 0)).toBe('KAFKA_STORAGE_ERROR')
    expect(broker.manager.assignedDirectory(events)).toBeUndefined()
  })

  test('once its replica left', async () => {
    const { cluster, broker } = await lost()
    cluster.change('events', { replicas: [2], isr: [2], leader: 2 })
    expect(broker.manager.assignedDirectory(events)).toBeUndefined()
  })

  test.each(['its topic is deleted', 'its replica left'])(
    'once %s, when the directory failed at the start',
    async how => {
      const { cluster, broker } = await leader()
      const second = { topic: 'events2', partition: 0 }
      expect(broker.manager.alterLogDir(second, '/a')).toBe('UNKNOWN_TOPIC_OR_PARTITION')
      cluster.createTopic('events2', [1])
      expect(broker.logs.directoryOf(second)?.path).toBe('/a')
      broker.kill()
      // The first log is open when the second one fails.
      broker.failingPath = '/a/events2-0'
      cluster.restart(1)
      expect(broker.manager.find('events', 0)).toBe('KAFKA_STORAGE_ERROR')
      expect(broker.manager.assignedDirectory(events)).toBe(idOf(broker, '/a'))
      if (how === 'its replica left') cluster.change('events', { replicas: [2], isr: [2], leader: 2 })
      else cluster.commit([{ type: 'RemoveTopic', topicId: cluster.image.topicsByName.get('events')!.id }])
      expect(broker.manager.assignedDirectory(events)).toBeUndefined()
    },
  )
})

describe('AlterReplicaLogDirs refuses', () => {
  test('what Kafka refuses, with its errors', async () => {
    const { cluster, broker } = await leader()
    const { manager } = broker
    expect(manager.alterLogDir(events, '/nowhere')).toBe('LOG_DIR_NOT_FOUND')
    expect(manager.alterLogDir(events, '/b/')).toBe('LOG_DIR_NOT_FOUND')
    expect(manager.alterLogDir({ topic: 'x'.repeat(220), partition: 0 }, '/b')).toBe('INVALID_TOPIC_EXCEPTION')
    expect(manager.alterLogDir({ topic: 'unknown', partition: 0 }, '/b')).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(manager.alterLogDir({ topic: 'events', partition: 7 }, '/b')).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(manager.alterLogDir(events, '/a')).toBe('NONE')
    broker.logs.cordon(new Set(['/b']))
    expect(manager.alterLogDir(events, '/b')).toBe('INVALID_REPLICA_ASSIGNMENT')
    expect(manager.alterLogDir({ topic: 'unknown', partition: 0 }, '/b')).toBe('INVALID_REPLICA_ASSIGNMENT')
    broker.logs.cordon(new Set(dirs))
    expect(manager.alterLogDir(events, '/a')).toBe('INVALID_REPLICA_ASSIGNMENT')
    broker.logs.cordon(new Set())
    broker.failingPath = '/a'
    await cluster.until(broker.produce('events', ['x']))
    await cluster.time.settle()
    broker.failingPath = undefined
    expect(manager.alterLogDir(events, '/a')).toBe('KAFKA_STORAGE_ERROR')
    expect(manager.alterLogDir(events, '/b')).toBe('KAFKA_STORAGE_ERROR')
  })

  test('a replica that is not here yet, but has it created in that directory', () => {
    const cluster = new TestCluster(2, {}, dirs)
    const broker = cluster.broker(2)
    cluster.createTopic('elsewhere', [1])
    expect(broker.manager.alterLogDir({ topic: 'elsewhere', partition: 0 }, '/b')).toBe('REPLICA_NOT_AVAILABLE')
    expect(broker.manager.alterLogDir(events, '/b')).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    cluster.createTopic('events', [2])
    expect(pathOf(broker)).toBe('/b')
  })
})

test('a cordoned log directory gets no new logs while there are others', () => {
  const cluster = new TestCluster(1, {}, dirs)
  const broker = cluster.broker(1)
  const counts = () =>
    broker.manager.describeLogDirs(() => true).map(({ logs, isCordoned }) => [logs.length, isCordoned])
  broker.logs.cordon(new Set(['/a']))
  cluster.createTopic('one', [1], {}, 3)
  expect(counts()).toEqual([
    [0, true],
    [3, false],
  ])
  broker.logs.cordon(new Set(dirs))
  cluster.createTopic('two', [1], {}, 2)
  expect(counts()).toEqual([
    [2, true],
    [3, true],
  ])
})

test.each([
  ['the metadata names it', (broker: TestBroker) => [idOf(broker, '/a')]],
  ['the metadata names none yet', () => ['AAAAAAAAAAAAAAAAAAAAAA']],
])(
  'a log in a directory that cannot be opened is not begun anew elsewhere, and is there again: %s',
  async (_, named) => {
    const { cluster, broker } = await leader()
    cluster.change('events', { directories: named(broker) })
    broker.kill()
    broker.failingPath = '/a'
    cluster.restart(1)
    expect(broker.manager.find('events', 0)).toBe('KAFKA_STORAGE_ERROR')
    expect(broker.manager.alterLogDir(events, '/b')).toBe('KAFKA_STORAGE_ERROR')
    expect(broker.logs.get(events)).toBeUndefined()
    // What is new goes where it can.
    cluster.createTopic('others', [1])
    expect(broker.logs.directoryOf({ topic: 'others', partition: 0 })?.path).toBe('/b')
    broker.kill()
    broker.failingPath = undefined
    cluster.restart(1)
    await cluster.time.run(1000)
    expect([pathOf(broker), values(broker)]).toEqual(['/a', ['r0', 'r1', 'r2']])
  },
)
