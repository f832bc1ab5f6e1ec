import { describe, expect, it } from 'vitest'
import { ShardHarness } from './harness.ts'

describe('a rebalance', () => {
  it('gives the leader all members and everyone the same generation', () => {
    const group = new ShardHarness()
    const first = group.join()
    expect(first.answer).toMatchObject({ error: 'NONE', generationId: 1, leader: 'member-1', protocolName: 'range' })
    const second = group.join()
    expect(second.answer).toBeUndefined()
    expect(group.heartbeat('member-1', 1)).toBe('REBALANCE_IN_PROGRESS')
    const again = group.join({ memberId: 'member-1' })
    expect(again.answer).toMatchObject({ generationId: 2, leader: 'member-1' })
    expect(again.answer?.members.map(({ memberId }) => memberId)).toEqual(['member-1', 'member-2'])
    expect(second.answer).toMatchObject({ generationId: 2, leader: 'member-1', members: [] })
  })

  it('ends for a member when the leader’s assignment is committed, not before', () => {
    const group = new ShardHarness()
    group.join()
    group.hold = true
    const synced = group.sync({
      memberId: 'member-1',
      generationId: 1,
      assignments: new Map([['member-1', Buffer.from('a')]]),
    })
    expect(synced.answer).toBeUndefined()
    expect(group.state).toBe('CompletingRebalance')
    const [append] = group.held.splice(0)
    if (append !== undefined) group.finish(append, 'NONE')
    expect(synced.answer).toMatchObject({ error: 'NONE', assignment: Buffer.from('a') })
    expect(group.state).toBe('Stable')
  })

  it('starts over when the assignment could not be committed', () => {
    const group = new ShardHarness()
    group.join()
    group.hold = true
    const synced = group.sync({ memberId: 'member-1', generationId: 1 })
    const [append] = group.held.splice(0)
    if (append !== undefined) group.finish(append, 'COORDINATOR_NOT_AVAILABLE')
    expect(synced.answer?.error).toBe('COORDINATOR_NOT_AVAILABLE')
    expect(group.state).toBe('PreparingRebalance')
  })

  it('goes on without members that do not join again within the rebalance timeout', () => {
    const group = new ShardHarness()
    const { leader, follower } = group.stablePair()
    const third = group.join()
    group.join({ memberId: follower })
    // The old leader stays silent; its session (10 s) ends before the rebalance timeout (20 s).
    group.pass(20_000)
    expect(third.answer?.error).toBe('NONE')
    expect(group.shard.group('g')?.members.has(leader)).toBe(false)
    expect(third.answer?.leader).toBe(follower)
  })

  it('starts over without a member that joined but did not sync in time', () => {
    const group = new ShardHarness()
    group.join({ sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 5000 })
    group.pass(5000)
    expect(group.state).toBe('Empty')
  })

  it('waits for more members in a new group, as long as they keep coming (KIP-134)', () => {
    const group = new ShardHarness(3000)
    const first = group.join()
    group.pass(2000)
    const second = group.join()
    group.pass(1500)
    expect(first.answer).toBeUndefined()
    group.pass(3000)
    expect(first.answer?.generationId).toBe(1)
    expect(second.answer?.generationId).toBe(1)
  })
})

describe('the first rebalance', () => {
  it('waits for the delay alone, not for ids that were given out', () => {
    const atOnce = new ShardHarness(0)
    atOnce.join({ memberIdRequired: true })
    expect(atOnce.join().answer?.generationId).toBe(1)
    const delayed = new ShardHarness(3000)
    delayed.join({ memberIdRequired: true })
    const member = delayed.join()
    delayed.pass(2999)
    expect(member.answer).toBeUndefined()
    delayed.pass(3001)
    expect(member.answer?.generationId).toBe(1)
  })

  it('waits no longer than the rebalance timeout of its members, however many keep coming (KIP-134)', () => {
    const group = new ShardHarness(3000)
    const first = group.join({ rebalanceTimeoutMs: 7000 })
    for (let count = 0; count < 3; count++) {
      group.pass(2000)
      group.join({ rebalanceTimeoutMs: 7000 })
    }
    group.pass(999)
    expect(first.answer).toBeUndefined()
    group.pass(1)
    expect(first.answer?.generationId).toBe(1)
    expect(first.answer?.members).toHaveLength(4)
  })
})

describe('membership', () => {
  it('begins with an id from the coordinator when the client knows KIP-394', () => {
    const group = new ShardHarness()
    const told = group.join({ memberIdRequired: true })
    expect(told.answer).toMatchObject({ error: 'MEMBER_ID_REQUIRED', memberId: 'member-1' })
    expect(group.join({ memberId: 'member-1', memberIdRequired: true }).answer?.error).toBe('NONE')
    expect(group.join({ memberId: 'made-up' }).answer?.error).toBe('UNKNOWN_MEMBER_ID')
  })

  it('ends with the session, and the others rebalance', () => {
    const group = new ShardHarness()
    const { leader, follower, generationId } = group.stablePair()
    group.pass(9000)
    expect(group.heartbeat(leader, generationId)).toBe('NONE')
    group.pass(2000)
    expect(group.heartbeat(follower, generationId)).toBe('UNKNOWN_MEMBER_ID')
    expect(group.heartbeat(leader, generationId)).toBe('REBALANCE_IN_PROGRESS')
  })

  it('is refused to a generation that is over', () => {
    const group = new ShardHarness()
    const { leader, generationId } = group.stablePair()
    expect(group.heartbeat(leader, generationId - 1)).toBe('ILLEGAL_GENERATION')
  })

  it('is refused without a protocol in common', () => {
    const group = new ShardHarness()
    group.join()
    const other = group.join({ protocols: [{ name: 'sticky', metadata: Buffer.alloc(0) }] })
    expect(other.answer?.error).toBe('INCONSISTENT_GROUP_PROTOCOL')
  })

  it('is refused beyond group.max.size', () => {
    const group = new ShardHarness(3000)
    for (let index = 0; index < 5; index++) group.join()
    expect(group.join().answer?.error).toBe('GROUP_MAX_SIZE_REACHED')
  })

  it('is for the first to join again when a failover finds more members than group.max.size allows (KIP-389)', () => {
    const group = new ShardHarness()
    const { leader, follower, generationId } = group.stablePair()
    group.maxSize = 1
    group.reload()
    expect(group.state).toBe('PreparingRebalance')
    expect(group.heartbeat(leader, generationId)).toBe('REBALANCE_IN_PROGRESS')
    expect(group.commit({ memberId: follower, generationId }).answer).toEqual(['NONE'])
    const first = group.join({ memberId: follower, sessionTimeoutMs: 60_000 })
    expect(group.join({ memberId: leader }).answer?.error).toBe('GROUP_MAX_SIZE_REACHED')
    group.pass(20_000)
    expect(first.answer).toMatchObject({ error: 'NONE', leader: follower, generationId: generationId + 1 })
    expect(group.shard.group('g')?.members.size).toBe(1)
  })

  it('keeps the id of a newcomer for its session timeout, and a rebalance waits for it (KIP-394)', () => {
    const group = new ShardHarness()
    const { leader, generationId } = group.stablePair()
    group.join({ memberIdRequired: true, sessionTimeoutMs: 6000 })
    const waiting = group.join({ memberId: leader, protocols: [{ name: 'range', metadata: Buffer.from('other') }] })
    group.join({ memberId: 'member-2' })
    group.pass(5999)
    expect(waiting.answer).toBeUndefined()
    group.pass(1)
    expect(waiting.answer?.generationId).toBe(generationId + 1)
    expect(group.join({ memberId: 'member-3' }).answer?.error).toBe('UNKNOWN_MEMBER_ID')
  })

  it('of a static leader that comes back is told to older clients as the former leader’s (KIP-814)', () => {
    const group = new ShardHarness()
    group.join({ groupInstanceId: 'i' })
    group.sync({ memberId: 'member-1', groupInstanceId: 'i', generationId: 1 })
    const old = group.join({ groupInstanceId: 'i', skipAssignmentSupported: false })
    expect(old.answer).toMatchObject({ leader: 'member-1', memberId: 'member-2', skipAssignment: false, members: [] })
    const recent = group.join({ groupInstanceId: 'i' })
    expect(recent.answer).toMatchObject({ leader: 'member-3', memberId: 'member-3', skipAssignment: true })
    expect(recent.answer?.members).toHaveLength(1)
  })

  it('of a static member outlives an absence shorter than its session, through a rebalance too', () => {
    const group = new ShardHarness()
    group.join({ groupInstanceId: 'i', sessionTimeoutMs: 60_000, rebalanceTimeoutMs: 5000 })
    group.sync({ memberId: 'member-1', groupInstanceId: 'i', generationId: 1 })
    const second = group.join({ rebalanceTimeoutMs: 5000, sessionTimeoutMs: 60_000 })
    group.pass(5000)
    expect(second.answer).toMatchObject({ generationId: 2, leader: 'member-2' })
    expect(second.answer?.members.map(({ memberId }) => memberId)).toEqual(['member-1', 'member-2'])
  })

  it('of a static member passes to the instance that comes back, without a rebalance (KIP-345)', () => {
    const group = new ShardHarness()
    const first = group.join({ groupInstanceId: 'i' })
    group.sync({
      memberId: 'member-1',
      groupInstanceId: 'i',
      generationId: 1,
      assignments: new Map([['member-1', Buffer.from('a')]]),
    })
    // Its metadata may differ: a consumer that starts anew owns no partitions.
    const back = group.join({ groupInstanceId: 'i', protocols: [{ name: 'range', metadata: Buffer.from('anew') }] })
    expect(first.answer?.generationId).toBe(1)
    expect(back.answer).toMatchObject({ error: 'NONE', generationId: 1, memberId: 'member-2', skipAssignment: true })
    expect(group.state).toBe('Stable')
    expect(group.heartbeat('member-1', 1, 'i')).toBe('FENCED_INSTANCE_ID')
    const synced = group.sync({ memberId: 'member-2', groupInstanceId: 'i', generationId: 1 })
    expect(synced.answer?.assignment).toEqual(Buffer.from('a'))
  })

  it('that ends by leaving makes an empty group', () => {
    const group = new ShardHarness()
    const { leader, follower } = group.stablePair()
    expect(group.leave(leader)).toBe('NONE')
    expect(group.leave(follower)).toBe('NONE')
    expect(group.state).toBe('Empty')
    expect(group.leave(leader)).toBe('UNKNOWN_MEMBER_ID')
  })
})

describe('a failover of the coordinator', () => {
  it('keeps generation, leader and assignments', () => {
    const group = new ShardHarness()
    const { leader, follower, generationId } = group.stablePair()
    group.reload()
    expect(group.state).toBe('Stable')
    expect(group.heartbeat(leader, generationId)).toBe('NONE')
    expect(group.sync({ memberId: follower, generationId }).answer?.assignment).toEqual(Buffer.from('p1'))
  })

  it('answers everybody who waits with NOT_COORDINATOR', () => {
    const group = new ShardHarness()
    group.stablePair()
    const waiting = group.join()
    group.step(shard => shard.unload())
    expect(waiting.answer?.error).toBe('NOT_COORDINATOR')
  })
})
