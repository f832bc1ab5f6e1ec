import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { check } from '#scripts/checkers/check.ts'
import { sendsAcknowledged } from '#scripts/checkers/sends-acknowledged.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { generate } from './model.ts'

const refusal = { code: 'NOT_ENOUGH_REPLICAS', message: 'one of two is away', definite: true }

function judged(write: (recorder: HistoryRecorder) => void) {
  const recorder = new HistoryRecorder({ nowMs: () => 0 })
  write(recorder)
  return check(recorder.history, [sendsAcknowledged]).results[0]
}

/** A producer of its own for each, as nothing goes on after an outcome that nobody knows. */
function send(recorder: HistoryRecorder, value: string, outcome: 'ok' | 'fail' | 'info'): void {
  const client = recorder.client('producer-0')
  client.invoke('send', [['send', 'orders-0', value]])
  if (outcome === 'ok') client.complete('ok', [['send', 'orders-0', [0, value]]])
  else client.complete(outcome, [['send', 'orders-0', value]], refusal)
}

describe('sends-acknowledged', () => {
  test('holds when each send was acknowledged; polls count for nothing', () => {
    const result = judged(recorder => {
      send(recorder, 'k:0', 'ok')
      send(recorder, 'k:1', 'ok')
      recorder.client('consumer-0').invoke('poll', [['poll']])
    })
    expect(result).toMatchObject({ valid: true, count: 0, explanation: 'Each of 2 sends was acknowledged.' })
  })

  test('finds a send that is still open at the end: nobody knows how it ended', () => {
    const result = judged(recorder => {
      send(recorder, 'k:0', 'ok')
      recorder.client('producer-1').invoke('send', [['send', 'orders-0', 'k:1']])
    })
    expect(result).toMatchObject({
      valid: false,
      count: 1,
      explanation: 'Of 2 sends 1 has no acknowledgement.',
      cases: [{ explanation: 'entry 2 (producer-1, 0.00 s) never ended.' }],
    })
  })

  test('counts transactions that send, whether they say so before or only know it when they have polled', () => {
    const result = judged(recorder => {
      const client = recorder.client('worker-0')
      client.invoke('txn', [['send', 'orders-0', 'k:0']])
      client.complete('ok', [['send', 'orders-0', [0, 'k:0']]])
      client.invoke('txn', [['poll']])
      client.complete('ok', [
        ['poll', {}],
        ['send', 'orders-0', [2, 'k:1']],
      ])
      client.invoke('txn', [['poll']])
      client.complete('fail', [['poll', {}]])
    })
    expect(result).toMatchObject({ valid: true, explanation: 'Each of 2 sends was acknowledged.' })
  })

  test.each<['fail' | 'info' | 'nothing', RegExp]>([
    ['fail', / failed: NOT_ENOUGH_REPLICAS/],
    ['info', / ended with an outcome that nobody knows/],
    ['nothing', / never ended\.$/],
  ])('finds a transaction that sends and ends with %s', (outcome, says) => {
    const result = judged(recorder => {
      send(recorder, 'k:0', 'ok')
      const client = recorder.client('worker-0')
      client.invoke('txn', [['send', 'orders-0', 'k:1']])
      if (outcome !== 'nothing') client.complete(outcome, [], refusal)
    })
    expect(result).toMatchObject({ valid: false, count: 1 })
    expect(result?.cases[0]?.explanation).toMatch(says)
  })

  test('finds sends that failed, and those whose outcome nobody knows, with their errors', () => {
    const result = judged(recorder => {
      send(recorder, 'k:0', 'fail')
      send(recorder, 'k:1', 'ok')
      send(recorder, 'k:2', 'info')
    })
    expect(result).toMatchObject({
      valid: false,
      count: 2,
      explanation: 'Of 3 sends 2 have no acknowledgement.',
    })
    expect(result?.cases.map(({ explanation }) => explanation)).toEqual([
      'entry 1 (producer-0, 0.00 s) failed: NOT_ENOUGH_REPLICAS, one of two is away.',
      'entry 5 (producer-0, 0.00 s) ended with an outcome that nobody knows: NOT_ENOUGH_REPLICAS, one of two is away.',
    ])
  })

  test('finds whichever completion is missing in a history of the model', () => {
    const model = { partitions: 2, producers: 3, consumers: 1, steps: 60, lostResponses: 0, failures: 0, holeEvery: 0 }
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (seed, choice) => {
        const history = generate({ ...model, seed, replicaLogs: false })
        expect(check(history, [sendsAcknowledged]).valid).toBe(true)
        const completions = history.filter(({ f, type }) => f === 'send' && type === 'ok')
        const missing = completions[choice % completions.length]
        const rest = history
          .filter(operation => operation !== missing)
          .map((operation, index) => ({ ...operation, index }))
        const [result] = check(rest, [sendsAcknowledged]).results
        expect(result).toMatchObject({ valid: false, count: 1 })
        expect(result?.cases[0]?.explanation).toMatch(/never ended/)
      }),
      { numRuns: 100 },
    )
  })

  test('is unknown when nothing was sent', () => {
    expect(judged(() => undefined)).toMatchObject({ valid: 'unknown' })
  })
})
