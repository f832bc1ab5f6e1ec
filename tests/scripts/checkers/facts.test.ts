import { describe, expect, test } from 'vitest'
import { check } from '#scripts/checkers/check.ts'
import { factCheck } from '#scripts/checkers/facts.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'

const lagGrows = factCheck({
  name: 'lag-grows',
  promise: 'A consumer that stands still falls behind.',
  about: ['lag before', 'lag after'],
  broken: facts =>
    Number(facts['lag after']) > Number(facts['lag before'])
      ? undefined
      : `The lag went from ${facts['lag before']} to ${facts['lag after']}.`,
})

function judged(...facts: readonly (readonly [string, number])[]) {
  const recorder = new HistoryRecorder({ nowMs: () => 0 })
  for (const [name, value] of facts) recorder.fact(name, value)
  return check(recorder.history, [lagGrows])
}

describe('a check of facts', () => {
  test('holds, and shows what it is about', () => {
    const { valid, results } = judged(['lag before', 3], ['lag after', 9])
    expect(valid).toBe(true)
    expect(results).toMatchObject([{ name: 'lag-grows', figures: { 'lag before': '3', 'lag after': '9' } }])
  })

  test('is broken by what the facts say last, with the facts as its slice', () => {
    const { valid, results } = judged(['lag before', 3], ['lag after', 9], ['lag after', 2])
    expect(valid).toBe(false)
    expect(results[0]).toMatchObject({ explanation: 'The lag went from 3 to 2.', cases: [{ slice: { length: 3 } }] })
  })

  test('is unknown when a fact never came', () => {
    const { valid, results } = judged(['lag before', 3])
    expect(valid).toBe('unknown')
    expect(results[0]?.explanation).toBe('The run never said: lag after.')
  })

  test('is unknown, with its figures, where the facts do not tell', () => {
    const slow = factCheck({
      name: 'slow',
      promise: '',
      about: ['rounds'],
      broken: facts => ({ unclear: `There were ${facts['rounds']} rounds only.` }),
    })
    const recorder = new HistoryRecorder({ nowMs: () => 0 })
    recorder.fact('rounds', 1)
    const { valid, results } = check(recorder.history, [slow])
    expect(valid).toBe('unknown')
    expect(results).toMatchObject([{ explanation: 'There were 1 rounds only.', figures: { rounds: '1' } }])
  })

  test('of a lab that throws is unknown', () => {
    const broken = factCheck({
      name: 'broken',
      promise: '',
      about: [],
      broken: () => {
        throw new Error('a mistake in the lab')
      },
    })
    expect(check([], [broken])).toMatchObject({ valid: 'unknown', results: [{ name: 'broken', valid: 'unknown' }] })
  })
})
