import { describe, expect, test } from 'vitest'
import { check } from '#scripts/checkers/check.ts'
import { exactlyOnceBetween } from '#scripts/checkers/pipeline.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'

/** Two records went into `in`, and these came out of `out`; a topic of another name has one of them as well. */
function history(prefix: string, out: readonly string[]) {
  const recorder = new HistoryRecorder({ nowMs: () => 0 })
  const send = (partition: string, values: readonly string[]) => {
    const client = recorder.client('producer')
    client.invoke(
      'send',
      values.map(value => ['send', partition, value]),
    )
    client.complete(
      'ok',
      values.map((value, offset) => ['send', partition, [offset, value]]),
    )
  }
  send(`${prefix}-in-0`, ['a', 'b'])
  send(`${prefix}-out-0`, out)
  send(`${prefix}-about-0`, ['a~3'])
  recorder.phase('final-read')
  const reader = recorder.client('final-reader')
  const records = out.map((value, offset) => [offset, value] as const)
  reader.invoke('poll', [['poll']])
  reader.complete('ok', [['poll', { [`${prefix}-out-0`]: records, [`${prefix}-about-0`]: [[0, 'a~3']] }]])
  recorder.phase('final-read-complete')
  return recorder.history
}

describe('exactly once between topics of one run', () => {
  test.each(['lab-main', 'faultline-lab-x7-late-in'])('finds them by the ends of their names: %s', prefix => {
    const between = exactlyOnceBetween('in', 'out')
    expect(check(history(prefix, ['a~1', 'b~2']), [between]).results).toMatchObject([
      { name: 'exactly-once-in-out', valid: true },
    ])
    expect(check(history(prefix, ['a~1', 'a~2']), [between]).results).toMatchObject([
      { name: 'exactly-once-in-out', valid: false, figures: { missing: 1, repeated: 1, invented: 0 } },
    ])
  })

  test('says nothing where such topics are not there', () => {
    expect(check(history('lab-main', ['a~1']), [exactlyOnceBetween('mid', 'out')]).valid).toBe('unknown')
  })
})
