import { describe, expect, it } from 'vitest'
import { consumerProtocolAssignment, consumerProtocolSubscription } from '#broker/protocol/records/consumer-protocol.ts'
import { decodeVersioned, encodeVersioned } from '#broker/protocol/records/prefixed.ts'
import { Consumer, ConsumerHarness, settle } from './consumer-harness.ts'

const subscribe = (owned: readonly number[] = []): Buffer =>
  encodeVersioned(consumerProtocolSubscription, 3, {
    topics: ['t'],
    userData: null,
    ownedPartitions: owned.length === 0 ? [] : [{ topic: 't', partitions: [...owned] }],
    generationId: -1,
    rackId: null,
  })
const assign = (partitions: readonly number[]): Buffer =>
  encodeVersioned(consumerProtocolAssignment, 1, {
    assignedPartitions: [{ topic: 't', partitions: [...partitions] }],
    userData: null,
  })
const protocols = (owned: readonly number[] = []) => [{ name: 'range', metadata: subscribe(owned) }]
const partitionsIn = (bytes: Buffer | undefined): number[] =>
  bytes === undefined
    ? []
    : decodeVersioned(consumerProtocolAssignment, bytes).value.assignedPartitions.flatMap(each => each.partitions)

/** A classic group with one consumer that has all four partitions. */
function classic(): { group: ConsumerHarness; memberId: string } {
  const group = new ConsumerHarness()
  const joined = group.join({ protocols: protocols() }).answer
  const memberId = joined?.memberId ?? ''
  const assignments = new Map([[memberId, assign([0, 1, 2, 3])]])
  group.sync({ memberId, generationId: joined?.generationId ?? -1, assignments })
  return { group, memberId }
}

describe('a classic group', () => {
  it('becomes a consumer group with its first member of the new protocol, and shares without two owners', () => {
    const { group, memberId } = classic()
    const modern = new Consumer(group, 'modern')
    modern.beat()
    expect([modern.has, group.group?.members.size]).toEqual(['', 2])
    expect(group.heartbeat(memberId, 1)).toBe('REBALANCE_IN_PROGRESS')
    const first = group.join({ memberId, protocols: protocols([0, 1, 2, 3]) }).answer
    const told = group.sync({ memberId, generationId: first?.generationId ?? -1 }).answer
    const kept = partitionsIn(told?.assignment)
    expect(kept.length).toBe(2)
    modern.beat()
    expect(modern.has).toBe('')
    group.reload()
    const again = group.join({ memberId, protocols: protocols(kept) }).answer
    settle([modern])
    expect([...kept.map(each => `t${each}`), ...modern.owned].sort().join(' ')).toBe('t0 t1 t2 t3')
    expect(group.heartbeat(memberId, again?.generationId ?? -1)).toBe('NONE')
  })

  it('is there again when the last member of the new protocol leaves', () => {
    const { group, memberId } = classic()
    const modern = new Consumer(group, 'modern')
    modern.beat()
    modern.leave()
    expect([group.group, group.state]).toEqual([undefined, 'PreparingRebalance'])
    expect(group.join({ memberId, protocols: protocols() }).answer?.error).toBe('NONE')
    group.reload()
    expect(group.shard.group('g')?.members.has(memberId)).toBe(true)
  })

  it('stays what it is where the policy says so, and when its members are no consumers', () => {
    const { group } = classic()
    group.consumerSettings = { ...group.consumerSettings, migrationPolicy: 'DOWNGRADE' }
    expect(group.beat({ memberId: 'modern' }).answer?.error).toBe('GROUP_ID_NOT_FOUND')
    const connect = new ConsumerHarness()
    connect.join({ protocolType: 'connect' })
    expect(connect.beat({ memberId: 'modern' }).answer?.error).toBe('GROUP_ID_NOT_FOUND')
  })
})
