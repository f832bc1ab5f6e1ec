import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { combineBatches, type StateBatch } from '#broker/coordinator/share/state-batches.ts'

const batch = fc
  .record({
    firstOffset: fc.integer({ min: 0, max: 40 }),
    length: fc.integer({ min: 1, max: 10 }),
    deliveryState: fc.constantFrom(0, 2, 4),
    deliveryCount: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ firstOffset, length, deliveryState, deliveryCount }) => ({
    firstOffset,
    lastOffset: firstOffset + length - 1,
    deliveryState,
    deliveryCount,
  }))
const batches = fc.array(batch, { maxLength: 12 })

/** Offset by offset: the one delivered most often, then the latest state. */
function model(all: readonly StateBatch[], startOffset: number): Map<number, string> {
  const best = new Map<number, StateBatch>()
  for (const each of all)
    for (let offset = each.firstOffset; offset <= each.lastOffset; offset++) {
      const known = best.get(offset)
      const rank = ({ deliveryCount, deliveryState }: StateBatch) => deliveryCount * 10 + deliveryState
      if (offset >= startOffset && (known === undefined || rank(each) > rank(known))) best.set(offset, each)
    }
  return new Map(
    [...best].map(([offset, { deliveryState, deliveryCount }]) => [offset, `${deliveryState}/${deliveryCount}`]),
  )
}

function perOffset(ranges: readonly StateBatch[]): Map<number, string> {
  const states = new Map<number, string>()
  for (const { firstOffset, lastOffset, deliveryState, deliveryCount } of ranges)
    for (let offset = firstOffset; offset <= lastOffset; offset++) {
      expect(states.has(offset)).toBe(false)
      states.set(offset, `${deliveryState}/${deliveryCount}`)
    }
  return states
}

const sorted = (states: Map<number, string>) => [...states].sort(([a], [b]) => a - b)

describe('combined state batches', () => {
  test('say of every offset what the model says, in order, with no neighbours in the same state', () => {
    fc.assert(
      fc.property(batches, batches, fc.integer({ min: -1, max: 30 }), (known, news, startOffset) => {
        const combined = combineBatches(known, news, startOffset)
        expect([...perOffset(combined)]).toEqual(sorted(model([...known, ...news], startOffset)))
        combined.slice(1).forEach((each, index) => {
          const before = combined[index]
          const isNeighbour = before !== undefined && before.lastOffset + 1 === each.firstOffset
          const isSame = before?.deliveryCount === each.deliveryCount && before.deliveryState === each.deliveryState
          expect(isNeighbour && isSame).toBe(false)
        })
      }),
    )
  })

  test('do not depend on how the writes were cut', () => {
    fc.assert(
      fc.property(batches, batches, batches, (a, b, c) => {
        const stepwise = combineBatches(combineBatches(combineBatches([], a, -1), b, -1), c, -1)
        expect(stepwise).toEqual(combineBatches([], [...a, ...b, ...c], -1))
      }),
    )
  })
})
