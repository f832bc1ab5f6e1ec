/** Replicas of a log that was compacted: who fetches it, moves it, restarts on it, or reads it back into a coordinator finds the same. */
import { describe, expect, test } from 'vitest'
import { cleanerSettings } from '#broker/config/cleaner-settings.ts'
import { encodeOffset } from '#broker/coordinator/groups/group-records.ts'
import { Groups } from '#broker/coordinator/groups/groups.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import type { ProduceResponse } from '#broker/protocol/messages/00-produce.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import type { LeadershipListener, Replicas } from '#broker/replication/replication.ts'
import { FakeTime } from '../controller/fakes.ts'
import { testConfig } from '../controller/harness.ts'
import { imageOf } from '../coordinator/groups/modern/consumer-harness.ts'
import { clean, compacted, readAll } from '../log/cleaner/harness.ts'
import { asClient, Machine, openLog, startWallMs as logStartWallMs } from '../log/harness.ts'
import { startWallMs, TestCluster, type TestBroker } from './test-cluster.ts'

const settings = {
  'cleanup.policy': 'compact',
  'segment.ms': '1000',
  'min.cleanable.dirty.ratio': '0.01',
  'delete.retention.ms': '0',
}

const logOf = (broker: TestBroker) => broker.replica('events').log as SegmentedLog

/** Six keys again and again, one segment each. */
async function fill(cluster: TestCluster, leader: TestBroker, from: number, count: number): Promise<void> {
  for (let index = from; index < from + count; index++) {
    const batch = { timestamp: startWallMs + index * 5000 }
    const { errorCode } = await cluster.until(leader.produce('events', [`k${index % 6}`], { batch, acks: 1 }))
    expect(errorCode).toBe(0)
  }
}

async function cleaned(cluster: TestCluster, broker: TestBroker): Promise<void> {
  broker.logs.cleaner.configure({ ...cleanerSettings(cluster.config), backoffMs: 10 })
  await cluster.time.run(2000)
  expect(broker.logs.cleaner.figures.cleanings).toBeGreaterThan(0)
}

const refused = [{ key: 'k0', value: 'refused' }]

/** Another record of a key than `fill` writes, which no follower gets. */
async function writeAlone(cluster: TestCluster, leader: TestBroker, index: number): Promise<void> {
  const records = buildBatch(refused, { timestamp: startWallMs + index * 5000 })
  const partitionData = [{ index: 0, records }]
  const request = { acks: -1, timeoutMs: 300, topicData: [{ name: 'events', partitionData }] }
  const answer = await cluster.until(leader.request<ProduceResponse>(0, 12, request))
  expect(answer!.responses[0]!.partitionResponses[0]!.errorCode).toBe(errorCode('REQUEST_TIMED_OUT'))
}

/** Broker 1 leads, and dies with two records of its own that were never committed; broker 2 leads. */
async function leaveUncommitted(cluster: TestCluster): Promise<void> {
  const former = cluster.broker(1)
  await fill(cluster, former, 0, 4)
  await cluster.time.run(1000)
  cluster.cut.add('2>1')
  await cluster.time.run(700)
  await writeAlone(cluster, former, 4)
  await writeAlone(cluster, former, 5)
  cluster.kill(1)
  await cluster.time.run(200)
  cluster.cut.clear()
  expect(cluster.partition('events').leader).toBe(2)
}

/** Broker 1 comes back and follows this one. */
async function expectCut(cluster: TestCluster, leader: TestBroker): Promise<void> {
  cluster.restart(1)
  await cluster.time.run(5000)
  expect(cluster.partition('events').isr).toEqual([leader.id, 1])
  const former = logOf(cluster.broker(1))
  expect(valuesIn(former)).not.toContain('refused')
  // What it had of its own time it has until it is compacted too.
  expect(readAll(former).filter(({ offset }) => offset >= 4)).toEqual(readAll(logOf(leader)))
}

const valuesIn = (log: SegmentedLog): string[] => readAll(log).map(({ value }) => value ?? '')

describe('a compacted log', () => {
  test.each(['from a topic that was not compacted at first', 'opened anew before its first cleaning'] as const)(
    'still has a former leader cut what was never committed, when the first batch of its own epoch is gone (KIP-101): %s',
    async how => {
      const cluster = new TestCluster(2, { 'log.message.timestamp.after.max.ms': String(Number.MAX_SAFE_INTEGER) })
      const isAltered = how === 'from a topic that was not compacted at first'
      cluster.createTopic('events', [1, 2], isAltered ? { ...settings, 'cleanup.policy': 'delete' } : settings)
      const leader = cluster.broker(2)
      if (!isAltered) {
        for (const id of [2, 1]) {
          cluster.kill(id)
          cluster.restart(id)
          await cluster.time.run(3000)
        }
        cluster.change('events', { leader: 1 })
        await cluster.time.run(500)
      }
      await leaveUncommitted(cluster)
      await fill(cluster, leader, 4, 20)
      if (isAltered) cluster.configure('topic', 'events', 'cleanup.policy', 'compact')
      await cleaned(cluster, leader)
      expect(readAll(logOf(leader))[0]!.offset).toBeGreaterThan(6)
      await expectCut(cluster, leader)
    },
  )

  test('has a former leader cut what was never committed, also by a leader that got the log when it was compacted', async () => {
    const cluster = new TestCluster(3, { 'log.message.timestamp.after.max.ms': String(Number.MAX_SAFE_INTEGER) })
    cluster.createTopic('events', [1, 2], settings)
    const [second, third] = [cluster.broker(2), cluster.broker(3)]
    await leaveUncommitted(cluster)
    await fill(cluster, second, 4, 20)
    await cleaned(cluster, second)
    cluster.change('events', { replicas: [2, 1, 3], directories: [] })
    await cluster.time.run(3000)
    cluster.kill(2)
    await cluster.time.run(1000)
    expect(cluster.partition('events').leader).toBe(3)
    await expectCut(cluster, third)
  })

  test('is fetched as it is by a new follower, which goes on after a restart, also when the policy is delete by then', async () => {
    const cluster = new TestCluster(2, { 'log.message.timestamp.after.max.ms': String(Number.MAX_SAFE_INTEGER) })
    cluster.createTopic('events', [1], settings)
    const [leader, follower] = [cluster.broker(1), cluster.broker(2)]
    await fill(cluster, leader, 0, 40)
    await cleaned(cluster, leader)
    const left = readAll(logOf(leader))
    expect(left.map(({ offset }) => offset)).toEqual([33, 34, 35, 36, 37, 38, 39])
    cluster.configure('topic', 'events', 'cleanup.policy', 'delete')
    cluster.change('events', { replicas: [1, 2], directories: [] })
    await cluster.time.run(3000)
    expect(cluster.partition('events').isr).toEqual([1, 2])
    expect(readAll(logOf(follower))).toEqual(left)
    expect(logOf(follower).logEndOffset).toBe(40)
    await fill(cluster, leader, 40, 5)
    await cluster.time.run(1000)
    cluster.kill(2)
    cluster.restart(2)
    await cluster.time.run(3000)
    expect(readAll(logOf(follower))).toEqual(readAll(logOf(leader)))
    cluster.kill(1)
    await cluster.time.run(1000)
    expect(cluster.partition('events').leader).toBe(2)
    expect(readAll(logOf(follower)).slice(0, left.length)).toEqual(left)
    cluster.restart(1)
    await cluster.time.run(3000)
    expect(readAll(logOf(leader))).toEqual(readAll(logOf(follower)))
  })

  test('is found by timestamp: the first record that is left, and the newest', async () => {
    const cluster = new TestCluster(1, { 'log.message.timestamp.after.max.ms': String(Number.MAX_SAFE_INTEGER) })
    cluster.createTopic('events', [1], settings)
    const leader = cluster.broker(1)
    await fill(cluster, leader, 0, 40)
    await cleaned(cluster, leader)
    const log = logOf(leader)
    expect(log.findByTimestamp(startWallMs, 40)?.offset).toBe(33)
    expect(log.findByTimestamp(startWallMs + 36 * 5000, 40)?.offset).toBe(36)
    expect(log.findMaxTimestamp()?.offset).toBe(39)
  })

  test('gives a coordinator the same offsets of groups as before', async () => {
    const machine = new Machine()
    const log = openLog(machine, { config: compacted })
    log.updateConfig(compacted)
    const append = (group: string, partition: number, offset: number | undefined): void => {
      const committed = {
        offset: offset ?? 0,
        leaderEpoch: -1,
        metadata: 'm',
        commitWallMs: 0,
        expireWallMs: undefined,
      }
      const record = encodeOffset(group, 't', partition, committed)
      const batch = buildBatch([offset === undefined ? { key: record.key, value: null } : record], {
        timestamp: logStartWallMs,
      })
      log.appendAsLeader(batch, { ...asClient, origin: 'coordinator' })
      log.setHighWatermark(log.logEndOffset)
    }
    for (let round = 0; round < 30; round++) {
      for (const group of ['a', 'b', 'c']) append(group, round % 3, round)
      if (round === 20) append('c', 0, undefined)
    }
    const before = await loaded(log)
    const records = readAll(log).length
    clean(machine, log)
    expect(readAll(log).length).toBeLessThan(records / 3)
    expect(await loaded(log)).toEqual(before)
    expect(before['a']).toEqual([
      [0, 27],
      [1, 28],
      [2, 29],
    ])
  })
})

/** Offsets by group, as a coordinator that loads the log knows them. */
async function loaded(log: SegmentedLog): Promise<Record<string, [number, number | undefined][]>> {
  const time = new FakeTime()
  let listener: LeadershipListener | undefined
  const watchTopic: Replicas['watchTopic'] = (_topic, given) => {
    listener = given
  }
  const replicas = { log: () => log, highWatermark: () => log.logEndOffset, watchTopic } as unknown as Replicas
  const groups = new Groups({
    environment: time.environment,
    config: testConfig(),
    liveConfig: () => testConfig(),
    replicas,
    metadata: () => imageOf({ __consumer_offsets: 1 }),
  })
  groups.start()
  listener?.becameLeader({ topic: '__consumer_offsets', partition: 0 }, 3)
  await time.pass(10)
  const read = (group: string): [number, number | undefined][] =>
    groups.read<[number, number | undefined][]>(
      group,
      error => {
        throw new Error(error)
      },
      shard => [0, 1, 2].map(partition => [partition, shard.offsets.of(group).get('t')?.get(partition)?.offset]),
    )
  const found = Object.fromEntries(['a', 'b', 'c'].map(group => [group, read(group)]))
  groups.stop()
  return found
}
