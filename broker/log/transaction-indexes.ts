/**
 * The transaction indexes of one log, by segment: opened when a transaction is aborted or looked up, absent where none
 * was. Knows which segments have one without asking the disk, so that a read costs the same however long the log is.
 */
import type { Disk, Logger } from '../environment/environment.ts'
import { offsetOfFileName, transactionIndexSuffix } from './log-files.ts'
import { segmentOf } from './log-reader.ts'
import type { Segment } from './segment.ts'
import { TransactionIndex } from './transaction-index.ts'
import type { AbortedTransaction } from './transaction-index.ts'

export interface TransactionIndexesHost {
  readonly log: Logger
  /** Aborted transactions that end in a segment, read from its batches: for an index that is damaged. */
  rebuild(segment: Segment): AbortedTransaction[]
}
/** Per log: the segment that is written to, and one that is read. */
const maxOpened = 2

export class TransactionIndexes {
  private readonly disk: Disk
  /** Their entries are in memory: the ones used last, and those that are not durable. */
  private readonly opened = new Map<number, TransactionIndex>()
  /** Base offsets of the segments whose index has a file, rising. */
  private present: number[]

  private readonly host: TransactionIndexesHost

  /** `fileNames`: those of the log's directory. */
  constructor(disk: Disk, fileNames: readonly string[], host: TransactionIndexesHost) {
    this.disk = disk
    this.host = host
    this.present = fileNames
      .map(name => offsetOfFileName(name, transactionIndexSuffix))
      .filter(offset => offset !== undefined)
      .sort((a, b) => a - b)
  }

  append(segment: Segment, transaction: AbortedTransaction): void {
    this.open(segment).append(transaction)
  }

  /**
   * Aborted transactions that touch [fromOffset, untilOffset), a part of this log's segments (by base offset, rising).
   * An entry whose last stable offset is not below `untilOffset` is the last that can: all that ends later began later.
   * Costs what it finds: segments without an index are not visited.
   */
  collect(segments: readonly Segment[], fromOffset: number, untilOffset: number): AbortedTransaction[] {
    const found: AbortedTransaction[] = []
    if (this.present.length === 0) return found
    const first = segmentOf(segments, fromOffset).baseOffset
    for (let at = this.firstAtOrAbove(first); at < this.present.length; at++) {
      const segment = segmentOf(segments, this.present[at]!)
      for (const aborted of this.open(segment).from(fromOffset)) {
        if (aborted.firstOffset < untilOffset) found.push(aborted)
        if (aborted.lastStableOffset >= untilOffset) return found
      }
    }
    return found
  }

  /** Place in `present` of the first base offset at or above `offset`. */
  private firstAtOrAbove(offset: number): number {
    let low = 0
    let high = this.present.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.present[middle]! < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  private has(baseOffset: number): boolean {
    return this.present[this.firstAtOrAbove(baseOffset)] === baseOffset
  }

  truncateTo(segment: Segment, offset: number): void {
    this.existing(segment)?.truncateTo(offset)
  }

  /** Drops all entries of a segment, without a look at them. */
  clear(segment: Segment): void {
    this.existing(segment)?.clear()
  }

  /** The segment left the log. */
  forget(segment: Segment): void {
    this.opened.delete(segment.baseOffset)
    if (this.has(segment.baseOffset)) this.present.splice(this.firstAtOrAbove(segment.baseOffset), 1)
  }

  /** The segment has a new index file, which may be empty. Throws DiskError with nothing changed. */
  adopt(segment: Segment): void {
    const index = this.indexOf(segment)
    const isEmpty = index.all.length === 0
    this.forget(segment)
    if (!isEmpty) this.keep(segment, index)
  }

  /** fsyncs those that were written, blocking. */
  sync(): void {
    for (const index of this.opened.values()) index.sync()
  }

  private open(segment: Segment): TransactionIndex {
    const { baseOffset } = segment
    const known = this.opened.get(baseOffset)
    if (known !== undefined) {
      // The newest are kept, in the order of use.
      if (this.opened.size > 1) {
        this.opened.delete(baseOffset)
        this.opened.set(baseOffset, known)
      }
      return known
    }
    const index = this.indexOf(segment)
    this.keep(segment, index)
    return index
  }

  private keep({ baseOffset }: Segment, index: TransactionIndex): void {
    this.closeSpare()
    this.opened.set(baseOffset, index)
    if (!this.has(baseOffset)) this.present.splice(this.firstAtOrAbove(baseOffset), 0, baseOffset)
  }

  private indexOf(segment: Segment): TransactionIndex {
    const path = segment.filePath(transactionIndexSuffix)
    const damaged = (problem: string): AbortedTransaction[] => {
      const fields = { path, problem }
      this.host.log.warn('The transaction index of a segment is damaged; rebuilding it from the batches.', fields)
      return this.host.rebuild(segment)
    }
    return new TransactionIndex(this.disk, path, { baseOffset: segment.baseOffset, damaged })
  }

  /** What is not durable yet stays until it is. */
  private closeSpare(): void {
    for (const [baseOffset, index] of this.opened) {
      if (this.opened.size < maxOpened) return
      if (!index.dirty) this.opened.delete(baseOffset)
    }
  }

  private existing(segment: Segment): TransactionIndex | undefined {
    return this.has(segment.baseOffset) ? this.open(segment) : undefined
  }
}
