import { describe, expect, it } from 'vitest'
import { createTopics } from '#broker/handlers/19-create-topics.ts'
import { deleteTopics } from '#broker/handlers/20-delete-topics.ts'
import { createPartitions } from '#broker/handlers/37-create-partitions.ts'
import { electLeaders } from '#broker/handlers/43-elect-leaders.ts'
import { incrementalAlterConfigs } from '#broker/handlers/44-incremental-alter-configs.ts'
import { alterPartition } from '#broker/handlers/56-alter-partition.ts'
import { brokerRegistration } from '#broker/handlers/62-broker-registration.ts'
import { brokerHeartbeat } from '#broker/handlers/63-broker-heartbeat.ts'
import { unregisterBroker } from '#broker/handlers/64-unregister-broker.ts'
import { allocateProducerIds } from '#broker/handlers/67-allocate-producer-ids.ts'
import { controllerRegistration } from '#broker/handlers/70-controller-registration.ts'
import { assignReplicasToDirs } from '#broker/handlers/73-assign-replicas-to-dirs.ts'
import { zeroUuid } from '#broker/controller/metadata-record.ts'
import type { Handler } from '#broker/handlers/handler.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import { createTopicsRequest, createTopicsResponse } from '#broker/protocol/messages/19-create-topics.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from '#broker/protocol/messages/20-delete-topics.ts'
import { createPartitionsRequest, createPartitionsResponse } from '#broker/protocol/messages/37-create-partitions.ts'
import { electLeadersRequest, electLeadersResponse } from '#broker/protocol/messages/43-elect-leaders.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '#broker/protocol/messages/44-incremental-alter-configs.ts'
import { alterPartitionRequest, alterPartitionResponse } from '#broker/protocol/messages/56-alter-partition.ts'
import {
  brokerRegistrationRequest,
  brokerRegistrationResponse,
} from '#broker/protocol/messages/62-broker-registration.ts'
import { brokerHeartbeatRequest, brokerHeartbeatResponse } from '#broker/protocol/messages/63-broker-heartbeat.ts'
import { unregisterBrokerRequest, unregisterBrokerResponse } from '#broker/protocol/messages/64-unregister-broker.ts'
import {
  allocateProducerIdsRequest,
  allocateProducerIdsResponse,
} from '#broker/protocol/messages/67-allocate-producer-ids.ts'
import {
  controllerRegistrationRequest,
  controllerRegistrationResponse,
} from '#broker/protocol/messages/70-controller-registration.ts'
import {
  assignReplicasToDirsRequest,
  assignReplicasToDirsResponse,
} from '#broker/protocol/messages/73-assign-replicas-to-dirs.ts'
import { uuidOf } from '#tests/broker/controller/harness.ts'
import { TestNode } from './controller-context.ts'

const creation = [createTopicsRequest, createTopicsResponse] as const
const deletion = [deleteTopicsRequest, deleteTopicsResponse] as const
const partitions = [createPartitionsRequest, createPartitionsResponse] as const
const elections = [electLeadersRequest, electLeadersResponse] as const
const configs = [incrementalAlterConfigsRequest, incrementalAlterConfigsResponse] as const
const isr = [alterPartitionRequest, alterPartitionResponse] as const
const registrations = [brokerRegistrationRequest, brokerRegistrationResponse] as const
const heartbeats = [brokerHeartbeatRequest, brokerHeartbeatResponse] as const
const removals = [unregisterBrokerRequest, unregisterBrokerResponse] as const
const producerIds = [allocateProducerIdsRequest, allocateProducerIdsResponse] as const
const controllers = [controllerRegistrationRequest, controllerRegistrationResponse] as const
const directories = [assignReplicasToDirsRequest, assignReplicasToDirsResponse] as const

const versionsOf = ({ versions: [minimum, maximum] }: Handler) =>
  Array.from({ length: maximum - minimum + 1 }, (_, index) => minimum + index)
const topicOf = (name: string) => ({ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] })

async function twoBrokers(): Promise<TestNode> {
  const node = new TestNode()
  await node.startBrokers(1, 2)
  return node
}

describe('admin requests to the active controller', () => {
  it('create and delete topics in every version', async () => {
    const node = await twoBrokers()
    for (const version of versionsOf(createTopics)) {
      const name = `topic${version}`
      const created = await node.ask(createTopics, creation, version, { topics: [topicOf(name)], timeoutMs: 1_000 })
      expect(created.topics[0]).toMatchObject({ name, errorCode: 0 })
      expect(node.publisher.image.topicsByName.has(name)).toBe(true)
      if (version < 5) continue
      expect(created.topics[0]).toMatchObject({ numPartitions: 1, replicationFactor: 1 })
      expect(created.topics[0]?.configs?.length).toBeGreaterThan(20)
    }
    for (const version of versionsOf(deleteTopics)) {
      const name = `topic${version + 1}`
      const topics = version >= 6 ? [{ name, topicId: zeroUuid }] : []
      const request = { topics, topicNames: version >= 6 ? [] : [name], timeoutMs: 1_000 }
      const deleted = await node.ask(deleteTopics, deletion, version, request)
      expect(deleted.responses).toMatchObject([{ name, errorCode: 0 }])
    }
    expect(node.publisher.image.topicsByName.size).toBe(0)
  })

  it('add partitions, change settings and elect leaders in every version', async () => {
    const node = await twoBrokers()
    await node.createTopic('orders', [1, 2])
    for (const version of versionsOf(createPartitions)) {
      const topics = [{ name: 'orders', count: version + 2, assignments: null }]
      const request = { topics, timeoutMs: 1_000, validateOnly: false }
      const { results } = await node.ask(createPartitions, partitions, version, request)
      expect(results).toMatchObject([{ name: 'orders', errorCode: 0 }])
    }
    for (const version of versionsOf(incrementalAlterConfigs)) {
      const change = { name: 'retention.ms', configOperation: 0, value: `${version}` }
      const resources = [{ resourceType: 2, resourceName: 'orders', configs: [change] }]
      const request = { resources, validateOnly: false }
      const { responses } = await node.ask(incrementalAlterConfigs, configs, version, request, {
        listenerKind: 'controller',
      })
      expect(responses).toMatchObject([{ errorCode: 0, resourceName: 'orders' }])
      expect(node.publisher.image.config('topic', 'orders').get('retention.ms')).toBe(`${version}`)
    }
    for (const version of versionsOf(electLeaders)) {
      const topicPartitions = [{ topic: 'orders', partitions: [0] }]
      const reply = await node.ask(electLeaders, elections, version, { topicPartitions, timeoutMs: 1_000 })
      expect(reply.replicaElectionResults[0]?.partitionResult[0]?.errorCode).toBe(errorCode('ELECTION_NOT_NEEDED'))
    }
  })

  it('forget a broker', async () => {
    const node = await twoBrokers()
    expect(await node.ask(unregisterBroker, removals, 0, { brokerId: 2 })).toMatchObject({ errorCode: 0 })
    expect(node.publisher.image.brokers.has(2)).toBe(false)
    expect(await node.ask(unregisterBroker, removals, 0, { brokerId: 2 })).toMatchObject({
      errorCode: errorCode('BROKER_ID_NOT_REGISTERED'),
    })
  })

  it('are answered NOT_CONTROLLER, in the form of each API, by a controller that is not active', async () => {
    const node = await twoBrokers()
    await node.createTopic('orders', [1, 2])
    node.quorum.elect(2)
    const code = errorCode('NOT_CONTROLLER')
    const created = await node.ask(createTopics, creation, 7, { topics: [topicOf('a')] })
    expect(created.topics).toMatchObject([{ name: 'a', errorCode: code }])
    const deleted = await node.ask(deleteTopics, deletion, 5, { topicNames: ['a'], timeoutMs: 1 })
    expect(deleted.responses).toMatchObject([{ name: 'a', errorCode: code }])
    const change = { name: 'retention.ms', configOperation: 0, value: '1' }
    const resources = [{ resourceType: 2, resourceName: 'orders', configs: [change] }]
    const altered = await node.ask(
      incrementalAlterConfigs,
      configs,
      1,
      { resources, validateOnly: false },
      { listenerKind: 'controller' },
    )
    expect(altered.responses).toMatchObject([{ resourceName: 'orders', errorCode: code }])
    const topicPartitions = [{ topic: 'orders', partitions: [0] }]
    expect(await node.ask(electLeaders, elections, 2, { topicPartitions })).toMatchObject({ errorCode: code })
    const old = await node.ask(electLeaders, elections, 0, { topicPartitions })
    expect(old.replicaElectionResults[0]?.partitionResult).toMatchObject([{ partitionId: 0, errorCode: code }])
    expect(await node.ask(alterPartition, isr, 3, { brokerId: 1, topics: [] })).toMatchObject({ errorCode: code })
    expect(await node.ask(brokerRegistration, registrations, 4, node.registration(1))).toMatchObject({
      errorCode: code,
    })
    const beat = { brokerId: 1, currentMetadataOffset: 0, wantFence: false, wantShutDown: false }
    expect(await node.ask(brokerHeartbeat, heartbeats, 1, beat)).toMatchObject({ errorCode: code })
    expect(await node.ask(allocateProducerIds, producerIds, 0, { brokerId: 1 })).toMatchObject({ errorCode: code })
  })
})

describe('DeleteTopics where delete.topic.enable is false', () => {
  it('is refused in words that the client of the version knows', async () => {
    const node = new TestNode({ 'delete.topic.enable': 'false' })
    await node.startBrokers(1)
    await node.createTopic('kept', [1])
    const errorOf = async (version: number) => {
      const topics = [{ name: 'kept', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }]
      const request = version >= 6 ? { topics, timeoutMs: 1 } : { topicNames: ['kept'], timeoutMs: 1 }
      return (await node.ask(deleteTopics, deletion, version, request)).responses[0]?.errorCode
    }
    expect(await errorOf(2)).toBe(errorCode('INVALID_REQUEST'))
    expect(await errorOf(3)).toBe(errorCode('TOPIC_DELETION_DISABLED'))
    expect(await errorOf(6)).toBe(errorCode('TOPIC_DELETION_DISABLED'))
    expect(node.publisher.image.topicsByName.has('kept')).toBe(true)
  })
})

describe('requests of brokers to the active controller', () => {
  it('register, beat and get producer ids in every version', async () => {
    const node = new TestNode()
    for (const version of versionsOf(brokerRegistration)) {
      const request = node.registration(version + 1)
      const reply = await node.ask(brokerRegistration, registrations, version, request)
      // Without log directories there is nothing to host: versions before 2 cannot name any.
      if (version < 2) expect(reply.errorCode).toBe(errorCode('INVALID_REGISTRATION'))
      else expect(reply).toMatchObject({ errorCode: 0, brokerEpoch: node.quorum.log.length - 1 })
    }
    const { id, epoch } = node.publisher.image.brokers.get(5)!
    const sender = { brokerId: id, brokerEpoch: epoch }
    for (const version of versionsOf(brokerHeartbeat)) {
      const beat = { ...sender, currentMetadataOffset: epoch, wantFence: false, wantShutDown: false }
      expect(await node.ask(brokerHeartbeat, heartbeats, version, beat)).toEqual({
        throttleTimeMs: 0,
        errorCode: 0,
        isCaughtUp: true,
        isFenced: false,
        shouldShutDown: false,
      })
    }
    const block = await node.ask(allocateProducerIds, producerIds, 0, sender)
    expect(block).toMatchObject({ errorCode: 0, producerIdStart: 0n, producerIdLen: 1_000 })
    const stale = await node.ask(allocateProducerIds, producerIds, 0, { ...sender, brokerEpoch: 0 })
    expect(stale.errorCode).toBe(errorCode('STALE_BROKER_EPOCH'))
  })

  it('change in-sync sets with and without broker epochs', async () => {
    const node = await twoBrokers()
    await node.createTopic('orders', [1, 2])
    const { image } = node.publisher
    const topicId = image.topicsByName.get('orders')!.id
    const epochOf = (id: number) => image.brokers.get(id)!.epoch
    const state = { partitionIndex: 0, leaderEpoch: 0 }
    const sender = { brokerId: 1, brokerEpoch: epochOf(1) }
    const shrink = { ...state, newIsr: [1], partitionEpoch: 0 }
    const shrunk = await node.ask(alterPartition, isr, 2, { ...sender, topics: [{ topicId, partitions: [shrink] }] })
    expect(shrunk).toMatchObject({ errorCode: 0, topics: [{ topicId, partitions: [{ isr: [1], partitionEpoch: 1 }] }] })
    const grow = (brokerEpoch: number) => ({
      ...state,
      newIsrWithEpochs: [
        { brokerId: 1, brokerEpoch: epochOf(1) },
        { brokerId: 2, brokerEpoch },
      ],
      partitionEpoch: 1,
    })
    const propose = (brokerEpoch: number) =>
      node.ask(alterPartition, isr, 3, { ...sender, topics: [{ topicId, partitions: [grow(brokerEpoch)] }] })
    expect((await propose(0)).topics[0]?.partitions[0]?.errorCode).toBe(errorCode('INELIGIBLE_REPLICA'))
    expect((await propose(epochOf(2))).topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, isr: [1, 2] })
  })

  it('register controllers and assign directories', async () => {
    const node = await twoBrokers()
    await node.createTopic('orders', [1, 2])
    const listeners = [{ name: 'CONTROLLER', host: 'c', port: 1, securityProtocol: 0 }]
    const incarnationId = uuidOf('controller')
    const controller = { controllerId: 9, incarnationId, zkMigrationReady: false, listeners, features: [] }
    expect(await node.ask(controllerRegistration, controllers, 0, controller)).toMatchObject({ errorCode: 0 })
    const broker = node.publisher.image.brokers.get(1)!
    const topicId = node.publisher.image.topicsByName.get('orders')!.id
    const topics = [{ topicId, partitions: [{ partitionIndex: 0 }, { partitionIndex: 8 }] }]
    const request = { brokerId: 1, brokerEpoch: broker.epoch, directories: [{ id: broker.directories[0]!, topics }] }
    const assigned = await node.ask(assignReplicasToDirs, directories, 0, request)
    expect(assigned.directories[0]?.topics[0]?.partitions.map(({ errorCode: code }) => code)).toEqual([
      0,
      errorCode('UNKNOWN_TOPIC_OR_PARTITION'),
    ])
  })
})
