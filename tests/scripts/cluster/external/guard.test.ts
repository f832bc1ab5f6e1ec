import { describe, expect, test } from 'vitest'
import { apis } from '#broker/protocol/apis.ts'
import { codec } from '#broker/protocol/codec.ts'
import { encodeRequestFrame } from '#broker/protocol/headers.ts'
import { messages, messagesOf, type ApiName } from '#broker/protocol/messages/index.ts'
import type { Message } from '#broker/protocol/schema.ts'
import { clientOptions } from '#scripts/cluster/external/client-properties.ts'
import { refusal } from '#scripts/cluster/external/guard.ts'
import { parseBootstrap } from '#scripts/cluster/external/runtime.ts'

const prefix = 'faultline-lab-1-'
const strict = { prefix, allowsClusterChanges: false }
const lax = { prefix, allowsClusterChanges: true }

function frame(name: ApiName, version: number, body: object): Buffer {
  const request: Message = messages[name].request
  return Buffer.concat(encodeRequestFrame({ version, correlationId: 1, clientId: 'a' }, request, body as never))
}

const topic = (name: string) => ({ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] })
const produced = (names: readonly string[]) => ({
  transactionalId: null,
  acks: 1,
  timeoutMs: 1,
  topicData: names.map(name => ({ name, partitionData: [] })),
})

describe('a guard in front of a cluster that is not ours', () => {
  test('lets through what the run has made, and what only asks', () => {
    const mine = `${prefix}main`
    expect(refusal(frame('CreateTopics', 5, { topics: [topic(mine)], timeoutMs: 1 }), strict)).toBeUndefined()
    expect(refusal(frame('Produce', 7, produced([mine])), strict)).toBeUndefined()
    expect(refusal(frame('DeleteGroups', 1, { groupsNames: [`${mine}-readers`] }), strict)).toBeUndefined()
    expect(refusal(frame('Metadata', 5, { topics: null, allowAutoTopicCreation: false }), strict)).toBeUndefined()
    const producer = { transactionalId: null, transactionTimeoutMs: 1 }
    expect(refusal(frame('InitProducerId', 1, producer), strict)).toBeUndefined()
  })

  test.each([
    [
      'a topic of others',
      frame('CreateTopics', 5, { topics: [topic(`${prefix}a`), topic('orders')], timeoutMs: 1 }),
      'CreateTopics of orders',
    ],
    ['records of others', frame('Produce', 7, produced(['orders'])), 'Produce of orders'],
    ['a group of others', frame('DeleteGroups', 1, { groupsNames: ['billing'] }), 'DeleteGroups of billing'],
    [
      'a topic by its id',
      frame('DeleteTopics', 6, {
        topics: [
          { name: `${prefix}a`, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' },
          { name: null, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' },
        ],
        timeoutMs: 1,
      }),
      'named by an id',
    ],
    [
      'a transactional id of others',
      frame('InitProducerId', 1, { transactionalId: 'pay', transactionTimeoutMs: 1 }),
      'InitProducerId of pay',
    ],
    [
      'settings of a topic of others',
      frame('IncrementalAlterConfigs', 1, {
        resources: [{ resourceType: 2, resourceName: 'orders', configs: [] }],
        validateOnly: false,
      }),
      'IncrementalAlterConfigs of orders',
    ],
  ])('refuses %s, whatever is allowed', (_, bytes, message) => {
    expect(refusal(bytes, strict)).toContain(message)
    expect(refusal(bytes, lax)).toContain(message)
  })

  test.each([4, 8, 12])('lets Metadata v%i make no topic of others', version => {
    const named = (name: string, allowAutoTopicCreation: boolean) =>
      frame('Metadata', version, { topics: [{ name }], allowAutoTopicCreation })
    expect(refusal(named('orders', false), strict)).toBeUndefined()
    expect(refusal(named(`${prefix}a`, true), strict)).toBeUndefined()
    for (const guard of [strict, lax])
      expect(refusal(named('orders', true), guard)).toBe('Metadata of orders, which this run has not made')
    expect(refusal(frame('Metadata', version, { topics: null, allowAutoTopicCreation: true }), strict)).toBeUndefined()
    const byId = { topics: [{ name: null, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }], allowAutoTopicCreation: true }
    if (version === 12) expect(refusal(frame('Metadata', version, byId), strict)).toBeUndefined()
  })

  test('takes Metadata of versions without that choice for one that makes topics', () => {
    // v0 to v3 create what they name on brokers with auto.create.topics.enable; an empty list (v0) or null asks for all.
    const old = (version: number, topics: readonly string[] | null) =>
      frame('Metadata', version, { topics: topics?.map(name => ({ name })) ?? null })
    expect(refusal(old(1, ['orders']), lax)).toBe('Metadata of orders, which this run has not made')
    expect(refusal(old(1, [`${prefix}a`]), strict)).toBeUndefined()
    expect(refusal(old(0, []), strict)).toBeUndefined()
    expect(refusal(old(1, null), strict)).toBeUndefined()
  })

  const reassigned = (name: string) =>
    frame('AlterPartitionReassignments', 0, { timeoutMs: 1, topics: [{ name, partitions: [] }] })
  const elected = (topic: string) =>
    frame('ElectLeaders', 1, { electionType: 0, topicPartitions: [{ topic, partitions: [0] }], timeoutMs: 1 })
  const moved = (name: string) =>
    frame('AlterReplicaLogDirs', 2, { dirs: [{ path: '/a', topics: [{ name, partitions: [0] }] }] })
  const marked = (name: string) =>
    frame('WriteTxnMarkers', 1, {
      markers: [
        {
          producerId: 1n,
          producerEpoch: 0,
          transactionResult: true,
          topics: [{ name, partitionIndexes: [0] }],
          coordinatorEpoch: 0,
        },
      ],
    })
  test.each([
    ['AlterPartitionReassignments', reassigned],
    ['ElectLeaders', elected],
    ['AlterReplicaLogDirs', moved],
    ['WriteTxnMarkers', marked],
  ])('lets %s change topics of the run only, and only when changes of the cluster are allowed', (name, of) => {
    expect(refusal(of(`${prefix}a`), strict)).toBe(`${name} changes more than what this run has made`)
    expect(refusal(of(`${prefix}a`), lax)).toBeUndefined()
    expect(refusal(of('orders'), lax)).toBe(`${name} of orders, which this run has not made`)
  })

  test('refuses elections of all partitions: they are of others too', () => {
    const all = frame('ElectLeaders', 1, { electionType: 0, topicPartitions: null, timeoutMs: 1 })
    expect(refusal(all, lax)).toBe('ElectLeaders names nothing that can be told apart')
  })

  test.each([
    ['a group of others', [{ resourceType: 32, resourceName: 'billing' }], 'billing'],
    [
      'a topic of others beside a broker',
      [
        { resourceType: 4, resourceName: '1' },
        { resourceType: 2, resourceName: 'orders' },
      ],
      'orders',
    ],
  ])('refuses settings of %s, whatever is allowed', (_, resources, name) => {
    const body = { resources: resources.map(each => ({ ...each, configs: [] })), validateOnly: false }
    expect(refusal(frame('IncrementalAlterConfigs', 1, body), lax)).toBe(
      `IncrementalAlterConfigs of ${name}, which this run has not made`,
    )
    const own = { resourceType: 32, resourceName: `${prefix}readers`, configs: [] }
    expect(
      refusal(frame('IncrementalAlterConfigs', 1, { resources: [own], validateOnly: false }), strict),
    ).toBeUndefined()
  })

  test('refuses what changes the cluster, unless that is allowed', () => {
    const quotas = frame('AlterClientQuotas', 1, { entries: [], validateOnly: false })
    expect(refusal(quotas, strict)).toBe('AlterClientQuotas changes more than what this run has made')
    expect(refusal(quotas, lax)).toBeUndefined()
    const broker = { resources: [{ resourceType: 4, resourceName: '1', configs: [] }], validateOnly: false }
    expect(refusal(frame('IncrementalAlterConfigs', 1, broker), strict)).toContain('changes settings of the cluster')
    expect(refusal(frame('IncrementalAlterConfigs', 1, broker), lax)).toBeUndefined()
  })

  test('refuses what it cannot read', () => {
    const torn = frame('CreateTopics', 5, { topics: [topic(`${prefix}a`)], timeoutMs: 1 }).subarray(0, 30)
    expect(refusal(torn, lax)).toMatch(/CreateTopics: its body cannot be read/)
    const unknown = Buffer.from(frame('Produce', 7, produced([])))
    unknown.writeInt16BE(99, 6)
    expect(refusal(unknown, lax)).toContain('version 99 is not known here')
    expect(refusal(Buffer.alloc(4), lax)).toBe('a request without a header')
  })

  test('knows every API of Kafka: what it lets through without a look changes nothing', () => {
    // A request without names, in its newest version: asked of every API, so that a new one is refused until somebody has thought about it.
    const free = apis.filter(({ key, maxVersion }) => {
      const message = messagesOf(key)?.request as Message
      const header = Buffer.alloc(12)
      header.writeInt16BE(key, 4)
      header.writeInt16BE(maxVersion, 6)
      expect(codec(message, maxVersion)).toBeDefined()
      return refusal(header, strict) === undefined
    })
    const asking =
      /^(Fetch|ListOffsets|Metadata|OffsetFetch|FindCoordinator|Sasl.*|ApiVersions|OffsetForLeaderEpoch|List.*|.*Describe.*)$/
    expect(free.map(({ name }) => name).filter(name => !asking.test(name))).toEqual([])
  })
})

describe('client properties', () => {
  const options = (properties: Record<string, string>) => clientOptions(new Map(Object.entries(properties)), '/')
  test('become options of kafkajs', () => {
    expect(options({})).toEqual({})
    expect(
      options({
        'security.protocol': 'SASL_SSL',
        'sasl.mechanism': 'PLAIN',
        'sasl.jaas.config':
          'org.apache.kafka.common.security.plain.PlainLoginModule required username="me" password="a\\"b";',
      }),
    ).toEqual({ ssl: {}, sasl: { mechanism: 'plain', username: 'me', password: 'a"b' } })
  })
  test.each([
    [{ 'security.protocol': 'TLS' }, /security.protocol: expected one of PLAINTEXT/],
    [{ 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'GSSAPI' }, /sasl.mechanism: expected PLAIN, got GSSAPI/],
    [{ 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'PLAIN' }, /expected username/],
    [{ 'security.protocol': 'SSL', 'ssl.truststore.location': 'a.jks' }, /expected PEM, got JKS/],
  ])('that cannot be meant are refused: %j', (properties, message) => {
    expect(() => options(properties as Record<string, string>)).toThrow(message)
  })
})

test('bootstrap addresses are a host and a port each', () => {
  expect(parseBootstrap('a:9092, [::1]:9093')).toEqual(['a:9092', '[::1]:9093'])
  for (const text of ['', 'a', 'a:0', 'a:99999', 'a:1,,b:2'])
    expect(() => parseBootstrap(text)).toThrow(/expected host:port/)
})
