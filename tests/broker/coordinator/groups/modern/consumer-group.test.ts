import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Consumer, ConsumerHarness, settle, text } from './consumer-harness.ts'

describe('a consumer group', () => {
  it('gives the first member everything, and shares with the second without two owners at once', () => {
    const group = new ConsumerHarness()
    const one = new Consumer(group, 'one')
    const two = new Consumer(group, 'two')
    one.beat()
    expect([one.has, one.epoch, group.group?.state]).toEqual(['t0 t1 t2 t3', 2, 'Stable'])
    two.beat()
    expect([two.has, two.epoch, group.group?.state]).toEqual(['', 3, 'Reconciling'])
    const told = one.beat()
    expect([text(told?.assignment), one.epoch]).toEqual([one.has, 2])
    two.beat()
    expect(two.has).toBe('')
    one.beat()
    expect(one.epoch).toBe(3)
    two.beat()
    expect([...one.owned, ...two.owned].sort().join(' ')).toBe('t0 t1 t2 t3')
    expect([one.owned.size, two.owned.size, group.group?.state]).toEqual([2, 2, 'Stable'])
  })

  it('has epoch 1 while nobody subscribes to anything, so that no member stays in the epoch of those that join', () => {
    const group = new ConsumerHarness()
    const idle = new Consumer(group, 'idle', { subscribedTopicNames: [] })
    idle.beat()
    expect([idle.epoch, group.group?.groupEpoch, group.group?.state]).toEqual([1, 1, 'Stable'])
    group.reload()
    idle.beat()
    expect([idle.error, idle.epoch, group.group?.groupEpoch]).toEqual(['NONE', 1, 1])
    const reader = new Consumer(group, 'reader', { subscribedTopicNames: ['none'] })
    reader.beat()
    expect([reader.epoch, group.group?.groupEpoch]).toEqual([2, 2])
  })

  it('is the same after a failover', () => {
    const group = new ConsumerHarness()
    const members = [new Consumer(group, 'one'), new Consumer(group, 'two')]
    settle(members)
    const before = members.map(({ has, epoch }) => `${has}@${epoch}`)
    group.reload()
    settle(members)
    expect(members.map(({ has, epoch }) => `${has}@${epoch}`)).toEqual(before)
    expect(group.group?.state).toBe('Stable')
  })

  it('fences a member with an epoch that it never had, and one that is behind and owns what it may not', () => {
    const group = new ConsumerHarness()
    const one = new Consumer(group, 'one')
    one.beat()
    expect(group.beat({ memberId: 'one', memberEpoch: 7 }).answer?.error).toBe('FENCED_MEMBER_EPOCH')
    const two = new Consumer(group, 'two')
    settle([one, two])
    const behind = { memberId: 'one', memberEpoch: 2 }
    expect(group.beat({ ...behind, owned: group.group?.targetOf('two') ?? null }).answer?.error).toBe(
      'FENCED_MEMBER_EPOCH',
    )
    expect(group.beat({ ...behind, owned: group.group?.targetOf('one') ?? null }).answer?.error).toBe('NONE')
    expect(group.beat({ memberId: 'who', memberEpoch: 1 }).answer?.error).toBe('UNKNOWN_MEMBER_ID')
    expect(group.beat({ memberId: 'who', memberEpoch: 1, groupId: 'h' }).answer?.error).toBe('GROUP_ID_NOT_FOUND')
  })

  it('drops a member that is silent for its session, and gives its partitions away', () => {
    const group = new ConsumerHarness()
    const one = new Consumer(group, 'one')
    const two = new Consumer(group, 'two')
    settle([one, two])
    for (let seconds = 0; seconds < 50; seconds += 5) {
      group.pass(5000)
      one.beat()
    }
    settle([one])
    expect(one.has).toBe('t0 t1 t2 t3')
    two.beat()
    expect(two.error).toBe('UNKNOWN_MEMBER_ID')
  })

  it('drops a member that does not give up its partitions within its rebalance timeout', () => {
    const group = new ConsumerHarness()
    const one = new Consumer(group, 'one')
    const two = new Consumer(group, 'two')
    one.beat()
    two.beat()
    one.beat()
    for (let seconds = 0; seconds < 30; seconds += 5) {
      group.pass(5000)
      group.beat({ memberId: 'one', memberEpoch: 2, subscribedTopicNames: null, rebalanceTimeoutMs: -1, owned: null })
      two.beat()
    }
    settle([two])
    expect(two.has).toBe('t0 t1 t2 t3')
  })

  it('sees new partitions and deleted topics', () => {
    const group = new ConsumerHarness({ t: 1 })
    const one = new Consumer(group, 'one')
    one.beat()
    expect(one.has).toBe('t0')
    group.setTopics({ t: 3 })
    settle([one])
    expect(one.has).toBe('t0 t1 t2')
    group.setTopics({ u: 1 })
    settle([one])
    expect(one.has).toBe('')
  })

  it('keeps the partitions of a static member that leaves for a while, and fences its former self', () => {
    const group = new ConsumerHarness()
    const old = new Consumer(group, 'old', { instanceId: 'i' })
    const other = new Consumer(group, 'other')
    settle([old, other])
    const had = old.has
    const early = group.beat({ memberId: 'new', instanceId: 'i' })
    expect(early.answer?.error).toBe('UNRELEASED_INSTANCE_ID')
    old.leave(-2)
    const epoch = group.group?.groupEpoch
    const back = new Consumer(group, 'new', { instanceId: 'i' })
    back.beat()
    expect([back.has, group.group?.groupEpoch]).toEqual([had, epoch])
    const fenced = group.beat({ memberId: 'old', memberEpoch: 3, instanceId: 'i' })
    expect(fenced.answer?.error).toBe('FENCED_INSTANCE_ID')
  })

  it('subscribes by pattern, also to topics that come later', () => {
    const group = new ConsumerHarness({ 'a-1': 1, 'a-2': 1, b: 1 })
    const one = new Consumer(group, 'one', { subscribedTopicNames: null, subscribedTopicRegex: 'a-.*' })
    one.beat()
    expect(one.has).toBe('a-10 a-20')
    group.setTopics({ 'a-1': 1, 'a-2': 1, 'a-3': 1, b: 1 })
    group.pass(11_000)
    settle([one])
    expect(one.has).toBe('a-10 a-20 a-30')
    group.reload()
    settle([one])
    expect(one.has).toBe('a-10 a-20 a-30')
    const wrong = group.beat({ memberId: 'two', subscribedTopicNames: null, subscribedTopicRegex: '(' })
    expect(wrong.answer?.error).toBe('INVALID_REGULAR_EXPRESSION')
  })

  it('answers once its records are committed, and so does one who reads them', () => {
    const group = new ConsumerHarness()
    group.hold = true
    const first = group.beat({ memberId: 'one' })
    const again = group.beat({ memberId: 'one' })
    expect([first.answer, again.answer]).toEqual([undefined, undefined])
    for (const append of group.held.splice(0)) group.finish(append, 'NONE')
    expect([first.answer?.memberEpoch, again.answer?.memberEpoch]).toEqual([2, 2])
  })

  it('lets members commit in the epoch in which they got the partition, or a later one they had', () => {
    const group = new ConsumerHarness()
    const one = new Consumer(group, 'one')
    const two = new Consumer(group, 'two')
    settle([one, two])
    const commit = (memberId: string, epoch: number, partition: number) =>
      group.commit({
        memberId,
        generationId: epoch,
        knowsMemberEpochs: true,
        entries: [{ topic: 't', partition, offset: 1, leaderEpoch: -1, metadata: '' }],
      }).answer?.[0]
    const kept = Number(one.has.slice(1, 2))
    const given = Number(two.has.slice(1, 2))
    expect(commit('one', 3, kept)).toBe('NONE')
    expect(commit('one', 2, kept)).toBe('NONE')
    expect(commit('one', 2, given)).toBe('STALE_MEMBER_EPOCH')
    expect(commit('two', 2, given)).toBe('STALE_MEMBER_EPOCH')
    expect(commit('two', 4, given)).toBe('STALE_MEMBER_EPOCH')
    expect(commit('who', 3, given)).toBe('UNKNOWN_MEMBER_ID')
    expect(group.commit({ memberId: 'one', generationId: 3 }).answer).toEqual(['UNSUPPORTED_VERSION'])
  })

  it('is deleted when it is empty, with its offsets, and can be a classic group afterwards', () => {
    const group = new ConsumerHarness()
    const one = new Consumer(group, 'one')
    one.beat()
    const answers: string[] = []
    const remove = () => group.step(shard => shard.deleteGroup('g', { resolve: answer => void answers.push(answer) }))
    remove()
    one.leave()
    expect(group.group?.state).toBe('Empty')
    remove()
    expect(answers).toEqual(['NON_EMPTY_GROUP', 'NONE'])
    expect(group.group).toBeUndefined()
    group.reload()
    expect(group.group).toBeUndefined()
    expect(group.join().answer?.error).toBe('NONE')
  })
})

const act = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('beat' as const), who: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), who: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), who: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const), who: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reload' as const), who: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('topics' as const), who: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('subscribe' as const), who: fc.nat(4) }) },
)

describe('whatever members do', () => {
  it.each(['uniform', 'range'])('no partition has two owners, and all are served in the end (%s)', serverAssignor => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 80 }), acts => {
        const group = new ConsumerHarness({ t: 5, u: 2 })
        const both = { subscribedTopicNames: ['t', 'u'], serverAssignor }
        const consumers = Array.from({ length: 5 }, (_, index) => new Consumer(group, `m${index}`, both))
        for (const { kind, who } of acts) {
          const consumer = consumers[who % 5]
          if (consumer === undefined) throw new Error('five consumers')
          if (kind === 'beat') consumer.beat()
          else if (kind === 'leave') consumer.leave()
          else if (kind === 'crash') consumer.lose()
          else if (kind === 'reload') group.reload()
          else if (kind === 'topics') group.setTopics({ t: who, u: 2 })
          else if (kind === 'subscribe' && consumer.epoch > 0)
            consumer.beat({ subscribedTopicNames: group.nowMs % 2 === 0 ? ['t'] : ['t', 'u'] })
          else {
            // A session may end: its consumer notices by its own clock, and lets go.
            group.pass(who * 1000)
            for (const each of consumers)
              if (each.epoch > 0 && group.group?.members.has(each.memberId) !== true) each.lose()
          }
          const owned = consumers.flatMap(each => [...each.owned])
          expect(new Set(owned).size).toBe(owned.length)
          expect(group.group?.doublyAssigned()).toBeUndefined()
        }
        group.setTopics({ t: 5, u: 2 })
        for (const each of consumers) each.beat({ subscribedTopicNames: ['t', 'u'] })
        settle(consumers, 20)
        const owned = consumers.flatMap(each => [...each.owned])
        expect(owned.sort().join(' ')).toBe('t0 t1 t2 t3 t4 u0 u1')
        expect(group.group?.state).toBe('Stable')
      }),
    )
  })
})
