import { describe, expect, test } from 'vitest'
import { resultsPage } from '#scripts/labs/lessons/results-page.ts'
import type { Matrix, MatrixCell } from '#scripts/labs/matrix.ts'

const cell = (lab: string, engine: string, more: Partial<MatrixCell> = {}): MatrixCell => ({
  lab,
  engine,
  verdict: 'valid',
  reason: 'as expected',
  durationMs: 12_300,
  variants: [
    { name: 'main', role: 'main', expected: 'valid', actual: 'valid', asExpected: true, durationMs: 7_000 },
    {
      name: 'weak',
      role: 'control',
      expected: 'lost-write',
      actual: 'lost-write',
      asExpected: true,
      durationMs: 5_300,
    },
  ],
  ...more,
})

const matrix = (runtime: Matrix['runtime'], cells: readonly MatrixCell[]): Matrix => ({
  runtime,
  seed: 7,
  startedAt: '2026-01-02T03:04:05.000Z',
  durationMs: 1,
  labs: [...new Set(cells.map(({ lab }) => lab))],
  engines: [...new Set(cells.map(({ engine }) => engine))],
  cells,
})

const lines = (...matrices: Matrix[]) => resultsPage(matrices, 'a machine').split('\n')

describe('the page of what labs came to', () => {
  test('has a row for a lab and one for each of its variants, and a column for each engine and runtime', () => {
    const page = lines(
      matrix('simulated', [cell('01-a', 'faultline'), cell('02-b', 'faultline')]),
      matrix('process', [cell('01-a', 'faultline'), cell('01-a', 'apache-kafka:3.9.1')]),
    )
    expect(page.filter(line => line.startsWith('|'))).toEqual([
      '| lab | variant | expected | faultline, simulated | faultline, process | apache-kafka:3.9.1, process |',
      '| --- | --- | --- | --- | --- | --- |',
      '| [01-a](lessons/01-a.md) |  |  | ✓ 12.3 s | ✓ 12.3 s | ✓ 12.3 s |',
      '|  | main | valid | ✓ valid 7.0 s | ✓ valid 7.0 s | ✓ valid 7.0 s |',
      '|  | weak | lost-write | ✓ lost-write 5.3 s | ✓ lost-write 5.3 s | ✓ lost-write 5.3 s |',
      '| [02-b](lessons/02-b.md) |  |  | ✓ 12.3 s |  |  |',
      '|  | main | valid | ✓ valid 7.0 s | – | – |',
      '|  | weak | lost-write | ✓ lost-write 5.3 s | – | – |',
    ])
    expect(page).toContain('- faultline, simulated: seed 7, begun 2026-01-02 03:04 UTC')
  })

  test('says what was not as expected, what was skipped or left out, and why', () => {
    const leftOut = [{ name: 'weak', role: 'control', summary: '', reason: 'no node-faults' }] as const
    const [main, weak] = cell('a', 'b').variants
    const page = lines(
      matrix('process', [
        cell('01-a', 'faultline', { variants: [main!], leftOut }),
        cell('01-a', 'apache-kafka', {
          verdict: 'invalid',
          reason: 'a promise was broken',
          variants: [main!, { ...weak!, actual: 'valid', asExpected: false }],
        }),
        cell('02-b', 'faultline', { verdict: 'skipped', reason: 'no disk', variants: [] }),
      ]),
    )
    expect(page).toContain('| [01-a](lessons/01-a.md) |  |  | ✓ 12.3 s | ✗ invalid 12.3 s |')
    expect(page).toContain('|  | weak | lost-write | – | ✗ valid 5.3 s |')
    expect(page).toContain('| [02-b](lessons/02-b.md) |  |  | skipped |  |')
    expect(page.filter(line => line.startsWith('- '))).toEqual([
      '- faultline, process: seed 7, begun 2026-01-02 03:04 UTC',
      '- apache-kafka, process: seed 7, begun 2026-01-02 03:04 UTC',
      '- 01-a on faultline, process, left out: weak: no node-faults',
      '- 01-a on apache-kafka, process: invalid. a promise was broken',
      '- 02-b on faultline, process: skipped. no disk',
    ])
  })

  test('has what a later run came to in the place of what an earlier one did', () => {
    const earlier = matrix('process', [cell('01-a', 'faultline'), cell('02-b', 'faultline', { verdict: 'unknown' })])
    const later = matrix('process', [cell('02-b', 'faultline', { durationMs: 1_000 })])
    const page = lines(earlier, { ...later, seed: 8 })
    expect(page.filter(line => line.startsWith('| ['))).toEqual([
      '| [01-a](lessons/01-a.md) |  |  | ✓ 12.3 s |',
      '| [02-b](lessons/02-b.md) |  |  | ✓ 1.0 s |',
    ])
    expect(page.filter(line => line.startsWith('- '))).toEqual([
      '- faultline, process: seed 7, begun 2026-01-02 03:04 UTC; seed 8, begun 2026-01-02 03:04 UTC',
    ])
  })

  test('says of each engine what was expected where that differs', () => {
    const [main] = cell('a', 'b').variants
    const page = lines(
      matrix('process', [
        cell('01-a', 'faultline', { variants: [main!] }),
        cell('01-a', 'apache-kafka:3.9.1', {
          variants: [{ ...main!, expected: 'torn-transaction', actual: 'torn-transaction' }],
        }),
      ]),
    )
    expect(page).toContain(
      '|  | main | differs | ✓ valid, expected valid 7.0 s | ✓ torn-transaction, expected torn-transaction 7.0 s |',
    )
  })
})
