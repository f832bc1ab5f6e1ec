import { describe, expect, test } from 'vitest'
import { check } from '#scripts/checkers/check.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import type { History } from '#scripts/history/operation.ts'
import type { LabResult } from '#scripts/labs/result.ts'
import { reportHtml } from '#scripts/report/html.ts'
import { junitXml } from '#scripts/report/junit.ts'
import { describeOperation, duration, escape } from '#scripts/report/text.ts'
import { timelineOf } from '#scripts/report/timeline-model.ts'

/** A short run: two writes, a killed leader, an election, a frozen broker. */
async function run(): Promise<History> {
  let nowMs = 0
  const recorder = new HistoryRecorder({ nowMs: () => nowMs })
  const observe = (leader: number, leaderEpoch: number, isr: number[], reachable: number[]) =>
    recorder.observe({
      brokers: isr,
      reachable,
      controller: 2,
      partitions: {
        't-0': { leader, leaderEpoch, replicas: [1, 2, 3], isr, highWatermark: leaderEpoch, logEndOffsets: { '2': 1 } },
      },
    })
  recorder.phase('healthy')
  observe(1, 0, [1, 2, 3], [1, 2, 3])
  const client = recorder.client('producer-0')
  client.invoke('send', [['send', 't-0', 'k:0']])
  nowMs = 10
  client.complete('ok', [['send', 't-0', [0, 'k:0']]])
  recorder.phase('kill <the leader>')
  await recorder.fault('kill', { brokers: [1], target: 'the leader' }, async () => ({
    brokers: [1],
    target: 'the leader',
  }))
  nowMs = 1_000
  observe(2, 1, [2, 3], [2, 3])
  await recorder.fault('pause', { brokers: [3], target: 'node 3' }, async () => ({ brokers: [3], target: 'node 3' }))
  nowMs = 2_000
  client.invoke('send', [['send', 't-0', 'k:1']])
  client.complete('info', [['send', 't-0', 'k:1']], {
    code: 'REQUEST_TIMED_OUT',
    message: 'no answer',
    definite: false,
  })
  return recorder.history
}

async function result(): Promise<{ result: LabResult; history: History }> {
  const history = await run()
  const { results } = check(history, ['lost-write', 'duplicate'])
  return {
    history,
    result: {
      lab: '42-example',
      summary: 'An <example>.',
      question: 'Is 1 < 2?',
      prediction: { choices: ['yes', 'no'], answer: 0, chosen: 1 },
      watch: ['this'],
      explanation: 'Because.',
      reading: ['A page: https://example.org/page'],
      runtime: 'process',
      engine: 'faultline',
      seed: 1,
      startedAt: '2026-01-01T00:00:00.000Z',
      durationMs: 2_000,
      verdict: 'unknown',
      reason: 'Nothing was read.',
      variants: [
        {
          name: 'main',
          role: 'main',
          summary: 'it',
          expected: 'valid',
          verdict: 'unknown',
          asExpected: false,
          results,
          durationMs: 2_000,
          operations: history.length,
          acknowledged: 1,
        },
      ],
    },
  }
}

describe('the timeline', () => {
  test('shows who was up from faults and from who answered', async () => {
    const { brokers, controllers, endMs } = timelineOf(await run())
    expect(endMs).toBe(2_000)
    expect(brokers.map(({ id, states }) => [id, states.map(({ value }) => value)])).toEqual([
      [1, ['up', 'down']],
      [2, ['up']],
      [3, ['up', 'paused']],
    ])
    expect(controllers).toHaveLength(1)
  })

  test('shows leaders with epochs, in-sync replicas and clients that were given up', async () => {
    const { partitions, clients } = timelineOf(await run())
    expect(partitions[0]?.leaders.map(({ value }) => value)).toEqual([
      { leader: 1, leaderEpoch: 0 },
      { leader: 2, leaderEpoch: 1 },
    ])
    expect(partitions[0]?.inSync.map(({ value }) => value)).toEqual([
      [1, 2, 3],
      [2, 3],
    ])
    expect(clients[0]).toMatchObject({ name: 'producer-0', kind: 'producer', retiredAtMs: [2_000] })
    expect(clients[0]?.operations.map(({ outcome }) => outcome)).toEqual(['ok', 'info'])
  })
})

describe('the offsets of a partition', () => {
  test('have a line for the last stable offset while it is held back by a transaction', async () => {
    const made = await result()
    const recorder = new HistoryRecorder({ nowMs: () => 0 })
    const partition = {
      leader: 1,
      leaderEpoch: 0,
      replicas: [1],
      isr: [1],
      highWatermark: 9,
      logEndOffsets: { '1': 9 },
    }
    const seen = { brokers: [1], reachable: [1], controller: 1 }
    recorder.observe({ ...seen, partitions: { 't-0': partition } })
    expect(reportHtml(made.result, [recorder.history])).not.toContain('last stable offset')
    recorder.observe({ ...seen, partitions: { 't-0': { ...partition, lastStableOffset: 4 } } })
    expect(timelineOf(recorder.history).partitions[0]?.offsets.get('last stable offset')).toEqual([[0, 4]])
    expect(reportHtml(made.result, [recorder.history])).toMatch(/class="stable"[\s\S]*last stable offset: 4/)
  })
})

describe('the page', () => {
  test('needs nothing else: no script, style, image or font from anywhere', async () => {
    const made = await result()
    const html = reportHtml(made.result, [made.history])
    expect(html).not.toMatch(/\b(src|href)="(?!data:|https:\/\/example\.org)/)
    expect(html).not.toMatch(/@import|url\(/)
  })

  test('escapes what comes from labs and clients, and marks prediction and answer', async () => {
    const made = await result()
    const html = reportHtml(made.result, [made.history])
    expect(html).toContain('kill &lt;the leader&gt;')
    expect(html).not.toContain('<the leader>')
    expect(html).toContain('<li class="answer">yes</li>')
    expect(html).toContain('<li class="wrong">no<em>your prediction</em></li>')
    expect(html).toContain('<a href="https://example.org/page">A page</a>')
  })

  test('is made for a skipped lab and for an empty history too', async () => {
    const made = await result()
    const html = reportHtml({ ...made.result, verdict: 'skipped', variants: [] }, [])
    expect(html).toContain('SKIPPED')
    expect(reportHtml(made.result, [[]])).toContain('</html>')
  })
})

describe('JUnit', () => {
  test('has an error for what could not be judged, a failure for a wrong verdict, and says skipped', async () => {
    const made = await result()
    expect(junitXml(made.result)).toContain('<error message="expected valid, got unknown">')
    const [variant] = made.result.variants
    if (!variant) throw new Error('no variant')
    const wrong = { ...made.result, variants: [{ ...variant, verdict: 'invalid' as const }] }
    expect(junitXml(wrong)).toContain('<failure message="expected valid, got invalid">')
    const good = { ...made.result, variants: [{ ...variant, verdict: 'valid' as const, asExpected: true }] }
    expect(junitXml(good)).toContain('failures="0" errors="0" skipped="0"')
    expect(junitXml({ ...made.result, verdict: 'skipped', variants: [] })).toContain(
      '<skipped message="Nothing was read."/>',
    )
  })
})

describe('words', () => {
  test('durations, escapes and entries of a history', async () => {
    expect([4.25, 850, 12_340, 250_000].map(duration)).toEqual(['4.3 ms', '850 ms', '12.3 s', '4 min 10 s'])
    expect(escape(`<a b="c">'&`)).toBe('&lt;a b=&quot;c&quot;&gt;&#39;&amp;')
    const lines = (await run()).map(describeOperation)
    expect(lines).toContain('send k:0 to t-0 at offset 0')
    expect(lines).toContain('kill broker 1 (the leader)')
    expect(lines).toContain('t-0 is led by broker 2, epoch 1, in sync: 2, 3')
    expect(lines.at(-1)).toBe('send k:1 to t-0: REQUEST_TIMED_OUT, no answer')
  })
})
