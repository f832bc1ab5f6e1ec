/** What `replica-divergence` finds and says; what it must not find is in `client-cases.ts`, too. */
import { expect, test } from 'vitest'
import { check } from '#scripts/checkers/check.ts'
import type { History } from '#scripts/history/operation.ts'
import { historyOf, replica, replicaWith } from './notation.ts'

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
