/** Regions are found among many as they would be one by one, and without looking at each. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  behindDamage,
  damageAt,
  damageFrom,
  damageHolding,
  damageUpTo,
  readableUntil,
  withDamage,
  type DamagedRegion,
} from '#broker/log/damaged-region.ts'

const problem = 'no undamaged batch'

/** Regions of one segment: one may begin where the one before it ends. */
const regions = fc
  .array(
    fc.record({
      gap: fc.nat({ max: 3 }),
      bytes: fc.integer({ min: 1, max: 4 }),
      skipped: fc.nat({ max: 3 }),
      lost: fc.integer({ min: 1, max: 4 }),
    }),
    { maxLength: 12 },
  )
  .map(steps => {
    let [position, next] = [0, 100]
    return steps.map(({ gap, bytes, skipped, lost }): DamagedRegion => {
      const [from, offset] = [position + gap, next + skipped]
      position = from + bytes
      next = offset + lost
      return { from, to: position, offset, nextOffset: next, problem }
    })
  })
const positions = Array.from({ length: 90 }, (_, at) => at)
const offsets = positions.map(at => at + 95)

describe('damaged regions', () => {
  it('are found as if each was looked at', () => {
    fc.assert(
      fc.property(regions, all => {
        for (const at of positions) {
          expect(damageHolding(all, at)).toBe(all.find(({ from, to }) => from <= at && at < to))
          expect(damageFrom(all, at)).toBe(all.find(({ from }) => from === at))
          expect(damageUpTo(all, at)).toBe(all.find(({ to }) => to === at))
          expect(behindDamage(all, at)).toBe(all.find(({ from }) => from === at)?.to ?? at)
        }
        for (const at of offsets) {
          expect(damageAt(all, at)).toBe(all.find(({ offset, nextOffset }) => offset <= at && at < nextOffset))
          const above = all.map(({ offset }) => offset).filter(offset => offset > at)
          expect(readableUntil(all, at, 150)).toBe(Math.min(150, ...above))
        }
      }),
    )
  })

  it('stay in their order, and apart, whichever comes when', () => {
    fc.assert(
      fc.property(
        regions.chain(all => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        ([all, shuffled]) => {
          expect(shuffled.reduce<readonly DamagedRegion[]>(withDamage, [])).toEqual(all)
        },
      ),
    )
  })

  it('give way to a new one that overlaps them', () => {
    const region = (from: number, to: number): DamagedRegion => ({ from, to, offset: from, nextOffset: to, problem })
    const all = [region(0, 10), region(10, 20), region(30, 40), region(40, 50)]
    expect(withDamage(all, region(15, 35))).toEqual([region(0, 10), region(15, 35), region(40, 50)])
    expect(withDamage(all, region(20, 30))).toEqual([...all.slice(0, 2), region(20, 30), ...all.slice(2)])
  })

  it('cost a look at a few of them only, however many there are', () => {
    let looks = 0
    const all = Array.from({ length: 65_536 }, (_, index) => ({
      get from() {
        looks++
        return index * 10
      },
      to: index * 10 + 5,
      get offset() {
        looks++
        return index * 3
      },
      nextOffset: index * 3 + 1,
      problem,
    }))
    expect(damageAt(all, 30_000)?.nextOffset).toBe(30_001)
    expect(behindDamage(all, 400_000)).toBe(400_005)
    expect(readableUntil(all, 30_000, 1_000_000)).toBe(30_003)
    expect(looks).toBeLessThan(100)
  })
})
