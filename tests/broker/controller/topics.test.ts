import { describe, expect, it } from 'vitest'
import { incrementalAlterConfigs } from '#broker/controller/alter-configs.ts'
import { createPartitions, deleteTopics } from '#broker/controller/change-topics.ts'
import { createTopics } from '#broker/controller/create-topics.ts'
import type { CreatableTopic } from '#broker/controller/create-topics.ts'
import { bootstrapRecords } from '#broker/controller/features.ts'
import { allocateProducerIds } from '#broker/controller/producer-ids.ts'
import { errorName } from '#broker/protocol/errors.ts'
import { Harness } from './harness.ts'

const noId = 'AAAAAAAAAAAAAAAAAAAAAA'

function threeBrokers(config: Readonly<Record<string, string>> = {}): Harness {
  const harness = new Harness({ config })
  harness.start(1, 2, 3)
  return harness
}

function creatable(name: string, change: Partial<CreatableTopic> = {}): CreatableTopic {
  return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...change }
}

function create(harness: Harness, topics: readonly CreatableTopic[], validateOnly = false) {
  return harness.submit(createTopics, { topics, validateOnly }).topics
}

describe('CreateTopics', () => {
  it('spreads partitions over brokers, with the first replica leading and all alive ones in sync', () => {
    const harness = threeBrokers()
    const [created] = create(harness, [creatable('orders', { numPartitions: 6, replicationFactor: 2 })])
    expect(created).toMatchObject({ errorCode: 0, numPartitions: 6, replicationFactor: 2 })
    const partitions = [...harness.image.topicsByName.get('orders')!.partitions.values()]
    const leaders = partitions.map(({ leader }) => leader)
    expect([1, 2, 3].map(id => leaders.filter(leader => leader === id).length)).toEqual([2, 2, 2])
    for (const { replicas, isr, leader, directories } of partitions) {
      expect(isr).toEqual(replicas)
      expect(leader).toBe(replicas[0])
      expect(directories).toEqual(replicas.map(id => harness.image.brokers.get(id)?.directories[0]))
    }
  })

  it('takes -1 as num.partitions and default.replication.factor', () => {
    const harness = threeBrokers({ 'num.partitions': '4', 'default.replication.factor': '3' })
    const [created] = create(harness, [creatable('orders', { numPartitions: -1, replicationFactor: -1 })])
    expect(created).toMatchObject({ numPartitions: 4, replicationFactor: 3 })
  })

  it('answers with all settings and where they come from', () => {
    const harness = threeBrokers({ 'log.retention.ms': '5000' })
    const [created] = create(harness, [creatable('orders', { configs: [{ name: 'segment.bytes', value: '2000000' }] })])
    const settings = new Map(created?.configs?.map(config => [config.name, config]))
    expect(settings.get('segment.bytes')).toMatchObject({ value: '2000000', configSource: 1 })
    expect(settings.get('retention.ms')).toMatchObject({ value: '5000', configSource: 4 })
    expect(settings.get('cleanup.policy')).toMatchObject({ value: 'delete', configSource: 5 })
    expect(harness.image.config('topic', 'orders')).toEqual(new Map([['segment.bytes', '2000000']]))
  })

  it('of names that collide with each other creates the first of the alphabet, wherever it stands', () => {
    const harness = threeBrokers()
    const created = create(harness, [creatable('a_b.c'), creatable('a.b.c'), creatable('a.b_c'), creatable('other')])
    const refused = created.filter(({ errorCode }) => errorName(errorCode) === 'INVALID_TOPIC_EXCEPTION')
    expect(refused.map(({ name }) => name)).toEqual(['a_b.c', 'a.b_c'])
    expect([...harness.image.topicsByName.keys()]).toEqual(['a.b.c', 'other'])
  })

  it('refuses a hundred thousand topics in one request as a whole', () => {
    const harness = threeBrokers()
    const topics = Array.from({ length: 100_000 }, (_, index) => creatable(`topic-${index}`))
    expect(harness.propose(createTopics, { topics, validateOnly: false })).toMatchObject({
      refused: 'POLICY_VIOLATION',
    })
  })

  it('only validates when asked to', () => {
    const harness = threeBrokers()
    const { length } = harness.log
    expect(create(harness, [creatable('orders', { numPartitions: 2 })], true)[0]).toMatchObject({ numPartitions: 2 })
    expect(harness.log.length).toBe(length)
  })

  const refusals: [string, CreatableTopic, string, RegExp][] = [
    ['an empty name', creatable(''), 'INVALID_TOPIC_EXCEPTION', /empty string/],
    ['a name of dots', creatable('..'), 'INVALID_TOPIC_EXCEPTION', /'\.\.' is not allowed/],
    [
      'a name too long',
      creatable('x'.repeat(250)),
      'INVALID_TOPIC_EXCEPTION',
      /longer than the max allowed length 249/,
    ],
    ['other characters', creatable('a b'), 'INVALID_TOPIC_EXCEPTION', /ASCII alphanumerics/],
    ['a name that exists', creatable('taken.name'), 'TOPIC_ALREADY_EXISTS', /already exists/],
    [
      'a colliding name',
      creatable('taken_name'),
      'INVALID_TOPIC_EXCEPTION',
      /collides with existing topic: taken\.name/,
    ],
    ['no partitions', creatable('t', { numPartitions: 0 }), 'INVALID_PARTITIONS', /non-positive/],
    ['no replicas', creatable('t', { replicationFactor: 0 }), 'INVALID_REPLICATION_FACTOR', /larger than 0/],
    ['too many replicas', creatable('t', { replicationFactor: 4 }), 'INVALID_REPLICATION_FACTOR', /only 3 broker/],
    [
      'an unknown setting',
      creatable('t', { configs: [{ name: 'retention', value: '1' }] }),
      'INVALID_CONFIG',
      /Unknown topic config name: retention/,
    ],
    [
      'a setting without a value',
      creatable('t', { configs: [{ name: 'retention.ms', value: null }] }),
      'INVALID_CONFIG',
      /Null value not supported for topic configs: retention\.ms/,
    ],
    [
      'a setting of the wrong kind',
      creatable('t', { configs: [{ name: 'retention.ms', value: 'soon' }] }),
      'INVALID_CONFIG',
      /retention\.ms/,
    ],
    [
      'assignments besides a number',
      creatable('t', { assignments: [{ partitionIndex: 0, brokerIds: [1] }] }),
      'INVALID_REQUEST',
      /replication factor was not set to -1/,
    ],
  ]
  it.each(refusals)('refuses %s', (_title, topic, error, message) => {
    const harness = threeBrokers()
    create(harness, [creatable('taken.name')])
    const [refused] = create(harness, [topic])
    expect(errorName(refused?.errorCode ?? 0)).toBe(error)
    expect(refused?.errorMessage).toMatch(message)
  })

  const assignments: [string, readonly (readonly [number, readonly number[]])[], RegExp][] = [
    ['to no broker', [[0, []]], /empty replica list/],
    ['to an unknown broker', [[0, [1, 9]]], /broker 9, but no such broker is registered/],
    ['twice to one broker', [[0, [1, 1]]], /the broker 1 more than once/],
    [
      'with different numbers of replicas',
      [
        [0, [1]],
        [1, [1, 2]],
      ],
      /2 replica\(s\), but this is not consistent/,
    ],
    [
      'with gaps',
      [
        [0, [1]],
        [2, [1]],
      ],
      /consecutive 0-based/,
    ],
    [
      'with one partition twice',
      [
        [0, [1]],
        [0, [2]],
      ],
      /multiple manual partition assignments/,
    ],
  ]
  it.each(assignments)('refuses assignments %s', (_title, lists, message) => {
    const harness = threeBrokers()
    const manual = lists.map(([partitionIndex, brokerIds]) => ({ partitionIndex, brokerIds }))
    const topic = creatable('t', { numPartitions: -1, replicationFactor: -1, assignments: manual })
    const [refused] = create(harness, [topic])
    expect(errorName(refused?.errorCode ?? 0)).toBe('INVALID_REPLICA_ASSIGNMENT')
    expect(refused?.errorMessage).toMatch(message)
  })

  it('leaves fenced replicas out of the in-sync set, and refuses when all are fenced', () => {
    const harness = threeBrokers()
    harness.beat(11_000, 2, 3)
    harness.createTopic('orders', [[1, 2]])
    expect(harness.partition('orders')).toMatchObject({ leader: 2, isr: [2], replicas: [1, 2] })
    const manual = [{ partitionIndex: 0, brokerIds: [1] }]
    const [refused] = create(harness, [
      creatable('t', { numPartitions: -1, replicationFactor: -1, assignments: manual }),
    ])
    expect(refused?.errorMessage).toMatch(/fenced or in controlled shutdown/)
    harness.beat(11_000)
    expect(create(harness, [creatable('u')])[0]?.errorMessage).toMatch(/All brokers are currently fenced/)
  })

  it('refuses a name that is there twice, and creates the others of the request', () => {
    const harness = threeBrokers()
    const results = create(harness, [creatable('a'), creatable('b'), creatable('a')])
    expect(results.map(({ name, errorCode }) => [name, errorName(errorCode)])).toEqual([
      ['b', 'NONE'],
      ['a', 'INVALID_REQUEST'],
    ])
  })

  it('twice at the same time creates one topic', () => {
    const harness = threeBrokers()
    const request = { topics: [creatable('__consumer_offsets', { numPartitions: 3 })], validateOnly: false }
    harness.propose(createTopics, request)
    const second = harness.propose(createTopics, request)
    expect(second).toMatchObject({ topics: [{ errorCode: 36 }] })
    harness.commit()
    expect(harness.committed.topicsByName.get('__consumer_offsets')?.partitions.size).toBe(3)
  })
})

describe('DeleteTopics', () => {
  it('removes by name or by id, with the settings', () => {
    const harness = threeBrokers()
    harness.createTopic('a', [[1]], { 'retention.ms': '1' })
    harness.createTopic('b', [[1]])
    const id = harness.image.topicsByName.get('b')!.id
    const { responses } = harness.submit(deleteTopics, {
      topics: [
        { name: 'a', topicId: noId },
        { name: null, topicId: id },
        { name: 'c', topicId: noId },
        { name: null, topicId: 'c2Vjb25kAAAAAAAAAAAAAA' },
        { name: null, topicId: noId },
      ],
    })
    expect(responses.map(({ errorCode }) => errorName(errorCode))).toEqual([
      'NONE',
      'NONE',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'UNKNOWN_TOPIC_ID',
      'INVALID_REQUEST',
    ])
    expect(responses[1]?.name).toBe('b')
    expect(harness.committed.topicsByName.size).toBe(0)
    expect(harness.committed.configs.size).toBe(0)
  })

  it('is refused when delete.topic.enable is off', () => {
    const harness = threeBrokers({ 'delete.topic.enable': 'false' })
    harness.createTopic('a', [[1]])
    expect(harness.propose(deleteTopics, { topics: [{ name: 'a', topicId: noId }] })).toMatchObject({
      refused: 'TOPIC_DELETION_DISABLED',
    })
  })
})

describe('CreatePartitions', () => {
  const add = (
    harness: Harness,
    count: number,
    assignments: readonly { brokerIds: readonly number[] }[] | null = null,
  ) =>
    harness.submit(createPartitions, { validateOnly: false, topics: [{ name: 'orders', count, assignments }] })
      .results[0]

  it('adds partitions with as many replicas as the others have', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2]])
    expect(add(harness, 3)).toMatchObject({ errorCode: 0 })
    expect(harness.partition('orders', 2).replicas).toHaveLength(2)
    expect(add(harness, 4, [{ brokerIds: [3, 1] }])).toMatchObject({ errorCode: 0 })
    expect(harness.partition('orders', 3)).toMatchObject({ replicas: [3, 1], leader: 3 })
  })

  it('refuses what is no increase or has the wrong assignments', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1], [2]])
    expect(add(harness, 2)?.errorMessage).toBe('Topic already has 2 partition(s).')
    expect(add(harness, 1)?.errorMessage).toMatch(/would not be an increase/)
    expect(add(harness, 4, [{ brokerIds: [1] }])?.errorMessage).toMatch(/Attempted to add 2 additional/)
    expect(add(harness, 3, [{ brokerIds: [1, 2] }])?.errorMessage).toMatch(/not consistent with/)
  })
})

describe('IncrementalAlterConfigs', () => {
  const operations = { set: 0, delete: 1, append: 2, subtract: 3 }
  type Change = [name: string, operation: keyof typeof operations, value: string | null]
  const alter = (harness: Harness, resourceType: number, resourceName: string, changes: readonly Change[]) => {
    const configs = changes.map(([name, operation, value]) => ({ name, configOperation: operations[operation], value }))
    const resources = [{ resourceType, resourceName, configs }]
    const reply = harness.submit(incrementalAlterConfigs, { validateOnly: false, resources })
    return { error: errorName(reply.responses[0]!.errorCode), message: reply.responses[0]!.errorMessage }
  }

  it('sets, deletes, appends and subtracts', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1]])
    const now = () => Object.fromEntries(harness.committed.config('topic', 'orders'))
    expect(alter(harness, 2, 'orders', [['retention.ms', 'set', '1']]).error).toBe('NONE')
    alter(harness, 2, 'orders', [['cleanup.policy', 'append', 'compact']])
    expect(now()).toEqual({ 'retention.ms': '1', 'cleanup.policy': 'delete,compact' })
    alter(harness, 2, 'orders', [
      ['cleanup.policy', 'subtract', 'delete'],
      ['retention.ms', 'delete', null],
    ])
    expect(now()).toEqual({ 'cleanup.policy': 'compact' })
  })

  it('changes a resource as a whole or not at all', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1]])
    const changes: Change[] = [
      ['retention.ms', 'set', '1'],
      ['segment.bytes', 'set', 'large'],
    ]
    expect(alter(harness, 2, 'orders', changes).error).toBe('INVALID_CONFIG')
    expect(harness.committed.config('topic', 'orders').size).toBe(0)
  })

  it('refuses impossible resources and settings', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1]])
    const set: Change = ['retention.ms', 'set', '1']
    expect(alter(harness, 2, 'nobody', [set]).error).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(alter(harness, 2, 'orders', [['nothing', 'set', '1']]).message).toBe('Unknown topic config name: nothing')
    expect(alter(harness, 2, 'orders', [set, set]).message).toMatch(/duplicate config keys/)
    expect(alter(harness, 2, 'orders', [['retention.ms', 'append', '1']]).message).toMatch(/its type is not LIST/)
    expect(alter(harness, 2, 'orders', [['retention.ms', 'set', null]]).error).toBe('INVALID_REQUEST')
    expect(alter(harness, 4, '9', [['log.retention.ms', 'set', '1']]).error).toBe('BROKER_ID_NOT_REGISTERED')
    expect(alter(harness, 4, 'one', [['log.retention.ms', 'set', '1']]).error).toBe('INVALID_REQUEST')
    expect(alter(harness, 4, '', [['node.id', 'set', '4']]).message).toMatch(/Cannot update these configs dynamically/)
    expect(alter(harness, 16, 'x', [set]).error).toBe('INVALID_REQUEST')
  })

  it('sets what all brokers and single brokers do, and keeps settings of plug-ins', () => {
    const harness = threeBrokers()
    expect(alter(harness, 4, '', [['log.retention.ms', 'set', '77']]).error).toBe('NONE')
    expect(alter(harness, 4, '2', [['my.reporter.path', 'set', '/x']]).error).toBe('NONE')
    expect(harness.committed.config('broker', '').get('log.retention.ms')).toBe('77')
    expect(harness.committed.config('broker', '2').get('my.reporter.path')).toBe('/x')
  })

  it('changes nothing when it only validates', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1]])
    const configs = [{ name: 'retention.ms', configOperation: 0, value: '1' }]
    const resources = [{ resourceType: 2, resourceName: 'orders', configs }]
    harness.submit(incrementalAlterConfigs, { validateOnly: true, resources })
    expect(harness.committed.config('topic', 'orders').size).toBe(0)
  })
})

describe('AllocateProducerIds', () => {
  it('gives every id away once, also across a change of controllers', () => {
    const harness = threeBrokers()
    const allocate = (id: number) => ({ brokerId: id, brokerEpoch: harness.epochOf(id) })
    expect(harness.submit(allocateProducerIds, allocate(1))).toMatchObject({ producerIdStart: 0n, producerIdLen: 1000 })
    expect(harness.submit(allocateProducerIds, allocate(2))).toMatchObject({ producerIdStart: 1000n })
    // Not committed, so nobody was told.
    harness.propose(allocateProducerIds, allocate(1))
    harness.failOver()
    expect(harness.submit(allocateProducerIds, allocate(3))).toMatchObject({ producerIdStart: 2000n })
    expect(harness.propose(allocateProducerIds, { brokerId: 1, brokerEpoch: 0 })).toMatchObject({
      refused: 'STALE_BROKER_EPOCH',
    })
  })
})

describe('a new cluster', () => {
  it('begins with its metadata.version and the levels of new clusters, once', () => {
    const harness = new Harness()
    expect(harness.log[0]).toEqual({ type: 'FeatureLevel', name: 'metadata.version', featureLevel: 30 })
    expect(harness.log).toEqual(bootstrapRecords())
    harness.failOver()
    expect(harness.log).toHaveLength(bootstrapRecords().length)
  })

  it('writes a NoOp when nothing was written for metadata.max.idle.interval.ms', () => {
    const harness = new Harness()
    harness.pass(1_700)
    expect(harness.log.slice(bootstrapRecords().length)).toEqual([{ type: 'NoOp' }, { type: 'NoOp' }, { type: 'NoOp' }])
  })
})
