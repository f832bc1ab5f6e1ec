import { describe, expect, test } from 'vitest'
import { mostCost, SlicePace } from '#broker/log/cleaner/slice-pace.ts'

/** Turns of no length, one after the other. */
const pauses = (pace: SlicePace, turns: number): number[] =>
  Array.from({ length: turns }, () => {
    pace.waited(0)
    return pace.worked(1000, 0, 0)
  })

describe('the pace of the cleaner', () => {
  test('while the loop is idle turns follow each other at once, with a pause now and then', () => {
    const found = pauses(new SlicePace(() => Infinity), 40)
    expect(found.filter(pause => pause === 0).length).toBeGreaterThan(30)
    expect(found.filter(pause => pause === 1).length).toBeGreaterThan(2)
  })

  test('it gives way to others, the longer the busier they are, and comes back', () => {
    const pace = new SlicePace(() => Infinity)
    const busy = Array.from({ length: 8 }, () => {
      pace.waited(3)
      return pace.worked(1000, 0, 0)
    })
    expect(busy).toEqual([1, 2, 4, 8, 16, 20, 20, 20])
    expect(pauses(pace, 30).at(-2)).toBe(0)
  })

  test('a turn that took long is followed by shorter ones', () => {
    const pace = new SlicePace(() => Infinity)
    pace.worked(1000, 0, 2)
    expect(pace.cost).toBe(mostCost / 2)
    for (let turn = 0; turn < 10; turn++) pace.worked(1000, 0, 2)
    expect(pace.cost).toBeGreaterThan(0)
    pauses(pace, 100)
    expect(pace.cost).toBe(mostCost)
  })

  test('it keeps to log.cleaner.io.max.bytes.per.second', () => {
    const pace = new SlicePace(() => 100_000)
    let nowMs = 0
    pace.begin(nowMs)
    let bytes = 0
    while (nowMs < 10_000) {
      bytes += 5000
      nowMs += pace.worked(5000, nowMs, nowMs)
    }
    expect(bytes / (nowMs / 1000)).toBeLessThanOrEqual(100_000)
    expect(bytes / (nowMs / 1000)).toBeGreaterThan(95_000)
  })
})
