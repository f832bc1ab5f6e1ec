/**
 * The `.log` file of one segment: opened when it is used, given back when others need the room (open-files.ts). Knows which of its bytes no
 * fsync has covered, and that a failed write may have left some that do not count.
 */
import { DiskError } from '../environment/environment.ts'
import type { Disk, DiskFile, Logger } from '../environment/environment.ts'
import { isShortage } from './log-failure.ts'
import type { FileOwner, OpenFiles, SegmentFile } from './open-files.ts'

export interface LogFileContext {
  readonly disk: Disk
  readonly openFiles: OpenFiles
  readonly log: Logger
  /** An fsync that nobody waits for went wrong. */
  failed(error: DiskError): void
}

export class SegmentLogFile implements FileOwner {
  hasUnsyncedBytes = false
  /** No longer part of the log: what is not durable need not become so. */
  isRetired = false
  private readonly context: LogFileContext
  private readonly segment: { readonly path: string }
  private handle: SegmentFile | undefined
  private writable: boolean
  private isSyncingSoon = false
  /** A write that failed may have left bytes at this position, which do not count. */
  private restAt: number | undefined

  /** `writable`: creates a file that is missing. */
  constructor(context: LogFileContext, segment: { readonly path: string }, writable: boolean) {
    this.context = context
    this.segment = segment
    this.writable = writable
  }

  get isOpen(): boolean {
    return this.handle !== undefined
  }

  /** Reads up to `target.length` bytes at `position`. */
  read(target: Uint8Array, position: number): number {
    return this.opened().read(target, position)
  }

  /** Appends; when it throws nothing of it counts. */
  write(bytes: Buffer, position: number): void {
    this.cutRest()
    const file = this.opened()
    this.hasUnsyncedBytes = true
    try {
      file.write([bytes], position)
    } catch (error) {
      this.discardFrom(position)
      throw error
    }
  }

  /** What was written from there on does not count. */
  discardFrom(position: number): void {
    this.restAt = position
    this.tryToCutRest()
  }

  /** Removes what a failed write has left behind the last batch. Throws DiskError. */
  cutRest(): void {
    if (this.restAt !== undefined) this.truncate(this.restAt)
  }

  /** Until the rest is gone nothing is written in its place. A recovery would cut it, since its offsets are above the recovery point. */
  private tryToCutRest(): void {
    try {
      this.cutRest()
    } catch (error) {
      const fields = { segment: this.segment.path, error: String(error) }
      this.context.log.warn('The rest of a failed append could not be removed.', fields)
      if (!isShortage(error)) throw error
    }
  }

  truncate(bytes: number): void {
    this.openedForWriting().truncate(bytes)
    this.hasUnsyncedBytes = true
    this.restAt = undefined
  }

  /** fsyncs, blocking. */
  sync(): void {
    this.openedForWriting().sync()
    this.hasUnsyncedBytes = false
  }

  /** fsyncs off the event loop: what was written before the call is durable when `done` runs. Retired files need no fsync. */
  syncLater(done: (error: DiskError | undefined) => void): void {
    if (this.isRetired) return done(undefined)
    try {
      this.openedForWriting()
      this.hasUnsyncedBytes = false
      this.context.openFiles.syncLater(this.handle!, error => {
        this.hasUnsyncedBytes ||= error !== undefined
        done(error)
      })
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      done(error)
    }
  }

  // ------------------------------------------------------------------------------------------------------- descriptor

  /** Lets writes happen (again). A file that nobody uses holds no descriptor. */
  makeWritable(): void {
    this.close()
    this.writable = true
  }

  /** Gives the descriptor back; the next use opens the file again. */
  close(): void {
    const { handle } = this
    this.handle = undefined
    if (handle !== undefined) this.context.openFiles.close(handle)
  }

  retire(): void {
    this.isRetired = true
    this.hasUnsyncedBytes = false
    this.close()
  }

  private opened(): DiskFile {
    const handle = this.handle ?? this.open()
    handle.used = true
    return handle.file
  }

  private openedForWriting(): DiskFile {
    if (!this.writable) this.makeWritable()
    return this.opened()
  }

  private open(): SegmentFile {
    const { disk, openFiles } = this.context
    this.handle = openFiles.open(disk, this.segment.path, this.writable ? 'write' : 'read', this)
    return this.handle
  }

  // ----------------------------------------------------------------------------------- see FileOwner: others need room

  taken(): void {
    this.handle = undefined
  }

  syncNow(): void {
    try {
      this.handle?.file.sync()
      this.hasUnsyncedBytes = false
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.context.failed(error)
    }
  }

  syncSoon(): void {
    if (this.isSyncingSoon) return
    this.isSyncingSoon = true
    this.context.openFiles.whenSyncMayStart(ended => {
      const finish = (error: DiskError | undefined): void => {
        this.isSyncingSoon = false
        ended()
        if (error !== undefined) this.context.failed(error)
      }
      // Somebody else may have done it.
      if (this.hasUnsyncedBytes) this.syncLater(finish)
      else finish(undefined)
    })
  }
}
