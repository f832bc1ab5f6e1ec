/** Whose answer counts, when several brokers answer: those that do not know better are not believed. */
import { describe, expect, test } from 'vitest'
import { oneOfEach } from '#scripts/observe/groups.ts'
import { believed, LeaderEpochs, mergeTopic, type PartitionView, type TopicViews } from '#scripts/observe/metadata.ts'
import { unknown, type Known } from '#scripts/observe/model.ts'
import { newestQuorum } from '#scripts/observe/quorum.ts'
import { quorum } from './sample.ts'

const silence = (broker: number) => unknown(`broker ${broker} gave no answer within 1000 ms`)

describe('the brokers that are believed', () => {
  const ends = (...logEndOffsets: Known<number>[]) => {
    const at = (logEndOffset: Known<number>, index: number) => ({ ...quorum().voters[index]!, logEndOffset })
    return quorum({ voters: logEndOffsets.map(at) })
  }

  test('are those that have read furthest in the metadata log, of those that answer', () => {
    expect(believed([1, 2, 3], ends(100, 90, 100), undefined)).toEqual([1, 3])
    expect(believed([2], ends(100, 90, 100), undefined)).toEqual([2])
    expect(believed([2, 3], ends(100, 90, silence(3)), undefined)).toEqual([2])
  })

  test('stay the same while they do not fall behind', () => {
    expect(believed([1, 2, 3], ends(100, 100, 100), 2)).toEqual([2, 1, 3])
    expect(believed([1, 2, 3], ends(101, 100, 101), 2)).toEqual([1, 3])
  })

  test('are all that answer where nobody knows how far each has read', () => {
    expect(believed([1, 3], silence(1), 3)).toEqual([3, 1])
    expect(believed([1, 2], undefined, undefined)).toEqual([1, 2])
  })
})

describe('a topic that several brokers tell of', () => {
  const view = (changed: Partial<PartitionView>): PartitionView => ({
    index: 0,
    leader: 1,
    leaderEpoch: 3,
    replicas: [1, 2],
    isr: [1, 2],
    elr: [],
    lastKnownElr: [],
    offline: [],
    ...changed,
  })
  const topics = (topicId: string, changed: Partial<PartitionView> = {}): TopicViews =>
    new Map([['orders', { topicId, partitions: new Map([[0, view(changed)]]) }]])
  const none: TopicViews = new Map([['orders', null]])

  test('is told by the first of those who count', () => {
    const views = new Map([
      [1, topics('T', { isr: [1] })],
      [2, topics('T')],
    ])
    expect(mergeTopic('orders', views, [1, 2])).toMatchObject({ topicId: 'T' })
    expect(mergeTopic('orders', views, [1, 2])).toEqual(topics('T', { isr: [1] }).get('orders'))
    expect(mergeTopic('orders', views, [2, 1])).toEqual(topics('T').get('orders'))
  })

  test('has the highest leader epoch that anybody knows, also one who does not count', () => {
    const views = new Map([
      [1, topics('T')],
      [2, topics('T', { leader: 2, leaderEpoch: 4 })],
    ])
    expect(mergeTopic('orders', views, [1])).toEqual(topics('T', { leader: 2, leaderEpoch: 4 }).get('orders'))
  })

  test('is unknown while those who count do not agree that it is there, or that it is the same', () => {
    const answer = (...told: TopicViews[]) => {
      const views = new Map(told.map((found, index) => [index + 1, found]))
      return mergeTopic('orders', views, [...views.keys()])
    }
    expect(answer(topics('T'), none)).toEqual(unknown(expect.stringContaining('do not agree') as string))
    expect(answer(topics('T'), topics('U'))).toEqual(unknown(expect.stringContaining('do not agree') as string))
    expect(answer(none, none)).toBe(null)
    expect(answer(new Map([['orders', silence(1)]]))).toEqual(silence(1))
  })
})

describe('a partition', () => {
  test('of which only an older leader epoch is told than was heard of before is not believed', () => {
    const at = (leaderEpoch: number, topicId = 'T'): TopicViews => {
      const view = { index: 0, leader: 1, replicas: [1], isr: [1], elr: [], lastKnownElr: [], offline: [] }
      return new Map([['orders', { topicId, partitions: new Map([[0, { ...view, leaderEpoch }]]) }]])
    }
    const epochs = new LeaderEpochs()
    expect([...epochs.outdated(at(4))]).toEqual([])
    expect([...epochs.outdated(at(5))]).toEqual([])
    const reason = 'only leader epoch 4 of orders-0 is told, and 5 was heard of before'
    expect([...epochs.outdated(at(4))]).toEqual([['orders-0', unknown(reason)]])
    expect([...epochs.outdated(at(5))]).toEqual([])
    // Created anew: another topic.
    expect([...epochs.outdated(at(0, 'U'))]).toEqual([])
  })
})

describe('the leader of the quorum', () => {
  test('is that of the newest epoch that is told, and no older one than was heard of before', () => {
    const answers = new Map<number, ReturnType<typeof quorum> | ReturnType<typeof silence>>([
      [1, quorum({ leader: 1, epoch: 5 })],
      [2, quorum({ leader: 2, epoch: 6 })],
      [3, silence(3)],
    ])
    expect(newestQuorum(answers, -1)).toMatchObject({ leader: 2, epoch: 6 })
    expect(newestQuorum(answers, 6)).toMatchObject({ leader: 2 })
    expect(newestQuorum(answers, 7)).toEqual(unknown('only epoch 6 of the quorum is told, and 7 was heard of before'))
    expect(newestQuorum(new Map([[3, silence(3)]]), -1)).toEqual(silence(3))
  })
})

describe('a group', () => {
  const told = (...ids: string[]) => new Map(ids.map(id => [id, `state of ${id}`]))

  test('is what its one coordinator says', () => {
    const answers = new Map([
      [1, told('a')],
      [2, told('b')],
    ])
    expect([...oneOfEach('group', answers, ['c'])]).toEqual([
      ['a', 'state of a'],
      ['b', 'state of b'],
      ['c', null],
    ])
  })

  test('that nobody lists is unknown as long as a broker is silent: it may be the coordinator', () => {
    const answers = new Map<number, Known<Map<string, string>>>([
      [1, told('a')],
      [2, silence(2)],
    ])
    expect(oneOfEach('group', answers, ['c']).get('c')).toEqual(
      unknown('nobody who answers coordinates it; broker 2 gave no answer within 1000 ms'),
    )
  })

  test('that two brokers list is unknown: one of them has not heard that it no longer coordinates it', () => {
    const answers = new Map([
      [1, told('a')],
      [2, told('a')],
    ])
    expect(oneOfEach('group', answers, []).get('a')).toEqual(
      unknown('the brokers 1 and 2 both say that they coordinate the group a'),
    )
  })
})
