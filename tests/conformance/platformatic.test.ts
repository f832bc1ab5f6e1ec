/**
 * @platformatic/kafka: a client that speaks new versions only (Produce 7-11, Fetch 12-17, Metadata 9-12, JoinGroup 6-9, ListOffsets 5-9).
 */
import {
  Admin,
  Consumer,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
  type CreateTopicsOptions,
  type MessagesStream,
  type MessageToProduce,
} from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually, startCluster, type Cluster } from './harness.ts'

type Text = MessagesStream<string, string, string, string>

let cluster: Cluster
let admin: Admin

const options = () => ({
  clientId: 'platformatic',
  bootstrapBrokers: cluster.addresses,
  retries: 300,
  retryDelay: 100,
  timeout: 60_000,
  connectTimeout: 60_000,
})
const topicConfig = 2

/** Any broker may be asked next. */
async function create(options: CreateTopicsOptions & { readonly topics: string[] }) {
  const created = await admin.createTopics(options)
  await cluster.untilAllKnow(...options.topics)
  return created
}

beforeAll(async () => {
  cluster = await startCluster({ brokers: 3 })
  admin = new Admin(options())
})

afterAll(async () => {
  await admin?.close()
  await cluster?.stop()
})

async function send(messages: MessageToProduce<string, string, string, string>[], more: object = {}) {
  const producer = new Producer({ ...options(), serializers: stringSerializers, ...more })
  const result = await producer.send({ messages, acks: -1 })
  await producer.close()
  return result
}

function consumer(groupId: string): Consumer<string, string, string, string> {
  return new Consumer({ ...options(), groupId, deserializers: stringDeserializers, maxWaitTime: 200 })
}

async function take(stream: Text, count: number) {
  const taken = []
  for await (const message of stream) {
    taken.push(message)
    if (taken.length === count) break
  }
  return taken
}

describe('the admin client', () => {
  test('creates, lists, describes, widens and deletes topics', async () => {
    const [created] = await create({
      topics: ['made'],
      partitions: 2,
      replicas: 3,
      configs: [{ name: 'retention.ms', value: '3600000' }],
    })
    expect(created).toMatchObject({
      name: 'made',
      partitions: 2,
      replicas: 3,
      configuration: { 'retention.ms': '3600000' },
    })
    // The controller answers; the brokers hear of it a moment later.
    const isListed = async (): Promise<boolean> => (await admin.listTopics()).includes('made')
    await eventually('the topic is listed', async () => ((await isListed()) ? true : undefined))
    await admin.createPartitions({ topics: [{ name: 'made', count: 3, assignments: null }] })
    const metadata = await eventually('three partitions', async () => {
      const known = await admin.metadata({ topics: ['made'], forceUpdate: true })
      return known.topics.get('made')?.partitions.length === 3 ? known : undefined
    })
    expect(metadata.id).toBe(cluster.clusterId)
    expect([...metadata.brokers.keys()].toSorted((left, right) => left - right)).toEqual([1, 2, 3])
    expect(metadata.topics.get('made')?.id).toBe(created?.id)
    await admin.deleteTopics({ topics: ['made'] })
    await eventually('the topic is gone', async () => ((await isListed()) ? undefined : true))
  })

  test('changes one setting and leaves the others', async () => {
    await create({
      topics: ['configured'],
      partitions: 1,
      replicas: 1,
      configs: [{ name: 'segment.ms', value: '60000' }],
    })
    await admin.incrementalAlterConfigs({
      resources: [
        {
          resourceType: topicConfig,
          resourceName: 'configured',
          configs: [{ name: 'retention.ms', configOperation: 0, value: '1234567' }],
        },
      ],
    })
    const described = await eventually('the changed setting', async () => {
      const [resource] = await admin.describeConfigs({
        includeSynonyms: true,
        includeDocumentation: true,
        resources: [
          { resourceType: topicConfig, resourceName: 'configured', configurationKeys: ['segment.ms', 'retention.ms'] },
        ],
      })
      return resource?.configs.some(({ value }) => value === '1234567') === true ? resource : undefined
    })
    const values = new Map(described.configs.map(({ name, value }) => [name, value]))
    expect(values).toEqual(
      new Map([
        ['segment.ms', '60000'],
        ['retention.ms', '1234567'],
      ]),
    )
    expect(described.configs.every(({ documentation }) => documentation !== null && documentation !== '')).toBe(true)
  })
})

describe('producer and consumer', () => {
  test('write and read by topic id; keys, headers and order unchanged', async () => {
    await create({ topics: ['written'], partitions: 1, replicas: 3 })
    const messages = Array.from({ length: 50 }, (_, index) => ({
      topic: 'written',
      key: `key-${index}`,
      value: `value-${index}`,
      headers: { trace: `t-${index}` },
    }))
    const { offsets } = await send(messages)
    expect(offsets).toEqual([{ topic: 'written', partition: 0, offset: 0n }])
    const reader = consumer('written-group')
    const stream = await reader.consume({ topics: ['written'], mode: MessagesStreamModes.EARLIEST, autocommit: false })
    const taken = await take(stream, messages.length)
    expect(
      taken.map(({ key, value, headers, offset }) => ({ key, value, trace: headers.get('trace'), offset })),
    ).toEqual(
      messages.map(({ key, value, headers }, index) => ({ key, value, trace: headers.trace, offset: BigInt(index) })),
    )
    await reader.close(true)
  })

  test.each(['gzip', 'zstd'] as const)('pass batches through that are compressed with %s', async compression => {
    const topic = `compressed-${compression}`
    await create({ topics: [topic], partitions: 1, replicas: 1 })
    const messages = Array.from({ length: 30 }, (_, index) => ({
      topic,
      key: 'k',
      value: `${index} ${'ab'.repeat(500)}`,
    }))
    await send(messages, { compression, idempotent: true })
    const reader = consumer(`${topic}-group`)
    const stream = await reader.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST, autocommit: false })
    expect((await take(stream, messages.length)).map(({ value }) => value)).toEqual(messages.map(({ value }) => value))
    await reader.close(true)
  })

  test('a group commits, shows its lag, is described, and goes on where it was', async () => {
    await create({ topics: ['grouped'], partitions: 1, replicas: 3 })
    await send(['a', 'b', 'c', 'd'].map(value => ({ topic: 'grouped', key: 'k', value })))
    const first = consumer('grouped-group')
    const stream = await first.consume({ topics: ['grouped'], mode: MessagesStreamModes.EARLIEST, autocommit: false })
    const taken = await take(stream, 2)
    await taken[1]?.commit()
    expect((await admin.listGroups()).get('grouped-group')).toMatchObject({ protocolType: 'consumer' })
    await first.close(true)
    const group = (await admin.describeGroups({ groups: ['grouped-group'] })).get('grouped-group')
    expect(group).toMatchObject({ state: 'Empty', protocolType: 'consumer' })
    const [committed] = await admin.listConsumerGroupOffsets({ groups: ['grouped-group'] })
    const offset = Number(committed?.topics[0]?.partitions[0]?.committedOffset)
    expect(offset).toBeGreaterThan(0)
    const second = consumer('grouped-group')
    const rest = await second.consume({ topics: ['grouped'], mode: MessagesStreamModes.COMMITTED, autocommit: false })
    expect((await take(rest, 4 - offset)).map(({ value }) => value)).toEqual(['a', 'b', 'c', 'd'].slice(offset))
    expect(await second.getLag({ topics: ['grouped'] })).toBeDefined()
    await second.close(true)
    await admin.deleteGroups({ groups: ['grouped-group'] })
    expect((await admin.listGroups()).has('grouped-group')).toBe(false)
  })

  test('offsets are found by position and by time', async () => {
    await create({ topics: ['timed'], partitions: 1, replicas: 1 })
    await send(
      [1_700_000_000_000n, 1_700_000_001_000n].map(timestamp => ({ topic: 'timed', key: 'k', value: 'v', timestamp })),
    )
    const at = async (timestamp: bigint) => {
      const [topic] = await admin.listOffsets({
        topics: [{ name: 'timed', partitions: [{ partitionIndex: 0, timestamp }] }],
      })
      return topic?.partitions[0]?.offset
    }
    expect(await at(-2n)).toBe(0n)
    expect(await at(-1n)).toBe(2n)
    expect(await at(-3n)).toBe(1n)
    expect(await at(1_700_000_000_500n)).toBe(1n)
  })
})
