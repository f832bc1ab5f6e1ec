/**
 * The transaction indexes of one log, by segment: opened when a transaction is aborted or looked up, absent where none
 * was. Knows which segments have one without asking the disk, so that a read costs the same however long the log is.
 */
import type { Disk } from '../environment/environment.ts'
import { offsetOfFileName, transactionIndexSuffix } from './log-files.ts'
import type { Segment } from './segment.ts'
import { TransactionIndex } from './transaction-index.ts'
import type { AbortedTransaction } from './transaction-index.ts'

export class TransactionIndexes {
  private readonly disk: Disk
  private readonly byBaseOffset = new Map<number, TransactionIndex>()
  /** Base offsets of the segments whose index has a file, rising. */
  private present: number[]

  /** `fileNames`: those of the log's directory. */
  constructor(disk: Disk, fileNames: readonly string[]) {
    this.disk = disk
    this.present = fileNames
      .map(name => offsetOfFileName(name, transactionIndexSuffix))
      .filter(offset => offset !== undefined)
      .sort((a, b) => a - b)
  }

  append(segment: Segment, transaction: AbortedTransaction): void {
    this.open(segment).append(transaction)
  }

  /**
   * Aborted transactions of these segments (by base offset, rising) that touch [fromOffset, untilOffset). An entry whose
   * last stable offset is not below `untilOffset` is the last that can: all that ends later began later.
   */
  collect(segments: readonly Segment[], fromOffset: number, untilOffset: number): AbortedTransaction[] {
    const found: AbortedTransaction[] = []
    const first = segments[0]?.baseOffset
    if (first === undefined || this.present.length === 0 || (this.present.at(-1) ?? -1) < first) return found
    for (const segment of segments) {
      for (const aborted of this.existing(segment)?.all ?? []) {
        if (aborted.lastOffset >= fromOffset && aborted.firstOffset < untilOffset) found.push(aborted)
        if (aborted.lastStableOffset >= untilOffset) return found
      }
    }
    return found
  }

  truncateTo(segment: Segment, offset: number): void {
    this.existing(segment)?.truncateTo(offset)
  }

  /** The segment left the log. */
  forget(segment: Segment): void {
    this.byBaseOffset.delete(segment.baseOffset)
    if (this.present.includes(segment.baseOffset))
      this.present = this.present.filter(offset => offset !== segment.baseOffset)
  }

  /** fsyncs those that were written, blocking. */
  sync(): void {
    for (const index of this.byBaseOffset.values()) index.sync()
  }

  private open(segment: Segment): TransactionIndex {
    const { baseOffset } = segment
    let index = this.byBaseOffset.get(baseOffset)
    if (index === undefined) {
      index = new TransactionIndex(this.disk, segment.filePath(transactionIndexSuffix))
      this.byBaseOffset.set(baseOffset, index)
      if (!this.present.includes(baseOffset)) {
        this.present.push(baseOffset)
        this.present.sort((a, b) => a - b)
      }
    }
    return index
  }

  private existing(segment: Segment): TransactionIndex | undefined {
    return this.present.includes(segment.baseOffset) ? this.open(segment) : undefined
  }
}
