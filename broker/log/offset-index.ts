/**
 * Offset index: a sparse map from offsets to positions in the segment. Entry, big-endian: relative offset int32 (last
 * offset of a batch minus the base offset), position int32 (where that batch begins).
 *
 * Source: Kafka documentation, "Log"; the entry form is checked with Kafka's DumpLogSegments.
 */
import type { Disk, DiskError } from '../environment/environment.ts'
import { IndexFile } from './index-file.ts'

export const offsetIndexEntryBytes = 8

export interface OffsetAndPosition {
  /** Last offset of the batch that begins at `position`. */
  readonly offset: number
  readonly position: number
}

export class OffsetIndex {
  private readonly file: IndexFile
  readonly baseOffset: number
  /** Last offset indexed, -1 when the index is empty. */
  private lastIndexedOffset: number

  constructor(disk: Disk, path: string, baseOffset: number, create: boolean) {
    this.file = new IndexFile(disk, path, offsetIndexEntryBytes, create)
    this.baseOffset = baseOffset
    this.lastIndexedOffset = this.entryAt(this.file.entries - 1)?.offset ?? -1
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
  get lastOffset(): number {
    return this.lastIndexedOffset
  }

  isFull(segmentIndexBytes: number): boolean {
    return this.file.entries >= Math.floor(segmentIndexBytes / offsetIndexEntryBytes)
  }

  /** `offset`: last offset of the batch that begins at `position`. Offsets must rise; one that does not is left out. */
  append(offset: number, position: number): void {
    if (offset <= this.lastIndexedOffset) return
    const at = this.file.reserve()
    this.file.slotBuffer.writeInt32BE(offset - this.baseOffset, at)
    this.file.slotBuffer.writeInt32BE(position, at + 4)
    this.lastIndexedOffset = offset
  }

  /** The last entry at or below `offset`: where to begin looking for it. Undefined: at the start of the segment. */
  lookup(offset: number): OffsetAndPosition | undefined {
    const relative = offset - this.baseOffset
    return this.entryAt(this.file.search((bytes, at) => bytes.readInt32BE(at) <= relative))
  }

  entryAt(slot: number): OffsetAndPosition | undefined {
    const bytes = this.file.entry(slot)
    return bytes && { offset: this.baseOffset + bytes.readInt32BE(0), position: bytes.readInt32BE(4) }
  }

  /** Drops entries at and above `offset`. */
  truncateTo(offset: number): void {
    const relative = offset - this.baseOffset
    this.truncateToEntries(this.file.search((bytes, at) => bytes.readInt32BE(at) < relative) + 1)
  }

  truncateToEntries(entries: number): void {
    this.file.truncateTo(entries)
    this.lastIndexedOffset = this.entryAt(this.file.entries - 1)?.offset ?? -1
  }

  /** Leading entries that rise and point into a segment of `segmentBytes`. Reads the whole index. */
  soundEntries(segmentBytes: number): number {
    let lastOffset = -1
    let lastPosition = -1
    return this.file.countSound((bytes, at) => {
      const offset = bytes.readInt32BE(at)
      const position = bytes.readInt32BE(at + 4)
      if (offset <= lastOffset || position <= lastPosition || position >= segmentBytes) return false
      lastOffset = offset
      lastPosition = position
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
