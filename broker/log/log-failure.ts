/**
 * What a DiskError means for one log. A disk without room is no failure: what could not be written is refused, and goes on when there is
 * space again. Everything else ends the log, and takes its directory offline.
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

export class LogFailure {
  /** The error that made the log unusable. */
  error: DiskError | undefined
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

  /** Why no append may be tried now. */
  get full(): DiskError | undefined {
    return this.options.room?.full
  }

  /** Throws what makes the log unusable, if anything does. */
  assertUsable(): void {
    if (this.error !== undefined) throw this.error
  }

  /** Throws what keeps appends from being tried, if anything does. */
  assertAppendable(): void {
    this.assertUsable()
    if (this.full !== undefined) throw this.full
  }

  guard<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      throw this.take(error)
    }
  }

  /** The log directory failed elsewhere. */
  mark(error: DiskError): void {
    this.error ??= error
  }

  /** For what must not be left half done: here a disk without room is a failure, too. */
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
    if (isDiskFull(error)) {
      this.options.room?.ranFull(error)
      return error
    }
    return this.fail(error)
  }

  /** The error ends the log, whatever it is. */
  fail(error: DiskError): DiskError {
    if (this.error === undefined) {
      const { directory, log } = this.options
      this.error = error
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
