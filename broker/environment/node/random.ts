/** Randomness from the operating system: good enough for ids that must not be guessed (cluster ids, SCRAM nonces). */
import { randomBytes, randomInt } from 'node:crypto'
import type { Random } from '../environment.ts'

const limitMax = 2 ** 48

export const nodeRandom: Random = {
  below(limit) {
    if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
      throw new RangeError(`Expected an integer limit from 1 to 2^48, got ${limit}`)
    }
    // randomInt wants its range strictly below 2^48.
    return limit === limitMax ? randomBytes(6).readUIntBE(0, 6) : randomInt(limit)
  },
  bytes: count => randomBytes(count),
}
