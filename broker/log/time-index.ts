/**
 * Time index: a sparse map from timestamps to offsets. Entry, big-endian: timestamp int64, relative offset int32; it
 * says that no record up to that offset has a larger timestamp, and that the batch which ends there has this one.
 * Timestamps and offsets both rise.
 *
 * Source: KIP-33; the entry form is checked with Kafka's DumpLogSegments.
 */
import type { Disk, DiskError } from '../environment/environment.ts'
import { readInt64, writeInt64 } from '../protocol/records/batch.ts'
import { IndexFile } from './index-file.ts'

export const timeIndexEntryBytes = 12

export interface TimestampAndOffset {
  readonly timestamp: number
  /** Last offset of the batch that has the timestamp. */
  readonly offset: number
}

export class TimeIndex {
  private readonly file: IndexFile
  readonly baseOffset: number
  private lastEntry: TimestampAndOffset | undefined

  constructor(disk: Disk, path: string, baseOffset: number, create: boolean) {
    this.file = new IndexFile(disk, path, timeIndexEntryBytes, create)
    this.baseOffset = baseOffset
    this.lastEntry = this.entryAt(this.file.entries - 1)
  }

  get path(): string {
    return this.file.path
  }
  /** The file was there before it was opened. */
  get existed(): boolean {
    return this.file.existed
  }
  get entries(): number {
    return this.file.entries
  }
  get last(): TimestampAndOffset | undefined {
    return this.lastEntry
  }

  /** One slot stays free for the entry that is written when the segment is closed. */
  isFull(segmentIndexBytes: number): boolean {
    return this.file.entries >= Math.floor(segmentIndexBytes / timeIndexEntryBytes) - 1
  }

  /** Adds an entry when the timestamp is larger than every one before. */
  append(timestamp: number, offset: number): void {
    if (
      timestamp < 0 ||
      (this.lastEntry !== undefined && (timestamp <= this.lastEntry.timestamp || offset <= this.lastEntry.offset))
    )
      return
    const at = this.file.reserve()
    writeInt64(this.file.slotBuffer, timestamp, at)
    this.file.slotBuffer.writeInt32BE(offset - this.baseOffset, at + 8)
    this.lastEntry = { timestamp, offset }
  }

  /** The last entry with a timestamp at or below `timestamp`. */
  lookup(timestamp: number): TimestampAndOffset | undefined {
    return this.entryAt(this.file.search((bytes, at) => readInt64(bytes, at) <= timestamp))
  }

  entryAt(slot: number): TimestampAndOffset | undefined {
    const bytes = this.file.entry(slot)
    return bytes && { timestamp: readInt64(bytes, 0), offset: this.baseOffset + bytes.readInt32BE(8) }
  }

  /** Drops entries at and above `offset`. */
  truncateTo(offset: number): void {
    const relative = offset - this.baseOffset
    this.truncateToEntries(this.file.search((bytes, at) => bytes.readInt32BE(at + 8) < relative) + 1)
  }

  truncateToEntries(entries: number): void {
    this.file.truncateTo(entries)
    this.lastEntry = this.entryAt(this.file.entries - 1)
  }

  /**
   * Leading entries whose timestamps and offsets rise. Reads the whole index. Zeros are what is left of a page that was lost: as a first entry
   * they would pass for the year 1970.
   */
  soundEntries(): number {
    let lastTimestamp = -1
    let lastOffset = -1
    return this.file.countSound((bytes, at) => {
      const timestamp = readInt64(bytes, at)
      const offset = bytes.readInt32BE(at + 8)
      if (timestamp <= lastTimestamp || offset <= lastOffset || (timestamp === 0 && offset === 0)) return false
      lastTimestamp = timestamp
      lastOffset = offset
      return true
    })
  }

  spill(): void {
    this.file.spill()
  }
  settle(): void {
    this.file.settle()
  }
  sync(): void {
    this.file.sync()
  }
  syncLater(done: (error: DiskError | undefined) => void): void {
    this.file.syncLater(done)
  }
}
