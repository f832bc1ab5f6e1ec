/** What the labs on transactions say of the facts that a run has left. */
import { expect, test } from 'vitest'
import transactions from '../../labs/28-transactions.ts'
import fencing from '../../labs/29-zombie-fencing.ts'
import pipeline from '../../labs/30-exactly-once-pipeline.ts'
import processing from '../../labs/31-stream-processing.ts'
import { check } from '#scripts/checkers/check.ts'
import type { FactValue } from '#scripts/history/operation.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import type { Lab } from '#scripts/labs/lab.ts'
import { did, finalRead, from0, historyOf, poll, send } from '../scripts/checkers/notation.ts'

/** One check of one variant, on nothing but facts. */
function judged({ variants }: Lab, variant: string, name: string, facts: Readonly<Record<string, FactValue>>) {
  const recorder = new HistoryRecorder({ nowMs: () => 0 })
  for (const [fact, value] of Object.entries(facts)) recorder.fact(fact, value)
  const checks = variants.find(each => each.name === variant)?.checks ?? []
  const own = checks.filter(each => (typeof each === 'string' ? each : each.name) === name)
  const [result] = check(recorder.history, own).results
  return { valid: result?.valid, explanation: result?.explanation }
}

test('28: records that a reader got too early are named', () => {
  const read = (early: number, aborted: number) => ({
    'records of the aborted transaction read while it is open': aborted,
    'records of the open transaction read while it is open': 0,
    'committed records read while it is open': 1 + early,
    'records of the aborted transaction read at the end': aborted,
    'records of the open transaction read at the end': 0,
    'committed records read at the end': 11,
  })
  const said = (early: number, aborted: number) =>
    judged(transactions, 'main', 'nothing-is-read-before-its-time', read(early, aborted))
  expect(said(0, 0).valid).toBe(true)
  expect(said(10, 0).explanation).toContain('10 records behind it while it was open')
  expect(said(0, 1).explanation).toContain('1 record of the aborted transaction')
  expect(said(-1, 0).explanation).toContain('not even the record that was committed before it')
})

test.each([
  ['INVALID_PRODUCER_EPOCH', true],
  ['INVALID_TXN_STATE', true],
  ['TRANSACTION_ABORTABLE', true],
  ['NONE', false],
  ['NOT_ENOUGH_REPLICAS', false],
  ['UNKNOWN_SERVER_ERROR', false],
])('30: a late write that is answered with %s was refused for what it is: %s', (answer, valid) => {
  expect(judged(pipeline, 'late-write-verified', 'late-write-is-refused', { 'late Produce': answer }).valid).toBe(valid)
})

const stages = [fencing, pipeline, processing].flatMap(({ name, variants }) =>
  variants.map(({ name: variant, checks }) => ({ lab: name, variant, checks })),
)

test.each(stages)('$lab, $variant: a record that its stage had read, and that is gone in the end, is missed', stage => {
  const place = 'lab-main-in-0'
  const values = ['a', 'b', 'c']
  const written = values.map((value, offset) => did(0, 'ok', 'send', [send(place, value, offset)]))
  const read = did(1, 'ok', 'txn', [poll({ [place]: from0(...values) })])
  const { results } = check(historyOf(...written, read, finalRead({ [place]: from0('a') })), stage.checks)
  const found = results.filter(({ valid }) => valid === false).map(({ name }) => name)
  expect(found).toContain('vanished')
})
