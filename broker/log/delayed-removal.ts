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
  private readonly removed: () => void
  private readonly pending = new Set<Timer>()

  /** @param removed called when files are gone */
  constructor(environment: Pick<Environment, 'disk' | 'timers'>, log: Logger, removed: () => void) {
    this.environment = environment
    this.log = log
    this.removed = removed
  }

  /**
   * Renames the files now (missing ones are skipped) and removes them after `delayMs`. Throws DiskError when one cannot be renamed: all have
   * their names again then, or the error is an EIO, after which nothing here is to be relied on.
   */
  remove(paths: readonly string[], delayMs: number): void {
    const renamed: string[] = []
    try {
      this.rename(paths, renamed)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.takeBack(renamed)
      throw error
    }
    this.removeAfter(delayMs, renamed)
  }

  /** The same for what cannot be taken back: when it throws, it is to be done again, with the same files. */
  removeForGood(paths: readonly string[], delayMs: number): void {
    const renamed: string[] = []
    try {
      this.rename(paths, renamed)
    } finally {
      this.removeAfter(delayMs, renamed)
    }
  }

  private removeAfter(delayMs: number, renamed: readonly string[]): void {
    if (renamed.length === 0) return
    const timer = this.environment.timers.after(delayMs, () => {
      this.pending.delete(timer)
      this.removeNow(renamed)
    })
    this.pending.add(timer)
  }

  /** Puts each into `renamed` that has its new name. */
  private rename(paths: readonly string[], renamed: string[]): void {
    const { disk } = this.environment
    for (const path of paths) {
      if (disk.stat(path) === undefined) continue
      disk.rename(path, path + deletedSuffix)
      renamed.push(path)
    }
  }

  private takeBack(renamed: readonly string[]): void {
    for (const path of renamed.toReversed()) {
      try {
        this.environment.disk.rename(path + deletedSuffix, path)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        throw new DiskError('EIO', 'rename', path, error)
      }
    }
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
    this.removed()
  }
}
