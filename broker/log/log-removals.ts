/**
 * Directories of logs on their way out: renamed to `….<uuid>-delete` or `-stray` at once, the former removed some time later. What cannot be
 * taken away from its place is kept in mind, so that nobody takes it for the log of the partition.
 */
import type { Environment, Timer } from '../environment/environment.ts'
import { deletedDirectoryName, strayDirectoryName } from './log-files.ts'
import type { LogDirectory } from './log-directory.ts'
import type { TopicPartition } from './log.ts'

/** What could not be removed is tried again after that time. */
const removalRetryMs = 10_000

export interface LogRemovalsHost {
  readonly environment: Pick<Environment, 'disk' | 'timers' | 'random'>
  /** Runs disk work of a directory, whose failure takes the directory offline; undefined when it went wrong. */
  trying<T>(directory: LogDirectory, run: () => T): T | undefined
}

export class LogRemovals {
  private readonly host: LogRemovalsHost
  private readonly pending = new Map<string, Timer>()
  /** What could not be taken away from its place so far, and how to do it: by path. */
  private readonly inTheWay = new Map<string, () => void>()

  constructor(host: LogRemovalsHost) {
    this.host = host
  }

  /** Renames the directory of a log to `….<uuid>-delete`, and removes it later. */
  retire(directory: LogDirectory, partition: TopicPartition, name: string, delayMs: number): void {
    const { disk } = this.host.environment
    const deleted = this.unique(deletedDirectoryName, partition)
    if (this.host.trying(directory, () => (this.rename(directory, name, deleted), true)) === true) {
      // What is deleted makes room at once where there is none.
      this.removeLater(directory, `${directory.path}/${deleted}`, directory.room.full === undefined ? delayMs : 0)
      return
    }
    // A full disk may have no room even for a name.
    this.takeAway(directory, name, () => disk.remove(`${directory.path}/${name}`))
  }

  /** Renames the directory of a log to `….<uuid>-stray`, which nobody removes. False: it is still in its place. */
  setAside(directory: LogDirectory, partition: TopicPartition, name: string): boolean {
    const stray = this.unique(strayDirectoryName, partition)
    return this.takeAway(directory, name, () => this.rename(directory, name, stray))
  }

  /** Nothing is left there that should be gone. Throws DiskError. */
  clearPlace(directory: LogDirectory, name: string): void {
    const path = `${directory.path}/${name}`
    this.inTheWay.get(path)?.()
    this.inTheWay.delete(path)
  }

  /** There is space: what could not be taken away for want of it can be now. */
  tryAgain(directory: LogDirectory): void {
    for (const path of this.inTheWay.keys())
      if (path.startsWith(`${directory.path}/`))
        this.host.trying(directory, () => this.clearPlace(directory, path.slice(directory.path.length + 1)))
  }

  /** The next start removes what is left. */
  stop(): void {
    for (const timer of this.pending.values()) timer.cancel()
  }

  private unique(name: (partition: TopicPartition, uniqueHex: string) => string, partition: TopicPartition): string {
    return name(partition, this.host.environment.random.bytes(16).toString('hex'))
  }

  private rename(directory: LogDirectory, from: string, to: string): void {
    const { disk } = this.host.environment
    disk.rename(`${directory.path}/${from}`, `${directory.path}/${to}`)
    // Until it is durable a crash may bring the old name back, and the next start does the same again.
    this.host.trying(directory, () => disk.syncDirectory(directory.path))
  }

  /** Whether `run` has taken `name` away. */
  private takeAway(directory: LogDirectory, name: string, run: () => void): boolean {
    if (this.host.trying(directory, () => (run(), true)) === true) return true
    if (directory.online) this.inTheWay.set(`${directory.path}/${name}`, run)
    return false
  }

  private removeLater(directory: LogDirectory, target: string, delayMs: number): void {
    const { disk, timers } = this.host.environment
    const timer = timers.after(delayMs, () => {
      this.pending.delete(target)
      const isGone = this.host.trying(directory, () => (disk.remove(target), true)) === true
      if (!isGone && directory.online) this.removeLater(directory, target, removalRetryMs)
    })
    this.pending.set(target, timer)
  }
}
