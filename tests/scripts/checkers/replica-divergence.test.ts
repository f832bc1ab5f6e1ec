/** What `replica-divergence` finds and says; what it must not find is in `client-cases.ts`, too. */
import { describe, expect, test } from 'vitest'
import { analyse } from '#scripts/checkers/analysis.ts'
import { check } from '#scripts/checkers/check.ts'
import { Whereabouts } from '#scripts/checkers/whereabouts.ts'
import type { History, ReplicaBatch } from '#scripts/history/operation.ts'
import { historyOf, replica, replicaWith, x } from './notation.ts'

const judged = (history: History) => check(history, ['replica-divergence']).results[0]
const said = (history: History) => judged(history)?.explanation
const values = ['a', 'b', 'c'] as const

test.each([
  ['beside one that has all', replica(2, 3, ...values)],
  ['alone', []],
])('a replica that is in sync and lacks what is committed is found %s', (_, other) => {
  const result = judged(historyOf(replica(1, 3, ...values), other, replicaWith({ inSync: true }, 3, 0)))
  expect(result).toMatchObject({ valid: false, count: 1 })
  expect(result?.cases[0]?.explanation).toMatch(
    /^Broker 3 is in sync for x-0 and its log ends at offset 0, though its leader, broker 1, says that everything below 3 is/,
  )
})

test('which replicas were compared how far is told, where that is not to the end', () => {
  const leader = replica(1, 3, ...values)
  expect(said(historyOf(leader, replica(2, 3, ...values)))).toBe('All replicas hold the same at 3 compared offsets.')
  expect(said(historyOf(leader, replica(2, 3, ...values), replicaWith({ inSync: false }, 3, 0)))).toBe(
    'Replicas hold the same at 3 compared offsets. Compared in part: x-0 on broker 3 below 0 of 3.',
  )
  const late = [2, 3, 4, 5, 6, 7].map(broker => replica(broker, 1, ...values))
  expect(said(historyOf(leader, ...late))).toBe(
    'Replicas hold the same at 6 compared offsets. Compared in part: x-0 on broker 2 below 1 of 3, x-0 on broker 3 below 1 of 3, x-0 on broker 4 below 1 of 3, x-0 on broker 5 below 1 of 3, and 2 more.',
  )
})

test('replicas that lack what is committed are counted beside offsets that differ', () => {
  const empty = [2, 3].map(broker => replicaWith({ inSync: true }, broker, 0))
  expect(said(historyOf(replica(1, 3, ...values), ...empty, replica(4, 3, 'a', 'b', 'd')))).toBe(
    '2 replicas in sync lack what is committed. Replicas differ at 1 offset of 3 compared.',
  )
})

describe('markers that end transactions', () => {
  const batch = { baseOffset: 0, leaderEpoch: 2, producerId: '7', producerEpoch: 1, baseSequence: 0 }
  const written: ReplicaBatch = { ...batch, records: [[0, 'a']] }
  const marker = (name: string): ReplicaBatch => ({
    ...batch,
    baseOffset: 1,
    baseSequence: -1,
    records: [],
    marker: name,
  })
  const log = (broker: number, ...batches: readonly ReplicaBatch[]) =>
    replicaWith({ batches, logEndOffset: 2 }, broker, 2)
  const commit = log(1, written, marker('COMMIT'))

  test.each([
    [
      'the other one',
      log(2, written, marker('ABORT')),
      'broker 1 holds COMMIT of producer 7 epoch 1@2 and broker 2 holds ABORT of producer 7 epoch 1@2',
    ],
    [
      'that of another epoch',
      log(2, written, { ...marker('COMMIT'), producerEpoch: 2 }),
      'broker 2 holds COMMIT of producer 7 epoch 2@2',
    ],
    ['none', log(2, written), 'broker 1 holds COMMIT of producer 7 epoch 1@2 and broker 2 holds nothing'],
  ])('are the same on all replicas, and a replica that has %s is found', (_, other, says) => {
    const result = judged(historyOf(commit, other))
    expect(result).toMatchObject({ valid: false, count: 1 })
    expect(result?.cases[0]?.explanation).toMatch(/^At offset 1 of x-0, /)
    expect(result?.cases[0]?.explanation).toContain(says)
  })

  test('are compared, and are no records', () => {
    const history = historyOf(commit, log(2, written, marker('COMMIT')))
    expect(said(history)).toBe('All replicas hold the same at 2 compared offsets.')
    const where = new Whereabouts(analyse(history))
    expect(where.copies(x, 'a')).toHaveLength(1)
    expect(where.copies(x, 'COMMIT of producer 7 epoch 1')).toEqual([])
  })
})
