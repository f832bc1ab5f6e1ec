/**
 * What a partition knows of its idempotent and transactional producers: epoch, the last five batches, the open
 * transaction. It is a fold over the batches of the log; `check` decides before an append, `apply` runs after it (or at
 * replay) and never refuses.
 *
 * Sources: KIP-98 (sequences, transactions), KIP-360 (unknown producers), KIP-890; Kafka's rules for an append from a
 * client, a coordinator and from replication.
 */
import { addSequence } from '../protocol/records/batch.ts'
import type { BatchView } from '../protocol/records/batch.ts'
import { endTransactionMarkerOf } from '../protocol/records/batch-read.ts'
import type { ErrorName } from '../protocol/errors.ts'
import type { AppendOrigin, ProducerEntry } from './log.ts'
import { Verifications } from './transaction-verification.ts'
import type { Verification, VerificationGuard, VerifiedProducer } from './transaction-verification.ts'

/**
 * Batches remembered per producer, for telling a repeated batch from a new one: max.in.flight of an idempotent
 * producer.
 */
const batchesToRemember = 5

export interface BatchMetadata {
  readonly lastSequence: number
  /** Inclusive. */
  readonly lastOffset: number
  readonly offsetDelta: number
  readonly timestamp: number
}

export interface ProducerState {
  readonly producerId: bigint
  producerEpoch: number
  coordinatorEpoch: number
  lastTimestamp: number
  /** -1 when no transaction is open. */
  currentTxnFirstOffset: number
  /** Oldest first. */
  batches: BatchMetadata[]
}

export interface CompletedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
  /** Offset of the marker. */
  readonly lastOffset: number
  readonly aborted: boolean
}

interface OpenTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

export interface ProducerRefusal {
  readonly refused: ErrorName
  readonly message: string
}

export type ProducerCheck = { readonly duplicate: BatchMetadata } | ProducerRefusal

/** What an append says about itself, see AppendRequest in log.ts. */
export interface ProducerCheckOptions {
  readonly origin: AppendOrigin
  readonly requireVerification?: boolean
  readonly verification?: VerificationGuard | undefined
  readonly transactionVersion?: number
}

const largestEpoch = 0x7fff
/** From this version of transactions on every transaction has an epoch of its own (KIP-890). */
const epochPerTransactionSince = 2

export class ProducerStates {
  private readonly producers = new Map<bigint, ProducerState>()
  private readonly verifications = new Verifications()
  /** By first offset, rising. */
  private open: OpenTransaction[] = []
  /** Ended, but their markers are not below the high watermark yet. */
  private unreplicated: { readonly firstOffset: number; readonly lastOffset: number }[] = []

  /** Whether the batch may be appended; undefined: yes. */
  check(batch: BatchView, options: ProducerCheckOptions): ProducerCheck | undefined {
    const { origin } = options
    if (!batch.hasProducerId || origin === 'raft') return undefined
    const { producerId } = batch
    const entry = this.producers.get(producerId)
    if (origin === 'client' && entry !== undefined) {
      const duplicate = findDuplicate(entry, batch)
      if (duplicate !== undefined) return { duplicate }
    }
    if (batch.isControl) return entry && checkMarker(entry, batch, options.transactionVersion ?? 0)
    const epoch = batch.producerEpoch
    if (entry !== undefined && epoch < entry.producerEpoch) return staleEpoch(entry, epoch)
    if (batch.isTransactional && options.requireVerification === true && !isOngoing(entry, epoch)) {
      if (this.verifications.get(producerId)?.guard !== options.verification || options.verification === undefined)
        return { refused: 'INVALID_TXN_STATE', message: 'Record was not part of an ongoing transaction' }
    }
    if (origin === 'client') {
      const outOfOrder = checkSequence(entry, batch, this.verifications.get(producerId))
      if (outOfOrder !== undefined) return { refused: 'OUT_OF_ORDER_SEQUENCE_NUMBER', message: outOfOrder }
    }
    if (entry !== undefined && entry.currentTxnFirstOffset >= 0 && !batch.isTransactional) {
      const message = `Producer ${producerId} sent a batch outside of its open transaction, which began at offset ${entry.currentTxnFirstOffset}.`
      return { refused: 'INVALID_TXN_STATE', message }
    }
    return undefined
  }

  /** Begins a verification, unless the transaction is under way here. */
  startVerification(producer: VerifiedProducer, wallMs: number): VerificationGuard | 'ongoing' | ProducerRefusal {
    const entry = this.producers.get(producer.producerId)
    if (entry !== undefined && producer.producerEpoch < entry.producerEpoch)
      return staleEpoch(entry, producer.producerEpoch)
    if (isOngoing(entry, producer.producerEpoch)) return 'ongoing'
    return this.verifications.start(producer, wallMs).guard
  }

  /** Takes a batch that is in the log, offsets stamped. Returns the transaction that it ended. */
  apply(batch: BatchView): CompletedTransaction | undefined {
    if (!batch.hasProducerId) return undefined
    const entry = this.entryFor(batch.producerId)
    if (batch.isTransactional) this.verifications.end(entry.producerId)
    if (batch.isControl) return this.applyMarker(entry, batch)
    const { producerEpoch, maxTimestamp, baseOffset, lastOffset } = batch
    raiseEpoch(entry, producerEpoch)
    if (entry.batches.length === batchesToRemember) entry.batches.shift()
    entry.batches.push({
      lastSequence: batch.lastSequence,
      lastOffset,
      offsetDelta: lastOffset - baseOffset,
      timestamp: maxTimestamp,
    })
    entry.lastTimestamp = maxTimestamp
    if (batch.isTransactional && entry.currentTxnFirstOffset < 0) {
      entry.currentTxnFirstOffset = baseOffset
      this.open.push({ producerId: entry.producerId, firstOffset: baseOffset })
    }
    return undefined
  }

  private applyMarker(entry: ProducerState, batch: BatchView): CompletedTransaction | undefined {
    const marker = batch.recordsCount > 0 ? endTransactionMarkerOf(batch) : undefined
    if (marker === undefined) return undefined
    const firstOffset = entry.currentTxnFirstOffset
    raiseEpoch(entry, batch.producerEpoch)
    entry.coordinatorEpoch = marker.coordinatorEpoch
    entry.lastTimestamp = marker.timestamp
    entry.currentTxnFirstOffset = -1
    if (firstOffset < 0) return undefined
    const completed = {
      producerId: entry.producerId,
      firstOffset,
      lastOffset: batch.baseOffset,
      aborted: marker.type === 'abort',
    }
    this.open = this.open.filter(transaction => transaction.firstOffset !== firstOffset)
    this.unreplicated.push(completed)
    return completed
  }

  private entryFor(producerId: bigint): ProducerState {
    let entry = this.producers.get(producerId)
    if (entry === undefined) {
      entry = {
        producerId,
        producerEpoch: -1,
        coordinatorEpoch: -1,
        lastTimestamp: -1,
        currentTxnFirstOffset: -1,
        batches: [],
      }
      this.producers.set(producerId, entry)
    }
    return entry
  }

  /** First offset of the earliest transaction that is open, or ended above the high watermark. */
  firstUnstableOffset(): number | undefined {
    const open = this.open[0]?.firstOffset
    const ended = this.unreplicated.reduce<number | undefined>(
      (least, { firstOffset }) => Math.min(least ?? firstOffset, firstOffset),
      undefined,
    )
    if (open === undefined || ended === undefined) return open ?? ended
    return Math.min(open, ended)
  }

  /** The last stable offset that held when `completed` ended: for the transaction index. */
  lastStableOffset(completed: CompletedTransaction): number {
    return (
      this.open.find(transaction => transaction.producerId !== completed.producerId)?.firstOffset ??
      completed.lastOffset + 1
    )
  }

  /** Transactions whose markers are below the high watermark no longer hold back the last stable offset. */
  highWatermarkRaised(highWatermark: number): void {
    if (this.unreplicated.length === 0) return
    this.unreplicated = this.unreplicated.filter(transaction => transaction.lastOffset >= highWatermark)
  }

  /** Forgets producers that were silent for `expirationMs` and have no transaction open. */
  expire(nowWallMs: number, expirationMs: number): void {
    for (const [producerId, entry] of this.producers) {
      if (entry.currentTxnFirstOffset < 0 && nowWallMs - entry.lastTimestamp >= expirationMs)
        this.producers.delete(producerId)
    }
    this.verifications.expire(nowWallMs, expirationMs)
  }

  clear(): void {
    this.producers.clear()
    this.open = []
    this.unreplicated = []
  }

  /** Takes over entries of a snapshot, leaving out those that expired since. */
  load(entries: readonly ProducerState[], nowWallMs: number, expirationMs: number): void {
    for (const entry of entries) {
      if (entry.currentTxnFirstOffset < 0 && nowWallMs - entry.lastTimestamp >= expirationMs) continue
      this.producers.set(entry.producerId, entry)
      if (entry.currentTxnFirstOffset >= 0)
        this.open.push({ producerId: entry.producerId, firstOffset: entry.currentTxnFirstOffset })
    }
    this.open.sort((a, b) => a.firstOffset - b.firstOffset)
  }

  /** All producers, in the order in which they were first seen. */
  all(): readonly ProducerState[] {
    return [...this.producers.values()]
  }

  /** Where the last data of each is, -1 when its epoch has none. */
  ends(): Map<bigint, { lastDataOffset: number; epoch: number }> {
    return new Map(
      this.all().map(entry => [
        entry.producerId,
        { lastDataOffset: entry.batches.at(-1)?.lastOffset ?? -1, epoch: entry.producerEpoch },
      ]),
    )
  }

  entries(): ProducerEntry[] {
    return this.all().map(entry => ({
      producerId: entry.producerId,
      producerEpoch: entry.producerEpoch,
      lastSequence: lastSequenceOf(entry),
      lastTimestamp: entry.lastTimestamp,
      coordinatorEpoch: entry.coordinatorEpoch,
      currentTransactionStartOffset: entry.currentTxnFirstOffset,
    }))
  }
}

export function lastSequenceOf(entry: ProducerState): number {
  return entry.batches.at(-1)?.lastSequence ?? -1
}

function raiseEpoch(entry: ProducerState, epoch: number): void {
  if (entry.producerEpoch === epoch) return
  entry.producerEpoch = epoch
  entry.batches = []
}

function findDuplicate(entry: ProducerState, batch: BatchView): BatchMetadata | undefined {
  if (batch.producerEpoch !== entry.producerEpoch) return undefined
  const firstSequence = batch.baseSequence
  const lastSequence = batch.lastSequence
  for (const known of entry.batches) {
    if (known.lastSequence === lastSequence && firstSequenceOf(known) === firstSequence) return known
  }
  return undefined
}

function firstSequenceOf(batch: BatchMetadata): number {
  const first = batch.lastSequence - batch.offsetDelta
  return first >= 0 ? first : first + 0x80000000
}

/** Whether the transaction of exactly this epoch has records here. */
function isOngoing(entry: ProducerState | undefined, epoch: number): boolean {
  return entry !== undefined && entry.currentTxnFirstOffset >= 0 && entry.producerEpoch === epoch
}

function staleEpoch(entry: ProducerState, epoch: number): ProducerRefusal {
  const message = `Producer ${entry.producerId} sent epoch ${epoch}, but epoch ${entry.producerEpoch} was seen already.`
  return { refused: 'INVALID_PRODUCER_EPOCH', message }
}

/** The reason why a data batch with this sequence may not follow, undefined when it may. */
function checkSequence(
  entry: ProducerState | undefined,
  batch: BatchView,
  verification: Verification | undefined,
): string | undefined {
  const { baseSequence } = batch
  if (verification !== undefined) {
    if (verification.supportsEpochBump && baseSequence !== 0 && (entry === undefined || entry.batches.length === 0))
      return `Producer ${batch.producerId} began a transaction with sequence ${baseSequence}, expected 0.`
    if (baseSequence > verification.lowestSequence)
      return `Producer ${batch.producerId} sent sequence ${baseSequence}, but ${verification.lowestSequence} was seen and has to come first.`
  }
  // An unknown producer (expired, or all of its records deleted) may go on with any sequence (KIP-360).
  if (entry === undefined) return undefined
  const epoch = batch.producerEpoch
  if (epoch !== entry.producerEpoch) {
    if (baseSequence === 0 || entry.producerEpoch < 0) return undefined
    return `Producer ${entry.producerId} began epoch ${epoch} with sequence ${baseSequence}, expected 0 (epoch known so far: ${entry.producerEpoch}).`
  }
  const expected = entry.batches.length === 0 ? 0 : addSequence(lastSequenceOf(entry), 1)
  if (baseSequence === expected) return undefined
  return `Producer ${entry.producerId} sent sequence ${baseSequence}, expected ${expected}.`
}

/**
 * Whether the marker's epochs are good. With an epoch per transaction a marker carries an epoch above that of its
 * records, so one with the epoch known here is late: it would end the next transaction. Unless none is open: then it is
 * a marker written again, and harmless; also at the largest epoch, which cannot be raised (KIP-1228).
 */
function checkMarker(entry: ProducerState, batch: BatchView, transactionVersion: number): ProducerRefusal | undefined {
  const epoch = batch.producerEpoch
  if (epoch < entry.producerEpoch) return staleEpoch(entry, epoch)
  if (transactionVersion >= epochPerTransactionSince && epoch === entry.producerEpoch) {
    if (entry.currentTxnFirstOffset >= 0 && epoch !== largestEpoch) return staleEpoch(entry, epoch)
  }
  const marker = endTransactionMarkerOf(batch)
  if (marker === undefined || marker.coordinatorEpoch >= entry.coordinatorEpoch) return undefined
  const message = `A transaction marker for producer ${entry.producerId} has coordinator epoch ${marker.coordinatorEpoch}, but ${entry.coordinatorEpoch} was seen already.`
  return { refused: 'TRANSACTION_COORDINATOR_FENCED', message }
}
