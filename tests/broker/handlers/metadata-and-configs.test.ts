import { describe, expect, it } from 'vitest'
import { metadata } from '#broker/handlers/03-metadata.ts'
import { describeConfigs } from '#broker/handlers/32-describe-configs.ts'
import { describeCluster } from '#broker/handlers/60-describe-cluster.ts'
import { describeTopicPartitions } from '#broker/handlers/75-describe-topic-partitions.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import { metadataRequest, metadataResponse } from '#broker/protocol/messages/03-metadata.ts'
import { describeConfigsRequest, describeConfigsResponse } from '#broker/protocol/messages/32-describe-configs.ts'
import { describeClusterRequest, describeClusterResponse } from '#broker/protocol/messages/60-describe-cluster.ts'
import {
  describeTopicPartitionsRequest,
  describeTopicPartitionsResponse,
  type DescribeTopicPartitionsResponse,
} from '#broker/protocol/messages/75-describe-topic-partitions.ts'
import { brokerHeartbeat } from '#broker/controller/broker-heartbeat.ts'
import { incrementalAlterConfigs } from '#broker/controller/alter-configs.ts'
import { registerController } from '#broker/controller/register-broker.ts'
import { clusterId, uuidOf } from '#tests/broker/controller/harness.ts'
import { TestNode } from './controller-context.ts'

const metadataMessages = [metadataRequest, metadataResponse] as const
const clusterMessages = [describeClusterRequest, describeClusterResponse] as const
const configMessages = [describeConfigsRequest, describeConfigsResponse] as const
const topicMessages = [describeTopicPartitionsRequest, describeTopicPartitionsResponse] as const
const everything = { includeClusterAuthorizedOperations: true }
const byName = (name: string) => ({ name })

async function threeBrokers(config: Readonly<Record<string, string>> = {}): Promise<TestNode> {
  const node = new TestNode(config)
  await node.startBrokers(1, 2, 3)
  return node
}

/** Fences the broker, keeping the others alive. */
async function silence(node: TestNode, silent: number): Promise<void> {
  for (let second = 0; second < 11; second++) {
    await node.time.pass(1_000)
    for (const broker of node.publisher.image.brokers.values()) {
      if (broker.id === silent) continue
      await node.controller.submit(brokerHeartbeat, {
        brokerId: broker.id,
        brokerEpoch: broker.epoch,
        currentMetadataOffset: node.publisher.deliveredOffset,
        wantFence: false,
        wantShutDown: false,
      })
    }
  }
}

describe('Metadata', () => {
  it('shows brokers with the addresses of the listener the client came in on, and this broker as the controller', async () => {
    const node = await threeBrokers()
    const plain = await node.ask(metadata, metadataMessages, 13, { topics: [] })
    expect(plain.brokers.map(({ nodeId, host, port }) => [nodeId, host, port])).toEqual([
      [1, '127.0.0.1', 9093],
      [2, '127.0.0.1', 9094],
      [3, '127.0.0.1', 9095],
    ])
    expect(plain).toMatchObject({ clusterId, controllerId: 1, topics: [], errorCode: 0 })
    const inside = await node.ask(metadata, metadataMessages, 13, { topics: [] }, { listenerName: 'INTERNAL' })
    expect(inside.brokers.map(({ nodeId, host }) => [nodeId, host])).toEqual([
      [1, 'inside'],
      [2, 'inside'],
    ])
  })

  it('shows all topics for null, in version 0 for an empty list', async () => {
    const node = await threeBrokers()
    await node.createTopic('orders', [1, 2])
    await node.createTopic('__consumer_offsets', [3])
    const all = await node.ask(metadata, metadataMessages, 12, { topics: null })
    expect(all.topics.map(({ name, isInternal }) => [name, isInternal])).toEqual([
      ['orders', false],
      ['__consumer_offsets', true],
    ])
    const old = await node.ask(metadata, metadataMessages, 0, { topics: [] })
    expect(old.topics).toHaveLength(2)
    const none = await node.ask(metadata, metadataMessages, 1, { topics: [] })
    expect(none.topics).toHaveLength(0)
  })

  it('shows leader, epoch, replicas, ISR and what is offline', async () => {
    const node = await threeBrokers()
    await node.createTopic('orders', [1, 2])
    await node.createTopic('lonely', [2])
    await silence(node, 2)
    const { topics, brokers } = await node.ask(metadata, metadataMessages, 12, {
      topics: ['orders', 'lonely'].map(byName),
    })
    expect(brokers.map(({ nodeId }) => nodeId)).toEqual([1, 3])
    expect(topics.flatMap(({ partitions }) => partitions)).toMatchObject([
      { errorCode: 0, leaderId: 1, leaderEpoch: 0, replicaNodes: [1, 2], isrNodes: [1], offlineReplicas: [2] },
      {
        errorCode: errorCode('LEADER_NOT_AVAILABLE'),
        leaderId: -1,
        leaderEpoch: 1,
        replicaNodes: [2],
        isrNodes: [2],
        offlineReplicas: [2],
      },
    ])
    const old = await node.ask(metadata, metadataMessages, 0, { topics: [byName('orders')] })
    expect(old.topics[0]?.partitions[0]).toMatchObject({
      errorCode: errorCode('REPLICA_NOT_AVAILABLE'),
      replicaNodes: [1],
    })
  })

  it('says when the leader lacks the listener: LISTENER_NOT_FOUND from version 6, LEADER_NOT_AVAILABLE before', async () => {
    const node = await threeBrokers()
    await node.createTopic('orders', [3])
    const ask = async (version: number) => {
      const request = { topics: [byName('orders')] }
      const reply = await node.ask(metadata, metadataMessages, version, request, { listenerName: 'INTERNAL' })
      return reply.topics[0]?.partitions[0]?.errorCode
    }
    expect(await ask(6)).toBe(errorCode('LISTENER_NOT_FOUND'))
    expect(await ask(5)).toBe(errorCode('LEADER_NOT_AVAILABLE'))
  })

  it('finds topics by id, and says which ids it does not know', async () => {
    const node = await threeBrokers()
    await node.createTopic('orders', [1])
    const known = node.publisher.image.topicsByName.get('orders')!.id
    const unknown = uuidOf('unknown')
    const topics = [known, unknown].map(topicId => ({ topicId, name: null }))
    const reply = await node.ask(metadata, metadataMessages, 12, { topics })
    expect(reply.topics).toMatchObject([
      { errorCode: 0, name: 'orders', topicId: known },
      { errorCode: errorCode('UNKNOWN_TOPIC_ID'), name: null, topicId: unknown },
    ])
  })

  it('lets missing topics be created when broker and client both say so', async () => {
    const node = await threeBrokers()
    const ask = (version: number, allowAutoTopicCreation: boolean) =>
      node.ask(metadata, metadataMessages, version, { topics: [byName('new')], allowAutoTopicCreation })
    const refused = await ask(12, false)
    expect(refused.topics[0]).toMatchObject({ errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION'), name: 'new' })
    expect(node.autoCreated).toEqual([])
    await ask(12, true)
    await node.ask(metadata, metadataMessages, 3, { topics: [byName('newer')] })
    expect(node.autoCreated).toEqual(['new', 'newer'])
    const off = await threeBrokers({ 'auto.create.topics.enable': 'false' })
    await off.ask(metadata, metadataMessages, 12, { topics: [byName('new')], allowAutoTopicCreation: true })
    expect(off.autoCreated).toEqual([])
  })

  it('tells invalid names from unknown ones', async () => {
    const node = await threeBrokers()
    const request = { topics: [byName('a b')], allowAutoTopicCreation: false }
    const { topics } = await node.ask(metadata, metadataMessages, 12, request)
    expect(topics[0]?.errorCode).toBe(errorCode('INVALID_TOPIC_EXCEPTION'))
  })

  it('reports the operations that are allowed only when asked to', async () => {
    const node = await threeBrokers()
    await node.createTopic('orders', [1])
    const silent = await node.ask(metadata, metadataMessages, 8, { topics: [byName('orders')] })
    expect([silent.clusterAuthorizedOperations, silent.topics[0]?.topicAuthorizedOperations]).toEqual([
      -2_147_483_648, -2_147_483_648,
    ])
    const asked = await node.ask(metadata, metadataMessages, 8, {
      topics: [byName('orders')],
      includeClusterAuthorizedOperations: true,
      includeTopicAuthorizedOperations: true,
    })
    expect([asked.clusterAuthorizedOperations, asked.topics[0]?.topicAuthorizedOperations]).toEqual([8_096, 3_576])
  })

  it('answers every version', async () => {
    const node = await threeBrokers()
    await node.createTopic('orders', [1, 2])
    for (let version = 0; version <= 13; version++) {
      const { topics } = await node.ask(metadata, metadataMessages, version, { topics: [byName('orders')] })
      expect(topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, leaderId: 1 })
    }
  })
})

describe('DescribeCluster', () => {
  it('shows live brokers, and fenced ones when asked to', async () => {
    const node = await threeBrokers()
    await silence(node, 3)
    const live = await node.ask(describeCluster, clusterMessages, 2, everything)
    expect(live).toMatchObject({ errorCode: 0, clusterId, controllerId: 1, endpointType: 1 })
    expect(live.brokers.map(({ brokerId }) => brokerId)).toEqual([1, 2])
    const all = await node.ask(describeCluster, clusterMessages, 2, { ...everything, includeFencedBrokers: true })
    expect(all.brokers.map(({ brokerId, isFenced }) => [brokerId, isFenced])).toEqual([
      [1, false],
      [2, false],
      [3, true],
    ])
  })

  it('shows the controllers on a controller listener, and refuses the wrong kind', async () => {
    const node = new TestNode()
    const listeners = [{ name: 'CONTROLLER', host: 'c1', port: 9093, securityProtocol: 0 }]
    const incarnationId = uuidOf('controller')
    const registration = { controllerId: 1, incarnationId, zkMigrationReady: false, listeners, features: [] }
    await node.controller.submit(registerController, registration)
    const as = { listenerKind: 'controller', listenerName: 'CONTROLLER' } as const
    const controllers = await node.ask(describeCluster, clusterMessages, 1, { ...everything, endpointType: 2 }, as)
    expect(controllers).toMatchObject({ errorCode: 0, controllerId: 1, brokers: [{ brokerId: 1, host: 'c1' }] })
    const wrong = await node.ask(describeCluster, clusterMessages, 1, { ...everything, endpointType: 1 }, as)
    expect(wrong.errorCode).toBe(errorCode('MISMATCHED_ENDPOINT_TYPE'))
    const unknown = await node.ask(describeCluster, clusterMessages, 1, { ...everything, endpointType: 9 })
    expect(unknown.errorCode).toBe(errorCode('UNSUPPORTED_ENDPOINT_TYPE'))
  })
})

describe('DescribeTopicPartitions', () => {
  it('goes through all topics in alphabetical order, page by page', async () => {
    const node = await threeBrokers()
    await node.createTopic('b', [1], [2], [3])
    await node.createTopic('a', [1], [2])
    const seen: string[] = []
    let cursor: { topicName: string; partitionIndex: number } | null = null
    for (let page = 0; page < 5; page++) {
      const request = { topics: [], responsePartitionLimit: 2, cursor }
      const reply: DescribeTopicPartitionsResponse = await node.ask(describeTopicPartitions, topicMessages, 0, request)
      for (const { name, partitions } of reply.topics) {
        seen.push(...partitions.map(({ partitionIndex }) => `${page}: ${name}-${partitionIndex}`))
      }
      cursor = reply.nextCursor
      if (cursor === null) break
    }
    expect(seen).toEqual(['0: a-0', '0: a-1', '1: b-0', '1: b-1', '2: b-2'])
  })

  it('answers unknown topics with an error, and refuses a cursor outside of what was asked', async () => {
    const node = await threeBrokers()
    await node.createTopic('a', [1])
    const reply = await node.ask(describeTopicPartitions, topicMessages, 0, { topics: ['a', 'no'].map(byName) })
    expect(reply.topics).toMatchObject([
      { name: 'a', errorCode: 0, partitions: [{ leaderId: 1, eligibleLeaderReplicas: [], lastKnownElr: [] }] },
      { name: 'no', errorCode: errorCode('UNKNOWN_TOPIC_OR_PARTITION') },
    ])
    const cursor = { topicName: 'b', partitionIndex: 0 }
    const refused = await node.ask(describeTopicPartitions, topicMessages, 0, { topics: [byName('a')], cursor })
    expect(refused.topics[0]?.errorCode).toBe(errorCode('INVALID_REQUEST'))
  })
})

describe('DescribeConfigs', () => {
  const describeOne = async (
    node: TestNode,
    resource: { type: number; name: string; keys?: string[] },
    options: { includeSynonyms?: boolean; includeDocumentation?: boolean } = {},
  ) => {
    const resources = [
      { resourceType: resource.type, resourceName: resource.name, configurationKeys: resource.keys ?? null },
    ]
    const reply = await node.ask(describeConfigs, configMessages, 4, { resources, ...options })
    return reply.results[0]!
  }
  const set = async (node: TestNode, resourceType: number, resourceName: string, name: string, value: string) => {
    const resource = { resourceType, resourceName, configs: [{ name, configOperation: 0, value }] }
    const reply = await node.controller.submit(incrementalAlterConfigs, { resources: [resource], validateOnly: false })
    expect(reply).toMatchObject({ responses: [{ errorCode: 0 }] })
  }

  it('shows where the value of a topic setting comes from, with all that stands behind it', async () => {
    const node = await threeBrokers({ 'log.retention.ms': '3000' })
    await node.createTopic('orders', [1])
    await set(node, 4, '', 'log.retention.ms', '2000')
    await set(node, 2, 'orders', 'retention.ms', '1000')
    const options = { includeSynonyms: true, includeDocumentation: true }
    const { configs } = await describeOne(node, { type: 2, name: 'orders', keys: ['retention.ms'] }, options)
    expect(configs).toHaveLength(1)
    expect(configs[0]).toMatchObject({
      name: 'retention.ms',
      value: '1000',
      configSource: 1,
      configType: 5,
      readOnly: false,
    })
    expect(configs[0]?.documentation).toMatch(/segments are deleted/)
    expect(configs[0]?.synonyms).toEqual([
      { name: 'retention.ms', value: '1000', source: 1 },
      { name: 'log.retention.ms', value: '2000', source: 3 },
      { name: 'log.retention.ms', value: '3000', source: 4 },
      { name: 'log.retention.hours', value: '168', source: 5 },
    ])
  })

  it('shows all settings of this broker, read-only ones marked', async () => {
    const node = await threeBrokers()
    const { configs } = await describeOne(node, { type: 4, name: '1' })
    const settings = new Map(configs.map(config => [config.name, config]))
    expect(settings.get('node.id')).toMatchObject({ value: '1', readOnly: true, configSource: 4 })
    expect(settings.get('delete.topic.enable')).toMatchObject({ value: 'true', configSource: 5 })
    expect(settings.get('log.retention.ms')?.readOnly).toBe(false)
  })

  it('shows for all brokers only what was set for all brokers', async () => {
    const node = await threeBrokers()
    await set(node, 4, '', 'log.retention.ms', '2000')
    const { configs } = await describeOne(node, { type: 4, name: '' })
    expect(configs.map(({ name, value, configSource }) => [name, value, configSource])).toEqual([
      ['log.retention.ms', '2000', 3],
    ])
  })

  it('refuses other brokers, unknown topics and other kinds of resources', async () => {
    const node = await threeBrokers()
    expect((await describeOne(node, { type: 4, name: '2' })).errorCode).toBe(errorCode('INVALID_REQUEST'))
    expect((await describeOne(node, { type: 2, name: 'no' })).errorCode).toBe(errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
    expect((await describeOne(node, { type: 2, name: 'a b' })).errorCode).toBe(errorCode('INVALID_TOPIC_EXCEPTION'))
    expect((await describeOne(node, { type: 64, name: '1' })).errorCode).toBe(errorCode('INVALID_REQUEST'))
  })
})
