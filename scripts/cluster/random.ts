/**
 * Seeded random numbers for labs (sfc32, a public-domain generator by Chris Doty-Humphrey). The same seed gives the same choices on
 * every machine. Not for secrets.
 */
import type { Random } from '#broker/environment/environment.ts'

export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9
  let b = 0x243f6a88
  let c = seed | 0
  let counter = Math.floor(seed / 2 ** 32) | 1
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return sum >>> 0
  }
  for (let round = 0; round < 12; round++) next()
  return {
    below(limit) {
      if (!Number.isInteger(limit) || limit < 1 || limit > 2 ** 48)
        throw new RangeError(`limit must be 1 … 2^48, got ${limit}`)
      return Math.floor((((next() & 0xfffff) * 2 ** 32 + next()) / 2 ** 52) * limit)
    },
    bytes(count) {
      const bytes = Buffer.allocUnsafe(count)
      for (let index = 0; index < count; index++) bytes[index] = next() & 0xff
      return bytes
    },
  }
}
