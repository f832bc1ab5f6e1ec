import { describe, expect, it } from 'vitest'
import { javaHash, partitionOf } from '#broker/coordinator/runtime/java-hash.ts'
import { consumerProtocolSubscription } from '#broker/protocol/records/consumer-protocol.ts'
import { encodeVersioned } from '#broker/protocol/records/prefixed.ts'
import { ShardHarness } from './harness.ts'

const offsetOf = (group: ShardHarness) => group.shard.offsets.of('g').get('t')?.get(0)?.offset

describe('a committed offset', () => {
  it('is visible once its record is replicated, not before', () => {
    const group = new ShardHarness()
    group.hold = true
    const commit = group.commit()
    expect(offsetOf(group)).toBeUndefined()
    expect(commit.answer).toBeUndefined()
    const [append] = group.held.splice(0)
    if (append !== undefined) group.finish(append, 'NONE')
    expect(commit.answer).toEqual(['NONE'])
    expect(offsetOf(group)).toBe(7)
  })

  it('is not there when its append failed', () => {
    const group = new ShardHarness()
    group.hold = true
    const commit = group.commit()
    const [append] = group.held.splice(0)
    if (append !== undefined) group.finish(append, 'NOT_COORDINATOR')
    expect(commit.answer).toEqual(['NOT_COORDINATOR'])
    expect(offsetOf(group)).toBeUndefined()
  })

  it('survives a failover with metadata and leader epoch', () => {
    const group = new ShardHarness()
    group.commit()
    group.reload()
    expect(group.shard.offsets.of('g').get('t')?.get(0)).toMatchObject({ offset: 7, leaderEpoch: 2, metadata: 'm' })
  })

  it('that a failover finds above the high watermark is not told until it is replicated, nor is the one before it', () => {
    const group = new ShardHarness()
    const commit = (offset: number) =>
      group.commit({ entries: [{ topic: 't', partition: 0, offset, leaderEpoch: -1, metadata: '' }] })
    const told = () => {
      const refusal = group.shard.fetchError('g', null, -1)
      return refusal === 'NONE' ? offsetOf(group) : refusal
    }
    commit(1)
    commit(2)
    group.reload(1)
    expect(told()).toBe('COORDINATOR_LOAD_IN_PROGRESS')
    expect(group.shard.fetchError('another', null, -1)).toBe('NONE')
    group.step(shard => shard.tailCommitted())
    expect(told()).toBe(2)
    // Nor is what came later undone.
    group.reload(0)
    commit(3)
    expect(told()).toBe('COORDINATOR_LOAD_IN_PROGRESS')
    group.step(shard => shard.tailCommitted())
    expect([told(), group.state]).toEqual([3, 'Empty'])
  })

  it('that a failover finds deleted above the high watermark is not told either', () => {
    const group = new ShardHarness()
    group.commit()
    const partitions = [{ topic: 't', partition: 0 }]
    group.step(shard => shard.deleteOffsets('g', partitions, { resolve: () => undefined }))
    group.reload(1)
    expect(group.shard.fetchError('g', null, -1)).toBe('COORDINATOR_LOAD_IN_PROGRESS')
    group.step(shard => shard.tailCommitted())
    expect([group.shard.fetchError('g', null, -1), offsetOf(group)]).toEqual(['NONE', undefined])
  })

  it('with too much metadata is refused while the others of the request are stored', () => {
    const group = new ShardHarness()
    const commit = group.commit({
      entries: [
        { topic: 't', partition: 0, offset: 1, leaderEpoch: -1, metadata: 'x'.repeat(11) },
        { topic: 't', partition: 1, offset: 2, leaderEpoch: -1, metadata: '' },
      ],
    })
    expect(commit.answer).toEqual(['OFFSET_METADATA_TOO_LARGE', 'NONE'])
    expect(offsetOf(group)).toBeUndefined()
  })

  it('comes from the members of the current generation only', () => {
    const group = new ShardHarness()
    const { leader, generationId } = group.stablePair()
    expect(group.commit().answer).toEqual(['UNKNOWN_MEMBER_ID'])
    expect(group.commit({ memberId: leader, generationId: generationId - 1 }).answer).toEqual(['ILLEGAL_GENERATION'])
    expect(group.commit({ memberId: leader, generationId }).answer).toEqual(['NONE'])
  })

  it('cannot be written while members wait for their assignment', () => {
    const group = new ShardHarness()
    group.join()
    expect(group.commit({ memberId: 'member-1', generationId: 1 }).answer).toEqual(['REBALANCE_IN_PROGRESS'])
  })

  it('expires after offsets.retention.minutes without use, and the group with it', () => {
    const group = new ShardHarness()
    group.commit()
    group.pass(99_999)
    group.step(shard => shard.expireOffsets())
    expect(offsetOf(group)).toBe(7)
    group.pass(1)
    group.step(shard => shard.expireOffsets())
    expect(offsetOf(group)).toBeUndefined()
    expect(group.state).toBeUndefined()
    group.reload()
    expect(offsetOf(group)).toBeUndefined()
  })

  it('does not expire while the group has members', () => {
    const group = new ShardHarness()
    const { leader, generationId } = group.stablePair()
    group.commit({ memberId: leader, generationId })
    for (let seconds = 0; seconds < 200; seconds += 5) {
      group.pass(5000)
      for (const member of group.shard.group('g')?.members.keys() ?? []) group.heartbeat(member, generationId)
    }
    group.step(shard => shard.expireOffsets())
    expect(offsetOf(group)).toBe(7)
  })

  it('of a topic that a stable group of consumers reads no more expires, and no other', () => {
    const group = new ShardHarness()
    const metadata = encodeVersioned(consumerProtocolSubscription, 1, {
      ...{ topics: ['t'], userData: null, ownedPartitions: [], generationId: -1, rackId: null },
    })
    const member = { sessionTimeoutMs: 60_000, protocols: [{ name: 'range', metadata }] }
    const { memberId = '', generationId = -1 } = group.join(member).answer ?? {}
    group.sync({ memberId, generationId })
    const entry = { partition: 0, offset: 7, leaderEpoch: -1, metadata: '' }
    const entries = [
      { ...entry, topic: 't' },
      { ...entry, topic: 'u' },
    ]
    expect(group.commit({ memberId, generationId, entries }).answer).toEqual(['NONE', 'NONE'])
    for (let seconds = 0; seconds < 100; seconds += 50) {
      expect(group.heartbeat(memberId, generationId)).toBe('NONE')
      group.pass(50_000)
    }
    group.step(shard => shard.expireOffsets())
    expect([...group.shard.offsets.of('g').keys()]).toEqual(['t'])
    // A rebalance makes it uncertain what is read.
    group.join({ ...member, memberId, protocols: [{ name: 'range', metadata: Buffer.from('?') }] })
    group.pass(50_000)
    group.step(shard => shard.expireOffsets())
    expect([...group.shard.offsets.of('g').keys()]).toEqual(['t'])
  })

  it('holds an empty group in being; one without offsets goes and leaves no record', () => {
    const group = new ShardHarness()
    const { leader, follower, generationId } = group.stablePair()
    group.commit({ memberId: leader, generationId })
    group.leave(leader)
    group.leave(follower)
    group.step(shard => shard.expireOffsets())
    expect(group.state).toBe('Empty')
    group.step(shard => shard.deleteOffsets('g', [{ topic: 't', partition: 0 }], { resolve: () => undefined }))
    group.step(shard => shard.expireOffsets())
    expect(group.state).toBeUndefined()
    group.reload()
    expect(group.shard.list()).toEqual([])
  })

  it('goes with the group that is deleted, which must be empty', () => {
    const group = new ShardHarness()
    const { leader, follower, generationId } = group.stablePair()
    group.commit({ memberId: leader, generationId })
    const answers: string[] = []
    const remove = () => group.step(shard => shard.deleteGroup('g', { resolve: answer => void answers.push(answer) }))
    remove()
    group.leave(leader)
    group.leave(follower)
    remove()
    remove()
    expect(answers).toEqual(['NON_EMPTY_GROUP', 'NONE', 'GROUP_ID_NOT_FOUND'])
    group.reload()
    expect(offsetOf(group)).toBeUndefined()
  })

  it('of a deleted topic is forgotten', () => {
    const group = new ShardHarness()
    group.commit()
    group.step(shard => shard.topicsDeleted(new Set(['t'])))
    group.reload()
    expect(offsetOf(group)).toBeUndefined()
  })
})

describe('the partition of a group', () => {
  it('follows Java’s String.hashCode', () => {
    expect(javaHash('')).toBe(0)
    expect(javaHash('hello')).toBe(99_162_322)
    expect(javaHash('polygenelubricants')).toBe(-2_147_483_648)
    expect(partitionOf('polygenelubricants', 50)).toBe(0)
  })

  it.each([
    ['orders', -1_008_770_331, 31],
    ['live-consumer', -1_212_702_793, 43],
    ['payments-app', -480_600_191, 41],
    ['überweisung', 534_756_355, 5],
  ])('is the one that Apache Kafka computes: %s, whose hash is %d, belongs to %d of 50', (group, hash, partition) => {
    expect(javaHash(group)).toBe(hash)
    expect(partitionOf(group, 50)).toBe(partition)
  })
})
