/**
 * The descriptors of all segments of a node: at most so many at once, whatever the number of logs. A segment opens its file when it is used and
 * keeps it until the room is needed; then the file goes that was not used for the longest time (second chance, so that a use costs one
 * assignment). A descriptor with an fsync under way is never closed: its number could be given to another file meanwhile. Therefore no more
 * fsyncs run at once than leave room, and the others wait in order.
 *
 * Apache Kafka keeps every segment of every log open, and maps its indexes besides.
 */
import { DiskError } from '../environment/environment.ts'
import type { Disk, DiskFile } from '../environment/environment.ts'

/** More at once bring nothing: what runs them has far fewer threads. */
const maxSyncsAtOnce = 64
const smallestLimit = 8
/** Where nobody tells how many files a process may have open: what the most modest systems allow. */
const unknownProcessLimit = 1024
/** More are hardly ever in use together. */
const largestDerivedLimit = 32_768

/** An open file of a segment. */
export class SegmentFile {
  readonly file: DiskFile
  /** fsyncs under way. */
  syncs = 0
  closing = false
  /** Used since it was last looked at for closing. */
  used = true
  /** Tells the segment that it has no open file any more. */
  readonly taken: () => void

  constructor(file: DiskFile, taken: () => void) {
    this.file = file
    this.taken = taken
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

  /** Opens a file, closing others for it. `taken` is called when the room is needed. Throws DiskError. */
  open(disk: Disk, path: string, mode: 'read' | 'write', taken: () => void): SegmentFile {
    this.closeUnused(this.files.size - this.limit + 1)
    const opened = new SegmentFile(this.tryOpen(disk, path, mode), taken)
    this.files.add(opened)
    return opened
  }

  private tryOpen(disk: Disk, path: string, mode: 'read' | 'write'): DiskFile {
    try {
      return disk.open(path, mode)
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== 'EMFILE' || this.files.size === 0) throw error
      // The process has less room than was thought: others have taken it.
      this.closeUnused(Math.ceil(this.files.size / 2))
      return disk.open(path, mode)
    }
  }

  /** Closes so many files, the ones first that were not used for long. */
  private closeUnused(count: number): void {
    if (count <= 0) return
    let left = count
    for (let looks = 2 * this.files.size; looks > 0 && left > 0; looks--) {
      const [file] = this.files
      if (file === undefined) return
      this.files.delete(file)
      if (file.used || file.syncs > 0) {
        file.used = false
        this.files.add(file)
        continue
      }
      left--
      file.closing = true
      file.taken()
      file.file.close()
    }
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
