import { describe, expect, test } from 'vitest'
import { check } from '#scripts/checkers/check.ts'
import { sendsAcknowledged } from '#scripts/checkers/sends-acknowledged.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'

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
  test('holds when each send was acknowledged; one that is still open has no outcome yet', () => {
    const result = judged(recorder => {
      send(recorder, 'k:0', 'ok')
      send(recorder, 'k:1', 'ok')
      recorder.client('producer-1').invoke('send', [['send', 'orders-0', 'k:2']])
    })
    expect(result).toMatchObject({ valid: true, count: 0, explanation: 'Each of 2 sends was acknowledged.' })
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
      explanation: 'Of 3 sends 2 ended without an acknowledgement.',
    })
    expect(result?.cases.map(({ explanation }) => explanation)).toEqual([
      'entry 1 (producer-0, 0.00 s) failed: NOT_ENOUGH_REPLICAS, one of two is away.',
      'entry 5 (producer-0, 0.00 s) ended with an outcome that nobody knows: NOT_ENOUGH_REPLICAS, one of two is away.',
    ])
  })

  test('is unknown when nothing was sent', () => {
    expect(judged(() => undefined)).toMatchObject({ valid: 'unknown' })
  })
})
