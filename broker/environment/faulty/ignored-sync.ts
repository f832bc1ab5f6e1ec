/** A disk that answers fsync at once and has written nothing: what a power failure then takes is everything since the last honest one. */
import { describeTarget, type DiskTarget, type Fault, targets } from './fault.ts'

export function ignoredSync(options: Pick<DiskTarget, 'path'> = {}): Fault {
  const target: DiskTarget = { ...options, operations: ['sync', 'syncDirectory'] }
  return {
    kind: 'ignored-sync',
    summary: `claims success and does nothing: ${describeTarget(target)}`,
    skipsSync(call, effects) {
      if (!targets(target, call)) return false
      effects.hit()
      return true
    },
  }
}
