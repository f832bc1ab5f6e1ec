import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import { verdictText } from '#scripts/commands/lab-run.ts'
import type { Operation } from '#scripts/history/operation.ts'
import { commandOf } from '#scripts/report/environment.ts'
import { findingsOf } from '#scripts/report/findings.ts'
import { reportHtml } from '#scripts/report/html.ts'
import { junitXml } from '#scripts/report/junit.ts'
import { pageScript } from '#scripts/report/page-script.ts'
import { describeOperation, duration, escape } from '#scripts/report/text.ts'
import { historyOf, removal } from '../checkers/notation.ts'
import { losingRun, resultOf, run, variantOf } from './sample.ts'

async function made() {
  const history = await run()
  return { history, result: resultOf([variantOf('main', 'main', history)]) }
}

describe('the page', () => {
  test('needs nothing else: no script, style, image or font from anywhere, and a policy that forbids it', async () => {
    const { result, history } = await made()
    const html = reportHtml(result, [history], await pageScript())
    expect(html).not.toMatch(/\b(src|href)="(?!data:|#|https:\/\/example\.org)/)
    expect(html).not.toMatch(/@import|url\(/)
    expect(html).toMatch(/Content-Security-Policy" content="default-src 'none'; script-src 'sha256-[\w+/]{43}='/)
  })

  test('escapes what comes from labs and clients, and marks prediction and answer', async () => {
    const { result, history } = await made()
    const html = reportHtml(result, [history], undefined)
    expect(html).toContain('kill &lt;the leader&gt;')
    expect(html).not.toContain('<the leader>')
    expect(html).toContain('<li class="answer">yes <em>the answer</em></li>')
    expect(html).toContain('<li class="wrong">no <em>your prediction</em></li>')
    expect(html).toContain('<a href="https://example.org/page">A page</a>')
  })

  test('puts the verdict before everything else', async () => {
    const { result, history } = await made()
    const html = reportHtml(result, [history], undefined)
    const main = html.slice(html.indexOf('<main'))
    expect(main.indexOf('UNKNOWN')).toBeLessThan(main.indexOf('The question'))
    expect(main.indexOf('The question')).toBeLessThan(main.indexOf('Timeline'))
  })

  test('says that a control was caught, and that one was not', async () => {
    const [lost, kept] = [await losingRun(), await run()]
    const caught = reportHtml(resultOf([variantOf('acks-1', 'control', lost)]), [lost], undefined)
    expect(caught).toContain('✓ caught')
    const tame = { ...variantOf('tame', 'control', kept), verdict: 'valid' as const, asExpected: false }
    expect(reportHtml(resultOf([tame]), [kept], undefined)).toContain('✗ not caught')
  })

  test('is made for a skipped lab, for an empty history and without its script, which it says', async () => {
    const { result } = await made()
    const html = reportHtml({ ...result, verdict: 'skipped', variants: [] }, [], undefined)
    expect(html).toContain('SKIPPED')
    expect(html).toContain('This report has no pictures')
    expect(reportHtml(result, [[]], await pageScript())).not.toContain('This report has no pictures')
  })

  test('names the command that runs the lab again', async () => {
    const { result, history } = await made()
    const choices = { runtime: 'process', engine: { engine: 'apache-kafka', engineVersion: '3.9.1' }, seed: 7 } as const
    const command = commandOf('42-example', { ...choices, scale: 'full', variants: ['main'] })
    expect(command).toBe('./faultline lab run 42-example --runtime process --engine apache-kafka:3.9.1 --seed 7 --scale full --variant main') // prettier-ignore
    const environment = {
      version: '0.1.0',
      node: 'v26',
      system: 'linux',
      processors: '2 × something',
      memoryGiB: 8,
      scale: 'full' as const,
      security: 'none',
      topology: { brokers: 3, controllers: 0 },
      settings: { 'broker.session.timeout.ms': '3000' },
      workloads: { main: { acks: 1 } },
      command,
    }
    const html = reportHtml({ ...result, environment }, [history], undefined)
    for (const text of [command, 'broker.session.timeout.ms', '3 brokers, which are controllers as well', 'acks'])
      expect(html).toContain(text)
  })
})

describe('a finding', () => {
  test('names the entries to choose, the offsets, where the record was lost, and the log around it by every source', async () => {
    const history = await losingRun()
    const [finding] = findingsOf(variantOf('acks-1', 'control', history).results, history)
    expect(finding).toMatchObject({ check: 'lost-write', partition: 't-0', fate: 'lost in the log', offsets: [1] })
    expect(finding?.entries.map(index => describeOperation(history[index] as Operation))).toEqual([
      'send k:lost to t-0',
      'send k:lost to t-0 at offset 1',
      'poll t-0: k:0 at 0, k:2 at 1, k:3 at 2',
    ])
    expect(finding?.excerpt?.columns).toEqual(['acknowledged', 'read', 'log of broker 1', 'log of broker 2 (leader)'])
    const row = finding?.excerpt?.rows.find(({ offset }) => offset === 1)
    expect(row).toMatchObject({ concerned: true, differs: true, cells: [['k:lost', 'k:2'], ['k:2'], ['k:2'], ['k:2']] })
    expect(finding?.excerpt?.rows.map(({ offset }) => offset)).toEqual([0, 1, 2, 3])
  })
})

describe('JUnit', () => {
  test('has an error for what could not be judged, a failure for a wrong verdict, and says skipped', async () => {
    const { result } = await made()
    expect(junitXml(result)).toContain('<error message="expected valid, got unknown">')
    const [variant] = result.variants
    if (!variant) throw new Error('no variant')
    const wrong = { ...result, variants: [{ ...variant, verdict: 'invalid' as const }] }
    expect(junitXml(wrong)).toContain('<failure message="expected valid, got invalid">')
    const good = { ...result, variants: [{ ...variant, verdict: 'valid' as const, asExpected: true }] }
    expect(junitXml(good)).toContain('failures="0" errors="0" skipped="0"')
    expect(junitXml({ ...result, verdict: 'skipped', variants: [] })).toContain(
      '<skipped message="Nothing was read."/>',
    )
  })
})

describe('what was left out and what else was found', () => {
  test('is on the page, in JUnit and on the terminal', async () => {
    const history = await losingRun()
    const { results, ...rest } = variantOf('acks-1', 'control', history)
    const also = { name: 'duplicate', valid: false, explanation: 'twice', count: 1, cases: [] } as const
    const variant = { ...rest, asExpected: true, trouble: 'healing: late', results: [...results, also] }
    const left = { name: 'powerless', role: 'main', summary: 'the power fails', reason: 'no power here' } as const
    const result = { ...resultOf([variant]), leftOut: [left] }
    const page = reportHtml(result, [history], undefined)
    expect(page).toMatch(/also found: [^<]*duplicate/)
    expect(page).toContain('trouble: healing: late')
    expect(page).toContain('– left out</span> no power here')
    const xml = junitXml(result)
    expect(xml).toContain('tests="2" failures="0" errors="0" skipped="1"')
    expect(xml).toContain('name="powerless: the power fails"><skipped message="no power here"/>')
    expect(xml).toMatch(/<system-out>also found: [^<]*duplicate\nthe run had trouble: healing: late<\/system-out>/)
    const text = stripVTControlCharacters(verdictText(result, undefined))
    expect(text).toMatch(
      /also found: .*duplicate\n {4}the run had trouble: healing: late\n {2}left out {2}powerless: no power here/,
    )
    const skipped = { ...result, verdict: 'skipped', variants: [] } as const
    expect(reportHtml(skipped, [], undefined)).toContain('no power here')
    expect(junitXml(skipped)).toContain('tests="1" failures="0" errors="0" skipped="1"')
  })

  test('every head of a table says what it is the head of, and has words', async () => {
    const history = await losingRun()
    const result = { ...resultOf([variantOf('acks-1', 'control', history)]) }
    const page = reportHtml(result, [history], undefined)
    expect(page).toContain('<table class="slice">')
    expect(page).not.toMatch(/<th(?![^>]* scope="(col|row)")[\s>]/)
    expect(page).not.toMatch(/<th[^>]*><\/th>/)
    const tables = page.match(/<table.*?<\/table>/gs) ?? []
    expect(tables.filter(table => !table.includes('<th scope='))).toEqual([])
  })

  test('a page of a lab draws the log around each case, a column for each source', async () => {
    const history = await losingRun()
    const page = reportHtml(resultOf([variantOf('acks-1', 'control', history)]), [history], undefined)
    const [log] = /<table class="log">.*?<\/table>/s.exec(page) ?? []
    expect(log).toContain('<th scope="col">log of broker 2 (leader)</th>')
    expect(log).toMatch(/<tr class="concerned"><th scope="row">1 ◀/)
  })
})

describe('words', () => {
  test('durations, escapes and entries of a history', async () => {
    expect([4.25, 850, 12_340, 250_000].map(duration)).toEqual(['4.3 ms', '850 ms', '12.3 s', '4 min 10 s'])
    expect([59_940, 59_960, 179_700].map(duration)).toEqual(['59.9 s', '1 min 0 s', '3 min 0 s'])
    expect(escape(`<a b="c">'&`)).toBe('&lt;a b=&quot;c&quot;&gt;&#39;&amp;')
    const lines = (await run()).map(describeOperation)
    expect(lines).toContain('send k:0 to t-0 at offset 0')
    expect(lines).toContain('kill broker 1 (the leader)')
    expect(lines).toContain('t-0 is led by broker 2, epoch 1, in sync: 2, 3')
    expect(lines.at(-1)).toBe('send k:1 to t-0: REQUEST_TIMED_OUT, no answer')
  })

  test('say which records may be removed', () => {
    const [everywhere, partition] = historyOf(
      removal('t'),
      removal('t', { partition: 't-0', before: 3, by: 'DeleteRecords below offset 3' }),
    ).map(describeOperation)
    expect(everywhere).toBe('records may be removed from t: retention.ms=1')
    expect(partition).toBe('records may be removed from t-0: DeleteRecords below offset 3')
  })

  test('entries of kinds that are not known yet are shown as they are', () => {
    const at = { index: 0, timeMs: 0, type: 'ok' } as const
    const entries = [
      { ...at, process: 4, client: 'worker-0', f: 'txn', value: [['send', 't-0', [3, 'k:3']], ['poll', { 't-1': [[0, 'j:0']] }]] },
      { ...at, process: 4, client: 'worker-0', f: 'lookup', value: { 't-1': 1 } },
      { ...at, process: 'facts', f: 'fact', value: { name: 'disk', full: true } },
      { ...at, process: 'nemesis', f: 'delay', value: 'all links' },
    ] // prettier-ignore
    expect(entries.map(entry => describeOperation(entry as unknown as Operation))).toEqual([
      'txn k:3 to t-0 at offset 3; t-1: j:0 at 0',
      'lookup {"t-1":1}',
      'fact {"name":"disk","full":true}',
      'delay all links',
    ])
  })
})
