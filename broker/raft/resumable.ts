/**
 * Carries out steps one after the other. A step for which there is no space on the disk, or no file descriptor, is tried again until there is,
 * and what comes after it waits: nothing leaves the node that relies on what is not written. Each step must be one that can be done again.
 */
import { DiskError, type Environment, type Timer } from '../environment/environment.ts'
import { isDiskFull, isShortage } from '../log/log-failure.ts'

const retryEveryMs = 1000

export class Resumable {
  private readonly environment: Pick<Environment, 'timers' | 'clock' | 'log'>
  /** Another DiskError. Does not return. */
  private readonly failed: (error: DiskError) => never
  private left: (() => void)[] = []
  private done: (() => void) | undefined
  private timer: Timer | undefined
  private sinceMs: number | undefined

  constructor(environment: Pick<Environment, 'timers' | 'clock' | 'log'>, failed: (error: DiskError) => never) {
    this.environment = environment
    this.failed = failed
  }

  /** A step waits for space, or a descriptor. */
  get isWaiting(): boolean {
    return this.timer !== undefined
  }

  /** `done` follows the last step: at once, unless a step has to wait. */
  run(steps: readonly (() => void)[], done: () => void): void {
    this.left = [...steps]
    this.done = done
    this.goOn()
  }

  stop(): void {
    this.timer?.cancel()
    this.timer = undefined
  }

  private goOn(): void {
    while (this.left.length > 0) {
      try {
        this.left[0]!()
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        if (!isShortage(error)) return this.failed(error)
        return this.wait(error)
      }
      this.left.shift()
    }
    if (this.sinceMs !== undefined) {
      const waitedMs = this.environment.clock.monotonicMs() - this.sinceMs
      this.sinceMs = undefined
      this.environment.log.info('The metadata log has what it needs again.', { waitedMs })
    }
    this.done?.()
  }

  private wait(error: DiskError): void {
    const { clock, log, timers } = this.environment
    if (this.sinceMs === undefined) {
      this.sinceMs = clock.monotonicMs()
      const [what, remedy] = isDiskFull(error)
        ? ['space', 'free some space']
        : ['file descriptor', 'close connections; raise the limit of open files (ulimit -n) at the next start']
      log.error(`No ${what} for the metadata log: this node takes no part in the quorum until there is some.`, {
        operation: error.operation,
        path: error.path,
        code: error.code,
        advice: `${remedy}; nothing has to be restarted`,
      })
    }
    this.timer = timers.after(retryEveryMs, () => {
      this.timer = undefined
      this.goOn()
    })
  }
}
