import { describe, expect, test } from 'vitest'
import { unknown } from '#scripts/observe/model.ts'
import {
  brokerAnswers,
  brokerIs,
  every,
  groupHasCaughtUp,
  groupHasMembers,
  groupIs,
  groupLags,
  hasLeader,
  hasLeftInSyncSet,
  highWatermarkReaches,
  isBehindLeader,
  isBeyondHighWatermark,
  isFullyInSync,
  isHeldBackByTransaction,
  isInSync,
  isLevel,
  leads,
  logEndReaches,
  mergedWatch,
  not,
  quorumIsLedBy,
  quorumIsLedByAnother,
  some,
  transactionHasEnded,
  transactionIs,
  type Predicate,
} from '#scripts/observe/predicates.ts'
import { inWords } from '#scripts/observe/words.ts'
import { group, log, observation, partition, transaction, type Scene } from './sample.ts'

const silence = unknown('broker 1 gave no answer within 1000 ms')
const at = ['orders', 0] as const
const asked = (condition: Predicate, scene: Scene = {}) => condition.holds({ ...observation(scene), changes: [] })

const ahead = { partition: partition({ highWatermark: 8, logs: { '1': log(12), '2': log(10), '3': log(8) } }) }
const split = { partition: partition({ leader: 2, isr: [2] }) }
const leaderless = { partition: partition({ leader: -1 }) }

describe('predicates', () => {
  test.each<[condition: Predicate, holds: Scene, doesNot: Scene]>([
    [hasLeader(...at), {}, leaderless],
    [leads(...at, 2), split, {}],
    [isInSync(...at, 3), {}, split],
    [hasLeftInSyncSet(...at, 3), split, {}],
    [isFullyInSync(...at), {}, split],
    [isBeyondHighWatermark(...at, 2), ahead, {}],
    [isBehindLeader(...at, 3, 4), ahead, {}],
    [highWatermarkReaches(...at, 10), {}, ahead],
    [logEndReaches(...at, 1, 12), ahead, {}],
    [isLevel(...at), {}, ahead],
    [isHeldBackByTransaction(...at), { partition: partition({ lastStableOffset: 4 }) }, {}],
    [quorumIsLedBy(1), {}, { quorum: { ...observation().quorum, leader: 2 } as Scene['quorum'] & {} }],
    [brokerAnswers(3), {}, { silent: [3] }],
    [brokerIs(3, 'fenced'), { fenced: [3] }, {}],
    [groupIs('readers', 'Stable'), {}, { group: group({ state: 'Empty' }) }],
    [groupIs('readers', 'Stable'), {}, { group: null }],
    [groupHasMembers('readers', 1), {}, { group: group({ members: [] }) }],
    [groupLags('readers', 3), {}, { group: group({ offsets: {} }) }],
    [groupHasCaughtUp('readers'), { group: group({ offsets: { a: { committed: 1, lag: 0 } } }) }, {}],
    [
      groupHasCaughtUp('readers'),
      { group: group({ offsets: { a: { committed: 1, lag: 0 } } }) },
      { group: group({ offsets: {} }) },
    ],
    [transactionIs('payer', 'Ongoing'), {}, { transaction: transaction({ state: 'PrepareCommit' }) }],
    [transactionHasEnded('payer'), { transaction: null }, {}],
    [transactionHasEnded('payer'), { transaction: transaction({ state: 'CompleteAbort' }) }, {}],
  ])('$name', (condition, holds, doesNot) => {
    expect(asked(condition, holds)).toBe(true)
    expect(asked(condition, doesNot)).toBe(false)
  })

  test('cannot be told from silence, and neither can their opposite', () => {
    const unclear: [Predicate, Scene][] = [
      [leads(...at, 1), { partition: silence }],
      [isBeyondHighWatermark(...at, 2), { partition: partition({ highWatermark: silence }) }],
      [isBehindLeader(...at, 2), { partition: partition({ logs: { '1': silence, '2': log(10) } }) }],
      [isLevel(...at), { partition: partition({ logs: { '1': log(10), '2': log(10), '3': silence } }) }],
      [quorumIsLedByAnother(1), { quorum: silence }],
      [groupIs('readers', 'Stable'), { group: silence }],
      [groupLags('readers', 1), { group: group({ offsets: { a: { committed: 1, lag: silence } } }) }],
      [groupHasCaughtUp('readers'), { group: group({ offsets: silence }) }],
      [transactionHasEnded('payer'), { transaction: silence }],
    ]
    for (const [condition, scene] of unclear) {
      expect(asked(condition, scene)).toBe(undefined)
      expect(asked(not(condition), scene)).toBe(undefined)
    }
    expect(asked(leads('nothing', 0, 1))).toBe(undefined)
  })

  test('can be put together, and a part that is unknown decides only what it must', () => {
    const [yes, no, open] = [hasLeader(...at), leads(...at, 9), leads('nothing', 0, 1)]
    expect(asked(every(yes, not(no)))).toBe(true)
    expect(asked(every(no, open))).toBe(false)
    expect(asked(every(yes, open))).toBe(undefined)
    expect(asked(some(yes, open))).toBe(true)
    expect(asked(some(no, open))).toBe(undefined)
    expect(asked(some(no, not(yes)))).toBe(false)
    expect(every(yes, no).name).toBe('orders-0 has a leader and broker 9 leads orders-0')
  })

  test('say what has to be watched', () => {
    const both = every(isInSync('a', 0, 1), isInSync('b', 1, 1), groupIs('g', 'Stable'), quorumIsLedBy(1))
    expect(both.watch).toEqual({ topics: ['a', 'b'], groups: ['g'], quorum: true })
    expect(mergedWatch([{ watch: { topics: ['a'] } }, { watch: { topics: 'all' } }])).toEqual({ topics: 'all' })
    expect(mergedWatch([{ watch: { topics: ['a'] } }, { watch: { topics: ['all'] } }])).toEqual({
      topics: ['a', 'all'],
    })
    const transactions = (...wanted: NonNullable<Predicate['watch']['transactions']>[]) =>
      mergedWatch(wanted.map(each => ({ watch: { transactions: each } }))).transactions
    expect(transactions('open')).toBe('open')
    expect(transactions('open', 'open')).toBe('open')
    expect(transactions('open', 'all')).toBe('all')
    expect(transactions(['payer'], ['open'])).toEqual(['payer', 'open'])
    // One that is named may have ended: then it is not among those that are open.
    expect(transactions('open', ['payer'])).toBe('all')
  })
})

describe('an observation in words', () => {
  test('names every value and why one is missing', () => {
    const scene = {
      silent: [3],
      fenced: [3],
      partition: partition({
        isr: [1, 2],
        elr: [3],
        lastStableOffset: 4,
        logs: { '1': log(12), '2': log(10), '3': silence },
      }),
      transaction: null,
    }
    expect(inWords(observation(scene))).toBe(
      [
        'brokers: 1 answers, 2 answers, 3 silent (broker 3 gave no answer within 1000 ms), fenced',
        'quorum: leader 1, epoch 5, high watermark 100, voters 1 at 100, 2 at 100, 3 at 100',
        'orders-0: leader 1, epoch 3, in sync 1, 2, eligible 3, high watermark 10, last stable offset 4, log ends: 1 at 12, 2 at 10, 3 unknown (broker 1 gave no answer within 1000 ms)',
        'group readers: Stable (consumer, epoch 4), coordinator 2, 1 member, lag 3',
        'transaction payer: there is none',
      ].join('\n'),
    )
    expect(inWords(observation({ partition: silence, group: silence, topic: 'absent' }))).toContain(
      'orders: there is none\ngroup readers: unknown (broker 1 gave no answer within 1000 ms)',
    )
  })
})
