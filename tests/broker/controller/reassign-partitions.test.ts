import { describe, expect, it } from 'vitest'
import { incrementalAlterConfigs } from '#broker/controller/alter-configs.ts'
import { listReassignments, reassignPartitions } from '#broker/controller/reassign-partitions.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import { Harness, uuidOf } from './harness.ts'

function brokers(count: number): Harness {
  const harness = new Harness()
  harness.start(...Array.from({ length: count }, (_, index) => index + 1))
  return harness
}

/** One partition; the answer to it. */
function reassign(
  harness: Harness,
  replicas: readonly number[] | null,
  { allowReplicationFactorChange = true, name = 'orders', partitionIndex = 0 } = {},
) {
  const topics = [{ name, partitions: [{ partitionIndex, replicas }] }]
  const { responses } = harness.submit(reassignPartitions, { allowReplicationFactorChange, topics })
  return responses[0]?.partitions[0]
}

const done = { partitionIndex: 0, errorCode: 0, errorMessage: null }
const refused = (error: Parameters<typeof errorCode>[0]) => ({ errorCode: errorCode(error) })
const list = (harness: Harness, topics: Parameters<typeof listReassignments>[1]['topics'] = null) =>
  harness.submit(listReassignments, { topics }).topics

describe('a reassignment', () => {
  it('first adds the new replicas and marks what comes and goes, as Kafka’s record does', () => {
    const harness = brokers(6)
    harness.createTopic('orders', [[1, 2, 3]])
    expect(reassign(harness, [4, 5, 3])).toEqual(done)
    expect(harness.log.at(-1)).toEqual({
      type: 'PartitionChange',
      topicId: harness.image.topicsByName.get('orders')!.id,
      partitionId: 0,
      isr: null,
      leader: -2,
      replicas: [4, 5, 3, 1, 2],
      removingReplicas: [1, 2],
      addingReplicas: [4, 5],
      leaderRecoveryState: -1,
      directories: [4, 5, 3, 1, 2].map(id => uuidOf(`directory${id}`)),
      eligibleLeaderReplicas: null,
      lastKnownElr: null,
    })
    expect(harness.partition('orders')).toMatchObject({ leader: 1, leaderEpoch: 0, isr: [1, 2, 3] })
  })

  it('is complete when all of the target is in sync, and not before', () => {
    const harness = brokers(6)
    harness.createTopic('orders', [[1, 2, 3]])
    reassign(harness, [3, 4, 5])
    harness.alterIsr(harness.isrProposal('orders', [1, 2, 3, 4]))
    expect(harness.partition('orders')).toMatchObject({ replicas: [3, 4, 5, 1, 2], removingReplicas: [1, 2] })
    // The leader goes as well: it learns that there is another one.
    expect(harness.alterIsr(harness.isrProposal('orders', [1, 2, 3, 4, 5]))).toMatchObject(
      refused('NEW_LEADER_ELECTED'),
    )
    expect(harness.partition('orders')).toMatchObject({
      replicas: [3, 4, 5],
      isr: [3, 4, 5],
      leader: 3,
      leaderEpoch: 1,
      removingReplicas: [],
      addingReplicas: [],
      directories: [3, 4, 5].map(id => uuidOf(`directory${id}`)),
    })
  })

  it('keeps a leader that stays, in a new epoch, so that who is removed stops following', () => {
    const harness = brokers(4)
    harness.createTopic('orders', [[1, 2, 3]])
    reassign(harness, [1, 2, 4])
    expect(harness.alterIsr(harness.isrProposal('orders', [1, 2, 3, 4]))).toMatchObject({
      errorCode: 0,
      isr: [1, 2, 4],
      leaderId: 1,
      leaderEpoch: 1,
    })
  })

  it('to another order, or to fewer replicas in sync, is done at once', () => {
    const harness = brokers(3)
    harness.createTopic('orders', [[1, 2, 3]])
    expect(reassign(harness, [3, 2, 1])).toEqual(done)
    expect(harness.partition('orders')).toMatchObject({ replicas: [3, 2, 1], leader: 1, leaderEpoch: 0 })
    expect(reassign(harness, [3, 2])).toEqual(done)
    expect(harness.partition('orders')).toMatchObject({ replicas: [3, 2], leader: 3, leaderEpoch: 1, isr: [2, 3] })
    const { length } = harness.log
    expect(reassign(harness, [3, 2])).toEqual(done)
    expect(harness.log.length).toBe(length)
  })

  it('takes nothing away while a replica of the target is not in sync', () => {
    const harness = brokers(3)
    harness.createTopic('orders', [[1, 2, 3]])
    harness.alterIsr(harness.isrProposal('orders', [1, 2]))
    reassign(harness, [2, 3])
    expect(harness.partition('orders')).toMatchObject({ replicas: [2, 3, 1], isr: [1, 2], removingReplicas: [1] })
    harness.alterIsr(harness.isrProposal('orders', [1, 2, 3]))
    expect(harness.partition('orders')).toMatchObject({ replicas: [2, 3], leader: 2, removingReplicas: [] })
  })

  it('survives the death of the leader, and of a replica that is added', () => {
    const harness = brokers(5)
    harness.createTopic('orders', [[1, 2]])
    reassign(harness, [3, 4])
    harness.beat(11_000, 2, 3, 5)
    expect(harness.partition('orders')).toMatchObject({ leader: 2, isr: [2], replicas: [3, 4, 1, 2] })
    harness.alterIsr(harness.isrProposal('orders', [2, 3]))
    harness.register(4, { incarnation: 'second' })
    harness.heartbeat(4)
    harness.alterIsr(harness.isrProposal('orders', [2, 3, 4]))
    expect(harness.partition('orders')).toMatchObject({ leader: 3, isr: [3, 4], replicas: [3, 4] })
  })

  it('gives way to another target', () => {
    const harness = brokers(5)
    harness.createTopic('orders', [[1, 2]])
    reassign(harness, [1, 3])
    expect(reassign(harness, [1, 4])).toEqual(done)
    expect(harness.partition('orders')).toMatchObject({
      replicas: [1, 4, 2, 3],
      removingReplicas: [2, 3],
      addingReplicas: [4],
    })
    // Back to where it came from needs nothing new.
    expect(reassign(harness, [1, 2])).toEqual(done)
    expect(harness.partition('orders')).toMatchObject({ replicas: [1, 2], removingReplicas: [], addingReplicas: [] })
  })

  it('is refused, per partition, for what does not exist or cannot be', () => {
    const harness = brokers(3)
    harness.createTopic('orders', [[1, 2]])
    expect(reassign(harness, [1], { name: 'nothing' })).toMatchObject(refused('UNKNOWN_TOPIC_OR_PARTITION'))
    expect(reassign(harness, [1], { partitionIndex: 7 })).toMatchObject(refused('UNKNOWN_TOPIC_OR_PARTITION'))
    for (const replicas of [[], [1, 1], [1, 9], [-1]]) {
      expect(reassign(harness, replicas)).toMatchObject(refused('INVALID_REPLICA_ASSIGNMENT'))
    }
    expect(harness.partition('orders').replicas).toEqual([1, 2])
  })

  it('keeps the replication factor when told to, counted after the one under way (KIP-860)', () => {
    const harness = brokers(5)
    harness.createTopic('orders', [[1, 2]])
    const same = { allowReplicationFactorChange: false }
    expect(reassign(harness, [1, 2, 3], same)).toMatchObject({
      ...refused('INVALID_REPLICATION_FACTOR'),
      errorMessage: 'The replication factor is changed from 2 to 3',
    })
    expect(reassign(harness, [3, 4], same)).toEqual(done)
    expect(reassign(harness, [3, 5], same)).toEqual(done)
    expect(reassign(harness, [3, 4, 5], same)).toMatchObject(refused('INVALID_REPLICATION_FACTOR'))
  })
})

describe('the cancellation of a reassignment', () => {
  it('takes what was added and keeps what was to be removed, in a new leader epoch', () => {
    const harness = brokers(4)
    harness.createTopic('orders', [[1, 2]])
    reassign(harness, [3, 4])
    harness.alterIsr(harness.isrProposal('orders', [1, 2, 3]))
    expect(reassign(harness, null)).toEqual(done)
    expect(harness.partition('orders')).toMatchObject({
      replicas: [1, 2],
      isr: [1, 2],
      leader: 1,
      leaderEpoch: 1,
      addingReplicas: [],
      removingReplicas: [],
    })
    expect(reassign(harness, null)).toMatchObject({
      ...refused('NO_REASSIGNMENT_IN_PROGRESS'),
      errorMessage: 'No partition reassignment is in progress.',
    })
  })

  it('moves the leadership back when a new replica had it', () => {
    const harness = brokers(4)
    harness.createTopic('orders', [[1, 2]])
    reassign(harness, [3, 4])
    harness.alterIsr(harness.isrProposal('orders', [1, 2, 3]))
    // 1 is fenced: 3, the first of the replicas in sync, leads.
    harness.beat(11_000, 2, 3, 4)
    expect(harness.partition('orders')).toMatchObject({ leader: 3, isr: [2, 3] })
    expect(reassign(harness, null)).toEqual(done)
    expect(harness.partition('orders')).toMatchObject({ replicas: [1, 2], leader: 2, isr: [2] })
  })

  it('that would leave nothing in sync is refused, unless the topic allows unclean elections', () => {
    const harness = brokers(3)
    harness.createTopic('orders', [[1]])
    reassign(harness, [2, 3])
    harness.alterIsr(harness.isrProposal('orders', [1, 2]))
    harness.beat(11_000, 2, 3)
    expect(harness.partition('orders')).toMatchObject({ leader: 2, isr: [2] })
    expect(reassign(harness, null)).toMatchObject(refused('INVALID_REPLICA_ASSIGNMENT'))
    expect(harness.partition('orders')).toMatchObject({ leader: 2, replicas: [2, 3, 1] })
    const config = { name: 'unclean.leader.election.enable', configOperation: 0, value: 'true' }
    const resource = { resourceType: 2, resourceName: 'orders', configs: [config] }
    harness.submit(incrementalAlterConfigs, { validateOnly: false, resources: [resource] })
    expect(reassign(harness, null)).toEqual(done)
    expect(harness.partition('orders')).toMatchObject({ replicas: [1], isr: [1], leader: -1 })
  })
})

describe('the list of reassignments', () => {
  it('has those under way, all or of the partitions asked for', () => {
    const harness = brokers(4)
    harness.createTopic('orders', [
      [1, 2],
      [2, 3],
    ])
    harness.createTopic('still', [[1, 2]])
    expect(list(harness)).toEqual([])
    reassign(harness, [1, 4], { partitionIndex: 1 })
    const under = {
      name: 'orders',
      partitions: [{ partitionIndex: 1, replicas: [1, 4, 2, 3], addingReplicas: [1, 4], removingReplicas: [2, 3] }],
    }
    expect(list(harness)).toEqual([under])
    expect(list(harness, [{ name: 'orders', partitionIndexes: [0, 1, 9] }])).toEqual([under])
    expect(list(harness, [{ name: 'orders', partitionIndexes: [0] }])).toEqual([])
    expect(list(harness, [{ name: 'nothing', partitionIndexes: [0] }])).toEqual([])
  })
})
