/**
 * What the machine of a coordinator wants done, in order. Replies that depend on records wait in `persist` until these are committed.
 * `Extra` is what only one kind of coordinator can want, such as a request to another broker; its driver performs it.
 */
import type { VerificationGuard } from '../../log/transaction-verification.ts'
import type { ErrorName } from '../../protocol/errors.ts'

/** Where the answer to one parked request goes. */
export interface Ticket<Response> {
  readonly resolve: (response: Response) => void
}

/** One record of the coordinator's internal topic; a null value is a tombstone. */
export interface CoordinatorRecord {
  readonly key: Buffer
  readonly value: Buffer | null
}

/** The transaction that records belong to: they take effect when its commit marker is replayed. */
export interface RecordsProducer {
  readonly producerId: bigint
  readonly producerEpoch: number
  /** That the transaction coordinator was asked (KIP-890). */
  readonly verification?: VerificationGuard | undefined
}

/** Runs as a step of the machine once the fate of the records is known; 'NONE' means committed. */
export type AfterPersist = (outcome: ErrorName, nowMs: number) => void

export interface PersistOptions {
  /** Set when the records are part of a client's transaction (TxnOffsetCommit). */
  readonly producer?: RecordsProducer
  /**
   * The machine has applied the records to its state already. When they do not reach the log, its state is that of no log: the shard is
   * thrown away and loaded anew.
   */
  readonly applied?: boolean
  /** How long the append may wait for the in-sync replicas, when not as long as the driver says. */
  readonly timeoutMs?: number
}

export interface PersistEffect extends PersistOptions {
  readonly kind: 'persist'
  readonly records: readonly CoordinatorRecord[]
  readonly then: AfterPersist
}

export type Effect<Extra = never> =
  | { readonly kind: 'reply'; readonly send: () => void }
  | PersistEffect
  | { readonly kind: 'extra'; readonly extra: Extra }

export class Effects<Extra = never> {
  #queue: Effect<Extra>[] = []

  reply<Response>(ticket: Ticket<Response>, response: Response): void {
    this.#queue.push({ kind: 'reply', send: () => ticket.resolve(response) })
  }

  persist(records: readonly CoordinatorRecord[], then: AfterPersist, options: PersistOptions = {}): void {
    this.#queue.push({ kind: 'persist', records, then, ...options })
  }

  add(extra: Extra): void {
    this.#queue.push({ kind: 'extra', extra })
  }

  take(): Effect<Extra>[] {
    const taken = this.#queue
    this.#queue = []
    return taken
  }
}
