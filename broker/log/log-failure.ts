/**
 * What a DiskError means for one log. A shortage is no failure, be it of space or of file descriptors: what was asked for is refused, and goes
 * on when there is enough again. Everything else ends the log, and takes its directory offline.
 *
 * An fsync that fails is a failure whatever its code: the kernel may have dropped the pages, and a later fsync would not tell.
 */
import { DiskError } from '../environment/environment.ts'
import type { Logger } from '../environment/environment.ts'

/** The room of the directory that a log is in, shared by all logs there. */
export interface DirectoryRoom {
  /** Why nothing may be appended there at the moment; undefined while there is space. */
  readonly full: DiskError | undefined
  /** A write found no space. */
  ranFull(error: DiskError): void
}

export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof DiskError) || (error.code !== 'ENOSPC' && error.code !== 'EDQUOT')) return false
  return error.operation !== 'sync' && error.operation !== 'syncDirectory'
}

/** The process, or the machine, has no file descriptor left. Nothing was tried, so nothing is half done. */
export function isOutOfFiles(error: unknown): boolean {
  return error instanceof DiskError && error.code === 'EMFILE'
}

/** What passes without a restart: want of space, or of file descriptors. */
export function isShortage(error: unknown): boolean {
  return isDiskFull(error) || isOutOfFiles(error)
}

export class LogFailure {
  /** The error that made the log unusable. */
  error: DiskError | undefined
  /** Begun, and to be ended before the log is used again. */
  private unfinished: (() => void) | undefined
  private isFinishing = false
  private timesOutOfFiles = 0
  private readonly options: {
    readonly directory: string
    readonly log: Logger
    readonly room: DirectoryRoom | undefined
    failed(error: DiskError): void
  }

  /** `failed`: called once. */
  constructor(options: LogFailure['options']) {
    this.options = options
  }

  /** The directory has no space. */
  get full(): DiskError | undefined {
    return this.options.room?.full
  }

  /** What makes the log unusable; what is unfinished is tried first. */
  get unusable(): DiskError | undefined {
    return thrownBy(() => this.assertUsable())
  }

  /** Why no append may be tried now. */
  get unavailable(): DiskError | undefined {
    return thrownBy(() => this.assertAppendable())
  }

  /** A shortage has interrupted work that must not be left half done. */
  get isUnfinished(): boolean {
    return this.unfinished !== undefined
  }

  /** Throws what makes the log unusable, if anything does. */
  assertUsable(): void {
    if (this.error !== undefined) throw this.error
    this.resume()
  }

  /** Throws what keeps appends from being tried, if anything does. */
  assertAppendable(): void {
    this.assertUsable()
    if (this.full !== undefined) throw this.full
  }

  /**
   * Runs what must not be left half done, and can be done again from its beginning. No shortage is thrown: it counts as done, but the log is
   * used by nobody before it is, and whoever wants to use it tries that first.
   */
  finish(run: () => void): void {
    this.unfinished = run
    try {
      this.resume()
    } catch (error) {
      if (!isShortage(error)) throw error
    }
  }

  private resume(): void {
    if (this.unfinished === undefined || this.isFinishing) return
    this.isFinishing = true
    try {
      this.unfinished()
      this.unfinished = undefined
    } catch (error) {
      throw this.take(error)
    } finally {
      this.isFinishing = false
    }
  }

  guard<T>(run: () => T): T {
    this.resume()
    try {
      return run()
    } catch (error) {
      throw this.take(error)
    }
  }

  /** The log directory failed elsewhere. */
  mark(error: DiskError): void {
    this.error ??= error
    this.unfinished = undefined
  }

  /** For what can neither be left half done nor done again: here a shortage is a failure, too. */
  guardFully<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      throw this.fail(error)
    }
  }

  /** Takes a DiskError for what it means and returns it; everything else is a bug and goes on. */
  take(error: unknown): DiskError {
    if (!(error instanceof DiskError)) throw error
    if (isDiskFull(error)) this.options.room?.ranFull(error)
    if (!isShortage(error)) return this.fail(error)
    if (isOutOfFiles(error)) this.ranOut(error)
    return error
  }

  private ranOut(error: DiskError): void {
    const { directory, log } = this.options
    // The first, the tenth, the hundredth: whoever is refused tries again at once.
    this.timesOutOfFiles++
    if (!Number.isInteger(Math.log10(this.timesOutOfFiles))) return
    log.warn('No file descriptor is left: what needed one is refused and can be tried again.', {
      directory,
      operation: error.operation,
      path: error.path,
      times: this.timesOutOfFiles,
      advice: 'raise the limit of open files (ulimit -n), or lower log.open.files.max or max.connections',
    })
  }

  /** The error ends the log, whatever it is. */
  fail(error: DiskError): DiskError {
    if (this.error === undefined) {
      const { directory, log } = this.options
      this.error = error
      this.unfinished = undefined
      log.error('The log failed; its directory goes offline.', {
        directory,
        operation: error.operation,
        code: error.code,
      })
      this.options.failed(error)
    }
    return error
  }
}

function thrownBy(run: () => void): DiskError | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    return error
  }
}
