/** Retention as a broker runs it: when, over which replicas, up to where, and who sees it. */
import { expect, test } from 'vitest'
import type { ListOffsetsResponse } from '#broker/protocol/messages/02-list-offsets.ts'
import { inTurns } from '#broker/replication/repeating.ts'
import { TestCluster } from './test-cluster.ts'

/** So large that three of them fill the smallest segment that Kafka allows. */
const big = 'x'.repeat(400_000)
const settings = { 'segment.bytes': '1048576' }

async function fill(cluster: TestCluster, count: number, topic = 'events'): Promise<void> {
  for (let index = 0; index < count; index++) await cluster.until(cluster.broker(1).produce(topic, [big]))
}

async function earliest(cluster: TestCluster, id = 1): Promise<number> {
  const reply = await cluster.broker(id).request<ListOffsetsResponse>(2, 9, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: 'events', partitions: [{ partitionIndex: 0, timestamp: -2 }] }],
  })
  return reply!.topics[0]!.partitions[0]!.offset
}

test('the first pass comes 30 s after the start, the next ones after log.retention.check.interval.ms', async () => {
  const cluster = new TestCluster(1)
  cluster.createTopic('events', [1], { ...settings, 'retention.bytes': '1000000' })
  await fill(cluster, 6)
  await cluster.time.run(29_000)
  expect(await earliest(cluster)).toBe(0)
  await cluster.time.run(1_500)
  const first = await earliest(cluster)
  expect(first).toBeGreaterThan(0)
  await fill(cluster, 6)
  await cluster.time.run(290_000)
  expect(await earliest(cluster)).toBe(first)
  await cluster.time.run(15_000)
  expect(await earliest(cluster)).toBeGreaterThan(first)
})

test('a topic’s own setting counts as soon as it is changed, and stops counting when it is taken back', async () => {
  const cluster = new TestCluster(1, { 'log.retention.check.interval.ms': '1000', 'log.initial.task.delay.ms': '0' })
  cluster.createTopic('events', [1], settings)
  await fill(cluster, 6)
  await cluster.time.run(3_000)
  expect(await earliest(cluster)).toBe(0)
  cluster.configure('topic', 'events', 'retention.bytes', '1500000')
  await cluster.time.run(2_000)
  const start = await earliest(cluster)
  expect(start).toBeGreaterThan(0)
  cluster.configure('topic', 'events', 'retention.bytes', null)
  await fill(cluster, 6)
  await cluster.time.run(3_000)
  expect(await earliest(cluster)).toBe(start)
  cluster.configure('topic', 'events', 'retention.ms', '1')
  await cluster.time.run(3_000)
  expect(await earliest(cluster)).toBe(12)
})

test('followers begin where their leader does, also one that was away', async () => {
  const cluster = new TestCluster(2, { 'log.retention.check.interval.ms': '1000', 'log.initial.task.delay.ms': '0' })
  cluster.createTopic('events', [1, 2], settings)
  await fill(cluster, 3)
  cluster.kill(2)
  await fill(cluster, 3)
  cluster.configure('topic', 'events', 'retention.ms', '1')
  await cluster.time.run(3_000)
  expect(await earliest(cluster)).toBe(6)
  cluster.restart(2)
  await cluster.time.run(10_000)
  const { log } = cluster.broker(2).replica('events')
  expect([log.logStartOffset, log.logEndOffset]).toEqual([6, 6])
  cluster.configure('topic', 'events', 'retention.ms', '-1')
  await fill(cluster, 2)
  cluster.broker(1).replica('events').raiseLogStart(7)
  await cluster.time.run(2_000)
  expect([log.logStartOffset, log.logEndOffset]).toEqual([7, 8])
})

test('a pass over many logs leaves room for requests in between', () => {
  const later: (() => void)[] = []
  const timers = { after: () => ({ cancel: () => undefined }), soon: (run: () => void) => later.push(run) }
  const turns: number[][] = [[]]
  inTurns(
    timers,
    Array.from({ length: 250 }, (_, index) => index),
    index => turns.at(-1)!.push(index),
  )
  while (later.length > 0) {
    turns.push([])
    later.shift()!()
  }
  expect(turns.map(turn => turn.length)).toEqual([100, 100, 50])
  expect(turns.flat()).toEqual(Array.from({ length: 250 }, (_, index) => index))
})
