/**
 * The descriptors of all segments of a node: at most so many at once, whatever the number of logs. A segment opens its file when it is used and
 * keeps it until the room is needed; then the file goes that was not used for the longest time (second chance, so that a use costs one
 * assignment). A descriptor with an fsync under way is never closed: its number could be given to another file meanwhile. Therefore no more
 * fsyncs run at once than leave room, and the others wait in order.
 *
 * What was written through a descriptor is fsynced before it is closed for others: should the kernel fail to write those pages while nobody has
 * the file open, the error may never be told. Such files are fsynced off the event loop as soon as it gets crowded, and only when nothing else
 * can be closed does anybody wait for one.
 *
 * Everything else that a node opens (indexes, snapshots, checkpoints, directories) is open for a moment only. Where the process has no
 * descriptor left for it, segments give some back (`sparing`).
 *
 * Apache Kafka keeps every segment of every log open, and maps its indexes besides.
 */
import type { Disk, DiskError, DiskFile } from '../environment/environment.ts'
import { isOutOfFiles } from './log-failure.ts'

/** More at once bring nothing: what runs them has far fewer threads. */
const maxSyncsAtOnce = 64
const smallestLimit = 8
/** Where nobody tells how many files a process may have open: what the most modest systems allow. */
const unknownProcessLimit = 1024
/** More are hardly ever in use together. */
const largestDerivedLimit = 32_768
/** From this share of the limit on, files that are long unused are made ready to be closed. */
const crowdedShare = 0.75
/** Files that are looked at for closing, beyond those that must be: what an open costs does not grow with their number. */
const looksToSpare = 16

/** The segment that has a file open. */
export interface FileOwner {
  /** Bytes were written that no fsync has begun to cover. */
  readonly hasUnsyncedBytes: boolean
  /** fsyncs, blocking. Does not throw DiskError: when it goes wrong its own log fails, not the one that needs the room. */
  syncNow(): void
  /** fsyncs off the event loop, if that is not on its way already; likewise. */
  syncSoon(): void
  /** It has no open file any more. */
  taken(): void
}

/** An open file of a segment. */
export class SegmentFile {
  readonly file: DiskFile
  /** fsyncs under way. */
  syncs = 0
  closing = false
  /** Used since it was last looked at for closing. */
  used = true
  readonly owner: FileOwner

  constructor(file: DiskFile, owner: FileOwner) {
    this.file = file
    this.owner = owner
  }
}

/** `log.open.files.max`, and what it means when it is 0: half of what the process may have, since connections need the other half. */
export function openFilesLimit(configured: number, disk: Disk): number {
  if (configured > 0) return Math.max(smallestLimit, configured)
  const ofProcess = disk.openFileLimit?.() ?? unknownProcessLimit
  return Math.max(smallestLimit, Math.min(largestDerivedLimit, Math.floor(ofProcess / 2)))
}

export class OpenFiles {
  readonly limit: number
  private readonly maxSyncs: number
  /** Longest unused first, roughly. */
  private readonly files = new Set<SegmentFile>()
  private syncs = 0
  /** In order from `next` on: taking the first of a long array costs as much as the array is long. */
  private waiting: (() => void)[] = []
  private next = 0
  private isStarting = false

  constructor(limit = largestDerivedLimit) {
    this.limit = Math.max(smallestLimit, limit)
    this.maxSyncs = Math.min(maxSyncsAtOnce, this.limit >> 1)
  }

  get count(): number {
    return this.files.size
  }

  /** Opens a file, closing others for it. Throws DiskError. */
  open(disk: Disk, path: string, mode: 'read' | 'write', owner: FileOwner): SegmentFile {
    if (this.files.size >= this.limit * crowdedShare) this.syncOldest()
    this.closeUnused(this.files.size - this.limit + 1)
    const opened = new SegmentFile(
      this.withDescriptors(() => disk.open(path, mode)),
      owner,
    )
    this.files.add(opened)
    return opened
  }

  /** The disk; what finds no descriptor on it is tried once more, with some that segments have given back. */
  sparing(disk: Disk): Disk {
    return {
      open: (path, mode) => this.withDescriptors(() => disk.open(path, mode)),
      list: path => this.withDescriptors(() => disk.list(path)),
      stat: path => disk.stat(path),
      makeDirectory: path => disk.makeDirectory(path),
      rename: (from, to) => disk.rename(from, to),
      remove: path => this.withDescriptors(() => disk.remove(path)),
      syncDirectory: path => this.withDescriptors(() => disk.syncDirectory(path)),
      syncDirectoryLater: (path, done) => this.withDescriptors(() => disk.syncDirectoryLater(path, done)),
      lock: path => this.withDescriptors(() => disk.lock(path)),
      openFileLimit: () => disk.openFileLimit?.(),
      space: path => disk.space(path),
    }
  }

  private withDescriptors<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      if (!isOutOfFiles(error)) throw error
      // The process has less room than was thought: others have taken it.
      const half = Math.ceil(this.files.size / 2)
      if (this.closeUnused(half, 'clean') === 0 && this.closeUnused(1) === 0) throw error
      return run()
    }
  }

  /** Files that were not used for long and may have to be closed soon are fsynced now, off the event loop. */
  private syncOldest(): void {
    let looks = looksToSpare
    for (const { used, syncs, owner } of this.files) {
      if (--looks < 0) return
      if (!used && syncs === 0 && owner.hasUnsyncedBytes) owner.syncSoon()
    }
  }

  /** Closes so many files, or as many as can be, the ones first that were not used for long; returns how many. */
  private closeUnused(count: number, which: 'any' | 'clean' = 'any'): number {
    let closed = 0
    let looks = 2 * this.files.size
    const unsynced: SegmentFile[] = []
    for (const file of count > 0 ? this.files : []) {
      if (closed >= count || --looks < 0 || (which === 'any' && unsynced.length >= count + looksToSpare)) break
      if (file.used) {
        file.used = false
        this.files.delete(file)
        this.files.add(file)
      } else if (file.syncs === 0 && file.owner.hasUnsyncedBytes) unsynced.push(file)
      else if (file.syncs === 0) {
        this.take(file)
        closed++
      }
    }
    for (const file of which === 'any' ? unsynced : []) {
      if (closed >= count) break
      file.owner.syncNow()
      this.take(file)
      closed++
    }
    return closed
  }

  private take(file: SegmentFile): void {
    this.files.delete(file)
    file.closing = true
    file.owner.taken()
    file.file.close()
  }

  /** The segment needs the file no more. It is closed now, or after the fsync that is under way. */
  close(file: SegmentFile): void {
    if (file.closing) return
    file.closing = true
    if (file.syncs === 0) this.closed(file)
  }

  private closed(file: SegmentFile): void {
    this.files.delete(file)
    file.file.close()
  }

  /** fsyncs off the event loop. */
  syncLater(file: SegmentFile, done: (error: DiskError | undefined) => void): void {
    file.file.syncLater(error => {
      file.syncs--
      if (file.closing && file.syncs === 0) this.closed(file)
      done(error)
    })
    file.syncs++
  }

  /** Runs `start` as soon as one more fsync may be under way; it calls `ended` when it is over. */
  whenSyncMayStart(start: (ended: () => void) => void): void {
    this.waiting.push(() => {
      this.syncs++
      start(() => {
        this.syncs--
        this.startWaiting()
      })
    })
    this.startWaiting()
  }

  /** A loop, not a recursion: of thousands that wait all may be over at once, since their segments have left. */
  private startWaiting(): void {
    if (this.isStarting) return
    this.isStarting = true
    try {
      while (this.syncs < this.maxSyncs && this.next < this.waiting.length) this.waiting[this.next++]!()
    } finally {
      this.isStarting = false
    }
    if (this.next < 1024 && this.next < this.waiting.length) return
    this.waiting = this.waiting.slice(this.next)
    this.next = 0
  }
}
