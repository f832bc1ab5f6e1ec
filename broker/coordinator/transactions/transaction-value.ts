/**
 * What is known of a transactional id, as one immutable value per record of `__transaction_state`, and the values that may follow it.
 *
 *   from                                      to             when
 *   Empty, CompleteCommit, CompleteAbort      Empty          InitProducerId raises the epoch, or gives a new producer id
 *   Empty, Complete…, Ongoing                 Ongoing        partitions or the offsets of a group are added
 *   Ongoing                                   PrepareCommit  EndTxn: from here on the transaction is committed
 *   Ongoing                                   PrepareAbort   EndTxn, a timeout, or another producer with the same transactional id
 *   Empty, Complete… (transactions v2)        PrepareAbort   EndTxn of a producer that does not know whether it had begun
 *   Prepare…                                  Complete…      every partition has its marker
 *   Empty, Complete…                          gone           nobody used the id for transactional.id.expiration.ms
 *
 * Epochs end at 32766: then the id is replaced (KIP-360; with transactions v2 during EndTxn, by way of `nextProducerId`). 32767 is only
 * ever used to fence the last producer.
 * Sources: KIP-98, KIP-360 (last epoch), KIP-890 (client transaction version, epoch per transaction).
 */
import { isSubset, noPartitions, union, type PartitionSet } from './partition-set.ts'

export const stateNames = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
  'Dead',
  'PrepareEpochFence',
] as const

/** The position in `stateNames` is the number in records. Dead and PrepareEpochFence never come into a record. */
export type TransactionState = (typeof stateNames)[number]

export interface TransactionValue {
  readonly state: TransactionState
  readonly producerId: bigint
  /** The id before the last transition; -1n: unknown. */
  readonly previousProducerId: bigint
  /** The id that follows once the present transaction is complete; -1n: none. */
  readonly nextProducerId: bigint
  /** -1 for an id that was never given to a producer. */
  readonly producerEpoch: number
  /** The epoch that a producer may still name when it repeats a request; -1: none. Not part of the record. */
  readonly lastProducerEpoch: number
  readonly timeoutMs: number
  readonly partitions: PartitionSet
  /** Wall ms; -1: not begun. */
  readonly startWallMs: number
  readonly lastUpdateWallMs: number
  /** The transaction.version that the client uses: 2 raises the epoch with every transaction. */
  readonly clientTransactionVersion: number
}

/** From this transaction.version on the epoch is raised with every transaction. */
export const epochBumpVersion = 2
export const noProducerId = -1n
export const noEpoch = -1
export const maxEpoch = 32_767
const lastUsableEpoch = maxEpoch - 1
/** Timeout of a transaction that an outside coordinator ends (KIP-939). */
export const twoPhaseTimeoutMs = 2_147_483_647

export const isExhausted = (epoch: number): boolean => epoch >= lastUsableEpoch

export const bumpsEpoch = (transactionVersion: number): boolean => transactionVersion >= epochBumpVersion

/** Nothing depends on the transaction any more. */
export function isAtRest(state: TransactionState): boolean {
  return state === 'Empty' || state === 'CompleteCommit' || state === 'CompleteAbort'
}

export function isPrepared(state: TransactionState): state is 'PrepareCommit' | 'PrepareAbort' {
  return state === 'PrepareCommit' || state === 'PrepareAbort'
}

const validPrevious: Readonly<Record<TransactionState, readonly TransactionState[]>> = {
  Empty: ['Empty', 'CompleteCommit', 'CompleteAbort'],
  Ongoing: ['Ongoing', 'Empty', 'CompleteCommit', 'CompleteAbort'],
  PrepareCommit: ['Ongoing'],
  PrepareAbort: ['Ongoing', 'Empty', 'CompleteCommit', 'CompleteAbort'],
  CompleteCommit: ['PrepareCommit'],
  CompleteAbort: ['PrepareAbort'],
  Dead: ['Empty', 'CompleteCommit', 'CompleteAbort'],
  PrepareEpochFence: ['Ongoing'],
}

/** A new id, before its first epoch. */
export function newTransaction(producerId: bigint, timeoutMs: number, nowWallMs: number): TransactionValue {
  return {
    state: 'Empty',
    producerId,
    previousProducerId: noProducerId,
    nextProducerId: noProducerId,
    producerEpoch: noEpoch,
    lastProducerEpoch: noEpoch,
    timeoutMs,
    partitions: noPartitions,
    startWallMs: -1,
    lastUpdateWallMs: nowWallMs,
    clientTransactionVersion: 0,
  }
}

function follow(value: TransactionValue, change: Partial<TransactionValue>): TransactionValue {
  const next = { ...value, previousProducerId: value.producerId, ...change }
  if (!validPrevious[next.state].includes(value.state))
    throw new Error(`a transaction cannot go from ${value.state} to ${next.state}`)
  if (next.producerEpoch < 0) throw new Error(`a transaction in state ${next.state} needs an epoch`)
  return next
}

/**
 * InitProducerId: the next epoch, or the present one when the producer repeats a request whose answer it did not get.
 * @param expectedEpoch  the epoch the producer believes it has; undefined: it does not say, and fences whoever had the id
 */
export function raiseEpoch(
  value: TransactionValue,
  request: { readonly timeoutMs: number; readonly expectedEpoch: number | undefined; readonly nowWallMs: number },
): TransactionValue | 'PRODUCER_FENCED' {
  const { expectedEpoch } = request
  if (isExhausted(value.producerEpoch)) {
    // Only somebody who names another epoch comes here; with the present one the id is replaced.
    return expectedEpoch === value.lastProducerEpoch ? initialized(value, request, value) : 'PRODUCER_FENCED'
  }
  const producerEpoch = value.producerEpoch + 1
  if (expectedEpoch === undefined) return initialized(value, request, { producerEpoch, lastProducerEpoch: noEpoch })
  if (value.producerEpoch === noEpoch || expectedEpoch === value.producerEpoch)
    return initialized(value, request, { producerEpoch, lastProducerEpoch: value.producerEpoch })
  return expectedEpoch === value.lastProducerEpoch ? initialized(value, request, value) : 'PRODUCER_FENCED'
}

/** InitProducerId when the epochs of the id are used up. */
export function replaceProducerId(
  value: TransactionValue,
  producerId: bigint,
  request: { readonly timeoutMs: number; readonly expectedEpoch: number | undefined; readonly nowWallMs: number },
): TransactionValue {
  const lastProducerEpoch = request.expectedEpoch === undefined ? noEpoch : value.producerEpoch
  return initialized(value, request, { producerId, producerEpoch: 0, lastProducerEpoch })
}

function initialized(
  value: TransactionValue,
  { timeoutMs, nowWallMs }: { readonly timeoutMs: number; readonly nowWallMs: number },
  { producerId = value.producerId, producerEpoch, lastProducerEpoch }: EpochChange,
): TransactionValue {
  return follow(value, {
    state: 'Empty',
    producerId,
    producerEpoch,
    lastProducerEpoch,
    timeoutMs,
    partitions: noPartitions,
    startWallMs: -1,
    lastUpdateWallMs: nowWallMs,
  })
}

interface EpochChange {
  readonly producerId?: bigint
  readonly producerEpoch: number
  readonly lastProducerEpoch: number
}

export function addPartitions(
  value: TransactionValue,
  added: PartitionSet,
  { nowWallMs, clientTransactionVersion }: { readonly nowWallMs: number; readonly clientTransactionVersion: number },
): TransactionValue {
  return follow(value, {
    state: 'Ongoing',
    partitions: union(value.partitions, added),
    startWallMs: value.state === 'Ongoing' ? value.startWallMs : nowWallMs,
    lastUpdateWallMs: nowWallMs,
    clientTransactionVersion,
  })
}

export const hasAll = (value: TransactionValue, partitions: PartitionSet): boolean =>
  value.state === 'Ongoing' && isSubset(partitions, value.partitions)

/** Before transactions v2: the producer is fenced by an epoch of nobody, then its transaction is aborted. */
export function fenceEpoch(value: TransactionValue, isRetry: boolean): TransactionValue {
  const producerEpoch = isRetry || value.producerEpoch === maxEpoch ? value.producerEpoch : value.producerEpoch + 1
  return { ...value, producerEpoch, lastProducerEpoch: noEpoch }
}

export interface EndDecision {
  readonly state: 'PrepareCommit' | 'PrepareAbort'
  readonly clientTransactionVersion: number
  /** The id that follows when the epochs of the present one are used up. */
  readonly nextProducerId: bigint
  readonly nowWallMs: number
}

/** The outcome of the transaction. With transactions v2 the epoch rises, so that late records of the producer are told from new ones. */
export function prepareEnd(value: TransactionValue, end: EndDecision): TransactionValue {
  const bump = bumpsEpoch(end.clientTransactionVersion)
  return follow(value, {
    state: end.state,
    producerEpoch: bump ? Math.min(value.producerEpoch + 1, maxEpoch) : value.producerEpoch,
    lastProducerEpoch: bump ? value.producerEpoch : value.lastProducerEpoch,
    nextProducerId: end.nextProducerId,
    startWallMs: value.state === 'Ongoing' ? value.startWallMs : end.nowWallMs,
    lastUpdateWallMs: end.nowWallMs,
    clientTransactionVersion: end.clientTransactionVersion,
  })
}

/** After the last marker. */
export function complete(value: TransactionValue, nowWallMs: number): TransactionValue {
  const isReplaced = bumpsEpoch(value.clientTransactionVersion) && value.nextProducerId !== noProducerId
  return follow(value, {
    state: value.state === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort',
    ...(isReplaced ? { producerId: value.nextProducerId, producerEpoch: 0 } : {}),
    nextProducerId: noProducerId,
    partitions: noPartitions,
    lastUpdateWallMs: nowWallMs,
  })
}
