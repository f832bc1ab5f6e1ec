import { describe, expect, test } from 'vitest'
import type { FigureKind } from '../../../bench/figures.ts'
import { Figures, median } from '../../../bench/figures.ts'
import type { Results } from '../../../bench/report.ts'
import { markdown, shortcomings } from '../../../bench/report.ts'

const kind: FigureKind = { case: 'produce', name: 'rate', unit: 'records/s', better: 'higher', target: 1 }

function resultsOf(figures: Figures, failures: Results['failures'] = []): Results {
  const machine = {
    cores: 2,
    cpu: 'a processor',
    memoryGiB: 4,
    system: 'Linux 6',
    node: '26.0.0',
    java: '17',
    kafka: '4.3.1',
    loadBefore: ['0.1', '0.1', '0.1'],
  }
  const measuredAt = '2026-01-01T00:00:00.000Z'
  return {
    measuredAt,
    command: 'node bench/main.ts',
    rounds: 3,
    quick: false,
    machine,
    figures: figures.all(),
    failures,
  }
}

describe('a figure', () => {
  test('compares medians, so that one bad round does not decide', () => {
    const figures = new Figures()
    for (const value of [100, 10, 110]) figures.add(kind, 'faultline', value)
    for (const value of [50, 200, 40, 60]) figures.add(kind, 'apache-kafka', value)
    expect(figures.all()[0]).toMatchObject({ ours: 100, kafka: 55, verdict: 'met' })
    expect(figures.all()[0]?.ratio).toBeCloseTo(100 / 55)
  })

  test('where lower is better misses its target above it, and meets it at it', () => {
    const figures = new Figures()
    const lower: FigureKind = { ...kind, better: 'lower', target: 0.5 }
    figures.add({ ...lower, name: 'a' }, 'faultline', 51)
    figures.add({ ...lower, name: 'a' }, 'apache-kafka', 100)
    figures.add({ ...lower, name: 'b' }, 'faultline', 50)
    figures.add({ ...lower, name: 'b' }, 'apache-kafka', 100)
    expect(figures.all().map(figure => figure.verdict)).toEqual(['missed', 'met'])
  })

  test('meets a target that only the rounding of a division keeps it from', () => {
    const figures = new Figures()
    const lower: FigureKind = { ...kind, better: 'lower', target: 0.1 }
    figures.add(lower, 'faultline', 0.1 + 0.2)
    figures.add(lower, 'apache-kafka', 3)
    expect(figures.all()[0]?.ratio).toBeGreaterThan(0.1)
    expect(figures.all()[0]?.verdict).toBe('met')
  })

  test('of one engine alone is reported and not judged', () => {
    const figures = new Figures()
    figures.add(kind, 'faultline', 5)
    expect(figures.all()[0]).toMatchObject({ ours: 5, kafka: undefined, ratio: undefined, verdict: 'report' })
  })

  test('refuses what is no number', () => {
    expect(() => new Figures().add(kind, 'faultline', Number.NaN)).toThrow('produce, rate: expected a number, got NaN')
  })

  test('has no median without samples', () => {
    expect(median([])).toBeUndefined()
  })
})

describe('the report', () => {
  const figures = new Figures()
  figures.add(kind, 'faultline', 123_456)
  figures.add(kind, 'apache-kafka', 200_000)

  test('names every target that was missed and every case that failed', () => {
    const lines = shortcomings(resultsOf(figures, [{ case: 'failover', why: 'no leader' }]))
    expect(lines).toEqual(['missed: produce, rate: ratio 0.617, target ≥ 1', 'failed: failover: no leader'])
    expect(markdown(resultsOf(figures))).toContain('- missed: produce, rate')
  })

  test('has a row per figure with its target beside the ratio', () => {
    expect(markdown(resultsOf(figures))).toContain(
      '| produce | rate | 123,456 records/s | 200,000 records/s | 0.617 | ≥ 1 | missed |',
    )
  })
})
