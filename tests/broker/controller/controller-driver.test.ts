import { bootstrapRecords } from '#broker/controller/features.ts'
import { describe, expect, it } from 'vitest'
import { Controller } from '#broker/controller/controller-driver.ts'
import { createTopics } from '#broker/controller/create-topics.ts'
import { MetadataPublisher } from '#broker/controller/publisher.ts'
import { registerBroker } from '#broker/controller/register-broker.ts'
import { brokerHeartbeat } from '#broker/controller/broker-heartbeat.ts'
import { decodeRecord, encodeRecord } from '#broker/controller/records.ts'
import { FakeQuorum, FakeTime } from './fakes.ts'
import { clusterId, Harness, testConfig, uuidOf } from './harness.ts'

function start(config: Readonly<Record<string, string>> = {}) {
  const time = new FakeTime()
  const quorum = new FakeQuorum()
  const publisher = new MetadataPublisher(clusterId)
  quorum.start(publisher)
  const options = { environment: time.environment, config: testConfig(config), nodeId: 1, clusterId, quorum, publisher }
  return { time, quorum, publisher, controller: new Controller(options) }
}

const registration = new Harness().registration(1)
const topic = { name: 'orders', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }

/** Registered and unfenced. */
async function withBroker(parts: ReturnType<typeof start>) {
  parts.quorum.elect(1)
  const reply = await parts.controller.submit(registerBroker, registration)
  const brokerEpoch = 'brokerEpoch' in reply ? reply.brokerEpoch : -1
  const beat = () =>
    parts.controller.submit(brokerHeartbeat, {
      brokerId: 1,
      brokerEpoch,
      currentMetadataOffset: parts.publisher.deliveredOffset,
      wantFence: false,
      wantShutDown: false,
    })
  await beat()
  return beat
}

describe('the controller of a node', () => {
  it('refuses while another node leads', async () => {
    const { quorum, controller } = start()
    expect(await controller.submit(registerBroker, registration)).toMatchObject({ refused: 'NOT_CONTROLLER' })
    quorum.elect(2)
    expect(await controller.submit(registerBroker, registration)).toMatchObject({ refused: 'NOT_CONTROLLER' })
  })

  it('begins a new cluster when it leads for the first time, and only then', () => {
    const { quorum, publisher } = start()
    quorum.elect(1)
    expect(publisher.image.metadataVersion()).toBe(30)
    expect(quorum.log).toHaveLength(bootstrapRecords().length)
    quorum.elect(1)
    expect(quorum.log).toHaveLength(bootstrapRecords().length)
  })

  it('keeps nothing in its state that did not fit into the log', async () => {
    const parts = start()
    await withBroker(parts)
    const propose = parts.quorum.propose.bind(parts.quorum)
    parts.quorum.propose = () => {
      throw new RangeError('too large')
    }
    const create = () => parts.controller.submit(createTopics, { topics: [topic], validateOnly: false })
    expect(create).toThrow('too large')
    expect(parts.controller.image.topicsByName.has('orders')).toBe(false)
    parts.quorum.propose = propose
    expect(await create()).toMatchObject({ topics: [{ errorCode: 0 }] })
    expect(parts.publisher.image).toEqual(parts.controller.image)
  })

  it('answers only when the records are committed', async () => {
    const parts = start()
    await withBroker(parts)
    parts.quorum.autoCommit = false
    let answered: unknown
    void parts.controller
      .submit(createTopics, { topics: [topic], validateOnly: false })
      .then(reply => (answered = reply))
    // What comes behind waits too: it rests on a topic that may still vanish.
    let second: unknown
    void parts.controller.submit(createTopics, { topics: [topic], validateOnly: false }).then(reply => (second = reply))
    await parts.time.settle()
    expect([answered, second]).toEqual([undefined, undefined])
    parts.quorum.commit()
    await parts.time.settle()
    expect(answered).toMatchObject({ topics: [{ name: 'orders', errorCode: 0 }] })
    expect(second).toMatchObject({ topics: [{ name: 'orders', errorCode: 36 }] })
  })

  it('answers NOT_CONTROLLER to all that wait when it loses the leadership, and forgets what was not committed', async () => {
    const parts = start()
    await withBroker(parts)
    parts.quorum.autoCommit = false
    const waiting = parts.controller.submit(createTopics, { topics: [topic], validateOnly: false })
    expect(parts.controller.image.topicsByName.has('orders')).toBe(true)
    parts.quorum.elect(2)
    expect(await waiting).toMatchObject({ refused: 'NOT_CONTROLLER' })
    parts.quorum.truncate()
    parts.quorum.elect(1)
    expect(parts.controller.image.topicsByName.has('orders')).toBe(false)
    expect(parts.controller.image.brokers.has(1)).toBe(true)
  })

  it('steps back when the quorum does not take its records any more', async () => {
    const parts = start()
    await withBroker(parts)
    parts.quorum.leader = { leaderId: 2, epoch: 9 }
    const reply = await parts.controller.submit(createTopics, { topics: [topic], validateOnly: false })
    expect(reply).toMatchObject({ refused: 'NOT_CONTROLLER' })
    expect(parts.controller.isActive).toBe(false)
  })

  it('gives up waiting after the time the client gave, without undoing anything', async () => {
    const parts = start()
    await withBroker(parts)
    parts.quorum.autoCommit = false
    const request = { topics: [topic], validateOnly: false }
    const waiting = parts.controller.submit(createTopics, request, { timeoutMs: 100 })
    await parts.time.pass(100)
    expect(await waiting).toMatchObject({ refused: 'REQUEST_TIMED_OUT' })
    parts.quorum.commit()
    expect(parts.publisher.image.topicsByName.has('orders')).toBe(true)
  })

  it('fences a silent broker by its own timer', async () => {
    const parts = start()
    const beat = await withBroker(parts)
    await parts.time.pass(8_000)
    await beat()
    await parts.time.pass(8_999)
    expect(parts.publisher.image.isBrokerAlive(1)).toBe(true)
    await parts.time.pass(3)
    expect(parts.publisher.image.isBrokerAlive(1)).toBe(false)
  })

  it('does nothing any more when it is stopped', async () => {
    const parts = start()
    await withBroker(parts)
    parts.controller.stop()
    const { length } = parts.quorum.log
    await parts.time.pass(60_000)
    expect(parts.quorum.log).toHaveLength(length)
  })
})

describe('the publisher', () => {
  const begin = { type: 'BeginTransaction', name: null } as const
  const end = { type: 'EndTransaction' } as const
  const abort = { type: 'AbortTransaction', reason: null } as const
  const feature = { type: 'FeatureLevel', name: 'metadata.version', featureLevel: 30 } as const
  const newTopic = (name: string) => ({ type: 'Topic', name, topicId: uuidOf(name) }) as const

  function publish(...batches: (readonly Parameters<typeof encodeRecord>[0][])[]) {
    const publisher = new MetadataPublisher(clusterId)
    const seen: string[] = []
    publisher.subscribe((image, delta) => seen.push(`${image.offset}: ${[...delta.newTopics].length} new`))
    let baseOffset = 0
    for (const records of batches) {
      const lastOffset = baseOffset + records.length - 1
      const values = records.map(record => encodeRecord(record, 30))
      publisher.committed({ baseOffset, lastOffset, epoch: 1, appendTimeMs: 0, records: values })
      baseOffset = lastOffset + 1
    }
    return { publisher, seen }
  }

  it('publishes a metadata transaction only when it ends, as one change', () => {
    const { seen } = publish([feature], [begin, newTopic('a')], [newTopic('b')], [end], [newTopic('c')])
    expect(seen).toEqual(['0: 0 new', '4: 2 new', '5: 1 new'])
  })

  it('publishes nothing of an aborted transaction', () => {
    const { seen, publisher } = publish([begin, newTopic('a')], [abort])
    expect(seen).toEqual(['2: 0 new'])
    expect(publisher.image.topicsByName.size).toBe(0)
  })

  it('does not hold back what came before a transaction in its batch', () => {
    expect(publish([newTopic('a'), begin, newTopic('b')]).seen).toEqual(['0: 1 new'])
  })

  it('takes a snapshot of an open transaction along, so that it can go on from there', () => {
    const { publisher } = publish([feature, newTopic('a')], [begin, newTopic('b')])
    const records = publisher.snapshot()
    expect(records.map(value => decodeRecord(value).type)).toEqual([
      'FeatureLevel',
      'Topic',
      'BeginTransaction',
      'Topic',
    ])
    const other = new MetadataPublisher(clusterId)
    other.loadSnapshot({ baseOffset: 0, lastOffset: 3, epoch: 1, appendTimeMs: 0, records })
    expect([...other.image.topicsByName.keys()]).toEqual(['a'])
    other.committed({ baseOffset: 4, lastOffset: 4, epoch: 1, appendTimeMs: 0, records: [encodeRecord(end, 30)] })
    expect([...other.image.topicsByName.keys()]).toEqual(['a', 'b'])
  })

  it('tells after a snapshot what differs from what was known before', () => {
    const { publisher, seen } = publish([feature, newTopic('a')])
    const records = [feature, newTopic('b')].map(record => encodeRecord(record, 30))
    publisher.loadSnapshot({ baseOffset: 0, lastOffset: 9, epoch: 2, appendTimeMs: 0, records })
    expect(seen.at(-1)).toBe('9: 1 new')
    expect(publisher.image.topicsByName.has('a')).toBe(false)
  })

  it('makes a controller abort what a former one left open', () => {
    const parts = start()
    const values = [feature, begin, newTopic('a')].map(record => encodeRecord(record, 30))
    for (const value of values) parts.quorum.log.push({ epoch: 0, value })
    parts.quorum.commit()
    parts.quorum.elect(1)
    expect(decodeRecord(parts.quorum.log.at(-1)!.value)).toEqual({ type: 'AbortTransaction', reason: 'failover' })
    expect(parts.publisher.image.topicsByName.size).toBe(0)
  })
})
