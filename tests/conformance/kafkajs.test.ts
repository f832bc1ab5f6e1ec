/**
 * kafkajs 2.2.4, as published: a client of old versions of every API (Produce 7, Fetch 11, Metadata 6, OffsetFetch 4). Everything it can ask
 * of a broker, except ACLs; transactions are in transactions.test.ts.
 */
import {
  CompressionTypes,
  ConfigResourceTypes,
  Kafka,
  logLevel,
  type Admin,
  type Consumer,
  type EachMessagePayload,
  type PartitionMetadata,
} from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { partitionOf } from '#broker/coordinator/runtime/java-hash.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'
import { createTopics, partitionsWhen, subscribe, topicOffsets } from '#tests/topics.ts'

const ascending = (left: number, right: number): number => left - right

let cluster: Cluster
let kafka: Kafka
let admin: Admin

beforeAll(async () => {
  cluster = await startCluster({
    brokers: 3,
    // Three seconds, not nine, until a dead broker is taken for dead.
    settings: { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' },
  })
  kafka = new Kafka({
    clientId: 'kafkajs',
    brokers: cluster.addresses,
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 40 },
  })
  admin = kafka.admin()
  await admin.connect()
})

afterAll(async () => {
  await admin?.disconnect()
  await cluster?.stop()
})

/** Any broker may be asked next. */
async function create(topic: string, numPartitions = 1): Promise<boolean> {
  const isNew = await createTopics(admin, [{ topic, numPartitions }])
  await cluster.untilAllKnow(topic)
  return isNew
}

interface Reading {
  readonly consumer: Consumer
  readonly messages: EachMessagePayload[]
  /** The values read so far, once there are `count` of them. */
  values(count: number): Promise<string[]>
  stop(): Promise<void>
}

async function read(
  groupId: string,
  topic: string,
  options: { joined?: (assignment: Record<string, number[]>) => void; sessionTimeout?: number } = {},
): Promise<Reading> {
  const { joined, sessionTimeout = 10_000 } = options
  const consumer = kafka.consumer({ groupId, sessionTimeout, heartbeatInterval: 200, maxWaitTimeInMs: 100 })
  const messages: EachMessagePayload[] = []
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => joined?.(payload.memberAssignment))
  await consumer.connect()
  await subscribe(consumer, topic)
  await consumer.run({
    autoCommit: false,
    eachMessage: payload => {
      messages.push(payload)
      return Promise.resolve()
    },
  })
  const all = (): string[] => messages.map(({ message }) => String(message.value))
  return {
    consumer,
    messages,
    values: count => eventually(`${count} messages of ${topic}`, () => (messages.length >= count ? all() : undefined)),
    stop: () => consumer.disconnect(),
  }
}

async function send(topic: string, values: readonly string[], partition = 0): Promise<void> {
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await producer.connect()
  await producer.send({ topic, messages: values.map(value => ({ value, partition })) })
  await producer.disconnect()
}

describe('the admin client', () => {
  test('sees the brokers and who is the controller', async () => {
    const { brokers, controller, clusterId } = await admin.describeCluster()
    expect(brokers.map(({ nodeId }) => nodeId).toSorted(ascending)).toEqual([1, 2, 3])
    expect(brokers.map(({ port }) => port).toSorted(ascending)).toEqual(
      cluster.brokers.map(({ port }) => port).toSorted(ascending),
    )
    expect([1, 2, 3]).toContain(controller)
    expect(clusterId).toBe(cluster.clusterId)
  })

  test('creates, lists, describes, widens and deletes topics', async () => {
    expect(await create('admin-topic', 2)).toBe(true)
    expect(await create('admin-topic', 2)).toBe(false)
    expect(await admin.listTopics()).toContain('admin-topic')
    await admin.createPartitions({ topicPartitions: [{ topic: 'admin-topic', count: 5 }] })
    const areFive = (partitions: readonly PartitionMetadata[]) =>
      partitions.length === 5 && partitions.every(({ isr }) => isr.length === 3)
    const described = await partitionsWhen(admin, 'admin-topic', areFive, { what: 'five partitions have replicas' })
    expect(described.map(({ partitionId }) => partitionId).toSorted(ascending)).toEqual([0, 1, 2, 3, 4])
    for (const { replicas, isr, leader } of described) {
      expect([...replicas].toSorted(ascending)).toEqual([1, 2, 3])
      expect([...isr].toSorted(ascending)).toEqual([1, 2, 3])
      expect(replicas).toContain(leader)
    }
    await admin.deleteTopics({ topics: ['admin-topic'] })
    await eventually('the topic is gone', async () =>
      (await admin.listTopics()).includes('admin-topic') ? undefined : true,
    )
  })

  test('is refused with the reason', async () => {
    await create('refusals', 2)
    await expect(admin.createTopics({ topics: [{ topic: 'not a name', numPartitions: 1 }] })).rejects.toMatchObject({
      errors: [{ type: 'INVALID_TOPIC_EXCEPTION' }],
    })
    await expect(
      admin.createTopics({ topics: [{ topic: 'too-many-replicas', numPartitions: 1, replicationFactor: 4 }] }),
    ).rejects.toMatchObject({ errors: [{ type: 'INVALID_REPLICATION_FACTOR' }] })
    await expect(
      admin.createTopics({
        topics: [{ topic: 'bad-config', numPartitions: 1, configEntries: [{ name: 'segment.bytes', value: 'many' }] }],
      }),
    ).rejects.toMatchObject({ errors: [{ type: 'INVALID_CONFIG' }] })
    await expect(admin.createPartitions({ topicPartitions: [{ topic: 'refusals', count: 1 }] })).rejects.toMatchObject({
      type: 'INVALID_PARTITIONS',
    })
  })

  test('places replicas where it says', async () => {
    await createTopics(admin, [
      {
        topic: 'placed',
        replicaAssignment: [
          { partition: 0, replicas: [3, 1] },
          { partition: 1, replicas: [2, 3] },
        ],
      },
    ])
    const found = await partitionsWhen(admin, 'placed')
    const partitions = new Map(found.map(each => [each.partitionId, each]))
    expect(partitions.get(0)).toMatchObject({ leader: 3, replicas: [3, 1] })
    expect(partitions.get(1)).toMatchObject({ leader: 2, replicas: [2, 3] })
  })

  test('reads and alters the settings of topics and brokers', async () => {
    await create('configured')
    const describe = async (names: string[]) => {
      const { resources } = await admin.describeConfigs({
        includeSynonyms: true,
        resources: [{ type: ConfigResourceTypes.TOPIC, name: 'configured', configNames: names }],
      })
      return resources[0]?.configEntries ?? []
    }
    expect(await describe(['retention.ms'])).toMatchObject([
      { configName: 'retention.ms', configValue: '604800000', isDefault: true },
    ])
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: 'configured',
          configEntries: [{ name: 'retention.ms', value: '1234567' }],
        },
      ],
    })
    await eventually('the altered setting', async () =>
      (await describe(['retention.ms']))[0]?.configValue === '1234567' ? true : undefined,
    )
    // What is not named goes back to its default: that is what made this API a trap.
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: 'configured',
          configEntries: [{ name: 'segment.ms', value: '60000' }],
        },
      ],
    })
    await eventually('the default again', async () =>
      (await describe(['retention.ms']))[0]?.configValue === '604800000' ? true : undefined,
    )
    await expect(
      admin.alterConfigs({
        validateOnly: true,
        resources: [
          {
            type: ConfigResourceTypes.TOPIC,
            name: 'configured',
            configEntries: [{ name: 'retention.ms', value: 'x' }],
          },
        ],
      }),
    ).rejects.toMatchObject({ type: 'INVALID_CONFIG' })
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.BROKER, name: '2', configNames: ['node.id', 'log.retention.hours'] }],
    })
    const entries = resources[0]?.configEntries ?? []
    expect(entries).toHaveLength(2)
    for (const expected of [
      { configName: 'log.retention.hours', configValue: '168' },
      { configName: 'node.id', configValue: '2', readOnly: true },
    ])
      expect(entries).toContainEqual(expect.objectContaining(expected))
  })
})

describe('offsets of a topic', () => {
  test('are found by position and by time', async () => {
    await create('timed')
    const producer = kafka.producer()
    await producer.connect()
    for (const timestamp of ['1700000000000', '1700000001000', '1700000002000'])
      await producer.send({ topic: 'timed', messages: [{ value: timestamp, timestamp }] })
    await producer.disconnect()
    expect(await topicOffsets(admin, 'timed')).toEqual([{ partition: 0, offset: '3', high: '3', low: '0' }])
    expect(await admin.fetchTopicOffsetsByTimestamp('timed', 1_700_000_000_500)).toEqual([
      { partition: 0, offset: '1' },
    ])
    // Later than everything: kafkajs takes the end.
    expect(await admin.fetchTopicOffsetsByTimestamp('timed', 1_800_000_000_000)).toEqual([
      { partition: 0, offset: '3' },
    ])
  })
})

describe('the producer', () => {
  test.each([
    ['acks=all', -1],
    ['acks=1', 1],
    ['acks=0', 0],
  ])('with %s has its records read back, keys, headers and timestamps unchanged', async (_, acks) => {
    const topic = `produced-${acks}`
    await create(topic)
    const producer = kafka.producer()
    await producer.connect()
    const messages = Array.from({ length: 20 }, (_each, index) => ({
      key: index % 3 === 0 ? null : `key-${index}`,
      value: index % 7 === 6 ? null : `value-${index}`,
      headers: { trace: `t-${index}`, many: ['one', 'two'] },
      timestamp: String(1_700_000_000_000 + index),
    }))
    const result = await producer.send({ topic, acks, messages })
    if (acks !== 0) expect(result).toMatchObject([{ partition: 0, errorCode: 0, baseOffset: '0' }])
    await producer.disconnect()
    const reading = await read(`${topic}-group`, topic)
    await reading.values(messages.length)
    await reading.stop()
    expect(
      reading.messages.map(({ message }) => ({
        key: message.key?.toString() ?? null,
        value: message.value?.toString() ?? null,
        trace: String(message.headers?.['trace']),
        many: [message.headers?.['many'] ?? []].flat().map(String),
        timestamp: message.timestamp,
        offset: message.offset,
      })),
    ).toEqual(
      messages.map(({ key, value, timestamp }, index) => ({
        key,
        value,
        trace: `t-${index}`,
        many: ['one', 'two'],
        timestamp,
        offset: String(index),
      })),
    )
  })

  test('with idempotence and gzip writes each record once and in order', async () => {
    await create('idempotent', 3)
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 5 })
    await producer.connect()
    const values = Array.from({ length: 60 }, (_each, index) => `value-${index}-${'x'.repeat(200)}`)
    for (let from = 0; from < values.length; from += 10)
      await producer.send({
        topic: 'idempotent',
        acks: -1,
        compression: CompressionTypes.GZIP,
        messages: values.slice(from, from + 10).map((value, index) => ({ value, partition: index % 3 })),
      })
    await producer.disconnect()
    const reading = await read('idempotent-group', 'idempotent')
    expect((await reading.values(values.length)).toSorted()).toEqual([...values].toSorted())
    await reading.stop()
    for (const partition of [0, 1, 2]) {
      const offsets = reading.messages
        .filter(each => each.partition === partition)
        .map(each => Number(each.message.offset))
      expect(offsets).toEqual(offsets.map((_each, index) => index))
    }
  })

  test('is told that a record is too large, and goes on', async () => {
    await createTopics(admin, [{ topic: 'narrow', configEntries: [{ name: 'max.message.bytes', value: '1000' }] }])
    await cluster.untilAllKnow('narrow')
    await expect(send('narrow', ['x'.repeat(2000)])).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE' })
    await send('narrow', ['small'])
    expect(await topicOffsets(admin, 'narrow')).toMatchObject([{ high: '1' }])
  })

  test('creates the topic it writes to', async () => {
    const producer = kafka.producer({ allowAutoTopicCreation: true })
    await producer.connect()
    await producer.send({ topic: 'made-by-writing', messages: [{ value: 'first' }] })
    await producer.disconnect()
    const reading = await read('made-by-writing-group', 'made-by-writing')
    expect(await reading.values(1)).toEqual(['first'])
    await reading.stop()
  })
})

describe('a consumer group', () => {
  test('shares the partitions of a topic between two members, and one takes over from the other', async () => {
    await create('shared', 4)
    const assignments = new Map<string, number[]>()
    const held = (): number[] => [...assignments.values()].flat().toSorted(ascending)
    const member = (name: string): Promise<Reading> =>
      read('shared-group', 'shared', {
        joined: assignment => assignments.set(name, assignment['shared'] ?? []),
        // Who is taken for dead reads everything again.
        sessionTimeout: 60_000,
      })
    const one = await member('one')
    const two = await member('two')
    await eventually('two partitions each', () =>
      assignments.get('one')?.length === 2 && assignments.get('two')?.length === 2 ? true : undefined,
    )
    expect(held()).toEqual([0, 1, 2, 3])
    for (let partition = 0; partition < 4; partition++) await send('shared', [`p${partition}`], partition)
    await eventually('all four messages', () => (one.messages.length + two.messages.length >= 4 ? true : undefined))
    expect([...one.messages, ...two.messages].map(each => String(each.message.value)).toSorted()).toEqual([
      'p0',
      'p1',
      'p2',
      'p3',
    ])
    assignments.delete('two')
    await two.stop()
    await eventually('one holds all', () => (assignments.get('one')?.length === 4 ? true : undefined))
    await one.stop()
  })

  test('goes on from what it committed; pause, resume and seek', async () => {
    await create('committed')
    await send('committed', ['0', '1', '2', '3', '4'])
    const first = await read('committed-group', 'committed')
    await first.values(5)
    await first.consumer.commitOffsets([{ topic: 'committed', partition: 0, offset: '3', metadata: 'note' }])
    await first.stop()
    expect(await admin.fetchOffsets({ groupId: 'committed-group', topics: ['committed'] })).toMatchObject([
      { topic: 'committed', partitions: [{ partition: 0, offset: '3', metadata: 'note' }] },
    ])
    const second = await read('committed-group', 'committed')
    expect(await second.values(2)).toEqual(['3', '4'])
    second.consumer.pause([{ topic: 'committed' }])
    await send('committed', ['5'])
    second.consumer.seek({ topic: 'committed', partition: 0, offset: '1' })
    second.consumer.resume([{ topic: 'committed' }])
    expect((await second.values(7)).slice(2)).toEqual(['1', '2', '3', '4', '5'])
    await second.stop()
  })

  test('is listed, described, moved and deleted', async () => {
    await create('grouped')
    await send('grouped', ['a', 'b', 'c'])
    const reading = await read('grouped-group', 'grouped')
    await reading.values(3)
    await reading.consumer.commitOffsets([{ topic: 'grouped', partition: 0, offset: '3' }])
    const { groups } = await admin.listGroups()
    expect(groups).toContainEqual({ groupId: 'grouped-group', protocolType: 'consumer' })
    const [described] = (await admin.describeGroups(['grouped-group'])).groups
    expect(described).toMatchObject({ state: 'Stable', protocolType: 'consumer', errorCode: 0 })
    expect(described?.members).toHaveLength(1)
    expect(described?.members[0]).toMatchObject({ clientId: 'kafkajs' })
    await expect(admin.deleteGroups(['grouped-group'])).rejects.toMatchObject({
      groups: [{ groupId: 'grouped-group', error: { type: 'NON_EMPTY_GROUP' } }],
    })
    await reading.stop()
    await admin.setOffsets({ groupId: 'grouped-group', topic: 'grouped', partitions: [{ partition: 0, offset: '1' }] })
    const offset = async () =>
      (await admin.fetchOffsets({ groupId: 'grouped-group', topics: ['grouped'] }))[0]?.partitions[0]?.offset
    expect(await offset()).toBe('1')
    expect(await admin.deleteGroups(['grouped-group'])).toMatchObject([{ groupId: 'grouped-group', errorCode: 0 }])
    expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).not.toContain('grouped-group')
  })

  test('survives the death of its coordinator', async () => {
    await create('orphaned', 2)
    const reading = await read('orphaned-group', 'orphaned')
    await send('orphaned', ['before'])
    await reading.values(1)
    await reading.consumer.commitOffsets([{ topic: 'orphaned', partition: 0, offset: '1' }])
    const offsets = await partitionsWhen(admin, '__consumer_offsets')
    const home = partitionOf('orphaned-group', offsets.length)
    const coordinator = offsets.find(({ partitionId }) => partitionId === home)?.leader ?? -1
    await cluster.broker(coordinator).kill()
    await send('orphaned', ['after'])
    expect(await reading.values(2)).toEqual(['before', 'after'])
    await cluster.broker(coordinator).start()
    await reading.stop()
    const [committed] = await admin.fetchOffsets({ groupId: 'orphaned-group', topics: ['orphaned'] })
    expect(committed?.partitions.find(({ partition }) => partition === 0)).toMatchObject({ offset: '1' })
  })
})
