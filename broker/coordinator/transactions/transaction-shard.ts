/**
 * All transactional ids whose state lives in one partition of `__transaction_state`, the machine. A value changes once its record is
 * committed; a transaction is committed when its PrepareCommit is, whatever happens afterwards. Markers are sent until every partition has
 * one; then the completion is written. A failover anywhere continues from the last committed value: prepared transactions are completed by
 * the new coordinator, ongoing ones go on.
 *
 * While a transition is under way (`pending`) everybody else is told CONCURRENT_TRANSACTIONS and comes again.
 * Sources: KIP-98, KIP-360, KIP-664 (listing), KIP-890, KIP-939 (two-phase commit: only its refusal).
 */
import type { ErrorName } from '../../protocol/errors.ts'
import { Effects, type Effect, type Ticket } from '../runtime/effects.ts'
import type { CoordinatorShard } from '../runtime/shard.ts'
import { decideEnd, needsNextProducerId, type EndRequest } from './end-decisions.ts'
import { verdictOf, type MarkerAnswer, type MarkerRequest } from './markers.ts'
import { without } from './partition-set.ts'
import * as requests from './requests.ts'
import { refusedProducer, type AddRequest, type InitRequest, type ProducerAnswer } from './requests.ts'
import { Transaction, type Completion } from './transaction.ts'
import { decodeTransaction, encodeTransaction, tombstone } from './transaction-records.ts'
import * as values from './transaction-value.ts'
import type { TransactionValue } from './transaction-value.ts'

export interface TransactionLimits {
  readonly maxTimeoutMs: number
  readonly idExpirationMs: number
  readonly twoPhaseCommitEnabled: boolean
}

export interface ShardOptions {
  readonly limits: TransactionLimits
  /** Leader epoch of the partition: fences the markers of a former coordinator. */
  readonly coordinatorEpoch: number
  /** Level of the feature transaction.version now. */
  transactionVersion(): number
}

/** What only this coordinator wants done. */
export type TransactionExtra =
  | {
      readonly kind: 'allocateProducerId'
      /** Runs as a step of the machine; undefined: no id could be had. */
      readonly then: (producerId: bigint | undefined) => void
    }
  | { readonly kind: 'writeMarkers'; readonly request: MarkerRequest }

/** Before markers are sent, or the record of a completion is written, once more. */
const retryBackoffMs = 100
/** About so many bytes of tombstones go into one append. */
const expiryBatchBytes = 16_384
const tombstoneOverheadBytes = 32

export class TransactionShard implements CoordinatorShard<TransactionExtra> {
  readonly #options: ShardOptions
  readonly #effects = new Effects<TransactionExtra>()
  readonly #transactions = new Map<string, Transaction>()
  /** Completions whose record is to be written once more. */
  readonly #retries = new Set<Transaction>()
  /** Refuses those who wait for a producer id. */
  readonly #allocating = new Set<(error: ErrorName) => void>()
  #wallMs = 0

  constructor(options: ShardOptions) {
    this.#options = options
  }

  at(wallMs: number): void {
    this.#wallMs = wallMs
  }

  takeEffects(): Effect<TransactionExtra>[] {
    return this.#effects.take()
  }

  replay(key: Buffer, value: Buffer | null): void {
    const record = decodeTransaction(key, value)
    if (record === undefined) return
    const { transactionalId } = record
    if (record.value === undefined) this.#transactions.delete(transactionalId)
    else this.#transactions.set(transactionalId, new Transaction(transactionalId, record.value))
  }

  /** Prepared transactions have an outcome; until it is certain, nobody may do anything else with them. */
  loaded(): void {
    for (const transaction of this.#transactions.values())
      if (values.isPrepared(transaction.value.state)) transaction.pending = transaction.value.state
  }

  /** The outcomes that were loaded cannot be lost any more: they are carried out. */
  tailCommitted(): void {
    for (const transaction of this.#transactions.values())
      if (values.isPrepared(transaction.value.state) && transaction.completion === undefined)
        this.#beginCompletion(transaction)
  }

  unload(): void {
    for (const refuse of this.#allocating) refuse('NOT_COORDINATOR')
    this.#allocating.clear()
  }

  deadlineMs(): number {
    let earliest = Infinity
    for (const { completion } of this.#retries) earliest = Math.min(earliest, completion?.retryAtMs ?? Infinity)
    return earliest
  }

  tick(nowMs: number): void {
    for (const transaction of this.#retries) {
      const { completion } = transaction
      if (completion === undefined || completion.retryAtMs > nowMs) continue
      this.#retries.delete(transaction)
      this.#writeCompletion(transaction, completion)
    }
  }

  // --------------------------------------------------------------------------------------------- InitProducerId

  /** @param freshId  set when the machine asked for it in an earlier attempt at the same request */
  initProducerId(request: InitRequest, ticket: Ticket<ProducerAnswer>, freshId?: bigint): void {
    const answer = (error: ErrorName): void => this.#effects.reply(ticket, refusedProducer(error))
    const refusal = this.#refuseInit(request)
    if (refusal !== undefined) return answer(refusal)
    const again = (id: bigint): void => this.initProducerId(request, ticket, id)
    const timeoutMs = request.enableTwoPhaseCommit ? values.twoPhaseTimeoutMs : request.timeoutMs
    const known = this.#transactions.get(request.transactionalId)
    if (known === undefined && freshId === undefined) return this.#allocate(again, answer)
    const transaction = known ?? this.#create(request.transactionalId, freshId ?? values.noProducerId, timeoutMs)
    const conflict = requests.refuseProducer(transaction, request.expected)
    if (conflict !== undefined) return answer(conflict)
    const { value } = transaction
    if (value.state === 'Ongoing') {
      // Who asks comes again until that is done, and gets the epoch after it.
      this.#abortUnasked(transaction, error => answer(error === 'NONE' ? 'CONCURRENT_TRANSACTIONS' : error))
      return
    }
    const expectedEpoch = request.expected?.producerEpoch
    const change = { timeoutMs, expectedEpoch, nowWallMs: this.#wallMs }
    const isUsedUp =
      values.isExhausted(value.producerEpoch) && (expectedEpoch ?? value.producerEpoch) === value.producerEpoch
    if (isUsedUp && freshId === undefined) return this.#allocate(again, answer)
    const next =
      isUsedUp && freshId !== undefined
        ? values.replaceProducerId(value, freshId, change)
        : values.raiseEpoch(value, change)
    if (next === 'PRODUCER_FENCED') return answer(next)
    const { producerId, producerEpoch } = next
    this.#transition(transaction, next, error => {
      if (error === 'NONE') this.#effects.reply(ticket, { error, producerId, producerEpoch })
      else answer(error)
    })
  }

  #refuseInit(request: InitRequest): ErrorName | undefined {
    const { limits } = this.#options
    if (request.transactionalId === '') return 'INVALID_REQUEST'
    if (request.enableTwoPhaseCommit && !limits.twoPhaseCommitEnabled) return 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'
    if (request.keepPreparedTransaction) return 'UNSUPPORTED_VERSION'
    const isTimeoutValid = request.timeoutMs > 0 && request.timeoutMs <= limits.maxTimeoutMs
    return request.enableTwoPhaseCommit || isTimeoutValid ? undefined : 'INVALID_TRANSACTION_TIMEOUT'
  }

  #create(transactionalId: string, producerId: bigint, timeoutMs: number): Transaction {
    const value = values.newTransaction(producerId, timeoutMs, this.#wallMs)
    const transaction = new Transaction(transactionalId, value)
    this.#transactions.set(transactionalId, transaction)
    return transaction
  }

  #allocate(proceed: (producerId: bigint) => void, refuse: (error: ErrorName) => void): void {
    this.#allocating.add(refuse)
    const then = (producerId: bigint | undefined): void => {
      this.#allocating.delete(refuse)
      if (producerId === undefined) refuse('COORDINATOR_LOAD_IN_PROGRESS')
      else proceed(producerId)
    }
    this.#effects.add({ kind: 'allocateProducerId', then })
  }

  // ------------------------------------------------------------------------------------------------- partitions

  addPartitions(request: AddRequest, ticket: Ticket<ErrorName>): void {
    const answer = (error: ErrorName): void => this.#effects.reply(ticket, error)
    if (request.transactionalId === '') return answer('INVALID_REQUEST')
    const transaction = this.#transactions.get(request.transactionalId)
    if (transaction === undefined) return answer('INVALID_PRODUCER_ID_MAPPING')
    const known = requests.refuseAdd(request, transaction)
    if (known !== undefined) return answer(known)
    const { clientTransactionVersion } = request
    const added = { nowWallMs: this.#wallMs, clientTransactionVersion }
    this.#transition(transaction, values.addPartitions(transaction.value, request.partitions, added), answer)
  }

  /** Whether a partition belongs to the producer's transaction: NONE, or TRANSACTION_ABORTABLE when it does not. */
  verifyPartitions(request: Omit<AddRequest, 'partitions'>): (topic: string, partition: number) => ErrorName {
    if (request.transactionalId === '') return () => 'INVALID_REQUEST'
    const transaction = this.#transactions.get(request.transactionalId)
    if (transaction === undefined) return () => 'INVALID_PRODUCER_ID_MAPPING'
    const refusal = requests.refuseIdentity(request, transaction.value)
    if (refusal !== undefined) return () => refusal
    const { partitions } = transaction.value
    return (topic, partition) => (partitions.get(topic)?.has(partition) === true ? 'NONE' : 'TRANSACTION_ABORTABLE')
  }

  // ----------------------------------------------------------------------------------------------------- ending

  /** @param freshId  set when the machine asked for it in an earlier attempt at the same request */
  end(request: EndRequest, ticket: Ticket<ProducerAnswer>, freshId?: bigint): void {
    const answer = (error: ErrorName): void => this.#effects.reply(ticket, refusedProducer(error))
    if (request.transactionalId === '') return answer('INVALID_REQUEST')
    const transaction = this.#transactions.get(request.transactionalId)
    if (transaction === undefined) return answer('INVALID_PRODUCER_ID_MAPPING')
    const decision = decideEnd(transaction, request)
    const { clientTransactionVersion } = request
    if (decision === 'done') return this.#answerEnd(ticket, transaction.value, clientTransactionVersion)
    if (decision !== 'end') return answer(decision)
    const isUsedUp = needsNextProducerId(transaction.value, clientTransactionVersion)
    if (isUsedUp && freshId === undefined) return this.#allocate(id => this.end(request, ticket, id), answer)
    const next = values.prepareEnd(transaction.value, {
      state: request.committed ? 'PrepareCommit' : 'PrepareAbort',
      clientTransactionVersion,
      nextProducerId: (isUsedUp ? freshId : undefined) ?? values.noProducerId,
      nowWallMs: this.#wallMs,
    })
    this.#transition(transaction, next, error => {
      if (error !== 'NONE') return answer(error)
      // The markers follow; the outcome is certain.
      this.#answerEnd(ticket, this.#beginCompletion(transaction).next, clientTransactionVersion)
    })
  }

  #answerEnd(ticket: Ticket<ProducerAnswer>, value: TransactionValue, clientTransactionVersion: number): void {
    const { producerId, producerEpoch } = value
    const isBumped = values.bumpsEpoch(clientTransactionVersion)
    this.#effects.reply(ticket, isBumped ? { error: 'NONE', producerId, producerEpoch } : refusedProducer('NONE'))
  }

  /** Transactions that are open for longer than their timeout are aborted, and their producers fenced. */
  abortTimedOut(): void {
    for (const transaction of this.#transactions.values()) {
      const { pending, value } = transaction
      if (pending !== undefined || value.state !== 'Ongoing' || value.timeoutMs === values.twoPhaseTimeoutMs) continue
      if (value.startWallMs + value.timeoutMs < this.#wallMs) this.#abortUnasked(transaction, () => undefined)
    }
  }

  /** Aborts an ongoing transaction that its own producer did not end, so that this producer cannot go on with it. */
  #abortUnasked(transaction: Transaction, then: (error: ErrorName) => void, freshId?: bigint): void {
    const isStill = transaction.pending === undefined && transaction.value.state === 'Ongoing'
    if (!isStill || this.#transactions.get(transaction.transactionalId) !== transaction)
      return then('CONCURRENT_TRANSACTIONS')
    const version = this.#options.transactionVersion()
    const clientTransactionVersion = values.bumpsEpoch(version) ? version : 0
    const isUsedUp = needsNextProducerId(transaction.value, clientTransactionVersion)
    if (isUsedUp && freshId === undefined) return this.#allocate(id => this.#abortUnasked(transaction, then, id), then)
    // With transactions v2 the end of the transaction raises the epoch by itself.
    const hasFence = !values.bumpsEpoch(version)
    if (hasFence) transaction.value = values.fenceEpoch(transaction.value, transaction.hasFailedFence)
    const next = values.prepareEnd(transaction.value, {
      state: 'PrepareAbort',
      clientTransactionVersion,
      nextProducerId: (isUsedUp ? freshId : undefined) ?? values.noProducerId,
      nowWallMs: this.#wallMs,
    })
    this.#transition(transaction, next, error => {
      if (error === 'NONE') this.#beginCompletion(transaction)
      else if (hasFence) transaction.hasFailedFence = true
      then(error)
    })
  }

  // -------------------------------------------------------------------------------------------------- completion

  /** The outcome is in the log: every partition is told, then the end is noted. */
  #beginCompletion(transaction: Transaction): Completion {
    const { value } = transaction
    const next = values.complete(value, this.#wallMs)
    const completion: Completion = { next, unmarked: value.partitions, retryAtMs: Infinity }
    transaction.pending = next.state
    transaction.hasFailedFence = false
    transaction.completion = completion
    if (completion.unmarked.size === 0) this.#writeCompletion(transaction, completion)
    else this.#sendMarkers(transaction, completion, 0)
    return completion
  }

  #sendMarkers({ transactionalId, value }: Transaction, { unmarked }: Completion, delayMs: number): void {
    const request: MarkerRequest = {
      transactionalId,
      producerId: value.producerId,
      producerEpoch: value.producerEpoch,
      committed: value.state === 'PrepareCommit',
      coordinatorEpoch: this.#options.coordinatorEpoch,
      transactionVersion: value.clientTransactionVersion,
      partitions: unmarked,
      delayMs,
    }
    this.#effects.add({ kind: 'writeMarkers', request })
  }

  /** What became of all partitions of a marker request. */
  markersAnswered(request: MarkerRequest, answers: readonly MarkerAnswer[]): void {
    const transaction = this.#transactions.get(request.transactionalId)
    const completion = transaction?.completion
    if (transaction === undefined || completion === undefined) return
    const { producerId, producerEpoch } = transaction.value
    if (producerId !== request.producerId || producerEpoch !== request.producerEpoch) return
    const verdicts = answers.map(each => ({ ...each, verdict: verdictOf(each.outcome) }))
    const written = verdicts.filter(({ verdict }) => verdict === 'written')
    completion.unmarked = without(completion.unmarked, (topic, partition) =>
      written.some(each => each.topic === topic && each.partition === partition),
    )
    if (completion.unmarked.size === 0) this.#writeCompletion(transaction, completion)
    else if (!verdicts.some(({ verdict }) => verdict === 'fenced'))
      this.#sendMarkers(transaction, completion, retryBackoffMs)
  }

  #writeCompletion(transaction: Transaction, completion: Completion): void {
    this.#persist(transaction, completion.next, (error, nowMs) => {
      if (error === 'NONE') {
        transaction.completion = undefined
        this.#apply(transaction, completion.next)
        return
      }
      // Whoever coordinates now reads the prepared transaction and completes it.
      if (error === 'NOT_COORDINATOR') return
      completion.retryAtMs = nowMs + retryBackoffMs
      this.#retries.add(transaction)
    })
  }

  // ------------------------------------------------------------------------------------------------- transitions

  #transition(transaction: Transaction, next: TransactionValue, then: (error: ErrorName) => void): void {
    transaction.pending = next.state
    this.#persist(transaction, next, error => {
      if (error === 'NONE') this.#apply(transaction, next)
      else transaction.pending = undefined
      then(error)
    })
  }

  #persist(
    { transactionalId }: Transaction,
    next: TransactionValue,
    then: (error: ErrorName, nowMs: number) => void,
  ): void {
    const record = encodeTransaction(transactionalId, next, this.#options.transactionVersion())
    this.#effects.persist([record], then, { timeoutMs: next.timeoutMs })
  }

  #apply(transaction: Transaction, next: TransactionValue): void {
    transaction.value = next
    transaction.pending = undefined
  }

  // ----------------------------------------------------------------------------------------------------- expiry

  /** Ids that nobody used for transactional.id.expiration.ms are forgotten. */
  expireIds(): void {
    const dueWallMs = this.#wallMs - this.#options.limits.idExpirationMs
    let batch: Transaction[] = []
    let bytes = 0
    for (const transaction of this.#transactions.values()) {
      const { pending, value, transactionalId } = transaction
      if (pending !== undefined || !values.isAtRest(value.state) || value.lastUpdateWallMs > dueWallMs) continue
      transaction.pending = 'Dead'
      batch.push(transaction)
      bytes += transactionalId.length + tombstoneOverheadBytes
      if (bytes < expiryBatchBytes) continue
      this.#forget(batch)
      batch = []
      bytes = 0
    }
    if (batch.length > 0) this.#forget(batch)
  }

  #forget(batch: readonly Transaction[]): void {
    const records = batch.map(({ transactionalId }) => tombstone(transactionalId))
    this.#effects.persist(records, error => {
      for (const transaction of batch) {
        if (error === 'NONE') this.#transactions.delete(transaction.transactionalId)
        else transaction.pending = undefined
      }
    })
  }

  // ------------------------------------------------------------------------------------------------- questions

  describe(transactionalId: string): requests.TransactionDescription | undefined {
    const transaction = this.#transactions.get(transactionalId)
    return transaction === undefined ? undefined : description(transaction)
  }

  list(): requests.TransactionDescription[] {
    return [...this.#transactions.values()].map(description)
  }
}

function description({ transactionalId, value, completion }: Transaction): requests.TransactionDescription {
  const { state, producerId, producerEpoch, timeoutMs, startWallMs } = value
  const partitions = completion?.unmarked ?? value.partitions
  return { transactionalId, state, producerId, producerEpoch, timeoutMs, startWallMs, partitions }
}
