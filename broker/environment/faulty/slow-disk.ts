/**
 * A disk that takes its time, as a throttled or dying one does: calls of the target block the process; an fsync off the event loop is over
 * later and blocks nobody.
 */
import { describeTarget, type DiskCall, type DiskTarget, type Fault, type FaultEffects, targets } from './fault.ts'

/** The machine has to stay usable: no call of a node that is broken on purpose takes longer, ms. */
export const callMsMax = 2_000

export interface SlowDisk extends DiskTarget {
  /** Each call takes so much longer. Default 0. */
  readonly delayMs?: number
  /** Up to this much is added at random. */
  readonly jitterMs?: number
  /** What reads and writes pass at most. */
  readonly bytesPerSecond?: number
  /** No call takes longer than this, however many bytes it has. */
  readonly mostMs?: number
}

export function slowDisk(options: SlowDisk): Fault {
  const { delayMs = 0, jitterMs = 0, bytesPerSecond, mostMs = Infinity } = options
  const tookMs = (call: DiskCall, effects: FaultEffects): number => {
    effects.hit()
    const bytesMs = bytesPerSecond === undefined ? 0 : (call.bytes / bytesPerSecond) * 1000
    return Math.min(delayMs + bytesMs + effects.random.below(jitterMs + 1), mostMs)
  }
  return {
    kind: 'slow-disk',
    summary: summaryOf(options),
    beforeCall(call, effects) {
      if (call.later !== true && targets(options, call)) effects.stall(tookMs(call, effects))
    },
    laterMs: (call, effects) => (targets(options, call) ? tookMs(call, effects) : 0),
  }
}

function summaryOf(options: SlowDisk): string {
  const { delayMs = 0, jitterMs = 0, bytesPerSecond } = options
  const longer = `${delayMs}${jitterMs > 0 ? ` to ${delayMs + jitterMs}` : ''} ms longer`
  const rate = bytesPerSecond === undefined ? '' : `at most ${bytesPerSecond} bytes per second`
  const parts = [delayMs + jitterMs > 0 || rate === '' ? longer : '', rate].filter(part => part !== '')
  return `${describeTarget(options)} takes ${parts.join(', ')}`
}
