/**
 * Cases of the fuzzer: case `index` of a seed is one frame, valid or damaged, and always the same one. A case knows nothing of those
 * before it, so any range of them can be replayed.
 */
import type { Random } from '#broker/environment/environment.ts'
import { encodeRequestFrame } from '#broker/protocol/headers.ts'
import { messagesOf } from '#broker/protocol/messages/index.ts'
import { shapeOf } from '#broker/protocol/shape.ts'
import { seededRandom } from '#scripts/cluster/random.ts'
import { chance, pick, structValue, type Known } from './values.ts'

export interface Target {
  readonly apiKey: number
  readonly version: number
}

export interface FuzzCase extends Target {
  readonly index: number
  readonly name: string
  /** Undefined: nothing is wrong with the frame. */
  readonly damage: string | undefined
  /** Length prefix included. */
  readonly frame: Buffer
}

export const caseCorrelationId = 1

type Damage = (frame: Buffer, random: Random) => Buffer

/** The length prefix tells the truth again, so that it is the body that is wrong. */
function resized(frame: Buffer): Buffer {
  frame.writeInt32BE(frame.length - 4, 0)
  return frame
}

const prefixBytes = 4
const at = (frame: Buffer, random: Random): number =>
  prefixBytes + random.below(Math.max(1, frame.length - prefixBytes))
/** Behind API key, version and correlation id, so that the case still reaches its API. */
const inBody = (frame: Buffer, random: Random): number =>
  Math.min(frame.length - 1, prefixBytes + 8 + random.below(Math.max(1, frame.length - prefixBytes - 8)))

/** Lengths, counts and varints that promise more than there is. */
const absurd = [
  '7fffffff',
  '80000000',
  'ffffffff',
  'fffffffe',
  '00ffffff',
  '7fff',
  '8000',
  'ffffffff0f',
  'ffffffffffffffffff01',
]

const damages: Readonly<Record<string, Damage>> = {
  'bits flipped': (frame, random) => {
    for (let count = 1 + random.below(4); count > 0; count--) {
      const index = inBody(frame, random)
      frame[index] = (frame[index] as number) ^ (1 << random.below(8))
    }
    return frame
  },
  'bytes replaced': (frame, random) => {
    for (let count = 1 + random.below(4); count > 0; count--) frame[at(frame, random)] = random.below(256)
    return frame
  },
  'cut off': (frame, random) => resized(Buffer.from(frame.subarray(0, at(frame, random)))),
  'bytes appended': (frame, random) => resized(Buffer.concat([frame, random.bytes(1 + random.below(64))])),
  'bytes inserted': (frame, random) => {
    const index = inBody(frame, random)
    return resized(Buffer.concat([frame.subarray(0, index), random.bytes(1 + random.below(8)), frame.subarray(index)]))
  },
  'absurd length': (frame, random) => {
    const index = inBody(frame, random)
    const length = Buffer.from(pick(random, absurd), 'hex')
    return resized(
      Buffer.concat([frame.subarray(0, index), length, frame.subarray(Math.min(frame.length, index + length.length))]),
    )
  },
  'a part said many times': (frame, random) => {
    const from = inBody(frame, random)
    const part = frame.subarray(from, from + 1 + random.below(32))
    const many = Array.from({ length: 1 + random.below(1_000) }, () => part)
    return resized(Buffer.concat([frame.subarray(0, from), ...many, frame.subarray(from)]))
  },
  'a thousand tags at the end': (frame, random) => {
    const tags = Array.from({ length: 1_000 }, (_, tag) => Buffer.from([tag & 0x7f, 1, random.below(256)]))
    return resized(Buffer.concat([frame.subarray(0, -1), Buffer.from('e807', 'hex'), ...tags]))
  },
  'more promised than sent': (frame, random) => {
    frame.writeInt32BE(frame.length - prefixBytes + 1 + random.below(1_000_000), 0)
    return frame
  },
  'less promised than sent': (frame, random) => {
    frame.writeInt32BE(random.below(frame.length), 0)
    return frame
  },
}

/** The frame with something wrong. */
export function damaged(frame: Buffer, random: Random): Buffer {
  return pick(random, Object.values(damages))(frame, random)
}

export function fuzzCase(seed: number, index: number, targets: readonly Target[], known: Known): FuzzCase {
  const random = seededRandom(seed * 1_000_000 + index)
  const { apiKey, version } = targets[index % targets.length] as Target
  const { request } = messagesOf(apiKey) ?? { request: undefined }
  if (request === undefined) throw new Error(`API key ${apiKey} has no messages`)
  const value = structValue(shapeOf(request, version), random, known)
  const header = { version, correlationId: caseCorrelationId, clientId: `fuzz-${index}` }
  const frame = Buffer.concat(encodeRequestFrame(header, request, value as never))
  const damage = chance(random, 2) ? pick(random, Object.keys(damages)) : undefined
  const damaged = damage === undefined ? frame : damages[damage]?.(frame, random)
  return { index, apiKey, version, name: request.name, damage, frame: damaged ?? frame }
}
