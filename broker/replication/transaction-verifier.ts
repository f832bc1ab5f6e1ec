/**
 * Before the first records of a transaction are appended to a partition, its transaction coordinator is asked whether the
 * partition belongs to the transaction, or told to add it (KIP-890). Decides who has to be asked and what the answers mean
 * to a producer; who the coordinator is and how it is asked is the business of the `TransactionVerifier`.
 *
 * Kafka's words for what a client supports: before Produce v11 an abortable error looks like INVALID_TXN_STATE to it; from
 * v12 on (transactions version 2) its partitions are added implicitly, and a transaction that is just being completed is
 * waited for a moment.
 */
import type { Environment } from '../environment/environment.ts'
import type { TopicPartition } from '../log/log.ts'
import type { VerificationGuard } from '../log/transaction-verification.ts'
import type { ErrorName } from '../protocol/errors.ts'
import type { LocalReplica } from './local-replica.ts'

/** What the client understands: by the version of its Produce or TxnOffsetCommit request. */
export type TransactionSupport = 'default-error' | 'generic-error' | 'add-partition'

export interface ProducersTransaction {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** Asks the coordinator of the transaction; `broker/coordinator/transactions/verifier.ts` implements it. */
export interface TransactionVerifier {
  /**
   * Whether each partition belongs to the transaction; with support 'add-partition' they are added to it. Answers in the
   * order of `partitions`; never rejects.
   */
  verify(
    transaction: ProducersTransaction,
    partitions: readonly TopicPartition[],
    support: TransactionSupport,
  ): Promise<readonly (ErrorName | 'NONE')[]>
}

export interface VerificationParts {
  readonly environment: Pick<Environment, 'clock' | 'timers'>
  readonly verifier: TransactionVerifier
  /** transaction.partition.verification.enable; may change. */
  isEnabled(): boolean
  /** add.partitions.to.txn.retry.backoff.ms */
  readonly retryBackoffMs: number
  /** add.partitions.to.txn.retry.backoff.max.ms, but not above request.timeout.ms. */
  readonly retryTimeoutMs: number
}

/** Of appends that a producer does not number. */
const noSequence = -1

export interface VerificationTarget {
  readonly replica: LocalReplica
  readonly baseSequence: number
}

/** What an append needs to know; without guard and error it goes on as it is. */
export interface VerificationResult {
  readonly guard?: VerificationGuard
  readonly error?: ErrorName
}

/** The version of Produce decides. */
export function supportOfProduce(apiVersion: number): TransactionSupport {
  if (apiVersion > 11) return 'add-partition'
  return apiVersion > 10 ? 'generic-error' : 'default-error'
}

/** The version of TxnOffsetCommit decides. */
export function supportOfTxnOffsetCommit(apiVersion: number): TransactionSupport {
  if (apiVersion > 4) return 'add-partition'
  return apiVersion > 3 ? 'generic-error' : 'default-error'
}

const retriedByOtherMeans: ReadonlySet<ErrorName> = new Set([
  'NETWORK_EXCEPTION',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
])

/**
 * What a producer is told of a failed verification. Older clients do not retry a Produce that fails with a coordinator's
 * error; NOT_ENOUGH_REPLICAS they do, and without refreshing their metadata.
 */
export function produceError(
  error: ErrorName,
  support: TransactionSupport,
): { readonly error: ErrorName; readonly message: string | null } {
  if (error === 'INVALID_TXN_STATE') return { error, message: 'Partition was not added to the transaction' }
  if (retriedByOtherMeans.has(error) || (error === 'CONCURRENT_TRANSACTIONS' && support !== 'add-partition')) {
    const message = `Unable to verify the partition has been added to the transaction. Underlying error: ${error}`
    return { error: 'NOT_ENOUGH_REPLICAS', message }
  }
  return { error, message: null }
}

export class TransactionVerifications {
  private readonly parts: VerificationParts
  /** By producer: settles when the newest of its appends that wait is done. */
  private readonly tails = new Map<bigint, Promise<void>>()

  constructor(parts: VerificationParts) {
    this.parts = parts
  }

  get isEnabled(): boolean {
    return this.parts.isEnabled()
  }

  /** Whether records of the producer wait for a coordinator: later ones of it have to wait behind them. */
  isWaiting(producerId: bigint): boolean {
    return this.tails.has(producerId)
  }

  /** Runs `work`, which ends with an append, after all earlier work of the same producer; resolves with what became of the append. */
  inOrder<T>(producerId: bigint, work: () => Promise<{ readonly outcomes: T | Promise<T> }>): Promise<T> {
    const before = this.tails.get(producerId)
    const begun = before === undefined ? work() : before.then(work)
    const forget = (): void => {
      if (this.tails.get(producerId) === tail) this.tails.delete(producerId)
    }
    const tail: Promise<void> = begun.then(forget, forget)
    this.tails.set(producerId, tail)
    return begun.then(({ outcomes }) => outcomes)
  }

  /** A result for each target: at once when nobody has to be asked. */
  verify(
    targets: readonly VerificationTarget[],
    transaction: ProducersTransaction,
    support: TransactionSupport,
  ): VerificationResult[] | Promise<VerificationResult[]> {
    if (!this.isEnabled) return targets.map(() => ({}))
    const results = targets.map(target => start(target, transaction, support))
    if (!results.some(({ guard }) => guard !== undefined)) return results
    return this.ask(targets, results, transaction, support)
  }

  /** For records without numbers of their producer, as coordinators append them. */
  verifyAlone(
    replica: LocalReplica,
    transaction: ProducersTransaction,
    support: TransactionSupport,
  ): VerificationResult | Promise<VerificationResult> {
    const results = this.verify([{ replica, baseSequence: noSequence }], transaction, support)
    const only = ([result]: readonly VerificationResult[]): VerificationResult => result ?? {}
    return results instanceof Promise ? results.then(only) : only(results)
  }

  private async ask(
    targets: readonly VerificationTarget[],
    begun: readonly VerificationResult[],
    transaction: ProducersTransaction,
    support: TransactionSupport,
  ): Promise<VerificationResult[]> {
    const { clock } = this.parts.environment
    const deadlineMs = clock.monotonicMs() + this.parts.retryTimeoutMs
    let results = [...begun]
    for (;;) {
      const asked = results.flatMap(({ guard }, index) => (guard === undefined ? [] : [index]))
      const partitions = asked.flatMap(index => targets[index]?.replica.topicPartition ?? [])
      const answers = await this.parts.verifier.verify(transaction, partitions, support)
      const errors = new Map(asked.map((index, at) => [index, answers[at] ?? 'UNKNOWN_SERVER_ERROR']))
      const answered = results.map((result, index) => withError(result, errors.get(index)))
      if (support !== 'add-partition') return answered
      const isBusy = answered.some(({ error }) => error === 'CONCURRENT_TRANSACTIONS')
      const isLate = clock.monotonicMs() >= deadlineMs
      if (isBusy && isLate) return answered
      if (isBusy) await this.backOff()
      // What happened meanwhile may have begun the transaction here, or fenced the producer, or ended the transaction before this one: then
      // nothing is proven, and the coordinator is asked again; when there is no time left, by the producer.
      const now = targets.map(target => start(target, transaction, support))
      const outdated = answered.map((result, index) => isOutdated(result, now[index]))
      if (!isBusy && !outdated.includes(true)) return answered
      if (isLate)
        return answered.map((result, index) =>
          outdated[index] === true ? { error: 'CONCURRENT_TRANSACTIONS' } : result,
        )
      results = now
      if (!results.some(({ guard }) => guard !== undefined)) return results
    }
  }

  private backOff(): Promise<void> {
    return new Promise(resolve => {
      this.parts.environment.timers.after(this.parts.retryBackoffMs, resolve)
    })
  }
}

function start(
  { replica, baseSequence }: VerificationTarget,
  { producerId, producerEpoch }: ProducersTransaction,
  support: TransactionSupport,
): VerificationResult {
  const supportsEpochBump = support === 'add-partition'
  const started = replica.startVerification({ producerId, producerEpoch, baseSequence, supportsEpochBump })
  if (started === 'ongoing') return {}
  return 'refused' in started ? { error: started.refused } : { guard: started }
}

function withError(result: VerificationResult, error: ErrorName | 'NONE' | undefined): VerificationResult {
  return error === undefined || error === 'NONE' ? result : { error }
}

/** A marker was written since the guard was made: a producer of transactions v2 goes on before the markers of its last transaction are there. */
function isOutdated({ guard, error }: VerificationResult, now: VerificationResult | undefined): boolean {
  return error === undefined && guard !== undefined && now?.guard !== undefined && now.guard !== guard
}
