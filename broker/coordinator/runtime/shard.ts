/**
 * The machine of a coordinator: all the state that lives in one partition of its internal topic. Synchronous, without clock or I/O. Its
 * durable part is a fold of the partition's records; the same fold runs while loading and, for what it writes itself, at run time.
 */
import type { Effect } from './effects.ts'

/** The end of a client's transaction in this partition, as its control record says. */
export interface TransactionMarker {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly committed: boolean
  readonly coordinatorEpoch: number
  /** The version of transactions that wrote it, by which its epoch is checked (KIP-1228); default 0. */
  readonly transactionVersion?: number
}

/** What a record's batch says of it. */
export interface RecordOrigin {
  readonly offset: number
  /** -1n: none. */
  readonly producerId: bigint
  readonly producerEpoch: number
  /** Counts only once the commit marker of its producer is replayed. */
  readonly isTransactional: boolean
  /** Loaded from above the high watermark: it may be lost yet. `tailCommitted` tells when that is over. */
  readonly isUncommitted?: boolean
}

export interface CoordinatorShard<Extra = never> {
  /** Each step begins with the time of day, wall ms, and ends with `takeEffects`. */
  at(wallMs: number): void
  takeEffects(): Effect<Extra>[]
  /** One record of the log, in order. The buffers are views of a log read: what is kept is copied. Unknown kinds are left alone. */
  replay(key: Buffer, value: Buffer | null, origin: RecordOrigin): void
  /** A transaction that wrote to this partition ended; absent where the topic has no transactional records. */
  replayMarker?(marker: TransactionMarker, origin?: Pick<RecordOrigin, 'isUncommitted'>): void
  /** The log is read to its end: timeouts begin. */
  loaded(nowMs: number): void
  /** All that was loaded is committed now: with `loaded`, or later. */
  tailCommitted?(): void
  /** This broker leads the partition no more: everyone who waits is told NOT_COORDINATOR. */
  unload(): void
  /** When `tick` is wanted next, monotonic ms; Infinity: never. */
  deadlineMs(): number
  tick(nowMs: number): void
}
