import { describe, expect, it } from 'vitest'
import { assignDirectories, balanceLeaders, electLeaders } from '#broker/controller/change-topics.ts'
import { incrementalAlterConfigs } from '#broker/controller/alter-configs.ts'
import { unregisterBroker } from '#broker/controller/register-broker.ts'
import { brokerHeartbeat } from '#broker/controller/broker-heartbeat.ts'
import { alterPartition } from '#broker/controller/alter-partition.ts'
import { deleteTopics } from '#broker/controller/change-topics.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import { Harness, uuidOf } from './harness.ts'

const code = errorCode

function threeBrokers(config: Readonly<Record<string, string>> = {}): Harness {
  const harness = new Harness({ config })
  harness.start(1, 2, 3)
  return harness
}

describe('AlterPartition', () => {
  it('changes the in-sync set as the leader proposes, without a new leader epoch', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2, 3]])
    expect(harness.alterIsr(harness.isrProposal('orders', [1, 3]))).toMatchObject({
      errorCode: 0,
      isr: [1, 3],
      leaderId: 1,
      leaderEpoch: 0,
      partitionEpoch: 1,
    })
    expect(harness.alterIsr(harness.isrProposal('orders', [1, 3, 2]))).toMatchObject({
      isr: [1, 3, 2],
      partitionEpoch: 2,
    })
  })

  it('answers with the current state when nothing changes', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2]])
    const { length } = harness.log
    expect(harness.alterIsr(harness.isrProposal('orders', [1, 2]))).toMatchObject({ errorCode: 0, partitionEpoch: 0 })
    expect(harness.log.length).toBe(length)
  })

  it('refuses, per partition, what is old, impossible or from somebody else', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2, 3]])
    harness.alterIsr(harness.isrProposal('orders', [1, 2]))
    harness.submit(electLeaders, { electionType: 0, topicPartitions: null })
    const refused = (isr: readonly number[], change: Parameters<Harness['isrProposal']>[2] = {}) =>
      harness.alterIsr(harness.isrProposal('orders', isr, change)).errorCode
    expect(refused([1], { partitionEpoch: 0 })).toBe(code('INVALID_UPDATE_VERSION'))
    expect(refused([1], { leaderEpoch: -1 })).toBe(code('FENCED_LEADER_EPOCH'))
    expect(refused([1], { leaderEpoch: 1 })).toBe(code('NOT_CONTROLLER'))
    expect(refused([1], { partitionEpoch: 2 })).toBe(code('NOT_CONTROLLER'))
    expect(refused([2], { sender: 2 })).toBe(code('INVALID_REQUEST'))
    expect(refused([2])).toBe(code('INVALID_REQUEST'))
    expect(refused([])).toBe(code('INVALID_REQUEST'))
    expect(refused([1, 1])).toBe(code('INVALID_REQUEST'))
    expect(refused([1, 7])).toBe(code('INVALID_REQUEST'))
    expect(refused([1, 2], { recovery: 1 })).toBe(code('INVALID_REQUEST'))
    expect(refused([1], { recovery: 1 })).toBe(code('INVALID_REQUEST'))
    expect(harness.partition('orders')).toMatchObject({ isr: [1, 2], partitionEpoch: 1 })
  })

  it('of a broker that has registered anew since is refused as a whole', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2]])
    const delayed = harness.isrProposal('orders', [1])
    harness.register(1, { incarnation: 'second' })
    expect(harness.propose(alterPartition, delayed)).toMatchObject({ refused: 'STALE_BROKER_EPOCH' })
  })

  it('of a topic that was deleted, or created again under its name, is refused by its id', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2]])
    const delayed = harness.isrProposal('orders', [1])
    harness.submit(deleteTopics, { topics: [{ name: 'orders', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }] })
    harness.createTopic('orders', [[1, 2]])
    expect(harness.alterIsr(delayed).errorCode).toBe(code('UNKNOWN_TOPIC_ID'))
    expect(harness.partition('orders').isr).toEqual([1, 2])
  })

  it('cannot add a replica that is fenced, shutting down or gone', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2, 3]])
    harness.beat(11_000, 1)
    expect(harness.partition('orders').isr).toEqual([1])
    expect(harness.alterIsr(harness.isrProposal('orders', [1, 2])).errorCode).toBe(code('INELIGIBLE_REPLICA'))
    harness.submit(unregisterBroker, { brokerId: 3 })
    const epochs = new Map([[3, -1]])
    expect(harness.alterIsr(harness.isrProposal('orders', [1, 3], { epochs })).errorCode).toBe(
      code('INELIGIBLE_REPLICA'),
    )
  })
})

describe('KIP-903: "the broker epoch … of the replica in the AlterPartition request must match"', () => {
  it('a delayed AlterPartition cannot add a replica that was wiped and registered anew in the meantime', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2]])
    // 1 is the only in-sync replica; 2 has caught up, and 1 sends AlterPartition(+2), which is delayed.
    harness.alterIsr(harness.isrProposal('orders', [1]))
    const delayed = harness.isrProposal('orders', [1, 2])
    // 2 fails hard, its disk is replaced, it registers again.
    harness.beat(11_000, 1)
    harness.register(2, { incarnation: 'second', directories: ['fresh'] })
    harness.heartbeat(2)
    expect(harness.alterIsr(delayed).errorCode).toBe(code('INELIGIBLE_REPLICA'))
    // 1 dies: nobody leads, rather than an empty replica.
    harness.beat(11_000, 2)
    expect(harness.partition('orders')).toMatchObject({ leader: -1, isr: [1] })
  })

  it('is skipped for version 2 senders, which cannot know the epoch', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2]])
    harness.alterIsr(harness.isrProposal('orders', [1]))
    const epochs = new Map([
      [1, -1],
      [2, -1],
    ])
    expect(harness.alterIsr(harness.isrProposal('orders', [1, 2], { epochs }))).toMatchObject({ isr: [1, 2] })
  })
})

describe('the last in-sync replica', () => {
  it('stays in the set when its broker fails, and leads again when it returns', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2]])
    harness.beat(11_000, 1, 3)
    harness.beat(11_000, 3)
    expect(harness.partition('orders')).toMatchObject({ leader: -1, isr: [1] })
    // 2 returns first: it is not in sync.
    harness.register(2, { incarnation: 'second' })
    harness.heartbeat(2)
    expect(harness.partition('orders')).toMatchObject({ leader: -1, isr: [1] })
    harness.register(1, { incarnation: 'second' })
    harness.heartbeat(1)
    expect(harness.partition('orders')).toMatchObject({ leader: 1, isr: [1] })
  })

  it('that was wiped never leads: its directory is another one (KIP-858)', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2]])
    harness.beat(11_000, 1, 3)
    harness.beat(11_000, 3)
    harness.register(1, { incarnation: 'second', directories: ['fresh'] })
    harness.heartbeat(1)
    expect(harness.partition('orders')).toMatchObject({ leader: -1, isr: [1] })
    // Nor when it says where its new, empty replica is.
    const topicId = harness.image.topicsByName.get('orders')!.id
    harness.submit(assignDirectories, {
      brokerId: 1,
      brokerEpoch: harness.epochOf(1),
      directories: [{ id: uuidOf('fresh'), topics: [{ topicId, partitions: [{ partitionIndex: 0 }] }] }],
    })
    harness.register(2, { incarnation: 'second' })
    harness.heartbeat(2)
    expect(harness.partition('orders')).toMatchObject({ leader: -1, isr: [1] })
    // An operator may decide to go on with what the other replica holds.
    harness.submit(electLeaders, { electionType: 1, topicPartitions: [{ topic: 'orders', partitions: [0] }] })
    expect(harness.partition('orders')).toMatchObject({ leader: 2, isr: [2], leaderRecoveryState: 1 })
  })

  it('of a topic with one replica comes back empty when its disk was replaced', () => {
    const harness = threeBrokers()
    harness.createTopic('alone', [[1]])
    harness.beat(11_000, 3)
    harness.register(1, { incarnation: 'second', directories: ['fresh'] })
    harness.heartbeat(1)
    const topicId = harness.image.topicsByName.get('alone')!.id
    harness.submit(assignDirectories, {
      brokerId: 1,
      brokerEpoch: harness.epochOf(1),
      directories: [{ id: uuidOf('fresh'), topics: [{ topicId, partitions: [{ partitionIndex: 0 }] }] }],
    })
    expect(harness.partition('alone')).toMatchObject({ leader: 1, directories: [uuidOf('fresh')] })
  })

  it('of KIP-966’s sequence is re-elected without ELR although it lost records: ISR {1,2,3}, 1 and 2 out, 3 restarts uncleanly', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2, 3]], { 'min.insync.replicas': '2' })
    harness.beat(11_000, 2, 3)
    harness.beat(11_000, 3)
    expect(harness.partition('orders')).toMatchObject({ leader: 3, isr: [3] })
    harness.register(3, { incarnation: 'second' })
    harness.heartbeat(3)
    // The controller cannot know of lost pages: this is the gap that ELR closes.
    expect(harness.partition('orders')).toMatchObject({ leader: 3, isr: [3] })
  })
})

describe('KIP-279: a fast double failover', () => {
  it('gives every leadership an epoch of its own, also when the first leader leads again', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2, 3]])
    const epochs = [harness.partition('orders').leaderEpoch]
    harness.register(1, { incarnation: 'second' })
    harness.heartbeat(1)
    expect(harness.partition('orders').leader).toBe(2)
    epochs.push(harness.partition('orders').leaderEpoch)
    harness.alterIsr(harness.isrProposal('orders', [2, 3, 1]))
    harness.register(2, { incarnation: 'second' })
    expect(harness.partition('orders').leader).toBe(1)
    epochs.push(harness.partition('orders').leaderEpoch)
    expect(epochs).toEqual([0, 1, 2])
  })
})

describe('a controller that loses its leadership', () => {
  it('forgets what was not committed, and the next one decides on the committed state', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2, 3]])
    const proposal = harness.isrProposal('orders', [1])
    harness.propose(alterPartition, proposal)
    expect(harness.partition('orders').isr).toEqual([1])
    harness.failOver()
    expect(harness.partition('orders').isr).toEqual([1, 2, 3])
    expect(harness.image).toEqual(harness.committed)
    expect(harness.alterIsr(proposal)).toMatchObject({ errorCode: 0, isr: [1] })
  })

  it('refuses everything while it does not lead', () => {
    const harness = threeBrokers()
    harness.machine.deactivate()
    const request = { brokerId: 1, brokerEpoch: 1, currentMetadataOffset: 1, wantFence: false, wantShutDown: false }
    expect(harness.propose(brokerHeartbeat, request)).toMatchObject({ refused: 'NOT_CONTROLLER' })
    expect(harness.machine.nextTickMs()).toBe(Infinity)
  })
})

describe('unclean elections', () => {
  it('happen at once where the topic allows them, and mark the leader as recovering (KIP-704)', () => {
    const harness = threeBrokers()
    harness.createTopic('logs', [[1, 2]], { 'unclean.leader.election.enable': 'true' })
    harness.alterIsr(harness.isrProposal('logs', [1]))
    harness.beat(11_000, 2, 3)
    expect(harness.partition('logs')).toMatchObject({ leader: 2, isr: [2], leaderRecoveryState: 1 })
    expect(harness.alterIsr(harness.isrProposal('logs', [2], { recovery: 0 }))).toMatchObject({
      errorCode: 0,
      leaderRecoveryState: 0,
    })
  })

  it('follow when the setting is changed while there is no leader', () => {
    const harness = threeBrokers()
    harness.createTopic('logs', [[1, 2]])
    harness.alterIsr(harness.isrProposal('logs', [1]))
    harness.beat(11_000, 2, 3)
    expect(harness.partition('logs')).toMatchObject({ leader: -1, isr: [1] })
    const config = { name: 'unclean.leader.election.enable', configOperation: 0, value: 'true' }
    const resource = { resourceType: 4, resourceName: '', configs: [config] }
    harness.submit(incrementalAlterConfigs, { validateOnly: false, resources: [resource] })
    harness.pass(0)
    expect(harness.partition('logs')).toMatchObject({ leader: 2, isr: [2], leaderRecoveryState: 1 })
  })
})

describe('elections', () => {
  it('give partitions back to their preferred leaders when asked', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2]])
    const elect = () =>
      harness.submit(electLeaders, { electionType: 0, topicPartitions: [{ topic: 'orders', partitions: [0, 9] }] })
        .replicaElectionResults[0]?.partitionResult
    expect(elect()?.map(({ errorCode: error }) => error)).toEqual([
      code('ELECTION_NOT_NEEDED'),
      code('UNKNOWN_TOPIC_OR_PARTITION'),
    ])
    harness.register(1, { incarnation: 'second' })
    expect(elect()?.[0]?.errorCode).toBe(code('PREFERRED_LEADER_NOT_AVAILABLE'))
    harness.heartbeat(1)
    harness.alterIsr(harness.isrProposal('orders', [2, 1]))
    expect(elect()?.[0]?.errorCode).toBe(0)
    expect(harness.partition('orders')).toMatchObject({ leader: 1, leaderEpoch: 2 })
  })

  it('of all partitions report only those that needed one', () => {
    const harness = threeBrokers()
    harness.createTopic('orders', [[1, 2]])
    const reply = harness.submit(electLeaders, { electionType: 0, topicPartitions: null })
    expect(reply.replicaElectionResults).toEqual([{ topic: 'orders', partitionResult: [] }])
    expect(harness.propose(electLeaders, { electionType: 2, topicPartitions: null })).toMatchObject({
      refused: 'INVALID_REQUEST',
    })
  })

  it('happen by themselves every leader.imbalance.check.interval.seconds', () => {
    const harness = threeBrokers({
      'auto.leader.rebalance.enable': 'true',
      'leader.imbalance.check.interval.seconds': '5',
    })
    harness.createTopic('orders', [[1, 2]])
    harness.register(1, { incarnation: 'second' })
    harness.heartbeat(1)
    harness.alterIsr(harness.isrProposal('orders', [2, 1]))
    expect(harness.partition('orders').leader).toBe(2)
    harness.beat(5_000, 1, 2, 3)
    expect(harness.partition('orders').leader).toBe(1)
    expect(harness.submit(balanceLeaders, undefined)).toEqual({ more: false })
  })
})

describe('a log directory that fails', () => {
  it('takes its replicas out, and only these', () => {
    const harness = new Harness()
    harness.register(1, { directories: ['a', 'b'] })
    harness.heartbeat(1)
    harness.start(2)
    harness.createTopic('first', [[1, 2]])
    harness.createTopic('second', [[1, 2]])
    const assign = (topic: string, directory: string) => ({
      id: uuidOf(directory),
      topics: [{ topicId: harness.image.topicsByName.get(topic)!.id, partitions: [{ partitionIndex: 0 }] }],
    })
    harness.submit(assignDirectories, {
      brokerId: 1,
      brokerEpoch: harness.epochOf(1),
      directories: [assign('first', 'a'), assign('second', 'b')],
    })
    harness.submit(brokerHeartbeat, {
      brokerId: 1,
      brokerEpoch: harness.epochOf(1),
      currentMetadataOffset: harness.committedOffset,
      wantFence: false,
      wantShutDown: false,
      offlineLogDirs: [uuidOf('a')],
    })
    expect(harness.partition('first')).toMatchObject({ leader: 2, isr: [2] })
    expect(harness.partition('second')).toMatchObject({ leader: 1, isr: [1, 2] })
    expect(harness.image.brokers.get(1)?.directories).toEqual([uuidOf('b')])
  })
})
