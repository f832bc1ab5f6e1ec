/**
 * The Produce path behind the handler: append to each partition at once, then, for acks=all, wait until the in-sync replicas have it.
 * Appends happen synchronously, so requests of a connection are appended in the order in which they came. Without acks=all, or when the
 * high watermark passed at once, the answer needs no promise.
 */
import type { Environment, Timer } from '../environment/environment.ts'
import type { VerificationGuard } from '../log/transaction-verification.ts'
import type { ErrorName } from '../protocol/errors.ts'
import type { LocalReplica, ReplicaAppend } from './local-replica.ts'
import type { CommittedAppend, CoordinatorAppend } from './replication.ts'
import type { CommitWaiter, Parker } from './purgatory.ts'
import {
  produceError,
  type ProducersTransaction,
  type TransactionSupport,
  type TransactionVerifications,
  type VerificationResult,
} from './transaction-verifier.ts'

export interface AppendOutcome {
  error: ErrorName
  /** -1 unless appended. */
  readonly baseOffset: number
  readonly logAppendTimeMs: number
  readonly logStartOffset: number
  readonly message: string | null
  readonly recordErrors: readonly { readonly batchIndex: number; readonly message: string }[]
}

export interface AppendEntry {
  /** Where to append, or why that is not possible. */
  readonly target: LocalReplica | ErrorName
  readonly records: Buffer
  /** Of the transaction that the records begin here. */
  readonly verification?: VerificationGuard | undefined
  /** Known beforehand: it is not appended. */
  readonly refused?: AppendOutcome | undefined
}

export interface AppendOptions {
  readonly requiredAcks: -1 | 0 | 1
  readonly timeoutMs: number
  readonly connection: Parker
}

const noRecordErrors: AppendOutcome['recordErrors'] = []

export function refusedAppend(
  error: ErrorName,
  message: string | null,
  recordErrors: AppendOutcome['recordErrors'] = noRecordErrors,
): AppendOutcome {
  return { error, baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1, message, recordErrors }
}

/** One append that waits for its commit, among the others of its request. */
class PartitionWait implements CommitWaiter<ErrorName> {
  readonly replica: LocalReplica
  readonly requiredOffset: number
  readonly outcome: AppendOutcome
  isOver = false
  private readonly settled: () => void

  constructor(replica: LocalReplica, requiredOffset: number, outcome: AppendOutcome, settled: () => void) {
    this.replica = replica
    this.requiredOffset = requiredOffset
    this.outcome = outcome
    this.settled = settled
  }

  settle(error: ErrorName): void {
    this.isOver = true
    this.outcome.error = error
    this.settled()
  }

  /** Gives up waiting. */
  abandon(): void {
    if (this.isOver) return
    this.isOver = true
    this.outcome.error = 'REQUEST_TIMED_OUT'
    this.replica.waitingForCommit.noteOver()
  }
}

/** Appends one batch; the bytes of the outcome's offsets are those that the log assigned. */
export function appendOne(
  entry: AppendEntry,
  options: Omit<ReplicaAppend, 'verification'>,
): { readonly outcome: AppendOutcome; readonly replica?: LocalReplica; readonly requiredOffset: number } {
  const { target } = entry
  if (entry.refused !== undefined) return { outcome: entry.refused, requiredOffset: -1 }
  if (typeof target === 'string') return { outcome: refusedAppend(target, null), requiredOffset: -1 }
  const { verification } = entry
  const result = target.append(entry.records, verification === undefined ? options : { ...options, verification })
  if ('refused' in result) {
    const recordErrors = 'recordErrors' in result ? result.recordErrors : undefined
    return { outcome: refusedAppend(result.refused, result.message, recordErrors), requiredOffset: -1 }
  }
  const info = 'appended' in result ? result.appended : result.duplicate
  const outcome: AppendOutcome = {
    error: 'NONE',
    baseOffset: info.firstOffset,
    logAppendTimeMs: info.logAppendTimeMs,
    logStartOffset: target.log.logStartOffset,
    message: null,
    recordErrors: noRecordErrors,
  }
  return { outcome, replica: target, requiredOffset: info.lastOffset + 1 }
}

/** Outcomes in the order of the entries; a promise only when the request has to wait. */
export function appendAll(
  entries: readonly AppendEntry[],
  options: AppendOptions,
  environment: Pick<Environment, 'timers'>,
): AppendOutcome[] | Promise<AppendOutcome[]> {
  const needsAllInSync = options.requiredAcks === -1
  const outcomes: AppendOutcome[] = []
  let waits: PartitionWait[] | undefined
  let answer: (() => void) | undefined
  let open = 0
  const settled = (): void => {
    open -= 1
    if (open === 0) answer?.()
  }
  for (const entry of entries) {
    const { outcome, replica, requiredOffset } = appendOne(entry, { origin: 'client', needsAllInSync })
    outcomes.push(outcome)
    if (!needsAllInSync || replica === undefined) continue
    const wait = new PartitionWait(replica, requiredOffset, outcome, settled)
    const known = replica.awaitCommit(wait)
    if (known === undefined) {
      waits ??= []
      waits.push(wait)
      open += 1
    } else outcome.error = known
  }
  // A later append of this request may have moved the high watermark past an earlier one.
  if (waits === undefined || open === 0) return outcomes
  const waiting = waits
  return new Promise(resolve => {
    let timer: Timer | undefined = undefined
    const abandon = (): void => {
      for (const wait of waiting) wait.abandon()
    }
    const forget = options.connection.onClose(() => {
      timer?.cancel()
      abandon()
      resolve(outcomes)
    })
    answer = () => {
      timer?.cancel()
      forget()
      resolve(outcomes)
    }
    timer = environment.timers.after(options.timeoutMs, () => {
      forget()
      abandon()
      resolve(outcomes)
    })
  })
}

/**
 * Resolves once the in-sync replicas have everything below `requiredOffset`, or with the reason why that will not be known.
 *
 * @param timeoutMs  Infinity: as long as this replica leads
 */
export function whenCommitted(
  replica: LocalReplica,
  requiredOffset: number,
  timeoutMs: number,
  environment: Pick<Environment, 'timers'>,
): Promise<'committed' | ErrorName> {
  return new Promise(resolve => {
    const end = (error: ErrorName): void => {
      waiter.isOver = true
      resolve(error === 'NONE' ? 'committed' : error)
    }
    let timer: Timer | undefined = undefined
    const waiter: CommitWaiter<ErrorName> & { isOver: boolean } = {
      requiredOffset,
      isOver: false,
      settle: error => {
        timer?.cancel()
        end(error)
      },
    }
    const known = replica.awaitCommit(waiter)
    if (known !== undefined) {
      end(known)
      return
    }
    if (timeoutMs === Infinity) return
    timer = environment.timers.after(timeoutMs, () => {
      end('REQUEST_TIMED_OUT')
      replica.waitingForCommit.noteOver()
    })
  })
}

/** The transaction of a request, and the sequence with which its records of each entry begin; undefined without any. */
export interface TransactionalAppends {
  readonly transaction: ProducersTransaction
  readonly support: TransactionSupport
  readonly baseSequences: readonly (number | undefined)[]
}

/**
 * As `appendAll`, for records of a transaction: those that begin it in their partition wait for its coordinator first.
 * What waits keeps a copy of its records, since the memory they came in is read into again. What the producer sends meanwhile waits
 * behind it, or it would overtake: Kafka serves one request of a connection at a time.
 */
export function appendTransactional(
  entries: readonly AppendEntry[],
  { transaction, support, baseSequences }: TransactionalAppends,
  verifications: TransactionVerifications,
  append: (entries: readonly AppendEntry[]) => AppendOutcome[] | Promise<AppendOutcome[]>,
): AppendOutcome[] | Promise<AppendOutcome[]> {
  const indexes: number[] = []
  const targets: { readonly replica: LocalReplica; readonly baseSequence: number }[] = []
  entries.forEach(({ target }, index) => {
    const baseSequence = baseSequences[index]
    if (typeof target === 'string' || baseSequence === undefined) return
    indexes.push(index)
    targets.push({ replica: target, baseSequence })
  })
  const proceed = (kept: readonly AppendEntry[], results: readonly VerificationResult[]) => {
    const ready = [...kept]
    results.forEach(({ guard, error }, at) => {
      const index = indexes[at] ?? -1
      const entry = kept[index]
      if (entry === undefined) return
      const told = error === undefined ? undefined : produceError(error, support)
      const refused = told === undefined ? undefined : refusedAppend(told.error, told.message)
      ready[index] = { target: entry.target, records: entry.records, verification: guard, refused }
    })
    return append(ready)
  }
  const verify = () => verifications.verify(targets, transaction, support)
  const verified = verifications.isWaiting(transaction.producerId) ? undefined : verify()
  if (verified !== undefined && !(verified instanceof Promise)) return proceed(entries, verified)
  const copies = entries.map(entry => ({ ...entry, records: Buffer.from(entry.records) }))
  return verifications.inOrder(transaction.producerId, async () => {
    const results = await (verified ?? verify())
    // Not awaited here: who comes next waits for the append, not for the in-sync replicas.
    return { outcomes: proceed(copies, results) }
  })
}

/** Appends records of a coordinator, which waits for their commit. */
export function appendForCoordinator(
  target: LocalReplica,
  records: Buffer,
  { verification, transactionVersion, timeoutMs }: CoordinatorAppend,
  environment: Pick<Environment, 'timers'>,
): CommittedAppend | { refused: ErrorName } {
  const { outcome, requiredOffset } = appendOne(
    { target, records, verification },
    { origin: 'coordinator', needsAllInSync: true, transactionVersion },
  )
  if (outcome.error !== 'NONE') return { refused: outcome.error }
  const info = {
    firstOffset: outcome.baseOffset,
    lastOffset: requiredOffset - 1,
    logAppendTimeMs: outcome.logAppendTimeMs,
    bytes: records.length,
  }
  return { info, committed: whenCommitted(target, requiredOffset, timeoutMs, environment) }
}
