import { describe, expect, test } from 'vitest'
import { Changes, type Change } from '#scripts/observe/changes.ts'
import { unknown } from '#scripts/observe/model.ts'
import { changeInWords } from '#scripts/observe/words.ts'
import { group, log, member, observation, partition, quorum, transaction, type Scene } from './sample.ts'

const whole = { topics: true, groups: true, transactions: true }
const silence = unknown('broker 1 gave no answer within 1000 ms')

/** What changed in the last of these, told one after the other. */
function changesOf(...scenes: readonly Scene[]): Change[] {
  const changes = new Changes()
  return scenes.map(scene => changes.since(observation(scene), whole)).at(-1) ?? []
}

describe('changes between observations', () => {
  test('are none at first, and none while nothing changes', () => {
    expect(changesOf({})).toEqual([])
    expect(changesOf({}, {})).toEqual([])
  })

  test('of a partition: leader, epoch, in-sync set, eligible replicas', () => {
    const after = { partition: partition({ leader: 2, leaderEpoch: 4, isr: [2, 3], elr: [1] }) }
    expect(changesOf({}, after)).toEqual([
      { kind: 'leaderChanged', partition: 'orders-0', leaderEpoch: 4, from: 1, to: 2 },
      { kind: 'epochBumped', partition: 'orders-0', from: 3, to: 4 },
      { kind: 'isrShrunk', partition: 'orders-0', left: [1], isr: [2, 3] },
      { kind: 'elrChanged', partition: 'orders-0', from: [], to: [1] },
    ])
  })

  test('of an in-sync set that lost one and got another are two', () => {
    const scenes = [{ partition: partition({ isr: [1, 2] }) }, { partition: partition({ isr: [1, 3] }) }]
    expect(changesOf(...scenes)).toEqual([
      { kind: 'isrShrunk', partition: 'orders-0', left: [2], isr: [1, 3] },
      { kind: 'isrGrew', partition: 'orders-0', joined: [3], isr: [1, 3] },
    ])
  })

  test('of a high watermark are told against the last one that was known', () => {
    const at = (highWatermark: number) => ({ partition: partition({ highWatermark }) })
    const nobodyKnows = { partition: partition({ highWatermark: silence }) }
    expect(changesOf(at(10), at(12))).toEqual([{ kind: 'highWatermarkRose', partition: 'orders-0', from: 10, to: 12 }])
    expect(changesOf(at(10), nobodyKnows)).toEqual([])
    expect(changesOf(at(10), nobodyKnows, at(10))).toEqual([])
    expect(changesOf(at(10), nobodyKnows, { partition: silence }, at(8))).toEqual([
      { kind: 'highWatermarkFell', partition: 'orders-0', from: 10, to: 8 },
    ])
  })

  test('of a log that ends earlier than before name the replica', () => {
    const before = { partition: partition({ logs: { '1': log(10), '2': log(14) } }) }
    const during = { partition: partition({ logs: { '1': log(10), '2': silence } }) }
    const after = { partition: partition({ logs: { '1': log(11), '2': log(10) } }) }
    expect(changesOf(before, during, after)).toEqual([
      { kind: 'logCut', partition: 'orders-0', broker: 2, from: 14, to: 10 },
    ])
  })

  test('of a topic that was deleted and created again are no falling watermark', () => {
    const again = { topicId: 'U', partition: partition({ highWatermark: 0, leaderEpoch: 0 }) }
    expect(changesOf({}, again)).toEqual([
      { kind: 'topicGone', topic: 'orders' },
      { kind: 'topicAppeared', topic: 'orders' },
    ])
    expect(changesOf({}, { topic: 'absent' })).toEqual([{ kind: 'topicGone', topic: 'orders' }])
    expect(changesOf({ topic: 'absent' }, {})).toEqual([{ kind: 'topicAppeared', topic: 'orders' }])
  })

  test('of brokers: silence with its reason, and what the cluster thinks of them', () => {
    expect(changesOf({}, { silent: [3], fenced: [3] })).toEqual([
      { kind: 'brokerSilent', broker: 3, reason: 'broker 3 gave no answer within 1000 ms' },
      { kind: 'registrationChanged', broker: 3, from: 'alive', to: 'fenced' },
    ])
    expect(changesOf({ silent: [3] }, {})).toEqual([{ kind: 'brokerAnswers', broker: 3 }])
  })

  test('of the quorum', () => {
    expect(changesOf({}, { quorum: silence }, { quorum: quorum({ leader: 2, epoch: 7 }) })).toEqual([
      { kind: 'quorumLeaderChanged', epoch: 7, from: 1, to: 2 },
      { kind: 'quorumEpochBumped', from: 5, to: 7 },
    ])
  })

  test('of a group: members, epoch, state, coordinator', () => {
    const after = group({ state: 'Reconciling', epoch: 5, coordinator: 3, members: [member('m-2', ['orders-0'])] })
    expect(changesOf({}, { group: silence }, { group: after })).toEqual([
      { kind: 'memberJoined', group: 'readers', member: 'm-2', clientId: 'client of m-2' },
      { kind: 'memberLeft', group: 'readers', member: 'm-1', clientId: 'client of m-1' },
      { kind: 'groupRebalanced', group: 'readers', from: 4, to: 5 },
      { kind: 'groupStateChanged', group: 'readers', from: 'Stable', to: 'Reconciling' },
      { kind: 'coordinatorChanged', group: 'readers', from: 2, to: 3 },
    ])
    expect(changesOf({}, { group: null })).toEqual([{ kind: 'groupGone', group: 'readers' }])
    expect(changesOf({ group: null }, {})).toEqual([{ kind: 'groupAppeared', group: 'readers', state: 'Stable' }])
  })

  test('of a classic group, which tells no epoch: its members have other partitions', () => {
    const classic = (assignment: string[]) =>
      group({ type: 'classic', epoch: null, members: [member('m-1', assignment)] })
    const [before, after] = [classic(['orders-0']), classic(['orders-0', 'orders-1'])]
    expect(changesOf({ group: before }, { group: before })).toEqual([])
    expect(changesOf({ group: before }, { group: after })).toEqual([
      { kind: 'groupRebalanced', group: 'readers', from: null, to: null },
    ])
  })

  test('of a transaction', () => {
    const after = transaction({ state: 'CompleteAbort', producerEpoch: 3 })
    expect(changesOf({}, { transaction: after })).toEqual([
      { kind: 'transactionStateChanged', transactionalId: 'payer', from: 'Ongoing', to: 'CompleteAbort' },
      { kind: 'producerEpochBumped', transactionalId: 'payer', from: 2, to: 3 },
    ])
    expect(changesOf({}, { transaction: null })).toEqual([{ kind: 'transactionGone', transactionalId: 'payer' }])
  })

  test('say that something appeared only when it is certain that it was not there', () => {
    const without = { ...observation(), groups: {} }
    const appeared = [{ kind: 'groupAppeared', group: 'readers', state: 'Stable' }]
    const told = (wasWhole: boolean) => {
      const changes = new Changes()
      changes.since(without, { ...whole, groups: wasWhole })
      return changes.since(observation(), whole)
    }
    expect(told(true)).toEqual(appeared)
    expect(told(false)).toEqual([])
    expect(changesOf({ group: silence }, {})).toEqual([])
  })

  test('each have words of their own', () => {
    const scenes: Scene[] = [
      { partition: partition({ leader: -1, leaderEpoch: 4, isr: [3], elr: [1, 2], replicas: [1, 2, 3, 4] }) },
      { partition: partition({ highWatermark: 8, logStartOffset: 2, logs: { '1': log(8), '2': log(10) } }) },
      { silent: [1], fenced: [2], quorum: quorum({ leader: 2, epoch: 6, voters: [] }) },
      { group: group({ state: 'Empty', epoch: 5, coordinator: 1, members: [member('m-2', [])] }) },
      { transaction: transaction({ state: 'CompleteCommit', producerEpoch: 3 }) },
      { topic: 'absent', group: null, transaction: null },
    ]
    const all = scenes.flatMap(scene => [...changesOf({}, scene), ...changesOf(scene, {})])
    const kinds = new Map(all.map(change => [change.kind, changeInWords(change)]))
    expect(new Set(kinds.values()).size).toBe(kinds.size)
    expect(kinds.get('highWatermarkFell')).toBe('orders-0: the high watermark FELL from 10 to 8')
    expect(kinds.get('brokerSilent')).toBe('broker 1 is silent: broker 1 gave no answer within 1000 ms')
    expect([...kinds.keys()].sort()).toEqual([
      'brokerAnswers',
      'brokerSilent',
      'coordinatorChanged',
      'elrChanged',
      'epochBumped',
      'groupAppeared',
      'groupGone',
      'groupRebalanced',
      'groupStateChanged',
      'highWatermarkFell',
      'highWatermarkRose',
      'isrGrew',
      'isrShrunk',
      'leaderChanged',
      'logCut',
      'logStartRose',
      'memberJoined',
      'memberLeft',
      'producerEpochBumped',
      'quorumEpochBumped',
      'quorumLeaderChanged',
      'registrationChanged',
      'replicasChanged',
      'topicAppeared',
      'topicGone',
      'transactionAppeared',
      'transactionGone',
      'transactionStateChanged',
      'votersChanged',
    ])
  })
})
