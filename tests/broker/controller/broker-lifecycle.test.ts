import { describe, expect, it } from 'vitest'
import { AutoTopics } from '#broker/controller/auto-topics.ts'
import { BrokerLifecycle } from '#broker/controller/broker-lifecycle.ts'
import { BrokerLifecycleMachine } from '#broker/controller/broker-lifecycle-machine.ts'
import type { LifecycleEffect } from '#broker/controller/broker-lifecycle-machine.ts'
import { ControllerChannel } from '#broker/controller/controller-channel.ts'
import { applyRecords, compareImages } from '#broker/controller/image-builder.ts'
import { MetadataImage } from '#broker/controller/image.ts'
import { partitionChange } from '#broker/controller/metadata-record.ts'
import { DirectoryAssignments } from '#broker/controller/directory-assignments.ts'
import type { NetworkError } from '#broker/environment/environment.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import { FakeClient, FakeQuorum, FakeTime } from './fakes.ts'
import { clusterId, Harness, testConfig, uuidOf } from './harness.ts'

const timing = { heartbeatIntervalMs: 2_000, registrationTimeoutMs: 60_000 }
const granted = { isCaughtUp: true, isFenced: false, shouldShutDown: false }
const kinds = (effects: readonly LifecycleEffect[]) =>
  effects.map(effect => (effect.kind === 'wakeAfter' ? `wakeAfter ${effect.delayMs}` : effect.kind))

function running(): BrokerLifecycleMachine {
  const machine = new BrokerLifecycleMachine(timing)
  machine.start(0)
  machine.registrationAnswered({ brokerEpoch: 5 })
  machine.heartbeatAnswered({ ...granted, isFenced: true })
  machine.readyToUnfence()
  machine.wake(0)
  machine.heartbeatAnswered(granted)
  return machine
}

describe('the lifecycle of a broker', () => {
  it('goes from STARTING over RECOVERY to RUNNING', () => {
    const machine = new BrokerLifecycleMachine(timing)
    expect(kinds(machine.start(0))).toEqual(['register'])
    const [first] = machine.registrationAnswered({ brokerEpoch: 5 })
    expect(first).toMatchObject({ kind: 'heartbeat', body: { brokerEpoch: 5, wantFence: true, wantShutDown: false } })
    expect(kinds(machine.heartbeatAnswered({ ...granted, isCaughtUp: false, isFenced: true }))).toEqual([
      'wakeAfter 10',
    ])
    machine.wake(10)
    expect(machine.heartbeatAnswered({ ...granted, isFenced: true })[0]).toEqual({
      kind: 'reached',
      milestone: 'caughtUp',
    })
    expect(machine.state).toBe('RECOVERY')
    expect(kinds(machine.readyToUnfence())).toEqual(['wakeAfter 0'])
    expect(machine.wake(20)[0]).toMatchObject({ kind: 'heartbeat', body: { wantFence: false } })
    expect(machine.heartbeatAnswered(granted)).toEqual([
      { kind: 'reached', milestone: 'unfenced' },
      { kind: 'wakeAfter', delayMs: 2_000 },
    ])
    expect(machine.state).toBe('RUNNING')
  })

  it('registers again when its registration says too little, after what is under way', () => {
    const machine = running()
    machine.wake(100)
    expect(machine.refreshRegistration()).toEqual([])
    expect(kinds(machine.heartbeatAnswered(granted))).toEqual(['wakeAfter 0'])
    expect(kinds(machine.wake(101))).toEqual(['register'])
    expect(kinds(machine.registrationAnswered({ brokerEpoch: 5 }))).toEqual(['heartbeat'])
    expect(machine.state).toBe('RUNNING')
  })

  it('has one request under way at a time, and sends what is urgent right after it', () => {
    const machine = running()
    expect(kinds(machine.wake(100))).toEqual(['heartbeat'])
    expect(machine.directoryFailed('directory')).toEqual([])
    expect(machine.wake(101)).toEqual([])
    expect(kinds(machine.heartbeatAnswered(granted))).toEqual(['wakeAfter 0'])
    expect(machine.wake(102)[0]).toMatchObject({ body: { offlineLogDirs: ['directory'] } })
  })

  it('does not tell of a directory that failed before its id was read', () => {
    const machine = running()
    expect(machine.directoryFailed('')).toEqual([])
    expect(machine.wake(100)[0]).toMatchObject({ body: { offlineLogDirs: [] } })
  })

  it('backs off after failures, but never beyond the heartbeat interval', () => {
    const machine = running()
    const delays = [1, 2, 3, 4, 5, 6].map(n => {
      machine.wake(n)
      return kinds(machine.heartbeatAnswered({ failed: 'NETWORK' }))[0]
    })
    expect(delays).toEqual([100, 200, 400, 800, 1_600, 2_000].map(ms => `wakeAfter ${ms}`))
    machine.wake(7)
    expect(kinds(machine.heartbeatAnswered({ failed: 'NO_CONTROLLER' }))).toEqual(['wakeAfter 50'])
  })

  it('registers anew when the controller does not know it any more', () => {
    const machine = running()
    machine.wake(1)
    machine.heartbeatAnswered({ failed: 'STALE_BROKER_EPOCH' })
    expect(kinds(machine.wake(101))).toEqual(['register'])
    expect(machine.registrationAnswered({ brokerEpoch: 9 })[0]).toMatchObject({
      kind: 'heartbeat',
      body: { brokerEpoch: 9, wantFence: false },
    })
    expect(machine.brokerEpoch).toBe(9)
  })

  it('gives up when no controller accepts it within initial.broker.registration.timeout.ms', () => {
    const machine = new BrokerLifecycleMachine(timing)
    machine.start(0)
    machine.registrationAnswered({ failed: 'DUPLICATE_BROKER_REGISTRATION' })
    expect(kinds(machine.wake(59_999))).toEqual(['register'])
    machine.registrationAnswered({ failed: 'NETWORK' })
    expect(kinds(machine.wake(60_000))).toEqual(['giveUp'])
  })

  it('stops when the controller agrees', () => {
    const machine = running()
    expect(kinds(machine.beginShutdown())).toEqual(['wakeAfter 0'])
    expect(machine.wake(1)[0]).toMatchObject({ body: { wantShutDown: true } })
    expect(kinds(machine.heartbeatAnswered(granted))).toEqual(['wakeAfter 50'])
    machine.wake(2)
    expect(machine.heartbeatAnswered({ ...granted, shouldShutDown: true })).toEqual([
      { kind: 'reached', milestone: 'mayStop' },
    ])
    expect(machine.state).toBe('SHUTTING_DOWN')
    expect(machine.wake(3)).toEqual([])
  })

  it('stops at once when it was never running', () => {
    const machine = new BrokerLifecycleMachine(timing)
    machine.start(0)
    expect(machine.beginShutdown()).toEqual([{ kind: 'reached', milestone: 'mayStop' }])
    expect(machine.registrationAnswered({ brokerEpoch: 1 })).toEqual([])
  })
})

function driver(client: FakeClient, config: Readonly<Record<string, string>> = {}) {
  const time = new FakeTime()
  const quorum = new FakeQuorum()
  const lifecycle = new BrokerLifecycle({
    environment: time.environment,
    config: testConfig(config),
    client,
    quorum,
    nodeId: 1,
    clusterId,
    listeners: [{ name: 'PLAINTEXT', host: '127.0.0.1', port: 9092, securityProtocol: 0 }],
    directories: [uuidOf('b'), uuidOf('a')],
    metadataOffset: () => 41,
  })
  return { time, quorum, lifecycle }
}

describe('the driver of the lifecycle', () => {
  it('registers as soon as a controller is known, and resolves when the broker has caught up and is unfenced', async () => {
    const client = new FakeClient(
      { errorCode: 0, brokerEpoch: 40 },
      { errorCode: 0, ...granted, isFenced: true },
      { errorCode: 0, ...granted },
    )
    const { time, quorum, lifecycle } = driver(client, { 'broker.rack': 'r1' })
    let stage = 'starting'
    void lifecycle.start().then(() => {
      stage = 'caught up'
      return lifecycle.readyToUnfence().then(() => (stage = 'unfenced'))
    })
    await time.pass(1_000)
    expect([stage, client.sent.length]).toEqual(['starting', 0])
    quorum.elect(3)
    await time.pass(60)
    expect(stage).toBe('unfenced')
    expect(client.sent[0]).toMatchObject({
      to: { port: 3 },
      apiKey: 62,
      body: { clusterId, rack: 'r1', incarnationId: lifecycle.incarnationId, logDirs: [uuidOf('a'), uuidOf('b')] },
    })
    expect(client.sent[1]).toMatchObject({ apiKey: 63, body: { brokerEpoch: 40, currentMetadataOffset: 41 } })
    expect(lifecycle.brokerEpoch).toBe(40)
    await time.pass(2_000)
    expect(client.sent.filter(({ apiKey }) => apiKey === 63).length).toBeGreaterThanOrEqual(3)
  })

  it('halts the process when it cannot register', async () => {
    const client = new FakeClient({ errorCode: errorCode('INCONSISTENT_CLUSTER_ID'), brokerEpoch: -1 })
    const { time, quorum, lifecycle } = driver(client)
    quorum.elect(1)
    void lifecycle.start()
    await time.pass(63_000)
    expect(time.halted).toMatch(/registration .*: INCONSISTENT_CLUSTER_ID/)
    expect(time.warnings[0]?.fields).toMatchObject({ advice: expect.stringContaining('controller.quorum.voters') })
  })

  it('says what to do when its id is taken', async () => {
    const taken = { errorCode: errorCode('DUPLICATE_BROKER_REGISTRATION'), brokerEpoch: -1 }
    const { time, quorum, lifecycle } = driver(new FakeClient(taken))
    quorum.elect(1)
    void lifecycle.start()
    await time.pass(10)
    expect(time.warnings[0]?.fields).toMatchObject({
      reason: 'DUPLICATE_BROKER_REGISTRATION',
      advice: expect.stringMatching(/broker with node\.id 1 is alive.*give this one a node\.id of its own.*9000 ms/),
    })
  })

  it('stops waiting for an agreement after a time', async () => {
    const client = new FakeClient({ errorCode: 0, brokerEpoch: 1 }, { errorCode: 0, ...granted })
    const { time, quorum, lifecycle } = driver(client)
    quorum.elect(1)
    void lifecycle.start()
    void lifecycle.readyToUnfence()
    await time.pass(100)
    expect(lifecycle.state).toBe('RUNNING')
    const leaving = lifecycle.beginControlledShutdown(5_000)
    await time.pass(5_000)
    expect(await leaving).toBe('timeout')
    lifecycle.stop()
    const sent = client.sent.length
    await time.pass(10_000)
    expect(client.sent.length).toBe(sent)
  })
})

function channelTo(client: FakeClient) {
  const time = new FakeTime()
  const quorum = new FakeQuorum()
  const options = { environment: time.environment, client, quorum, requestTimeoutMs: 1_000, retryBackoffMs: 20 }
  return { time, quorum, channel: new ControllerChannel(options) }
}

describe('the channel to the controller', () => {
  const sender = () => ({ brokerId: 1, brokerEpoch: 5 })

  it('waits for a controller, follows it when it moves, and survives lost connections', async () => {
    const ids = { errorCode: 0, producerIdStart: 0n, producerIdLen: 1_000 }
    const client = new FakeClient('reset', { errorCode: errorCode('NOT_CONTROLLER') }, ids)
    const { time, quorum, channel } = channelTo(client)
    let reply: unknown
    void channel.allocateProducerIds(sender).then(response => (reply = response))
    await time.pass(100)
    expect(client.sent).toHaveLength(0)
    quorum.elect(1)
    await time.pass(20)
    quorum.elect(2)
    await time.pass(100)
    expect(reply).toEqual(ids)
    expect(client.sent.map(({ to }) => to.port)).toEqual([1, 2, 2])
  })

  it('hands on what the controller refuses', async () => {
    const stale = { errorCode: errorCode('STALE_BROKER_EPOCH'), topics: [] }
    const { quorum, channel } = channelTo(new FakeClient(stale))
    quorum.elect(1)
    expect(await channel.alterPartition(sender, { topics: [] })).toEqual(stale)
  })

  it('gives up at the deadline, and when it is closed', async () => {
    const { time, channel } = channelTo(new FakeClient())
    const failures: string[] = []
    const note = (error: NetworkError) => failures.push(error.code)
    channel.allocateProducerIds(sender, { deadlineMs: time.nowMs + 100 }).catch(note)
    channel.allocateProducerIds(sender).catch(note)
    await time.pass(200)
    expect(failures).toEqual(['REQUEST_TIMED_OUT'])
    channel.close()
    await time.pass(20)
    expect(failures).toEqual(['REQUEST_TIMED_OUT', 'CLOSED'])
  })
})

describe('topics that create themselves', () => {
  function autoTopics(client: FakeClient) {
    const { time, quorum, channel } = channelTo(client)
    quorum.elect(1)
    return { time, topics: new AutoTopics(time.environment, channel, () => testConfig({ 'num.partitions': '4' })) }
  }

  it('are asked for once while the answer is out', async () => {
    const client = new FakeClient({ topics: [{ name: 'orders', errorCode: 36, errorMessage: null }] })
    const { time, topics } = autoTopics(client)
    expect([...topics.request(['orders', 'bad name'])]).toEqual([
      ['orders', 'UNKNOWN_TOPIC_OR_PARTITION'],
      ['bad name', 'INVALID_TOPIC_EXCEPTION'],
    ])
    topics.request(['orders'])
    expect(client.sent).toHaveLength(1)
    expect(client.sent[0]).toMatchObject({ apiKey: 19, body: { topics: [{ name: 'orders', numPartitions: 4 }] } })
    await time.settle()
    topics.request(['orders'])
    expect(client.sent).toHaveLength(2)
  })

  it('are remembered with the reason when the controller refuses them, until they are there', async () => {
    const refusal = { name: 'store', errorCode: errorCode('INVALID_REPLICATION_FACTOR'), errorMessage: 'three of one' }
    const created = { topics: [{ name: 'store', errorCode: 0, errorMessage: null }] }
    const { time, topics } = autoTopics(new FakeClient({ topics: [refusal] }, created))
    const topic = { name: 'store', numPartitions: 1, replicationFactor: 3, assignments: [], configs: [] }
    topics.create([topic])
    expect(topics.failureOf('store')).toBeUndefined()
    await time.settle()
    expect(topics.failureOf('store')).toContain('three of one')
    topics.create([topic])
    await time.settle()
    expect(topics.failureOf('store')).toBeUndefined()
  })

  it('get the settings of internal topics', () => {
    const client = new FakeClient({ topics: [] })
    autoTopics(client).topics.request(['__consumer_offsets'])
    expect(client.sent[0]?.body).toMatchObject({
      topics: [
        {
          numPartitions: 50,
          replicationFactor: 3,
          configs: [
            { name: 'cleanup.policy', value: 'compact' },
            { name: 'compression.type', value: 'producer' },
            { name: 'segment.bytes', value: '104857600' },
          ],
        },
      ],
    })
  })
})

describe('a broker whose disk was replaced', () => {
  it('tells the controller once where its replicas are now', async () => {
    const harness = new Harness()
    harness.start(1, 2)
    harness.createTopic('orders', [[1, 2]])
    harness.beat(11_000, 2)
    const before = harness.committed
    harness.register(1, { incarnation: 'second', directories: ['fresh'] })
    const client = new FakeClient({ errorCode: 0, directories: [] })
    const { time, quorum, channel } = channelTo(client)
    quorum.elect(1)
    const assignments = new DirectoryAssignments({
      environment: time.environment,
      channel,
      nodeId: 1,
      brokerEpoch: () => 7,
      directoryOf: () => uuidOf('fresh'),
    })
    const delta = compareImages(before, harness.committed)
    assignments.metadataApplied(harness.committed, delta)
    await time.pass(100)
    const topicId = harness.committed.topicsByName.get('orders')!.id
    const topics = [{ topicId, partitions: [{ partitionIndex: 0 }] }]
    expect(client.sent).toHaveLength(1)
    expect(client.sent[0]).toMatchObject({
      apiKey: 73,
      body: { brokerId: 1, brokerEpoch: 7, directories: [{ id: uuidOf('fresh'), topics }] },
    })
    assignments.metadataApplied(harness.committed, delta)
    await time.pass(5_000)
    expect(client.sent).toHaveLength(1)
  })
})

describe('a replica that moves to another log directory', () => {
  async function moving(answer: object) {
    const harness = new Harness()
    harness.start(1, 2)
    harness.createTopic('orders', [[1, 2]])
    const client = new FakeClient(answer)
    const { time, quorum, channel } = channelTo(client)
    quorum.elect(1)
    const state = { directory: harness.partition('orders').directories[0] }
    const assignments = new DirectoryAssignments({
      environment: time.environment,
      channel,
      nodeId: 1,
      brokerEpoch: () => 7,
      directoryOf: () => state.directory,
    })
    assignments.metadataApplied(harness.committed, compareImages(MetadataImage.empty(''), harness.committed))
    await time.pass(100)
    expect(client.sent).toEqual([])
    const replica = { topicId: harness.committed.topicsByName.get('orders')!.id, partition: 0 }
    const original = state.directory!
    const heard: boolean[] = []
    const move = () => {
      state.directory = uuidOf('other')
      assignments.assign(replica, uuidOf('other'), taken => heard.push(taken))
    }
    return { harness, client, time, assignments, replica, state, original, heard, move }
  }

  it('is told, and who waits for it hears that the controller took it', async () => {
    const { client, time, heard, move } = await moving({ errorCode: 0, directories: [] })
    move()
    await time.pass(100)
    expect(client.sent).toMatchObject([{ body: { directories: [{ id: uuidOf('other') }] } }])
    expect(heard).toEqual([true])
  })

  it('is told again while the controller has other worries, and refused when it does not know the replica', async () => {
    const { client, time, heard, move } = await moving({ errorCode: 77, directories: [] })
    move()
    await time.pass(2_500)
    expect(client.sent.length).toBeGreaterThan(1)
    expect(heard).toEqual([])
    const answered = { topicId: '', partitions: [{ partitionIndex: 0, errorCode: 3 }] }
    const refusing = await moving({ errorCode: 0, directories: [{ id: uuidOf('other'), topics: [answered] }] })
    answered.topicId = refusing.replica.topicId
    refusing.move()
    await refusing.time.pass(100)
    expect(refusing.heard).toEqual([false])
  })

  it('that stays after all is told to be where it was, whatever the controller has heard', async () => {
    const { harness, client, time, assignments, replica, state, original, heard, move } = await moving({
      errorCode: 0,
      directories: [],
    })
    move()
    await time.pass(100)
    const before = harness.committed
    const directories = [uuidOf('other'), harness.partition('orders').directories[1]!]
    const moved = applyRecords(before, [partitionChange(replica.topicId, 0, { directories })], { offset: 99, epoch: 1 })
    state.directory = original
    assignments.metadataApplied(moved.image, moved)
    assignments.reconsider(replica)
    await time.pass(100)
    expect(heard).toEqual([true])
    expect(client.sent).toHaveLength(2)
    expect(client.sent[1]).toMatchObject({ body: { directories: [{ id: original }] } })
  })
})
