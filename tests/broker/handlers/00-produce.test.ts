/** Produce over its wire format, against real logs: refusals, hints, and what each version says. */
import { describe, expect, test } from 'vitest'
import { errorCode, ProtocolError, type ErrorName } from '#broker/protocol/errors.ts'
import type { ProduceResponse } from '#broker/protocol/messages/00-produce.ts'
import { buildBatch, type BatchOptions } from '#broker/protocol/records/batch-build.ts'
import { startWallMs, TestCluster } from '../replication/test-cluster.ts'

function batch(options: BatchOptions = {}): Buffer {
  return buildBatch([{ key: 'k', value: 'v' }], { timestamp: startWallMs, ...options })
}

async function send(
  cluster: TestCluster,
  options: {
    records?: Buffer | null
    acks?: number
    version?: number
    topic?: string
    topicId?: string
    broker?: number
    clientId?: string
    transactionalId?: string | null
  } = {},
) {
  const version = options.version ?? 12
  const body = {
    ...(options.transactionalId === undefined ? {} : { transactionalId: options.transactionalId }),
    acks: options.acks ?? 1,
    timeoutMs: 1000,
    topicData: [
      {
        ...(version >= 13 ? { topicId: options.topicId } : { name: options.topic ?? 'events' }),
        partitionData: [{ index: 0, records: options.records === undefined ? batch() : options.records }],
      },
    ],
  }
  const answer = cluster
    .broker(options.broker ?? 1)
    .request<ProduceResponse>(0, version, body, options.clientId === undefined ? {} : { clientId: options.clientId })
  return cluster.until(answer)
}

async function errorOf(cluster: TestCluster, options: Parameters<typeof send>[1]): Promise<ErrorName | number> {
  const reply = await send(cluster, options)
  return reply!.responses[0]!.partitionResponses[0]!.errorCode
}

function one(): TestCluster {
  const cluster = new TestCluster(1)
  cluster.createTopic('events', [1])
  return cluster
}

describe('refusals', () => {
  test('acks other than -1, 0 and 1', async () => {
    expect(await errorOf(one(), { acks: 2 })).toBe(errorCode('INVALID_REQUIRED_ACKS'))
  })

  test('a topic that is not there, by name and by id', async () => {
    expect(await errorOf(one(), { topic: 'nowhere' })).toBe(errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
    const topicId = 'AAAAAAAAAAAAAAAAAAAAZA'
    expect(await errorOf(one(), { version: 13, topicId })).toBe(errorCode('UNKNOWN_TOPIC_ID'))
  })

  test('an internal topic, unless the client is the admin client', async () => {
    const cluster = new TestCluster(1)
    cluster.createTopic('__consumer_offsets', [1])
    const topic = '__consumer_offsets'
    expect(await errorOf(cluster, { topic })).toBe(errorCode('INVALID_TOPIC_EXCEPTION'))
    expect(await errorOf(cluster, { topic, clientId: '__admin_client' })).toBe(0)
  })

  test('no records', async () => {
    expect(await errorOf(one(), { records: null })).toBe(errorCode('INVALID_RECORD'))
    expect(await errorOf(one(), { records: Buffer.alloc(0) })).toBe(errorCode('INVALID_RECORD'))
  })

  test('a damaged batch', async () => {
    const records = batch()
    records[records.length - 1]! ^= 1
    expect(await errorOf(one(), { records })).toBe(errorCode('CORRUPT_MESSAGE'))
  })

  test('a batch cut short', async () => {
    expect(await errorOf(one(), { records: batch().subarray(0, 30) })).toBe(errorCode('CORRUPT_MESSAGE'))
  })

  test('two batches for a partition', async () => {
    const reply = await send(one(), { records: Buffer.concat([batch(), batch()]) })
    const answer = reply!.responses[0]!.partitionResponses[0]!
    expect(answer.errorCode).toBe(errorCode('INVALID_RECORD'))
    expect(answer.errorMessage).toContain('2')
  })

  test.each([-1n, 777n])('transactional records without a transactional.id, of producer %s', async producerId => {
    const records = batch({ transactional: true, producerId, producerEpoch: 0, baseSequence: 0 })
    const cluster = one()
    // Over every other refusal, as in Kafka: it is the whole request that is refused.
    for (const each of [{}, { topic: 'nowhere' }, { acks: 2 }]) {
      const error = await errorOf(cluster, { records, transactionalId: null, ...each })
      expect(error).toBe(errorCode('TRANSACTIONAL_ID_AUTHORIZATION_FAILED'))
    }
  })

  test('record errors come with their index since v8', async () => {
    const cluster = new TestCluster(1)
    cluster.createTopic('events', [1], { 'cleanup.policy': 'compact' })
    const records = buildBatch(
      [
        { key: 'k', value: 'v' },
        { key: null, value: 'v' },
      ],
      { timestamp: startWallMs },
    )
    const reply = await send(cluster, { records })
    expect(reply!.responses[0]!.partitionResponses[0]!.recordErrors.map(each => each.batchIndex)).toEqual([1])
  })
})

describe('the wrong broker', () => {
  test('says where the leader is since v10', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [2, 1])
    const reply = await send(cluster, { broker: 1, version: 10 })
    const answer = reply!.responses[0]!.partitionResponses[0]!
    expect(answer.errorCode).toBe(errorCode('NOT_LEADER_OR_FOLLOWER'))
    expect(answer.currentLeader).toEqual({ leaderId: 2, leaderEpoch: 0 })
    expect(reply!.nodeEndpoints).toEqual([{ nodeId: 2, host: 'broker-2', port: 9092, rack: null }])
  })

  test('says only so before', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [2, 1])
    const reply = await send(cluster, { broker: 1, version: 9 })
    expect(reply!.responses[0]!.partitionResponses[0]!.currentLeader).toEqual({ leaderId: -1, leaderEpoch: -1 })
  })
})

describe('acks=0', () => {
  test('has no reply', async () => {
    const cluster = one()
    expect(await send(cluster, { acks: 0 })).toBeUndefined()
    expect(cluster.broker(1).replica('events').log.logEndOffset).toBe(1)
  })

  test('closes the connection on an error', async () => {
    const cluster = one()
    const answer = (async () => send(cluster, { acks: 0, topic: 'nowhere' }))()
    await expect(answer).rejects.toThrow(ProtocolError)
  })
})

describe('an idempotent producer', () => {
  const sequence = (baseSequence: number) => batch({ producerId: 9n, producerEpoch: 0, baseSequence })

  test('gets the offsets of the first time for a batch sent twice', async () => {
    const cluster = one()
    await send(cluster, { records: sequence(0) })
    const again = await send(cluster, { records: sequence(0) })
    expect(again!.responses[0]!.partitionResponses[0]).toMatchObject({ errorCode: 0, baseOffset: 0 })
    expect(cluster.broker(1).replica('events').log.logEndOffset).toBe(1)
  })

  test('is refused when a sequence is missing', async () => {
    const cluster = one()
    await send(cluster, { records: sequence(0) })
    expect(await errorOf(cluster, { records: sequence(5) })).toBe(errorCode('OUT_OF_ORDER_SEQUENCE_NUMBER'))
  })

  test('a duplicate with acks=all waits for the commit of the first', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    cluster.cut.add('2>1')
    const first = send(cluster, { records: sequence(0), acks: -1 })
    expect((await first)!.responses[0]!.partitionResponses[0]!.errorCode).toBe(errorCode('REQUEST_TIMED_OUT'))
    cluster.cut.clear()
    expect(await errorOf(cluster, { records: sequence(0), acks: -1 })).toBe(0)
    expect(cluster.broker(2).replica('events').log.logEndOffset).toBe(1)
  })
})

test.each([3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])('version %i appends', async version => {
  const cluster = new TestCluster(1)
  const topicId = cluster.createTopic('events', [1])
  const reply = await send(cluster, { version, topicId, acks: -1 })
  const topic = reply!.responses[0]!
  expect(topic.partitionResponses[0]).toMatchObject({ errorCode: 0, baseOffset: 0, logAppendTimeMs: -1 })
  expect(version >= 13 ? topic.topicId : topic.name).toBe(version >= 13 ? topicId : 'events')
})
