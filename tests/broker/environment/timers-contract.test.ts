import { describe, expect, test } from 'vitest'
import { harnesses } from './contracts/harness.ts'

describe.each(harnesses)('timers, clock and random of the $name', ({ run }) => {
  test('a timer runs once, not before its time, and not when it was cancelled', () =>
    run(async ({ environment: { timers, clock } }) => {
      const beganMs = clock.monotonicMs()
      const cancelled = timers.after(1, () => {
        throw new Error('It was cancelled')
      })
      cancelled.cancel()
      await new Promise<void>(resolve => {
        timers.after(20, resolve)
      })
      // The real clock is floored, and its timers may fire a little early, so that almost two milliseconds may be missing.
      expect(clock.monotonicMs() - beganMs).toBeGreaterThanOrEqual(18)
      cancelled.cancel()
    }))

  test('a timer longer than 31 bits of milliseconds does not run at once', () =>
    run(async ({ environment: { timers } }) => {
      let ran = false
      const long = timers.after(2 ** 33, () => (ran = true))
      const endless = timers.after(Infinity, () => (ran = true))
      await new Promise<void>(resolve => {
        timers.after(10, resolve)
      })
      expect(ran).toBe(false)
      long.cancel()
      endless.cancel()
    }))

  test('a negative delay is a mistake', () =>
    run(async ({ environment: { timers } }) => {
      expect(() => timers.after(-1, () => {})).toThrow('0 ms or more, got -1')
      expect(() => timers.after(Number.NaN, () => {})).toThrow('got NaN')
    }))

  test('soon runs in a later turn, after the promises of this one, in order', () =>
    run(async ({ environment: { timers } }) => {
      const order: string[] = []
      await new Promise<void>(resolve => {
        timers.soon(() => order.push('first'))
        timers.soon(() => {
          order.push('second')
          resolve()
        })
        void Promise.resolve().then(() => order.push('promise'))
        order.push('now')
      })
      expect(order).toEqual(['now', 'promise', 'first', 'second'])
    }))

  test('clocks give whole milliseconds', () =>
    run(async ({ environment: { clock } }) => {
      expect(Number.isInteger(clock.monotonicMs())).toBe(true)
      expect(clock.wallMs()).toBeGreaterThan(Date.UTC(2025, 0, 1))
    }))

  test('random integers stay below their limit, up to 2^48', () =>
    run(async ({ environment: { random } }) => {
      for (const limit of [1, 2, 10, 2 ** 32, 2 ** 40 + 1, 2 ** 48]) {
        for (let count = 0; count < 100; count++) {
          const drawn = random.below(limit)
          expect(Number.isInteger(drawn) && drawn >= 0 && drawn < limit).toBe(true)
        }
      }
      expect(() => random.below(0)).toThrow('from 1 to 2^48, got 0')
      expect(() => random.below(2 ** 48 + 1)).toThrow(RangeError)
      expect(random.bytes(7)).toHaveLength(7)
    }))
})
