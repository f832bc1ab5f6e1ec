/**
 * The transactions that one pass over a log meets: whether a batch belongs to an aborted one, whether a marker may go. A marker stays as long
 * as the pass saw a batch of its transaction, be it an empty one, and so does the entry of an aborted transaction in the transaction index:
 * without the marker a reader could not tell where the transaction ended.
 *
 * Every transaction that began below the last stable offset is decided, so what is not known as aborted was committed.
 * Source: KIP-98; Kafka's cleaner (CleanedTransactionMetadata).
 */
import { endTransactionMarkerOf } from '../../protocol/records/batch-read.ts'
import type { BatchView } from '../../protocol/records/batch.ts'
import type { AbortedTransaction } from '../transaction-index.ts'

export class CleanedTransactions {
  /** By first offset, rising; from `next` on not met yet. */
  private readonly aborted: readonly AbortedTransaction[]
  private next = 0
  private readonly ongoingAborted = new Map<bigint, { readonly transaction: AbortedTransaction; seen: boolean }>()
  private readonly ongoingCommitted = new Set<bigint>()
  private retained: AbortedTransaction[] = []

  /** `aborted`: all whose records may lie in the part of the log that is passed over. */
  constructor(aborted: readonly AbortedTransaction[]) {
    this.aborted = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  }

  /** Passes a batch of data. True: it belongs to an aborted transaction. */
  data(batch: BatchView): boolean {
    this.begin(batch.lastOffset)
    if (!batch.isTransactional) return false
    const ongoing = this.ongoingAborted.get(batch.producerId)
    if (ongoing === undefined) {
      this.ongoingCommitted.add(batch.producerId)
      return false
    }
    ongoing.seen = true
    return true
  }

  /** Passes a control batch. True: nothing is left of its transaction, and it may go. */
  control(batch: BatchView): boolean {
    this.begin(batch.lastOffset)
    // It was emptied before, which happens only when nothing needs what it said.
    if (batch.recordsCount === 0) return true
    const marker = endTransactionMarkerOf(batch)
    if (marker === undefined) return false
    const { producerId } = batch
    if (marker.type === 'commit') return !this.ongoingCommitted.delete(producerId)
    const ongoing = this.ongoingAborted.get(producerId)
    this.ongoingAborted.delete(producerId)
    if (ongoing?.seen !== true) return true
    this.retained.push(ongoing.transaction)
    return false
  }

  /** Entries for the transaction index of what was passed since the last call. */
  takeRetained(): AbortedTransaction[] {
    const taken = this.retained
    this.retained = []
    return taken
  }

  private begin(offset: number): void {
    for (let transaction; (transaction = this.aborted[this.next]) !== undefined; this.next++) {
      if (transaction.firstOffset > offset) return
      if (!this.ongoingAborted.has(transaction.producerId))
        this.ongoingAborted.set(transaction.producerId, { transaction, seen: false })
    }
  }
}
