/**
 * Seeded randomness of a simulation: xoshiro128**, in 32-bit integers only, so that every machine draws the same numbers. No floating
 * point in the interface: probabilities are ratios. Every consumer forks a generator of its own, so that one more draw here does not
 * shift the draws there.
 *
 * Source: Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2018; splitmix32 for the state.
 */
import type { Random } from '#broker/environment/environment.ts'

const limitMax = 2 ** 48

export class Prng implements Random {
  #a: number
  #b: number
  #c: number
  #d: number

  /** Different (seed, stream) pairs give unrelated sequences. */
  constructor(seed: number, stream = '') {
    if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`Expected a seed from 0 to 2^53 - 1, got ${seed}`)
    const next = splitMix((seed >>> 0) ^ textHash(stream), Math.floor(seed / 2 ** 32) >>> 0)
    this.#a = next()
    this.#b = next()
    this.#c = next()
    this.#d = next() | 1
  }

  /** 32 uniform bits. */
  uint32(): number {
    const scrambled = Math.imul(rotateLeft(Math.imul(this.#b, 5), 7), 9) >>> 0
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = rotateLeft(this.#d, 11)
    return scrambled
  }

  /** Uniform integer in [0, limit); 1 <= limit <= 2^48. Rejection, so that no value is favoured. */
  below(limit: number): number {
    if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
      throw new RangeError(`Expected an integer limit from 1 to 2^48, got ${limit}`)
    }
    const space = limit <= 2 ** 32 ? 2 ** 32 : limitMax
    const fair = space - (space % limit)
    for (;;) {
      const draw = space === limitMax ? (this.uint32() >>> 16) * 2 ** 32 + this.uint32() : this.uint32()
      if (draw < fair) return draw % limit
    }
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count)
    let index = 0
    for (; index + 4 <= count; index += 4) bytes.writeUInt32LE(this.uint32(), index)
    for (let rest = this.uint32(); index < count; index++, rest >>>= 8) bytes[index] = rest & 0xff
    return bytes
  }

  /** Uniform integer from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  /** True with probability numerator / denominator. */
  chance(numerator: number, denominator: number): boolean {
    return this.below(denominator) < numerator
  }

  pick<T>(choices: readonly T[]): T {
    if (choices.length === 0) throw new RangeError('Expected something to pick from, got an empty list')
    return choices[this.below(choices.length)]!
  }

  /** A new list in random order. */
  shuffle<T>(list: readonly T[]): T[] {
    const shuffled = [...list]
    for (let index = shuffled.length - 1; index > 0; index--) {
      const other = this.below(index + 1)
      const kept = shuffled[index]!
      shuffled[index] = shuffled[other]!
      shuffled[other] = kept
    }
    return shuffled
  }

  /** An independent generator; the same state and label always give the same one. */
  fork(label: string): Prng {
    return new Prng(this.uint32(), label)
  }
}

/** Hash of a text (FNV-1a with a final mix), for streams and traces; never for security. */
export function textHash(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return mix(hash)
}

function splitMix(low: number, high: number): () => number {
  let state = mix(high ^ 0x5bd1e995) ^ low
  return () => {
    state = (state + 0x9e3779b9) | 0
    return mix(state)
  }
}

function mix(value: number): number {
  let mixed = value
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
