/** Three brokers with real logs and handlers: what clients and followers see of replication. */
import { describe, expect, test } from 'vitest'
import type { FetchResponse } from '#broker/protocol/messages/01-fetch.ts'
import type { ListOffsetsResponse } from '#broker/protocol/messages/02-list-offsets.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import { TestCluster } from './test-cluster.ts'

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
