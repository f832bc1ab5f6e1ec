import { describe, expect, it } from 'vitest'
import { xxh3 } from '#broker/coordinator/groups/modern/xxh3.ts'

/** Of bytes i * 31 + 7, by length; computed with hash4j, which Kafka uses. */
const expected: readonly (readonly [length: number, hash: bigint])[] = [
  [0, 3244421341483603138n],
  [4, -2549016526957988167n],
  [8, -2394039629164210130n],
  [9, -3754995788605292611n],
  [16, 9099606716676871632n],
  [17, 2345212530088924167n],
  [33, 1844846513307983686n],
  [65, -381843323958800864n],
  [97, 6981672134384256435n],
  [128, -492175581222641016n],
  [129, -506823097681485574n],
  [240, -3690920546649497853n],
  [241, 809349449570470400n],
  [1024, 2575082683865311686n],
  [1025, -4566685497618039422n],
  [2048, 1870957339171033971n],
  [5000, 6169931020318013678n],
]

describe('XXH3', () => {
  it.each(expected)('of %i bytes is what Kafka computes', (length, hash) => {
    expect(xxh3(Buffer.from(Array.from({ length }, (_, index) => index * 31 + 7)))).toBe(hash)
  })
})
