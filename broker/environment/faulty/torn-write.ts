/** A write of which only the first part reaches the file before the process crashes: the nth of the target. */
import { describeTarget, type DiskTarget, type Fault, firstBytes, targets } from './fault.ts'

export interface TornWrite extends Pick<DiskTarget, 'path'> {
  /** 1: the next write. */
  readonly nth: number
  /** Bytes that reach the file; default: a random part. */
  readonly keepBytes?: number
}

export function tornWrite(options: TornWrite): Fault {
  let left = options.nth
  const target: DiskTarget = { ...options, operations: ['write'] }
  return {
    kind: 'torn-write',
    summary: `crash in the middle of ${describeTarget(target)}, number ${options.nth} from now`,
    changeWrite(call, chunks, effects) {
      if (!targets(target, call) || --left !== 0) return undefined
      effects.hit()
      const keepBytes = Math.min(options.keepBytes ?? effects.random.below(call.bytes + 1), call.bytes)
      return {
        chunks: firstBytes(chunks, keepBytes),
        after: () => effects.crash(`${keepBytes} of ${call.bytes} bytes written to ${call.path}`),
      }
    },
  }
}
