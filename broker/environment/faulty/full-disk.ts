/** A disk without room: at once, or when that many bytes more were written. The last write is cut where the room ends, as a kernel does. */
import { DiskError } from '../environment.ts'
import { type Fault, firstBytes } from './fault.ts'

export interface FullDisk {
  /** Bytes that still fit; default 0. */
  readonly afterBytes?: number
}

export function fullDisk(options: FullDisk = {}): Fault {
  let leftBytes = options.afterBytes ?? 0
  return {
    kind: 'full-disk',
    summary: leftBytes === 0 ? 'no space left on the disk' : `no space left on the disk after ${leftBytes} bytes`,
    usableBytesMax: () => leftBytes,
    beforeCall(call, effects) {
      if (call.operation !== 'makeDirectory' || leftBytes > 0) return
      effects.hit()
      throw new DiskError('ENOSPC', call.operation, call.path)
    },
    changeWrite(call, chunks, effects) {
      if (call.bytes <= leftBytes) {
        leftBytes -= call.bytes
        return undefined
      }
      effects.hit()
      const fits = firstBytes(chunks, leftBytes)
      leftBytes = 0
      return {
        chunks: fits,
        after: () => {
          throw new DiskError('ENOSPC', call.operation, call.path)
        },
      }
    },
  }
}
