/** DeleteRecords over its wire format: what goes, who is waited for, and what is refused. */
import { describe, expect, test } from 'vitest'
import { errorName } from '#broker/protocol/errors.ts'
import type { DeleteRecordsResponse } from '#broker/protocol/messages/21-delete-records.ts'
import { TestCluster } from '../replication/test-cluster.ts'

function ask(
  cluster: TestCluster,
  offset: number,
  options: { topic?: string; partition?: number; version?: number; timeoutMs?: number } = {},
) {
  const { topic = 'events', partition = 0, version = 2, timeoutMs = 3000 } = options
  return cluster
    .broker(1)
    .request<DeleteRecordsResponse>(21, version, {
      topics: [{ name: topic, partitions: [{ partitionIndex: partition, offset }] }],
      timeoutMs,
    })
    .then(reply => {
      const { errorCode, lowWatermark } = reply!.topics[0]!.partitions[0]!
      return errorCode === 0 ? lowWatermark : errorName(errorCode)
    })
}

async function withRecords(replicas: number[], configs: Record<string, string> = {}): Promise<TestCluster> {
  const cluster = new TestCluster(replicas.length)
  cluster.createTopic('events', replicas, configs)
  for (const value of ['a', 'b', 'c', 'd']) await cluster.until(cluster.broker(1).produce('events', [value]))
  return cluster
}

test.each([0, 1, 2])('version %i raises the log start, and never lowers it', async version => {
  const cluster = await withRecords([1])
  expect(await ask(cluster, 2, { version })).toBe(2)
  expect(cluster.broker(1).replica('events').log.logStartOffset).toBe(2)
  expect(await ask(cluster, 1, { version })).toBe(2)
  expect(await ask(cluster, -1, { version })).toBe(4)
})

describe('replicas', () => {
  test('that are alive are waited for', async () => {
    const cluster = await withRecords([1, 2])
    expect(await cluster.until(ask(cluster, 3))).toBe(3)
    expect(cluster.broker(2).replica('events').log.logStartOffset).toBe(3)
  })

  test('that are fenced are not', async () => {
    const cluster = await withRecords([1, 2])
    cluster.kill(2)
    expect(await cluster.until(ask(cluster, 3))).toBe(3)
  })

  test('that die meanwhile end the wait', async () => {
    const cluster = await withRecords([1, 2])
    cluster.cut.add('2>1')
    const asked = ask(cluster, 3, { timeoutMs: 60_000 })
    cluster.kill(2)
    expect(await cluster.until(asked)).toBe(3)
  })

  test('that do not answer in time make it REQUEST_TIMED_OUT', async () => {
    const cluster = await withRecords([1, 2])
    cluster.cut.add('2>1')
    expect(await cluster.until(ask(cluster, 3, { timeoutMs: 500 }))).toBe('REQUEST_TIMED_OUT')
  })

  test('a leader that steps down says so', async () => {
    const cluster = await withRecords([1, 2])
    cluster.cut.add('2>1')
    const asked = ask(cluster, 3, { timeoutMs: 60_000 })
    cluster.change('events', { leader: 2 })
    expect(await cluster.until(asked)).toBe('NOT_LEADER_OR_FOLLOWER')
  })
})

describe('refused', () => {
  test('above the high watermark and below zero', async () => {
    const cluster = await withRecords([1])
    expect(await ask(cluster, 5)).toBe('OFFSET_OUT_OF_RANGE')
    expect(await ask(cluster, -2)).toBe('OFFSET_OUT_OF_RANGE')
  })

  test('on a topic that is only compacted, not on one that deletes too', async () => {
    expect(await ask(await withRecords([1], { 'cleanup.policy': 'compact' }), 2)).toBe('POLICY_VIOLATION')
    expect(await ask(await withRecords([1], { 'cleanup.policy': 'compact,delete' }), 2)).toBe(2)
  })

  test('on internal topics and on partitions that are not there', async () => {
    const cluster = await withRecords([1])
    cluster.createTopic('__consumer_offsets', [1])
    expect(await ask(cluster, 0, { topic: '__consumer_offsets' })).toBe('INVALID_TOPIC_EXCEPTION')
    expect(await ask(cluster, 0, { partition: 7 })).toBe('UNKNOWN_TOPIC_OR_PARTITION')
  })
})
