/** Seeds in which a compacted topic is written and cleaned while everything breaks; the actor judges (simulator/actors/compaction.ts). */
import { describe, expect, test } from 'vitest'
import { brokerOfSeed } from '#simulator/seeds/broker.ts'
import { runSeed } from '#simulator/seeds/run-seed.ts'

describe('a compacted topic', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'keeps the newest value of each key while brokers break (seed %i)',
    async seed => {
      const { failure, deeds } = await runSeed({ seed, safetyMs: 20_000, actors: ['compaction'], ...brokerOfSeed })
      expect(failure).toBeUndefined()
      // A seed may be hard on its clients.
      expect(deeds['compaction']).toBeGreaterThan(5)
    },
  )
})
