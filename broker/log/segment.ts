/**
 * One segment: the `.log` file with its offset and time index. Appends bytes that are already valid, finds positions,
 * reads ranges. It decides nothing about rolling, retention or recovery, and it never looks inside a batch beyond its
 * header.
 *
 * Source: Kafka documentation, "Log"; KIP-33 for the time index.
 */
import type { Disk, DiskError, DiskFile, Logger } from '../environment/environment.ts'
import { baseOffsetOf, batchBytes, batchHeaderBytes, lastOffsetOf, maxTimestampOf } from '../protocol/records/batch.ts'
import { indexSuffix, logSuffix, offsetFileName, segmentSuffixes, timeIndexSuffix } from './log-files.ts'
import { OffsetIndex } from './offset-index.ts'
import { TimeIndex } from './time-index.ts'
import type { TimestampAndOffset } from './time-index.ts'

/** Offsets in the indexes are relative, in 31 bits; so are positions. */
const maxRelative = 0x7fffffff

/**
 * Headers are read this many bytes at a time when a segment is scanned. One buffer for all logs: every scan is one
 * synchronous step.
 */
const scanBuffer = Buffer.allocUnsafeSlow(16 * 1024)

/** Sees one batch header at `bytes[at]`; `position` is where the batch begins in the segment. False stops the scan. */
export type HeaderVisitor = (bytes: Buffer, at: number, position: number, sizeBytes: number) => boolean

export interface SegmentOptions {
  readonly disk: Disk
  /** The partition's directory. */
  readonly directory: string
  readonly baseOffset: number
  /** Wall ms; stands in for the first timestamp when records have none. */
  readonly createdWallMs: number
  readonly rollJitterMs: number
  /** For rebuilding an index that turns out to be damaged. */
  readonly indexIntervalBytes: number
  readonly log: Logger
}

export class Segment {
  readonly baseOffset: number
  readonly path: string
  readonly rollJitterMs: number
  createdWallMs: number
  offsetIndex: OffsetIndex
  timeIndex: TimeIndex
  /** Bytes of whole batches: the file holds exactly them. */
  sizeBytes: number
  /** Has bytes that were never fsynced. */
  dirty = false
  /** Up to here the bytes were there when the segment was opened: nobody has checked them since. */
  uncheckedBytes: number
  /** No longer part of the log. */
  private retired = false
  /**
   * Largest timestamp of the first batch, by which the age of the segment is measured; undefined when empty or not yet
   * read.
   */
  private firstTimestamp: number | undefined
  private largest: TimestampAndOffset | undefined
  private largestKnown = false
  private bytesSinceIndexEntry = 0
  private readonly options: SegmentOptions
  private readonly disk: Disk
  private handle: OpenFile | undefined
  private writable: boolean

  private constructor(options: SegmentOptions, create: boolean) {
    this.options = options
    this.disk = options.disk
    this.baseOffset = options.baseOffset
    this.createdWallMs = options.createdWallMs
    this.rollJitterMs = options.rollJitterMs
    this.path = this.filePath(logSuffix)
    this.writable = create
    this.sizeBytes = create ? 0 : (this.disk.stat(this.path)?.bytes ?? 0)
    this.uncheckedBytes = this.sizeBytes
    this.largestKnown = create
    this.offsetIndex = this.openOffsetIndex(create)
    this.timeIndex = this.openTimeIndex(create)
    if (create) this.file().truncate(0)
  }

  /** A new, empty segment; files of the same name are emptied. */
  static create(options: SegmentOptions): Segment {
    return new Segment(options, true)
  }

  /** The segment as its files are; missing indexes are created empty. */
  static open(options: SegmentOptions): Segment {
    return new Segment(options, false)
  }

  filePath(suffix: string): string {
    return `${this.options.directory}/${offsetFileName(this.baseOffset, suffix)}`
  }

  /** Paths of all files a segment may have. */
  files(): string[] {
    return segmentSuffixes.map(suffix => this.filePath(suffix))
  }

  private openOffsetIndex(create: boolean): OffsetIndex {
    const path = this.filePath(indexSuffix)
    return new OffsetIndex(this.disk, path, this.baseOffset, create || this.disk.stat(path) === undefined)
  }

  private openTimeIndex(create: boolean): TimeIndex {
    const path = this.filePath(timeIndexSuffix)
    return new TimeIndex(this.disk, path, this.baseOffset, create || this.disk.stat(path) === undefined)
  }

  // ---------------------------------------------------------------------------------------------------------- append

  /** Whether offsets up to `lastOffset` fit the relative form of the indexes. */
  holdsOffset(lastOffset: number): boolean {
    const relative = lastOffset - this.baseOffset
    return relative >= 0 && relative <= maxRelative
  }

  indexesFull(segmentIndexBytes: number): boolean {
    return this.offsetIndex.isFull(segmentIndexBytes) || this.timeIndex.isFull(segmentIndexBytes)
  }

  /** How long the segment has waited to be rolled: by record time, or by wall time when its records have none. */
  waitedForRollMs(nowWallMs: number, newestTimestamp: number): number {
    const first = this.firstBatchTimestamp()
    return first !== undefined && first >= 0 ? newestTimestamp - first : nowWallMs - this.createdWallMs
  }

  /**
   * Appends whole, valid batches with one write and indexes them. On a DiskError nothing of it counts; see
   * `discardTail`.
   */
  append(records: Buffer, indexIntervalBytes: number): void {
    this.file().write([records], this.sizeBytes)
    this.dirty = true
    let at = 0
    let position = this.sizeBytes
    while (at < records.length) {
      const size = batchBytes(records, at)
      this.note(records, at, position, size, indexIntervalBytes)
      at += size
      position += size
    }
    this.sizeBytes = position
  }

  /** Takes a batch that is in the file into the indexes and the largest timestamp. */
  note(bytes: Buffer, at: number, position: number, size: number, indexIntervalBytes: number): void {
    const lastOffset = lastOffsetOf(bytes, at)
    const timestamp = maxTimestampOf(bytes, at)
    if (position === 0) this.firstTimestamp = timestamp
    const largest = this.largestTimestamp()
    if (timestamp > (largest?.timestamp ?? -1)) this.largest = { timestamp, offset: lastOffset }
    if (this.bytesSinceIndexEntry > indexIntervalBytes) {
      this.offsetIndex.append(lastOffset, position)
      if (this.largest !== undefined) this.timeIndex.append(this.largest.timestamp, this.largest.offset)
      this.bytesSinceIndexEntry = 0
    }
    this.bytesSinceIndexEntry += size
  }

  /** After a failed append: cuts the file back to the batches that count, when the disk still lets us. */
  discardTail(sizeBytes: number, nextOffset: number): void {
    this.sizeBytes = sizeBytes
    this.largestKnown = false
    this.file().truncate(sizeBytes)
    this.offsetIndex.truncateTo(nextOffset)
    this.timeIndex.truncateTo(nextOffset)
  }

  /** Writes index entries that are only in memory, without an fsync: a recovery begins at the last one it finds. */
  spillIndexes(): void {
    this.offsetIndex.spill()
    this.timeIndex.spill()
  }

  /** No more appends will come: writes the closing time entry and all index pages. */
  becomeInactive(): void {
    const largest = this.largestTimestamp()
    if (largest !== undefined) this.timeIndex.append(largest.timestamp, largest.offset)
    this.offsetIndex.settle()
    this.timeIndex.settle()
    // Its bytes may be durable already; the pages of its indexes are not.
    this.dirty = true
  }

  // ------------------------------------------------------------------------------------------------------------ read

  /** Reads up to `target.length` bytes at `position`. */
  read(target: Buffer, position: number): number {
    return this.file().read(target, position)
  }

  /**
   * Visits batch headers from `from` (the start of a batch) to the end of the segment; returns the position after the
   * last batch visited, or of the batch that stopped the scan. Stops before bytes that cannot be a whole batch.
   */
  scan(from: number, visit: HeaderVisitor): number {
    const file = this.file()
    let bufferFrom = 0
    let bufferTo = 0
    let position = from
    while (this.sizeBytes - position >= batchHeaderBytes) {
      if (position + batchHeaderBytes > bufferTo || position < bufferFrom) {
        bufferFrom = position
        bufferTo = position + file.read(scanBuffer, position)
        if (bufferTo - position < batchHeaderBytes) return position
      }
      const at = position - bufferFrom
      const size = batchBytes(scanBuffer, at)
      if (size < batchHeaderBytes || size > this.sizeBytes - position) return position
      if (!visit(scanBuffer, at, position, size)) return position
      position += size
    }
    return position
  }

  /**
   * Position of the first batch whose last offset is at or above `offset`; the size of the segment when there is none.
   */
  positionOf(offset: number): number {
    return this.scanFromIndexed(offset, (bytes, at) => lastOffsetOf(bytes, at) < offset)
  }

  /** The offset after the last record, found from the last index entry on. */
  readNextOffset(): number {
    let next = this.baseOffset
    this.scanFromIndexed(Number.MAX_SAFE_INTEGER, (bytes, at) => {
      next = lastOffsetOf(bytes, at) + 1
      return true
    })
    return next
  }

  /** Scans from the last batch that the index has at or below `offset`. An index that points nowhere is rebuilt. */
  scanFromIndexed(offset: number, visit: HeaderVisitor): number {
    const entry = this.offsetIndex.lookup(offset)
    if (entry === undefined) return this.scan(0, visit)
    let lied = entry.position < 0 || entry.position > this.sizeBytes - batchHeaderBytes
    let checked = false
    if (!lied) {
      const end = this.scan(entry.position, (bytes, at, position, size) => {
        if (!checked) {
          checked = true
          lied = lastOffsetOf(bytes, at) !== entry.offset
          if (lied) return false
        }
        return visit(bytes, at, position, size)
      })
      if (checked && !lied) return end
    }
    this.rebuildDamaged(this.offsetIndex.path, entry)
    return this.scan(0, visit)
  }

  /** The last time index entry at or below `timestamp`, once it is sure that it is what it says. An index that lies is rebuilt. */
  timeEntry(timestamp: number): TimestampAndOffset | undefined {
    const entry = this.timeIndex.lookup(timestamp)
    if (entry === undefined || this.isGenuine(entry)) return entry
    this.rebuildDamaged(this.timeIndex.path, entry)
    return this.timeIndex.lookup(timestamp)
  }

  /** Whether a batch ends at the entry's offset and has its timestamp. */
  private isGenuine({ timestamp, offset }: TimestampAndOffset): boolean {
    let found = false
    if (!this.holdsOffset(offset)) return false
    this.scan(this.positionOf(offset), (bytes, at) => {
      found = lastOffsetOf(bytes, at) === offset && maxTimestampOf(bytes, at) === timestamp
      return false
    })
    return found
  }

  private rebuildDamaged(path: string, entry?: object): void {
    this.options.log.warn('An index is damaged; rebuilding both indexes of the segment.', { path, entry })
    this.rebuildIndexes(this.options.indexIntervalBytes)
  }

  /** The largest timestamp and the end of the first batch that has it; undefined when no record has a timestamp. */
  largestTimestamp(): TimestampAndOffset | undefined {
    if (!this.largestKnown) this.readLargestTimestamp()
    return this.largest
  }

  private readLargestTimestamp(): void {
    this.largestKnown = true
    this.largest = this.timeIndex.last
    if (this.largest !== undefined && !this.isGenuine(this.largest)) return this.rebuildDamaged(this.timeIndex.path)
    this.scanFromIndexed(this.largest?.offset ?? -1, (bytes, at) => {
      const timestamp = maxTimestampOf(bytes, at)
      if (timestamp > (this.largest?.timestamp ?? -1)) this.largest = { timestamp, offset: lastOffsetOf(bytes, at) }
      return true
    })
  }

  firstBatchTimestamp(): number | undefined {
    if (this.firstTimestamp === undefined && this.sizeBytes > 0) {
      this.scan(0, (bytes, at) => {
        this.firstTimestamp = maxTimestampOf(bytes, at)
        return false
      })
    }
    return this.firstTimestamp
  }

  /** Wall ms of the last write, for the age of a segment whose records have no timestamps. */
  modifiedWallMs(): number {
    return this.disk.stat(this.path)?.modifiedMs ?? this.createdWallMs
  }

  // --------------------------------------------------------------------------------------------- truncate and rebuild

  /** Where to cut so that nothing at or above `offset` is left; `end` is lower than `offset` when a batch spans it. */
  cutPoint(offset: number): { readonly position: number; readonly end: number } {
    const position = this.positionOf(offset)
    let end = offset
    this.scan(position, (bytes, at) => {
      end = Math.min(offset, baseOffsetOf(bytes, at))
      return false
    })
    return { position, end }
  }

  /** Cuts the file at `position` and the indexes at `offset`, the first offset that goes. */
  cutAt(position: number, offset: number): void {
    this.offsetIndex.truncateTo(offset)
    this.timeIndex.truncateTo(offset)
    this.writeFile().truncate(position)
    this.sizeBytes = position
    this.uncheckedBytes = Math.min(this.uncheckedBytes, position)
    this.dirty = true
    this.bytesSinceIndexEntry = 0
    this.largestKnown = false
    if (position === 0) this.firstTimestamp = undefined
  }

  /** Empties the indexes and forgets what they said; the caller feeds `note` with every batch from the start. */
  resetIndexes(): void {
    this.offsetIndex.truncateToEntries(0)
    this.timeIndex.truncateToEntries(0)
    this.largest = undefined
    this.largestKnown = true
    this.firstTimestamp = undefined
    this.bytesSinceIndexEntry = 0
  }

  /**
   * After the indexes were cut: the largest timestamp of the batches before `position` is read anew, and counting bytes begins again. Of two
   * index files that were never fsynced one may have lost more than the other.
   */
  resumeIndexes(position: number): void {
    this.largest = this.timeIndex.last
    this.largestKnown = true
    this.bytesSinceIndexEntry = 0
    const from = this.offsetIndex.lookup(this.largest?.offset ?? -1)
    let isFirst = from !== undefined
    let lied = false
    const visit: HeaderVisitor = (bytes, at, visited) => {
      if (visited >= position) return false
      lied = isFirst && lastOffsetOf(bytes, at) !== from?.offset
      isFirst = false
      if (lied) return false
      const timestamp = maxTimestampOf(bytes, at)
      if (timestamp > (this.largest?.timestamp ?? -1)) this.largest = { timestamp, offset: lastOffsetOf(bytes, at) }
      return true
    }
    this.scan(from?.position ?? 0, visit)
    if (lied) this.scan(0, visit)
  }

  /** Rebuilds both indexes from the headers in the file. */
  rebuildIndexes(indexIntervalBytes: number): void {
    this.resetIndexes()
    this.scan(0, (bytes, at, position, size) => {
      this.note(bytes, at, position, size, indexIntervalBytes)
      return true
    })
  }

  // ----------------------------------------------------------------------------------------------------- files, fsync

  get isOpen(): boolean {
    return this.handle !== undefined
  }

  /** Has bytes that are not known to be durable, be it that an fsync is still on its way. */
  get unsynced(): boolean {
    return this.dirty || (this.handle?.syncs ?? 0) > 0
  }

  /** Lets appends happen (again): the active segment after a start. A log that nobody uses holds no descriptor. */
  makeWritable(): void {
    this.closeHandle()
    this.writable = true
  }

  private file(): DiskFile {
    this.handle ??= { file: this.disk.open(this.path, this.writable ? 'write' : 'read'), syncs: 0, closing: false }
    return this.handle.file
  }

  private writeFile(): DiskFile {
    if (!this.writable) {
      this.closeHandle()
      this.writable = true
    }
    return this.file()
  }

  /** fsyncs log and indexes, blocking. */
  sync(): void {
    this.writeFile().sync()
    this.offsetIndex.sync()
    this.timeIndex.sync()
    this.dirty = false
  }

  /** fsyncs the log alone, blocking. */
  syncLog(): void {
    this.writeFile().sync()
    this.dirty = false
  }

  /** fsyncs the log off the event loop: what was appended before the call is durable when `done` runs. */
  syncLater(done: (error: DiskError | undefined) => void): void {
    this.writeFile()
    const handle = this.handle!
    this.dirty = false
    handle.syncs++
    handle.file.syncLater(error => {
      handle.syncs--
      if (error !== undefined) this.dirty = true
      // A descriptor must not be closed, and its number given to another file, while an fsync is under way on it.
      if (handle.closing && handle.syncs === 0) handle.file.close()
      done(error)
    })
  }

  /**
   * As `syncLater`, indexes included: for a segment that was rolled. A segment that leaves the log meanwhile needs no
   * fsync.
   */
  syncAllLater(done: (error: DiskError | undefined) => void): void {
    this.syncLater(logError => {
      if (logError !== undefined || this.retired) return done(this.retired ? undefined : logError)
      const synced = (indexError: DiskError | undefined) => {
        // The bytes are durable, the indexes are not: the next round tries again.
        if (indexError !== undefined) this.dirty = true
        done(this.retired ? undefined : indexError)
      }
      this.offsetIndex.syncLater(indexError => {
        if (indexError !== undefined || this.retired) return synced(indexError)
        this.timeIndex.syncLater(synced)
      })
    })
  }

  /** The segment leaves the log: its files may be renamed or removed at any time. */
  retire(): void {
    this.retired = true
    this.closeHandle()
  }

  /** Gives the descriptor back; the next access opens the file again. */
  closeHandle(): void {
    const handle = this.handle
    this.handle = undefined
    if (handle === undefined) return
    handle.closing = true
    if (handle.syncs === 0) handle.file.close()
  }
}

interface OpenFile {
  readonly file: DiskFile
  /** fsyncs under way. */
  syncs: number
  closing: boolean
}
