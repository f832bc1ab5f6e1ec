/** A disk that refuses calls with an error, EIO by default: some, or all, of the operations and paths it is about. */
import { DiskError, type DiskErrorCode } from '../environment.ts'
import {
  describeOccasion,
  describeTarget,
  type DiskTarget,
  type Fault,
  type Occasion,
  occasions,
  targets,
} from './fault.ts'

export interface FailingDisk extends DiskTarget, Occasion {
  readonly code?: DiskErrorCode
}

export function failingDisk(options: FailingDisk = {}): Fault {
  const { code = 'EIO' } = options
  const isDue = occasions(options)
  return {
    kind: 'failing-disk',
    summary: `${describeTarget(options)} fails with ${code}${describeOccasion(options)}`,
    beforeCall(call, effects) {
      if (!targets(options, call) || !isDue(effects)) return
      effects.hit()
      throw new DiskError(code, call.operation, call.path)
    },
  }
}
