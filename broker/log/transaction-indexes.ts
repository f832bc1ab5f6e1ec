/**
 * The transaction indexes of one log, by segment: opened when a transaction is aborted or looked up, absent where none
 * was. Knows which segments have one without asking the disk, so that a read costs the same however long the log is.
 */
import type { Disk, Logger } from '../environment/environment.ts'
import { offsetOfFileName, transactionIndexSuffix } from './log-files.ts'
import type { Segment } from './segment.ts'
import { TransactionIndex } from './transaction-index.ts'
import type { AbortedTransaction } from './transaction-index.ts'

export interface TransactionIndexesHost {
  readonly log: Logger
  /** Aborted transactions that end in a segment, read from its batches: for an index that is damaged. */
  rebuild(segment: Segment): AbortedTransaction[]
}

export class TransactionIndexes {
  private readonly disk: Disk
  private readonly byBaseOffset = new Map<number, TransactionIndex>()
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

  /** Drops all entries of a segment, without a look at them. */
  clear(segment: Segment): void {
    this.existing(segment)?.clear()
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
      const path = segment.filePath(transactionIndexSuffix)
      const damaged = (problem: string): AbortedTransaction[] => {
        this.host.log.warn('The transaction index of a segment is damaged; rebuilding it from the batches.', {
          path,
          problem,
        })
        return this.host.rebuild(segment)
      }
      index = new TransactionIndex(this.disk, path, { baseOffset, damaged })
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
