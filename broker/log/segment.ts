/**
 * One segment: the `.log` file with its offset and time index. Appends bytes that are already valid, finds positions,
 * reads ranges. It decides nothing about rolling, retention or recovery, and it never looks inside a batch beyond its
 * header.
 *
 * Source: Kafka documentation, "Log"; KIP-33 for the time index.
 */
import type { Disk, DiskError } from '../environment/environment.ts'
import { baseOffsetOf, batchBytes, batchHeaderBytes, lastOffsetOf, maxTimestampOf } from '../protocol/records/batch.ts'
import { indexAllBatches } from './damage-search.ts'
import { behindDamage, damageAt, damageHolding, noDamage, type DamagedRegion } from './damaged-region.ts'
import { indexSuffix, logSuffix, offsetFileName, segmentSuffixes, timeIndexSuffix } from './log-files.ts'
import { OffsetIndex } from './offset-index.ts'
import type { HeaderVisitor, SegmentContext, SegmentOptions } from './segment-context.ts'
import { SegmentLogFile } from './segment-log-file.ts'
import type { SegmentTally } from './segment-tally.ts'
import { TimeIndex } from './time-index.ts'
import type { TimestampAndOffset } from './time-index.ts'

export type { SegmentContext } from './segment-context.ts'

/** Offsets in the indexes are relative, in 31 bits; so are positions. */
export const maxRelative = 0x7fffffff

/**
 * Headers are read this many bytes at a time when a segment is scanned. One buffer for all logs: every scan is one
 * synchronous step.
 */
const scanBuffer = Buffer.allocUnsafeSlow(16 * 1024)

interface Indexes {
  readonly offsets: OffsetIndex
  readonly times: TimeIndex
}

export class Segment {
  readonly baseOffset: number
  readonly rollJitterMs: number
  readonly createdWallMs: number
  /** The log that it is a part of; kept by the tally itself. */
  tally: SegmentTally | undefined
  private readonly context: SegmentContext
  private bytes: number
  private dirtyBytes = false
  /** fsyncs of the log that were asked for and are not over. */
  private syncs = 0
  /** Up to here the bytes were there when the segment was opened: nobody has checked them since. */
  uncheckedBytes: number
  /** As recovery and readers found it, in the order of the file; never changed in place. */
  damaged: readonly DamagedRegion[] = noDamage
  /** All its batches were looked for, also behind damage. */
  private isSearched = false
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
  /** Opened by their first use: a log of a thousand segments opens no index at a start but the last. */
  private indexes: Indexes | undefined
  private indexesChecked: boolean
  /** Made by its first use. */
  private logFile: SegmentLogFile | undefined

  private constructor(options: SegmentOptions, create: boolean) {
    this.context = options.context
    this.baseOffset = options.baseOffset
    this.createdWallMs = options.createdWallMs
    this.rollJitterMs = options.rollJitterMs
    this.largestKnown = create
    this.indexesChecked = create
    this.bytes = create ? 0 : (this.disk.stat(this.path)?.bytes ?? 0)
    this.uncheckedBytes = this.bytes
    if (create) {
      this.indexes = this.openIndexes({ create: true })
      this.logFile = new SegmentLogFile(this.context, this, true)
      this.logFile.truncate(0)
    }
  }

  /** A new, empty segment; files of the same name are emptied. */
  static create(options: SegmentOptions): Segment {
    return new Segment(options, true)
  }

  /** The segment as its files are. Indexes are looked at by their first use, and rebuilt when they are missing or damaged. */
  static open(options: SegmentOptions): Segment {
    return new Segment(options, false)
  }

  private get disk(): Disk {
    return this.context.disk
  }
  get path(): string {
    return this.filePath(logSuffix)
  }

  /** Bytes of whole batches: the file holds exactly them. */
  get sizeBytes(): number {
    return this.bytes
  }
  private set sizeBytes(bytes: number) {
    if (this.tally !== undefined) this.tally.bytes += bytes - this.bytes
    this.bytes = bytes
  }

  /** Has bytes that were never fsynced. */
  get dirty(): boolean {
    return this.dirtyBytes
  }
  set dirty(dirty: boolean) {
    this.dirtyBytes = dirty
    if (this.unsynced) this.tally?.unsynced(this)
    else this.tally?.synced(this)
  }

  filePath(suffix: string): string {
    return `${this.context.directory}/${offsetFileName(this.baseOffset, suffix)}${this.context.fileEnding ?? ''}`
  }

  /** Paths of all files a segment may have. */
  files(): string[] {
    return segmentSuffixes.map(suffix => this.filePath(suffix))
  }

  // --------------------------------------------------------------------------------------------------------- indexes

  get offsetIndex(): OffsetIndex {
    return (this.indexes ?? this.checkedIndexes()).offsets
  }
  get timeIndex(): TimeIndex {
    return (this.indexes ?? this.checkedIndexes()).times
  }

  /** Recovery looks at the indexes entry by entry: no check of their form before that. */
  leaveIndexesUnchecked(): void {
    this.indexesChecked = true
  }

  private openIndexes({ create }: { readonly create: boolean }): Indexes {
    return {
      offsets: new OffsetIndex(this.disk, this.filePath(indexSuffix), this.baseOffset, create),
      times: new TimeIndex(this.disk, this.filePath(timeIndexSuffix), this.baseOffset, create),
    }
  }

  /** After a clean stop only the form of the indexes is checked: their last entries must point into the segment. */
  private checkedIndexes(): Indexes {
    const indexes = this.openIndexes({ create: false })
    this.indexes = indexes
    try {
      if (!this.indexesChecked) this.checkForm(indexes)
    } catch (error) {
      // The next use looks at them again.
      this.indexes = undefined
      throw error
    }
    this.indexesChecked = true
    return indexes
  }

  private checkForm(indexes: Indexes): void {
    const problem = this.bytes === 0 ? undefined : this.problemOf(indexes)
    if (problem === undefined) return
    this.context.log.warn('Rebuilding the indexes of a segment.', { segment: this.path, problem })
    this.rebuildIndexes(this.context.indexIntervalBytes())
    this.closeIndexes()
  }

  private problemOf({ offsets, times }: Indexes): string | undefined {
    if (!offsets.existed || !times.existed) return 'an index file is missing'
    const last = offsets.entryAt(offsets.entries - 1)
    const sound =
      last === undefined ||
      (last.offset >= this.baseOffset && last.position < this.bytes && (last.position > 0 || offsets.entries === 1))
    const lastTime = times.last
    const firstTime = lastTime && times.entryAt(0)
    const timeSound =
      lastTime === undefined || (lastTime.timestamp >= firstTime!.timestamp && lastTime.offset >= this.baseOffset)
    return sound && timeSound ? undefined : 'its last entry points nowhere'
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

  /** Appends whole, valid batches with one write and indexes them. On a DiskError nothing of it counts. */
  append(records: Buffer, indexIntervalBytes: number): void {
    // Whatever has to be read for the indexes is read first: once the records are there, a shortage must not refuse them.
    this.largestTimestamp()
    if (this.indexes === undefined) this.checkedIndexes()
    this.file().write(records, this.bytes)
    if (!this.dirtyBytes) this.dirty = true
    try {
      for (let at = 0; at < records.length; at += batchBytes(records, at))
        this.note(records, at, this.bytes + at, batchBytes(records, at), indexIntervalBytes)
    } catch (error) {
      this.largestKnown = false
      this.file().discardFrom(this.bytes)
      throw error
    }
    this.sizeBytes = this.bytes + records.length
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

  /** Writes index entries that are only in memory, without an fsync: a recovery begins at the last one it finds. */
  spillIndexes(): void {
    this.offsetIndex.spill()
    this.timeIndex.spill()
  }

  /** No more appends will come: writes the closing time entry and all index pages. */
  becomeInactive(): void {
    this.logFile?.cutRest()
    this.closeIndexes()
    // Its bytes may be durable already; the pages of its indexes are not.
    this.dirty = true
  }

  private closeIndexes(): void {
    const largest = this.largestTimestamp()
    if (largest !== undefined) this.timeIndex.append(largest.timestamp, largest.offset)
    this.offsetIndex.settle()
    this.timeIndex.settle()
  }

  // ------------------------------------------------------------------------------------------------------------ read

  /** Reads up to `target.length` bytes at `position`. */
  read(target: Buffer, position: number): number {
    return this.file().read(target, position)
  }

  /**
   * Visits batch headers from `from` (the start of a batch) to the end of the segment; returns the position after the
   * last batch visited, or of the batch that stopped the scan. Steps over known damage; stops before other bytes that are no batch.
   */
  scan(from: number, visit: HeaderVisitor): number {
    const file = this.file()
    let bufferFrom = 0
    let bufferTo = 0
    let position = behindDamage(this.damaged, from)
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
      position = behindDamage(this.damaged, position + size)
    }
    return position
  }

  /** Position of the first batch whose last offset is at or above `offset`, or of the damage that holds it; else the size of the segment. */
  positionOf(offset: number): number {
    const damage = damageAt(this.damaged, offset)
    if (damage !== undefined) return damage.from
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

  /** Scans from the last batch that the index has at or below `offset`. May visit batches twice, where bytes that are no batch come first. */
  scanFromIndexed(offset: number, visit: HeaderVisitor): number {
    let isStopped = false
    const end = this.scanFromEntry(offset, (bytes, at, position, size) => {
      isStopped = !visit(bytes, at, position, size)
      return !isStopped
    })
    if (isStopped || end >= this.sizeBytes || this.isSearched) return end
    this.searchBehind(end)
    return this.scanFromEntry(offset, visit)
  }

  /** As `scan`; where bytes that are no batch stop it, it is looked for what follows them. */
  scanThrough(from: number, visit: HeaderVisitor): number {
    let isStopped = false
    const end = this.scan(from, (bytes, at, position, size) => {
      isStopped = !visit(bytes, at, position, size)
      return !isStopped
    })
    if (isStopped || end >= this.sizeBytes) return end
    if (!this.isSearched) this.searchBehind(end)
    const damage = damageHolding(this.damaged, end)
    return damage === undefined ? end : this.scan(damage.to, visit)
  }

  private searchBehind(position: number): void {
    const fields = { path: this.path, position }
    this.context.log.warn('Bytes within a segment are no batch; looking for what follows.', fields)
    this.rebuildIndexes(this.context.indexIntervalBytes())
  }

  /** An index that points nowhere is rebuilt. */
  private scanFromEntry(offset: number, visit: HeaderVisitor): number {
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
    this.context.log.warn('An index is damaged; rebuilding both indexes of the segment.', { path, entry })
    this.rebuildIndexes(this.context.indexIntervalBytes())
  }

  /** The largest timestamp and the end of the first batch that has it; undefined when no record has a timestamp. */
  largestTimestamp(): TimestampAndOffset | undefined {
    if (!this.largestKnown) this.readLargestTimestamp()
    return this.largest
  }

  private readLargestTimestamp(): void {
    const { last } = this.timeIndex
    if (last !== undefined && !this.isGenuine(last)) return this.rebuildDamaged(this.timeIndex.path)
    let largest = last
    this.scanFromIndexed(last?.offset ?? -1, (bytes, at) => {
      const timestamp = maxTimestampOf(bytes, at)
      if (timestamp > (largest?.timestamp ?? -1)) largest = { timestamp, offset: lastOffsetOf(bytes, at) }
      return true
    })
    this.largest = largest
    this.largestKnown = true
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

  /**
   * Where to cut so that nothing at or above `offset` is left, and where the log ends then: lower than `offset` when a batch spans it, or when
   * damage, behind which there is no batch any more, hides what there was.
   */
  cutPoint(offset: number): { readonly position: number; readonly end: number } {
    let goodEnd = this.baseOffset
    let spanning: number | undefined
    const position = this.scanFromIndexed(offset, (bytes, at) => {
      const lastOffset = lastOffsetOf(bytes, at)
      if (lastOffset >= offset) spanning = baseOffsetOf(bytes, at)
      else goodEnd = lastOffset + 1
      return lastOffset < offset
    })
    // Only now: the scan may have found it.
    const damage = damageAt(this.damaged, offset)
    if (damage !== undefined) return { position: damage.from, end: damage.offset }
    if (spanning !== undefined) return { position, end: Math.min(offset, spanning) }
    return { position, end: position < this.sizeBytes ? goodEnd : offset }
  }

  /** Cuts the file at `position` and the indexes at `offset`, the first offset that goes. */
  cutAt(position: number, offset: number): void {
    this.offsetIndex.truncateTo(offset)
    this.timeIndex.truncateTo(offset)
    this.file().truncate(position)
    this.sizeBytes = position
    this.uncheckedBytes = Math.min(this.uncheckedBytes, position)
    this.damaged = this.damaged.filter(({ to }) => to <= position)
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
   * index files that were never fsynced one may have lost more than the other; and what is left of them may not be true.
   */
  resumeIndexes(position: number): void {
    const { last } = this.timeIndex
    const from = this.offsetIndex.lookup(last?.offset ?? -1)
    this.largest = last
    this.largestKnown = true
    this.bytesSinceIndexEntry = 0
    let firstOffset: number | undefined
    let isGenuine = last === undefined
    const visit: HeaderVisitor = (bytes, at, visited) => {
      if (visited >= position) return false
      const timestamp = maxTimestampOf(bytes, at)
      const offset = lastOffsetOf(bytes, at)
      firstOffset ??= offset
      isGenuine ||= offset === last?.offset && timestamp === last.timestamp
      if (timestamp > (this.largest?.timestamp ?? -1)) this.largest = { timestamp, offset }
      return true
    }
    this.scan(from?.position ?? 0, visit)
    if (isGenuine && (from === undefined || firstOffset === undefined || firstOffset === from.offset)) return
    this.timeIndex.truncateToEntries(0)
    this.largest = undefined
    this.scan(0, visit)
  }

  /** Rebuilds both indexes from the batches in the file. */
  rebuildIndexes(indexIntervalBytes: number): void {
    this.isSearched = true
    indexAllBatches(this, indexIntervalBytes)
  }

  // ----------------------------------------------------------------------------------------------------- files, fsync

  get isOpen(): boolean {
    return this.logFile?.isOpen === true
  }

  /** Has bytes that are not known to be durable, be it that an fsync is still on its way. */
  get unsynced(): boolean {
    return this.dirtyBytes || this.syncs > 0
  }

  /** Lets appends happen (again): the active segment after a start. A log that nobody uses holds no descriptor. */
  makeWritable(): void {
    this.file().makeWritable()
  }

  private file(): SegmentLogFile {
    this.logFile ??= new SegmentLogFile(this.context, this, false)
    return this.logFile
  }

  /** fsyncs log and indexes, blocking. */
  sync(): void {
    this.file().sync()
    this.offsetIndex.sync()
    this.timeIndex.sync()
    this.dirty = false
  }

  /** fsyncs the log alone, blocking. */
  syncLog(): void {
    this.file().sync()
    this.dirty = false
  }

  /**
   * fsyncs the log off the event loop: what was appended before the call is durable when `done` runs. A segment that
   * leaves the log before its turn comes needs no fsync.
   */
  syncLater(done: (error: DiskError | undefined) => void): void {
    this.syncs++
    this.dirty = false
    this.context.openFiles.whenSyncMayStart(ended => {
      const finish = (error: DiskError | undefined) => {
        this.syncs--
        this.dirty ||= error !== undefined
        ended()
        done(error)
      }
      if (this.retired) finish(undefined)
      else this.file().syncLater(finish)
    })
  }

  /**
   * As `syncLater`, indexes included: for a segment that was rolled. A segment that leaves the log meanwhile needs no
   * fsync.
   */
  syncAllLater(done: (error: DiskError | undefined) => void): void {
    // Not durable before its indexes are.
    this.syncs++
    const over = (error: DiskError | undefined) => {
      this.syncs--
      if (!this.retired) this.dirty ||= error !== undefined
      done(this.retired ? undefined : error)
    }
    this.syncLater(logError => {
      if (logError !== undefined || this.retired) return over(logError)
      this.context.openFiles.whenSyncMayStart(ended => {
        const finish = (error: DiskError | undefined) => {
          ended()
          over(error)
        }
        if (this.retired) return finish(undefined)
        this.offsetIndex.syncLater(error => {
          if (error !== undefined || this.retired) finish(error)
          else this.timeIndex.syncLater(finish)
        })
      })
    })
  }

  /** The segment leaves the log: its files may be renamed or removed at any time. */
  retire(): void {
    this.retired = true
    this.tally?.remove(this)
    this.logFile?.retire()
  }

  /** Gives the descriptor back; the next access opens the file again. */
  closeHandle(): void {
    this.logFile?.close()
  }
}
