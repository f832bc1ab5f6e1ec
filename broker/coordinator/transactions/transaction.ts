/** One transactional id in memory: its committed value, and what is on its way. */
import type { PartitionSet } from './partition-set.ts'
import type { TransactionState, TransactionValue } from './transaction-value.ts'

/** Between the committed outcome and its completion: partitions get their markers. */
export interface Completion {
  readonly next: TransactionValue
  /** Still without a marker. */
  unmarked: PartitionSet
  /** The record of the completion is to be written again at this time, monotonic ms. */
  retryAtMs: number
}

export class Transaction {
  readonly transactionalId: string
  value: TransactionValue
  /** Where the transaction goes while a record is on its way, or markers are; meanwhile nobody else may change it. */
  pending: TransactionState | undefined
  completion: Completion | undefined
  /** An epoch that fences was not written; it has no owner, so the next attempt takes the same (before transactions v2). */
  hasFailedFence = false

  constructor(transactionalId: string, value: TransactionValue) {
    this.transactionalId = transactionalId
    this.value = value
  }
}
