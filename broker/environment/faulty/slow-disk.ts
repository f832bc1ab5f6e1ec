/** A disk that takes its time: every call of the target blocks the process, as a throttled or dying disk does. */
import { describeTarget, type DiskTarget, type Fault, targets } from './fault.ts'

export interface SlowDisk extends DiskTarget {
  readonly delayMs: number
  /** Up to this much is added at random. */
  readonly jitterMs?: number
}

export function slowDisk(options: SlowDisk): Fault {
  const { delayMs, jitterMs = 0 } = options
  return {
    kind: 'slow-disk',
    summary: `${describeTarget(options)} takes ${delayMs}${jitterMs > 0 ? ` to ${delayMs + jitterMs}` : ''} ms longer`,
    beforeCall(call, effects) {
      if (!targets(options, call)) return
      effects.hit()
      effects.stall(delayMs + effects.random.below(jitterMs + 1))
    },
  }
}
