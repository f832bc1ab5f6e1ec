/** A disk that refuses calls with an error, EIO by default: some, or all, of the operations and paths it is about. */
import { DiskError, type DiskErrorCode } from '../environment.ts'
import { describeTarget, type DiskTarget, type Fault, targets } from './fault.ts'

export interface FailingDisk extends DiskTarget {
  readonly code?: DiskErrorCode
  /** One call in so many fails; default: each. */
  readonly oneIn?: number
}

export function failingDisk(options: FailingDisk = {}): Fault {
  const { code = 'EIO', oneIn = 1 } = options
  return {
    kind: 'failing-disk',
    summary: `${describeTarget(options)} fails with ${code}${oneIn > 1 ? `, one in ${oneIn}` : ''}`,
    beforeCall(call, effects) {
      if (!targets(options, call)) return
      if (oneIn > 1 && effects.random.below(oneIn) > 0) return
      effects.hit()
      throw new DiskError(code, call.operation, call.path)
    },
  }
}
