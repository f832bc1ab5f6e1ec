/** The process crashes at the nth file call of the target, right before or right after it: between any two steps of an update. */
import { describeTarget, type DiskCall, type DiskTarget, type Fault, type FaultEffects, targets } from './fault.ts'

export interface CrashAt extends DiskTarget {
  /** 1: the next call. */
  readonly nth: number
  readonly when: 'before' | 'after'
}

export function crashAt(options: CrashAt): Fault {
  let left = options.nth
  const check = (call: DiskCall, effects: FaultEffects): void => {
    if (!targets(options, call) || --left !== 0) return
    effects.hit()
    effects.crash(`${options.when} ${call.operation} ${call.path}`)
  }
  return {
    kind: 'crash-at',
    summary: `crash ${options.when} call ${options.nth} from now: ${describeTarget(options)}`,
    ...(options.when === 'before' ? { beforeCall: check } : { afterCall: check }),
  }
}
