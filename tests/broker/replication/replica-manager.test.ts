/** Three brokers with real logs and handlers: what clients and followers see of replication. */
import { describe, expect, test } from 'vitest'
import type { FetchResponse } from '#broker/protocol/messages/01-fetch.ts'
import type { ListOffsetsResponse } from '#broker/protocol/messages/02-list-offsets.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import { configResource } from '#broker/controller/metadata-record.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { DiskError } from '#broker/environment/environment.ts'
import { startWallMs, TestCluster } from './test-cluster.ts'

const ok = errorCode('NONE')

function consume(
  cluster: TestCluster,
  id: number,
  topic: string,
  fetchOffset: number,
  options: { maxWaitMs?: number; minBytes?: number } = {},
) {
  return cluster.broker(id).request<FetchResponse>(1, 12, {
    maxWaitMs: options.maxWaitMs ?? 0,
    minBytes: options.minBytes ?? 1,
    maxBytes: 1 << 20,
    topics: [{ topic, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1 << 20 }] }],
    forgottenTopicsData: [],
  })
}

async function latest(cluster: TestCluster, id: number, replicaId: number): Promise<number> {
  const reply = await cluster.broker(id).request<ListOffsetsResponse>(2, 9, {
    replicaId,
    isolationLevel: 0,
    topics: [{ name: 'events', partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
  })
  return reply!.topics[0]!.partitions[0]!.offset
}

describe('one broker', () => {
  test('appends with acks=all, 1 and 0 and gives the records back', async () => {
    const cluster = new TestCluster(1)
    cluster.createTopic('events', [1])
    const broker = cluster.broker(1)
    expect(await broker.produce('events', ['a', 'b'])).toMatchObject({
      errorCode: ok,
      baseOffset: 0,
      logStartOffset: 0,
    })
    expect(await broker.produce('events', ['c'], { acks: 1 })).toMatchObject({ errorCode: ok, baseOffset: 2 })
    const reply = await consume(cluster, 1, 'events', 0)
    const partition = reply!.responses[0]!.partitions[0]!
    expect(partition).toMatchObject({ errorCode: ok, highWatermark: 3, lastStableOffset: 3, logStartOffset: 0 })
    expect(partition.records!.includes('c')).toBe(true)
  })

  test('a fetch at the end waits for the next record', async () => {
    const cluster = new TestCluster(1)
    cluster.createTopic('events', [1])
    const waiting = consume(cluster, 1, 'events', 0, { maxWaitMs: 10_000 })
    await cluster.time.run(100)
    expect(cluster.broker(1).manager.parkedFetches).toBe(1)
    await cluster.broker(1).produce('events', ['a'])
    await cluster.time.settle()
    const reply = await waiting
    expect(reply!.responses[0]!.partitions[0]!.records!.length).toBeGreaterThan(0)
    expect(cluster.broker(1).manager.parkedFetches).toBe(0)
  })
})

describe('three brokers', () => {
  test('acks=all is answered when all in-sync replicas have the record', async () => {
    const cluster = new TestCluster(3)
    cluster.createTopic('events', [1, 2, 3])
    const answer = await cluster.until(cluster.broker(1).produce('events', ['a']))
    expect(answer).toMatchObject({ errorCode: ok, baseOffset: 0 })
    for (const id of [1, 2, 3]) expect(cluster.broker(id).replica('events').log.logEndOffset).toBe(1)
    await cluster.time.run(600)
    for (const id of [1, 2, 3]) expect(cluster.broker(id).replica('events').highWatermark).toBe(1)
  })

  test('replica id -2 sees the log end of a follower', async () => {
    const cluster = new TestCluster(3)
    cluster.createTopic('events', [1, 2, 3])
    await cluster.until(cluster.broker(1).produce('events', ['a']))
    expect(await latest(cluster, 2, -2)).toBe(1)
    expect(await latest(cluster, 2, -1)).toBe(-1)
    expect(await latest(cluster, 1, -1)).toBe(1)
  })

  test('a follower that cannot be reached leaves the in-sync set, and comes back when it caught up', async () => {
    const cluster = new TestCluster(3)
    cluster.createTopic('events', [1, 2, 3])
    await cluster.until(cluster.broker(1).produce('events', ['a']))
    cluster.cut.add('3>1')
    const slow = cluster.broker(1).produce('events', ['b'], { timeoutMs: 100_000 })
    await cluster.time.run(20_000)
    expect(cluster.partition('events').isr).toEqual([1, 2, 3])
    expect(await cluster.until(slow)).toMatchObject({ errorCode: ok, baseOffset: 1 })
    expect(cluster.partition('events').isr).toEqual([1, 2])
    cluster.cut.clear()
    await cluster.time.run(5000)
    expect(cluster.partition('events').isr).toEqual([1, 2, 3])
    expect(cluster.broker(3).replica('events').log.logEndOffset).toBe(2)
  })

  test('acks=all is refused before the append when min.insync.replicas are not there', async () => {
    const cluster = new TestCluster(3)
    cluster.createTopic('events', [1, 2, 3], { 'min.insync.replicas': '2' })
    cluster.kill(2)
    cluster.kill(3)
    const answer = await cluster.broker(1).produce('events', ['a'])
    expect(answer).toMatchObject({ errorCode: errorCode('NOT_ENOUGH_REPLICAS'), baseOffset: -1 })
    expect(cluster.broker(1).replica('events').log.logEndOffset).toBe(0)
  })

  test('an acks=all append times out with REQUEST_TIMED_OUT, and stays in the log', async () => {
    const cluster = new TestCluster(3)
    cluster.createTopic('events', [1, 2, 3])
    await cluster.time.run(1000)
    cluster.cut.add('3>1')
    const answer = await cluster.until(cluster.broker(1).produce('events', ['a'], { timeoutMs: 1500 }))
    expect(answer.errorCode).toBe(errorCode('REQUEST_TIMED_OUT'))
    expect(cluster.broker(1).replica('events').log.logEndOffset).toBe(1)
  })

  test('when the leader dies a follower leads with all acknowledged records, and the old leader follows it', async () => {
    const cluster = new TestCluster(3)
    cluster.createTopic('events', [1, 2, 3])
    for (const value of ['a', 'b', 'c']) await cluster.until(cluster.broker(1).produce('events', [value]))
    cluster.kill(1)
    expect(cluster.partition('events')).toMatchObject({ leader: 2, leaderEpoch: 1, isr: [2, 3] })
    expect(await cluster.until(cluster.broker(2).produce('events', ['d']))).toMatchObject({
      errorCode: ok,
      baseOffset: 3,
    })
    cluster.restart(1)
    await cluster.time.run(5000)
    expect(cluster.partition('events').isr).toEqual([2, 3, 1])
    expect(cluster.broker(1).replica('events').log.logEndOffset).toBe(4)
  })

  test('a leader that lost its leadership truncates what it alone had', async () => {
    const cluster = new TestCluster(3)
    cluster.createTopic('events', [1, 2, 3])
    await cluster.until(cluster.broker(1).produce('events', ['a']))
    cluster.cut.add('2>1')
    cluster.cut.add('3>1')
    await cluster.broker(1).produce('events', ['lost', 'lost too'], { acks: 1 })
    cluster.isolated.add(1)
    cluster.fence(1)
    await cluster.until(cluster.broker(2).produce('events', ['b']))
    cluster.isolated.delete(1)
    cluster.cut.clear()
    cluster.register(cluster.broker(1))
    await cluster.time.run(5000)
    const log = cluster.broker(1).replica('events').log
    expect(log.logEndOffset).toBe(2)
    const read = log.read(0, { maxBytes: 10_000, untilOffset: 10, atLeastOneBatch: true })
    expect('records' in read && read.records.includes('lost')).toBe(false)
    expect('records' in read && read.records.includes('b')).toBe(true)
  })

  test('appends that wait fail with NOT_LEADER_OR_FOLLOWER when the leadership moves', async () => {
    const cluster = new TestCluster(3)
    cluster.createTopic('events', [1, 2, 3])
    cluster.cut.add('2>1')
    const waiting = cluster.broker(1).produce('events', ['a'], { timeoutMs: 100_000 })
    cluster.change('events', { leader: 3 })
    expect((await cluster.until(waiting)).errorCode).toBe(errorCode('NOT_LEADER_OR_FOLLOWER'))
  })

  test('a follower below the leader’s log start begins anew there', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    await cluster.until(cluster.broker(1).produce('events', ['a']))
    cluster.kill(2)
    for (const value of ['b', 'c', 'd']) await cluster.until(cluster.broker(1).produce('events', [value]))
    cluster.broker(1).replica('events').log.advanceLogStart(3)
    cluster.restart(2)
    await cluster.time.run(5000)
    const { log } = cluster.broker(2).replica('events')
    expect(log).toMatchObject({ logStartOffset: 3, logEndOffset: 4 })
    expect(cluster.partition('events').isr).toEqual([1, 2])
  })

  test('a follower raises its log start with the leader’s', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    for (const value of ['a', 'b', 'c']) await cluster.until(cluster.broker(1).produce('events', [value]))
    cluster.broker(1).replica('events').log.advanceLogStart(2)
    await cluster.time.run(2000)
    expect(cluster.broker(2).replica('events').log.logStartOffset).toBe(2)
  })

  test('an AlterPartition that fails is sent again, with pauses', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    cluster.kill(2)
    let tries = 0
    cluster.alterPartitionHook = request => {
      tries += 1
      if (tries > 5) return undefined
      const { topicId, partitions } = request.topics[0]!
      const refused = {
        partitionIndex: 0,
        errorCode: errorCode('UNKNOWN_SERVER_ERROR'),
        leaderId: -1,
        leaderEpoch: -1,
        isr: [],
        leaderRecoveryState: 0,
        partitionEpoch: -1,
      }
      return tries % 2 === 0
        ? { throttleTimeMs: 0, errorCode: errorCode('STALE_BROKER_EPOCH'), topics: [] }
        : { throttleTimeMs: 0, errorCode: 0, topics: [{ topicId, partitions: partitions.map(() => refused) }] }
    }
    cluster.restart(2)
    await cluster.time.run(200)
    expect(tries).toBeGreaterThan(1)
    expect(tries).toBeLessThan(6)
    await cluster.time.run(1000)
    expect(cluster.partition('events').isr).toEqual([1, 2])
    expect(tries).toBe(6)
  })

  test('a fetch that waits tells where its follower was when it asked, not when it was answered', async () => {
    const cluster = new TestCluster(2)
    const topicId = cluster.createTopic('events', [1, 2])
    cluster.cut.add('2>1')
    await cluster.time.run(1000)
    const askedMs = cluster.time.nowMs
    const partition = { partition: 0, fetchOffset: 0, currentLeaderEpoch: 0, partitionMaxBytes: 1000 }
    const waiting = cluster.broker(1).request<FetchResponse>(1, 17, {
      replicaState: { replicaId: 2, replicaEpoch: cluster.broker(2).epoch },
      maxWaitMs: 5000,
      minBytes: 1,
      topics: [{ topicId, partitions: [partition] }],
    })
    await cluster.time.run(3000)
    await cluster.broker(1).produce('events', ['a'], { acks: 1 })
    await cluster.time.run(10)
    expect((await waiting)!.responses[0]!.partitions[0]!.records!.length).toBeGreaterThan(0)
    expect(cluster.broker(1).replica('events').machine.followerStates()[0]?.lastCaughtUpMs).toBe(askedMs)
  })

  test('a deleted topic is gone, also on a broker that was down', async () => {
    const cluster = new TestCluster(2)
    const topicId = cluster.createTopic('events', [1, 2])
    await cluster.until(cluster.broker(1).produce('events', ['a']))
    cluster.kill(2)
    cluster.commit([{ type: 'RemoveTopic', topicId }])
    expect(cluster.broker(1).logs.get({ topic: 'events', partition: 0 })).toBeUndefined()
    expect((await cluster.broker(1).produce('events', ['b'])).errorCode).toBe(errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
    cluster.restart(2)
    expect(cluster.broker(2).logs.get({ topic: 'events', partition: 0 })).toBeUndefined()
    // Aside, and not away: where it is the metadata that was lost, this is all that is left.
    expect(cluster.broker(2).lines).toContainEqual({
      message: 'a log that the metadata does not know was set aside as -stray',
      fields: { topic: 'events', partition: 0, topicId },
    })
  })

  test('a replica that is reassigned away gives up its log, and whoever waited there is told to look for the leader', async () => {
    const cluster = new TestCluster(3)
    cluster.createTopic('events', [1, 2])
    expect(await cluster.until(cluster.broker(1).produce('events', ['a']))).toMatchObject({ errorCode: ok })
    cluster.change('events', { replicas: [2, 3, 1], addingReplicas: [3], removingReplicas: [1], directories: [] })
    await cluster.time.run(1000)
    // 3 has joined; what it fetched was all there is.
    expect(cluster.partition('events').isr).toEqual([1, 2, 3])
    cluster.cut.add('3>1')
    const waiting = cluster.broker(1).produce('events', ['b'], { timeoutMs: 60_000 })
    await cluster.time.run(100)
    cluster.cut.delete('3>1')
    const target = {
      replicas: [2, 3],
      addingReplicas: [],
      removingReplicas: [],
      isr: [2, 3],
      leader: 2,
      directories: [],
    }
    cluster.change('events', target)
    expect(await cluster.until(waiting)).toMatchObject({ errorCode: errorCode('NOT_LEADER_OR_FOLLOWER') })
    expect(cluster.broker(1).manager.find('events', 0)).toBe('NOT_LEADER_OR_FOLLOWER')
    expect(cluster.broker(1).logs.get({ topic: 'events', partition: 0 })).toBeUndefined()
    // And back: an empty log that fetches all of it again.
    cluster.change('events', { replicas: [2, 3, 1], addingReplicas: [1], directories: [] })
    await cluster.time.run(1000)
    expect(cluster.partition('events').isr).toEqual([2, 3, 1])
    expect(cluster.broker(1).replica('events').log.logEndOffset).toBe(
      cluster.broker(2).replica('events').log.logEndOffset,
    )
  })

  test('a topic that was deleted and created again under its name starts empty', async () => {
    const cluster = new TestCluster(2)
    const topicId = cluster.createTopic('events', [1, 2])
    await cluster.until(cluster.broker(1).produce('events', ['a']))
    cluster.kill(2)
    cluster.commit([{ type: 'RemoveTopic', topicId }])
    cluster.createTopic('events', [1, 2])
    cluster.restart(2)
    expect(await cluster.until(cluster.broker(1).produce('events', ['b']))).toMatchObject({
      errorCode: ok,
      baseOffset: 0,
    })
    await cluster.time.run(3000)
    expect(cluster.broker(2).replica('events').log.logEndOffset).toBe(1)
  })
})

describe('the log directories', () => {
  test('are described with the size of their logs, and as offline when they are', async () => {
    const cluster = new TestCluster(1, {}, ['/data', '/more'])
    cluster.createTopic('events', [1], {}, 2)
    const broker = cluster.broker(1)
    await broker.produce('events', ['a'], { partition: 0 })
    const all = broker.manager.describeLogDirs(() => true)
    expect(all.map(({ path, online }) => [path, online])).toEqual([
      ['/data', true],
      ['/more', true],
    ])
    const [written] = all[0]!.logs
    expect(written).toEqual({
      topicPartition: { topic: 'events', partition: 0 },
      sizeBytes: broker.replica('events').log.sizeBytes,
      offsetLag: 0,
      isFuture: false,
    })
    expect(written!.sizeBytes).toBeGreaterThan(0)
    expect(broker.manager.describeLogDirs(({ partition }) => partition === 1).map(({ logs }) => logs.length)).toEqual([
      0, 1,
    ])
    broker.diskFails = true
    await broker.produce('events', ['b'], { partition: 0 })
    await cluster.time.settle()
    expect(broker.manager.describeLogDirs(() => true)[0]).toEqual({
      path: '/data',
      online: false,
      totalBytes: -1,
      usableBytes: -1,
      isCordoned: false,
      logs: [],
    })
  })
})

describe('a failing disk', () => {
  test('refuses the append with KAFKA_STORAGE_ERROR, and the last directory ends the broker with a clear message', async () => {
    const cluster = new TestCluster(1)
    cluster.createTopic('events', [1])
    const broker = cluster.broker(1)
    await broker.produce('events', ['a'])
    broker.diskFails = true
    expect((await broker.produce('events', ['b'])).errorCode).toBe(errorCode('KAFKA_STORAGE_ERROR'))
    await cluster.time.settle()
    expect(broker.failedDirectories).toHaveLength(1)
    expect(broker.halted).toContain('all log directories failed')
  })

  test('takes its directory offline and tells the controller; the partitions of the other directory go on', async () => {
    const cluster = new TestCluster(1, {}, ['/data', '/more'])
    cluster.createTopic('events', [1], {}, 2)
    const broker = cluster.broker(1)
    broker.diskFails = true
    expect((await broker.produce('events', ['a'], { partition: 0 })).errorCode).toBe(errorCode('KAFKA_STORAGE_ERROR'))
    broker.diskFails = false
    await cluster.time.settle()
    expect(broker.failedDirectories).toHaveLength(1)
    expect(broker.halted).toBeUndefined()
    expect(broker.manager.find('events', 0)).toBe('KAFKA_STORAGE_ERROR')
    expect((await broker.produce('events', ['b'], { partition: 1 })).errorCode).toBe(ok)
    expect((await broker.produce('events', ['c'], { partition: 0 })).errorCode).toBe(errorCode('KAFKA_STORAGE_ERROR'))
  })

  test('of a follower leaves the in-sync set to the others', async () => {
    const cluster = new TestCluster(2, { 'replica.lag.time.max.ms': '5000' }, ['/data', '/more'])
    cluster.createTopic('events', [1, 2])
    cluster.broker(2).diskFails = true
    const answer = await cluster.until(cluster.broker(1).produce('events', ['a'], { timeoutMs: 20_000 }))
    expect(answer.errorCode).toBe(ok)
    expect(cluster.partition('events').isr).toEqual([1])
  })
})

describe('settings', () => {
  test('min.insync.replicas follows the metadata', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    cluster.kill(2)
    expect((await cluster.broker(1).produce('events', ['a'])).errorCode).toBe(ok)
    cluster.commit([
      {
        type: 'Config',
        resourceType: configResource.topic,
        resourceName: 'events',
        name: 'min.insync.replicas',
        value: '2',
      },
    ])
    expect((await cluster.broker(1).produce('events', ['b'])).errorCode).toBe(errorCode('NOT_ENOUGH_REPLICAS'))
  })
})

describe('for coordinators', () => {
  test('listeners hear of leaderships gained and lost, also of those from before they came', () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    const heard: string[] = []
    cluster.broker(1).manager.watchTopic('events', {
      becameLeader: ({ partition }, leaderEpoch) => heard.push(`lead ${partition} in ${leaderEpoch}`),
      resigned: ({ partition }, leaderEpoch) => heard.push(`resign ${partition} for ${leaderEpoch}`),
    })
    cluster.change('events', { leader: 2 })
    cluster.change('events', { leader: 1 })
    cluster.commit([{ type: 'RemoveTopic', topicId: cluster.image.topicsByName.get('events')!.id }])
    expect(heard).toEqual(['lead 0 in 0', 'resign 0 for 1', 'lead 0 in 2', 'resign 0 for undefined'])
  })

  test('an append is committed when all in-sync replicas have it, and refused in another epoch', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    const at = { topic: 'events', partition: 0 }
    const records = () => buildBatch([{ key: 'k', value: 'v' }], { timestamp: startWallMs })
    const { manager } = cluster.broker(1)
    expect(manager.appendForCoordinator(at, records(), { leaderEpoch: 5, timeoutMs: 1000 })).toEqual({
      refused: 'NOT_LEADER_OR_FOLLOWER',
    })
    const appended = manager.appendForCoordinator(at, records(), { leaderEpoch: 0, timeoutMs: 1000 })
    if (!('committed' in appended)) throw new Error(appended.refused)
    expect(appended.info).toMatchObject({ firstOffset: 0, lastOffset: 0 })
    expect(await cluster.until(appended.committed)).toBe('committed')
    cluster.cut.add('2>1')
    const late = manager.appendForCoordinator(at, records(), { leaderEpoch: 0, timeoutMs: 1000 })
    if (!('committed' in late)) throw new Error(late.refused)
    expect(await cluster.until(late.committed)).toBe('REQUEST_TIMED_OUT')
  })

  test('what was appended before is waited for as long as this broker leads in the same epoch', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    const at = { topic: 'events', partition: 0 }
    const { manager } = cluster.broker(1)
    cluster.cut.add('2>1')
    const records = buildBatch([{ key: 'k', value: 'v' }], { timestamp: startWallMs })
    manager.appendForCoordinator(at, records, { leaderEpoch: 0, timeoutMs: 1 })
    expect(await manager.whenCommitted(at, { leaderEpoch: 5, endOffset: 1 })).toBe(false)
    expect(await manager.whenCommitted(at, { leaderEpoch: 0, endOffset: 0 })).toBe(true)
    const late = manager.whenCommitted(at, { leaderEpoch: 0, endOffset: 1 })
    const never = manager.whenCommitted(at, { leaderEpoch: 0, endOffset: 2 })
    expect(manager.highWatermark(at)).toBe(0)
    cluster.cut.delete('2>1')
    expect(await cluster.until(late)).toBe(true)
    expect(manager.highWatermark(at)).toBe(1)
    cluster.change('events', { leader: 2 })
    expect(await cluster.until(never)).toBe(false)
  })
})

test('a stopped broker answers what waits, and notes its high watermarks', async () => {
  const cluster = new TestCluster(1)
  cluster.createTopic('events', [1])
  await cluster.broker(1).produce('events', ['a'])
  const waiting = consume(cluster, 1, 'events', 1, { maxWaitMs: 60_000 })
  const { manager, logs } = cluster.broker(1)
  await manager.stop()
  expect((await waiting)!.responses[0]!.partitions[0]!.errorCode).toBe(ok)
  logs.close(partition => manager.checkpointOf(partition))
  cluster.broker(1).kill()
  cluster.restart(1)
  expect(cluster.broker(1).replica('events').highWatermark).toBe(1)
})

describe('a broker without file descriptors', () => {
  test('as a follower falls behind and catches up; a replica that it could not make is made when there are some', async () => {
    const cluster = new TestCluster(2, {}, ['/data'])
    cluster.createTopic('events', [1, 2], { 'segment.bytes': '1048576', 'min.insync.replicas': '1' })
    const [leader, follower] = [cluster.broker(1), cluster.broker(2)]
    const big = (): Promise<unknown> => cluster.until(leader.produce('events', ['x'.repeat(400_000)], { acks: 1 }))
    for (let count = 0; count < 2; count++) await big()
    await cluster.time.run(1000)
    follower.failingCode = 'EMFILE'
    follower.failingPath = '/data'
    // The next segment cannot be begun there.
    for (let count = 0; count < 4; count++) await big()
    cluster.createTopic('later', [2])
    await cluster.time.run(5000)
    expect(follower.replica('events').log.logEndOffset).toBeLessThan(6)
    expect(follower.lines.some(({ message }) => message === 'cannot open the log of a partition')).toBe(true)
    expect([follower.failedDirectories, follower.halted]).toEqual([[], undefined])
    follower.failingPath = undefined
    await cluster.time.run(5000)
    expect(follower.replica('events').log.logEndOffset).toBe(6)
    expect(await cluster.until(follower.produce('later', ['a']))).toMatchObject({ errorCode: ok, baseOffset: 0 })
  })

  test('as a leader refuses what it has no descriptor for with an error that may be tried again, and goes on', async () => {
    const cluster = new TestCluster(1, {}, ['/data'])
    cluster.createTopic('events', [1], { 'segment.bytes': '1048576' })
    const broker = cluster.broker(1)
    const big = () => cluster.until(broker.produce('events', ['x'.repeat(400_000)]))
    for (let count = 0; count < 2; count++) expect(await big()).toMatchObject({ errorCode: ok })
    broker.failingCode = 'EMFILE'
    broker.failingPath = '/data'
    const refused = await big()
    expect(refused).toMatchObject({ errorCode: errorCode('KAFKA_STORAGE_ERROR') })
    broker.failingPath = undefined
    expect(await big()).toMatchObject({ errorCode: ok, baseOffset: 2 })
    expect(broker.failedDirectories).toEqual([])
  })
})

test('a follower without space for the first batch, in the middle of which the log of its leader begins, gets it later', async () => {
  const cluster = new TestCluster(2)
  cluster.createTopic('events', [1])
  const [leader, follower] = [cluster.broker(1), cluster.broker(2)]
  await cluster.until(leader.produce('events', ['a', 'b', 'c', 'd', 'e', 'f']))
  const topics = [{ name: 'events', partitions: [{ partitionIndex: 0, offset: 3 }] }]
  await cluster.until(leader.request(21, 2, { topics, timeoutMs: 1000 }))
  expect(leader.replica('events').log.logStartOffset).toBe(3)
  cluster.cut.add('2>1')
  cluster.change('events', { replicas: [1, 2], directories: [] })
  await cluster.time.run(200)
  const { log } = follower.replica('events')
  const append = log.appendAsFollower.bind(log)
  let refusals = 3
  log.appendAsFollower = records => {
    if (refusals-- > 0) throw new DiskError('ENOSPC', 'write', '/data/events-0')
    return append(records)
  }
  cluster.cut.clear()
  await cluster.time.run(10_000)
  expect(refusals).toBeLessThan(0)
  expect([log.logStartOffset, log.logEndOffset]).toEqual([3, 6])
  expect(cluster.partition('events').isr).toEqual([1, 2])
  expect([follower.failedDirectories, follower.halted]).toEqual([[], undefined])
})

test('a follower that had no file descriptor when a new leader came follows it later', async () => {
  const cluster = new TestCluster(3)
  cluster.createTopic('events', [1, 2, 3])
  await cluster.until(cluster.broker(1).produce('events', ['a']))
  await cluster.time.run(1000)
  const { log } = cluster.broker(3).replica('events')
  const epochAt = log.epochAt.bind(log)
  let refusals = 1
  log.epochAt = offset => {
    if (refusals-- > 0) throw new DiskError('EMFILE', 'open', log.directory)
    return epochAt(offset)
  }
  cluster.kill(1)
  await cluster.time.run(5000)
  expect([refusals < 1, cluster.partition('events').leader]).toEqual([true, 2])
  await cluster.until(cluster.broker(2).produce('events', ['b'], { acks: 1 }))
  await cluster.time.run(5000)
  expect(cluster.broker(3).replica('events').log.logEndOffset).toBe(2)
})
