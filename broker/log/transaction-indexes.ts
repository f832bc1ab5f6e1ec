/**
 * The transaction indexes of one log, by segment: opened when a transaction is aborted or looked up, absent where none
 * was.
 */
import type { Disk } from '../environment/environment.ts'
import { transactionIndexSuffix } from './log-files.ts'
import type { Segment } from './segment.ts'
import { TransactionIndex } from './transaction-index.ts'
import type { AbortedTransaction } from './transaction-index.ts'

export class TransactionIndexes {
  private readonly disk: Disk
  private readonly byBaseOffset = new Map<number, TransactionIndex>()

  constructor(disk: Disk) {
    this.disk = disk
  }

  append(segment: Segment, transaction: AbortedTransaction): void {
    this.open(segment).append(transaction)
  }

  /** Aborted transactions of these segments that touch [fromOffset, untilOffset). */
  collect(segments: readonly Segment[], fromOffset: number, untilOffset: number): AbortedTransaction[] {
    return segments
      .flatMap(segment => this.existing(segment)?.all ?? [])
      .filter(aborted => aborted.lastOffset >= fromOffset && aborted.firstOffset < untilOffset)
  }

  truncateTo(segment: Segment, offset: number): void {
    this.existing(segment)?.truncateTo(offset)
  }

  /** The segment left the log. */
  forget(segment: Segment): void {
    this.byBaseOffset.delete(segment.baseOffset)
  }

  /** fsyncs those that were written, blocking. */
  sync(): void {
    for (const index of this.byBaseOffset.values()) index.sync()
  }

  private open(segment: Segment): TransactionIndex {
    let index = this.byBaseOffset.get(segment.baseOffset)
    if (index === undefined) {
      index = new TransactionIndex(this.disk, segment.filePath(transactionIndexSuffix))
      this.byBaseOffset.set(segment.baseOffset, index)
    }
    return index
  }

  private existing(segment: Segment): TransactionIndex | undefined {
    const known = this.byBaseOffset.get(segment.baseOffset)
    if (known !== undefined) return known
    return this.disk.stat(segment.filePath(transactionIndexSuffix)) === undefined ? undefined : this.open(segment)
  }
}
