import { describe, expect, test } from 'vitest'
import { runMatrix, type Matrix } from '#scripts/labs/matrix.ts'
import type { LabResult } from '#scripts/labs/result.ts'
import { exitCodeOf } from '#scripts/commands/lab-run.ts'
import { matrixHtml, matrixJunit, matrixMarkdown } from '#scripts/report/matrix.ts'

const result = (lab: string, verdict: LabResult['verdict']): LabResult => ({
  lab,
  summary: '',
  question: '',
  prediction: { choices: [], answer: 0 },
  watch: [],
  explanation: '',
  reading: [],
  runtime: 'process',
  engine: 'faultline',
  seed: 1,
  startedAt: '2026-01-02T03:04:05.000Z',
  durationMs: 1_500,
  verdict,
  reason: `it is ${verdict} <&| so`,
  variants: [
    {
      name: 'main',
      role: 'main',
      summary: 'all',
      expected: 'valid',
      verdict: verdict === 'invalid' ? 'invalid' : 'valid',
      asExpected: verdict !== 'invalid',
      results:
        verdict === 'invalid' ? [{ name: 'lost-write', valid: false, explanation: '', count: 1, cases: [] }] : [],
      durationMs: 1_000,
      operations: 1,
      acknowledged: 1,
    },
  ],
})

const kafka = { engine: 'apache-kafka', engineVersion: '3.9.1' } as const
const signal = new AbortController().signal

async function example(): Promise<{ matrix: Matrix; ran: string[] }> {
  const ran: string[] = []
  const matrix = await runMatrix({
    labs: ['a', 'b', 'c'],
    engines: [{ engine: 'faultline' }, kafka],
    runtime: 'process',
    seed: 1,
    signal,
    available: ({ engine }) =>
      Promise.resolve(
        engine === 'faultline' ? { available: true } : { available: false, missing: 'no Java', remedy: 'Get it.' },
      ),
    run: lab => {
      ran.push(lab)
      if (lab === 'b') return Promise.reject(new Error('the port was taken'))
      return Promise.resolve({ result: result(lab, lab === 'a' ? 'valid' : 'invalid'), out: `/out/${lab}` })
    },
  })
  return { matrix, ran }
}

describe('labs × engines', () => {
  test('a variant alone that came out as expected is no error anywhere', async () => {
    const { matrix } = await example()
    const [cell] = matrix.cells
    if (cell === undefined) throw new Error('no cell')
    const partial = {
      ...matrix,
      engines: ['faultline'],
      cells: [{ ...cell, verdict: 'unknown', partial: true }],
    } as const
    expect(matrixJunit(partial)).toContain('failures="0" errors="0"')
    expect(matrixJunit(partial)).not.toContain('<error')
    expect(matrixHtml(partial, '/out')).toContain('PARTIAL')
  })

  test('goes on after a failure, and runs nothing on an engine that is missing', async () => {
    const { matrix, ran } = await example()
    expect(ran).toEqual(['a', 'b', 'c'])
    expect(matrix.cells.map(({ lab, engine, verdict }) => `${lab} ${engine} ${verdict}`)).toEqual([
      'a faultline valid',
      'a apache-kafka:3.9.1 skipped',
      'b faultline unknown',
      'b apache-kafka:3.9.1 skipped',
      'c faultline invalid',
      'c apache-kafka:3.9.1 skipped',
    ])
    expect(exitCodeOf(matrix.cells.map(({ verdict }) => verdict))).toBe(1)
    expect(matrix.cells[2]?.reason).toBe('The run failed: the port was taken')
    expect(matrix.cells[4]?.variants).toMatchObject([{ expected: 'valid', actual: 'lost-write', asExpected: false }])
  })

  test('tells what was left out, and heads of rows and columns are heads', async () => {
    const { matrix } = await example()
    const left = { name: 'powerless', role: 'main', summary: 'x', reason: 'no power | here' } as const
    const told: Matrix = { ...matrix, cells: matrix.cells.map(cell => ({ ...cell, leftOut: [left] })) }
    expect(matrixMarkdown(told)).toContain('- a on faultline, left out: powerless: no power \\| here')
    expect(matrixJunit(told)).toContain('<system-out>left out: powerless: no power | here</system-out>')
    const html = matrixHtml(told, '/out')
    expect(html).toContain('<b>left out</b> powerless: no power | here')
    expect(html).not.toMatch(/<th>/)
    expect(html).toContain('<th scope="row">a</th>')
  })

  test('an interrupt keeps what there is', async () => {
    const stop = new AbortController()
    const seen: Matrix[] = []
    const running = runMatrix({
      labs: ['a', 'b'],
      engines: [kafka],
      runtime: 'process',
      seed: 1,
      signal: stop.signal,
      available: () => Promise.resolve({ available: true }),
      run: lab => Promise.resolve({ result: result(lab, 'valid') }),
      done: (_, soFar) => {
        seen.push(soFar)
        stop.abort(new Error('interrupted'))
      },
    })
    await expect(running).rejects.toThrow('interrupted')
    expect(seen).toMatchObject([{ labs: ['a', 'b'], cells: [{ lab: 'a', verdict: 'valid' }] }])
    expect(matrixMarkdown(seen[0]!)).toContain('| b | not run |')
  })

  test('ends at an interrupt', async () => {
    const aborted = AbortSignal.abort(new Error('interrupted'))
    const options = { labs: ['a'], engines: [kafka], runtime: 'process', seed: 1, signal: aborted } as const
    const never = () => Promise.reject(new Error('it ran'))
    const available = () => Promise.resolve({ available: true } as const)
    await expect(runMatrix({ ...options, available, run: never })).rejects.toThrow('interrupted')
  })

  test('is a page without any reference to the network, a table in Markdown, and JUnit with a suite for each engine', async () => {
    const { matrix } = await example()
    const html = matrixHtml(matrix, '/out')
    expect(html).not.toMatch(/<(script|link|img|iframe)[^>]+(src|href)="(?!data:)/)
    expect(html).toContain('href="a/report.html"')
    expect(html).toContain('it is invalid &lt;&amp;| so')
    const markdown = matrixMarkdown(matrix)
    expect(markdown).toContain('| a | valid, 1.5 s | SKIPPED |')
    expect(markdown).toContain('- a on apache-kafka:3.9.1: SKIPPED. no Java. Get it.')
    const junit = matrixJunit(matrix)
    expect(junit).toContain('name="labs on faultline, process" tests="3" failures="1" errors="1" skipped="0"')
    expect(junit).toContain('name="labs on apache-kafka:3.9.1, process" tests="3" failures="0" errors="0" skipped="3"')
    expect(junit).toContain(
      '<failure message="it is invalid &lt;&amp;| so">main: expected valid, got lost-write (1.0 s)</failure>',
    )
  })
})
