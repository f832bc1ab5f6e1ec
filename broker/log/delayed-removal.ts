/**
 * Removes files some time after they left the log, so that a read that is under way on them can end: they are renamed
 * to `.deleted` at once and removed after the delay. What is not removed when the node stops is removed at its next
 * start.
 */
import type { Environment, Logger, Timer } from '../environment/environment.ts'
import { DiskError } from '../environment/environment.ts'
import { deletedSuffix } from './log-files.ts'

export class DelayedRemoval {
  private readonly environment: Pick<Environment, 'disk' | 'timers'>
  private readonly log: Logger
  private readonly pending = new Set<Timer>()

  constructor(environment: Pick<Environment, 'disk' | 'timers'>, log: Logger) {
    this.environment = environment
    this.log = log
  }

  /** Renames the files now (missing ones are skipped) and removes them after `delayMs`. */
  remove(paths: readonly string[], delayMs: number): void {
    const { disk, timers } = this.environment
    const renamed = paths.filter(path => disk.stat(path) !== undefined)
    for (const path of renamed) disk.rename(path, path + deletedSuffix)
    if (renamed.length === 0) return
    const timer = timers.after(delayMs, () => {
      this.pending.delete(timer)
      this.removeNow(renamed)
    })
    this.pending.add(timer)
  }

  /** Forgets what is pending; the next start removes the files. */
  stop(): void {
    for (const timer of this.pending) timer.cancel()
    this.pending.clear()
  }

  private removeNow(paths: readonly string[]): void {
    try {
      for (const path of paths) this.environment.disk.remove(path + deletedSuffix)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      // The files no longer belong to the log: whether they take up space or not, the log is whole.
      this.log.warn('A deleted file could not be removed; the next start tries again.', { error: error.message })
    }
  }
}
