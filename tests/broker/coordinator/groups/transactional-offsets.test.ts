import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ShardHarness } from './harness.ts'

const offsetOf = (group: ShardHarness) => group.shard.offsets.of('g').get('t')?.get(0)?.offset
const isUnstable = (group: ShardHarness) => group.shard.offsets.isUnstable('g', 't', 0)

describe('an offset of a transaction', () => {
  it('takes effect with the commit marker, also after a failover in between', () => {
    const group = new ShardHarness()
    group.commit()
    expect(group.commitTransactional().answer).toEqual(['NONE'])
    expect([offsetOf(group), isUnstable(group)]).toEqual([7, true])
    group.reload()
    expect([offsetOf(group), isUnstable(group)]).toEqual([7, true])
    group.endTransaction(true)
    expect([offsetOf(group), isUnstable(group)]).toEqual([70, false])
    group.reload()
    expect([offsetOf(group), isUnstable(group)]).toEqual([70, false])
  })

  it('of an aborted transaction never was', () => {
    const group = new ShardHarness()
    group.commitTransactional()
    group.endTransaction(false)
    expect([offsetOf(group), isUnstable(group)]).toEqual([undefined, false])
    group.reload()
    expect([offsetOf(group), isUnstable(group)]).toEqual([undefined, false])
  })

  it('is unstable from the moment it is written, before it is replicated', () => {
    const group = new ShardHarness()
    group.hold = true
    const commit = group.commitTransactional()
    expect(isUnstable(group)).toBe(true)
    expect(commit.answer).toBeUndefined()
    for (const append of group.held.splice(0)) group.finish(append, 'INVALID_PRODUCER_EPOCH')
    expect(commit.answer).toEqual(['INVALID_PRODUCER_EPOCH'])
    expect(isUnstable(group)).toBe(false)
  })

  it('ends with the marker of its own producer', () => {
    const group = new ShardHarness()
    group.commitTransactional()
    group.commitTransactional({
      producer: { producerId: 6n, producerEpoch: 0 },
      entries: [{ topic: 't', partition: 1, offset: 9, leaderEpoch: -1, metadata: '' }],
    })
    group.endTransaction(true, 6n)
    expect(offsetOf(group)).toBeUndefined()
    expect(group.shard.offsets.of('g').get('t')?.get(1)?.offset).toBe(9)
    expect(isUnstable(group)).toBe(true)
  })

  it('gives way to a commit without transaction that came later in the log', () => {
    const group = new ShardHarness()
    group.commitTransactional()
    group.commit()
    group.endTransaction(true)
    expect(offsetOf(group)).toBe(7)
    group.reload()
    expect(offsetOf(group)).toBe(7)
  })

  it('replaces a commit without transaction that came before it in the log', () => {
    const group = new ShardHarness()
    group.hold = true
    group.commit()
    group.commitTransactional()
    const [first, second] = group.held.splice(0)
    if (first === undefined || second === undefined) throw new Error('two appends were expected')
    group.finish(first, 'NONE')
    group.finish(second, 'NONE')
    group.endTransaction(true)
    expect(offsetOf(group)).toBe(70)
  })

  it('whose end a failover finds above the high watermark is not told until that is replicated', () => {
    const group = new ShardHarness()
    group.commit()
    group.commitTransactional()
    group.endTransaction(true)
    group.reload(2)
    expect(group.shard.fetchError('g', null, -1)).toBe('COORDINATOR_LOAD_IN_PROGRESS')
    group.step(shard => shard.tailCommitted())
    expect([group.shard.fetchError('g', null, -1), offsetOf(group)]).toEqual(['NONE', 70])
  })

  it('that is pending above the high watermark leaves the one before it as it is', () => {
    const group = new ShardHarness()
    group.commit()
    group.commitTransactional()
    group.reload(1)
    expect([group.shard.fetchError('g', null, -1), offsetOf(group), isUnstable(group)]).toEqual(['NONE', 7, true])
  })

  it('is told as the order of the log has it, wherever the high watermark was when a failover loaded it', () => {
    const ending = fc.record({ offset: fc.nat(1000), committed: fc.boolean(), isTransactional: fc.boolean() })
    fc.assert(
      fc.property(fc.array(ending, { minLength: 1, maxLength: 8 }), fc.nat(20), (endings, highWatermark) => {
        const group = new ShardHarness()
        let last: number | undefined
        for (const { offset, committed, isTransactional } of endings) {
          const entries = [{ topic: 't', partition: 0, offset, leaderEpoch: -1, metadata: '' }]
          if (isTransactional) {
            group.commitTransactional({ entries })
            group.endTransaction(committed)
          } else group.commit({ entries })
          if (committed || !isTransactional) last = offset
        }
        group.reload(highWatermark)
        group.step(shard => shard.tailCommitted())
        expect([group.shard.fetchError('g', null, -1), offsetOf(group)]).toEqual(['NONE', last])
      }),
    )
  })

  it('does not expire while the transaction is open, and is deleted with its group', () => {
    const group = new ShardHarness()
    group.commit()
    group.commitTransactional()
    group.pass(200_000)
    group.step(shard => shard.expireOffsets())
    expect(offsetOf(group)).toBe(7)
    const answers: string[] = []
    const remove = () => group.step(shard => shard.deleteGroup('g', { resolve: answer => void answers.push(answer) }))
    remove()
    group.endTransaction(true)
    expect(answers).toEqual(['NONE'])
    expect(offsetOf(group)).toBeUndefined()
    group.reload()
    expect(offsetOf(group)).toBeUndefined()
  })

  it('comes from members of the current generation, or from clients that know no membership', () => {
    const group = new ShardHarness()
    expect(group.commitTransactional({ memberId: 'x', generationId: 1 }).answer).toEqual(['ILLEGAL_GENERATION'])
    const { leader, generationId } = group.stablePair()
    expect(group.commitTransactional().answer).toEqual(['NONE'])
    expect(group.commitTransactional({ memberId: leader, generationId }).answer).toEqual(['NONE'])
    expect(group.commitTransactional({ memberId: leader, generationId: 1 }).answer).toEqual(['ILLEGAL_GENERATION'])
    expect(group.commitTransactional({ memberId: 'x', generationId }).answer).toEqual(['UNKNOWN_MEMBER_ID'])
    expect(group.commitTransactional({ memberId: 'x', generationId: -1 }).answer).toEqual(['UNKNOWN_MEMBER_ID'])
  })

  it('of a deleted topic is forgotten although its transaction commits', () => {
    const group = new ShardHarness()
    group.commitTransactional()
    group.step(shard => shard.topicsDeleted(new Set(['t'])))
    group.endTransaction(true)
    expect([offsetOf(group), isUnstable(group)]).toEqual([undefined, false])
    group.reload()
    expect(offsetOf(group)).toBeUndefined()
  })
})

describe('deleting a topic', () => {
  it('forgets commits that are on their way', () => {
    const group = new ShardHarness()
    group.hold = true
    group.commit()
    group.step(shard => shard.topicsDeleted(new Set(['t'])))
    for (const append of group.held.splice(0)) group.finish(append, 'NONE')
    expect(offsetOf(group)).toBeUndefined()
    group.reload()
    expect(offsetOf(group)).toBeUndefined()
  })
})
