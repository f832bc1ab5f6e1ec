import { describe, expect, test } from 'vitest'
import { seededRandom } from '#scripts/cluster/random.ts'
import { drawDelayMs, drawStallMs, type Distribution } from '#scripts/proxy/distributions.ts'

const count = 20_000

function draws(distribution: Distribution, seed = 1): number[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => drawDelayMs({ delayMs: 100, jitterMs: 20, distribution }, random))
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
function deviation(values: readonly number[]): number {
  const middle = mean(values)
  return Math.sqrt(mean(values.map(value => (value - middle) ** 2)))
}

describe('delays', () => {
  test('are the same for the same seed', () => {
    expect(draws('pareto', 5)).toEqual(draws('pareto', 5))
    expect(draws('pareto', 5)).not.toEqual(draws('pareto', 6))
  })

  test('are within the jitter, all alike, when uniform', () => {
    const values = draws('uniform')
    expect(Math.min(...values)).toBeGreaterThanOrEqual(80)
    expect(Math.max(...values)).toBeLessThanOrEqual(120)
    expect(mean(values)).toBeCloseTo(100, 0)
    expect(deviation(values)).toBeCloseTo(40 / Math.sqrt(12), 0)
  })

  test('have the jitter as their deviation when normal', () => {
    const values = draws('normal')
    expect(Math.abs(mean(values) - 100)).toBeLessThan(1)
    expect(Math.abs(deviation(values) - 20)).toBeLessThan(1)
  })

  test('have a long tail above the delay when pareto, with the jitter as what comes on top in the mean', () => {
    const values = draws('pareto')
    expect(Math.min(...values)).toBeGreaterThanOrEqual(100)
    expect(Math.abs(mean(values) - 120)).toBeLessThan(2)
    expect(Math.max(...values)).toBeGreaterThan(100 + 10 * 20)
  })

  test('are never negative', () => {
    const random = seededRandom(3)
    const options = { delayMs: 1, jitterMs: 50, distribution: 'normal' } as const
    for (let index = 0; index < 1000; index++) expect(drawDelayMs(options, random)).toBeGreaterThanOrEqual(0)
  })
})

describe('lost segments', () => {
  test('cost their timeout as often as they are lost', () => {
    const random = seededRandom(2)
    const stalls = Array.from({ length: count }, () => drawStallMs(1000, { probability: 0.1, timeoutMs: 200 }, random))
    const share = stalls.filter(stall => stall > 0).length / count
    expect(Math.abs(share - 0.1)).toBeLessThan(0.01)
    expect(Math.min(...stalls.filter(stall => stall > 0))).toBe(200)
    expect(stalls).toContain(600)
  })

  test('are as many as the bytes have', () => {
    const random = seededRandom(2)
    expect(drawStallMs(14_600, { probability: 1, timeoutMs: 1 }, random)).toBe(10 * 63)
    expect(drawStallMs(14_600, { probability: 0, timeoutMs: 1 }, random)).toBe(0)
  })
})
