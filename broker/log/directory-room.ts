/**
 * Whether a log directory has space. It is full from the first write that found none until a probe could write a megabyte: until then nobody
 * tries, and nothing is stopped. Retention and deletion make room; so may whoever owns the machine.
 */
import { DiskError } from '../environment/environment.ts'
import type { Environment, Timer } from '../environment/environment.ts'
import { isShortage } from './log-failure.ts'
import type { DirectoryRoom } from './log-failure.ts'

export const probeFile = '.space-probe'
const probeBytes = 1024 * 1024
const probeEveryMs = 1000

export interface RoomOptions {
  readonly environment: Pick<Environment, 'disk' | 'timers' | 'clock' | 'log'>
  /** Of the log directory. */
  readonly path: string
  /** There is space again. */
  hasSpace(): void
  /** The probe found out that the disk does not work at all. */
  failed(error: DiskError): void
}

export class Room implements DirectoryRoom {
  full: DiskError | undefined
  private readonly options: RoomOptions
  private timer: Timer | undefined
  private fullSinceMs = 0
  private isStopped = false

  constructor(options: RoomOptions) {
    this.options = options
  }

  ranFull(error: DiskError): void {
    if (this.full !== undefined) return
    const { environment, path } = this.options
    this.full = error
    this.fullSinceMs = environment.clock.monotonicMs()
    environment.log.error('A log directory is full: nothing is appended there until it has space again.', {
      directory: path,
      operation: error.operation,
      path: error.path,
      code: error.code,
      advice: 'free some space, or shorten retention; reads go on, and nothing has to be restarted',
    })
    this.probeLater()
  }

  /** For good. */
  stop(): void {
    this.isStopped = true
    this.timer?.cancel()
    this.timer = undefined
  }

  private probeLater(): void {
    if (this.isStopped) return
    this.timer = this.options.environment.timers.after(probeEveryMs, () => {
      this.timer = undefined
      this.probe()
    })
  }

  private probe(): void {
    const { environment, path } = this.options
    try {
      this.writeProbe()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      if (isShortage(error)) this.probeLater()
      else this.options.failed(error)
      return
    }
    this.full = undefined
    const fullMs = environment.clock.monotonicMs() - this.fullSinceMs
    environment.log.info('A log directory has space again.', { directory: path, fullMs })
    this.options.hasSpace()
  }

  private writeProbe(): void {
    const { disk } = this.options.environment
    const path = `${this.options.path}/${probeFile}`
    const file = disk.open(path, 'write')
    try {
      file.write([Buffer.alloc(probeBytes)], 0)
    } finally {
      file.close()
      disk.remove(path)
    }
  }
}
