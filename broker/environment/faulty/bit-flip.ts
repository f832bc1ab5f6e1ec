/** A disk that returns or keeps other bytes than were written: one bit of one call in so many is wrong, and nobody says so. */
import {
  describeOccasion,
  describeTarget,
  type DiskTarget,
  type Fault,
  type Occasion,
  occasions,
  targets,
} from './fault.ts'

export interface BitFlip extends Pick<DiskTarget, 'path'>, Occasion {
  readonly on: 'read' | 'write'
}

export function bitFlip(options: BitFlip): Fault {
  const { on } = options
  const target: DiskTarget = { ...options, operations: [on] }
  const isDue = occasions(options)
  return {
    kind: 'bit-flip',
    summary: `one wrong bit: ${describeTarget(target)}${describeOccasion(options)}`,
    changeRead(call, bytes, effects) {
      if (on !== 'read' || bytes.length === 0 || !targets(target, call) || !isDue(effects)) return
      effects.hit()
      flip(bytes, effects.random.below(bytes.length * 8))
    },
    changeWrite(call, chunks, effects) {
      // Another fault may have left nothing of it, as a full disk does.
      const isEmpty = chunks.every(chunk => chunk.length === 0)
      if (on !== 'write' || isEmpty || !targets(target, call) || !isDue(effects)) return undefined
      effects.hit()
      // The caller's bytes are not ours to change.
      const copy = Buffer.concat(chunks)
      flip(copy, effects.random.below(copy.length * 8))
      return { chunks: [copy] }
    },
  }
}

function flip(bytes: Uint8Array, bit: number): void {
  const index = Math.floor(bit / 8)
  bytes[index] = bytes[index]! ^ (1 << (bit % 8))
}
