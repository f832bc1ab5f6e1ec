/** What is asked of the transaction coordinator and answered by it, and the checks that need nothing but the transaction. */
import type { ErrorName } from '../../protocol/errors.ts'
import type { PartitionSet } from './partition-set.ts'
import type { Transaction } from './transaction.ts'
import {
  hasAll,
  isExhausted,
  isPrepared,
  noEpoch,
  noProducerId,
  type TransactionState,
  type TransactionValue,
} from './transaction-value.ts'

export interface ProducerIdentity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

export interface InitRequest {
  readonly transactionalId: string
  readonly timeoutMs: number
  /** Who the producer believes to be; undefined: it begins, and fences whoever had the id. */
  readonly expected: ProducerIdentity | undefined
  /** The transaction is ended by an outside coordinator and never times out (KIP-939). */
  readonly enableTwoPhaseCommit: boolean
  readonly keepPreparedTransaction: boolean
}

/** With an `error` other than 'NONE' both ids are -1. */
export interface ProducerAnswer extends ProducerIdentity {
  readonly error: ErrorName
}

export interface AddRequest extends ProducerIdentity {
  readonly transactionalId: string
  readonly partitions: PartitionSet
  /** 2 when the partition's leader asks for its client (transactions v2), else 0. */
  readonly clientTransactionVersion: number
}

export interface TransactionSummary {
  readonly transactionalId: string
  readonly state: TransactionState
  readonly producerId: bigint
  /** Wall ms; -1: not begun. */
  readonly startWallMs: number
}

export interface TransactionDescription extends TransactionSummary {
  readonly producerEpoch: number
  readonly timeoutMs: number
  /** Once the outcome is decided, those that still lack their marker. */
  readonly partitions: PartitionSet
}

export const refusedProducer = (error: ErrorName): ProducerAnswer => ({
  error,
  producerId: noProducerId,
  producerEpoch: noEpoch,
})

/** InitProducerId: whether this producer may have the transactional id now. */
export function refuseProducer(
  { value, pending }: Transaction,
  expected: ProducerIdentity | undefined,
): ErrorName | undefined {
  if (pending !== undefined) return 'CONCURRENT_TRANSACTIONS'
  if (expected !== undefined && !isOurs(value, expected)) return 'PRODUCER_FENCED'
  return isPrepared(value.state) ? 'CONCURRENT_TRANSACTIONS' : undefined
}

function isOurs(value: TransactionValue, { producerId, producerEpoch }: ProducerIdentity): boolean {
  // The id is new: the producer recovers from its loss.
  if (value.producerEpoch === noEpoch || producerId === value.producerId) return true
  // It repeats the request that replaced its id.
  return producerId === value.previousProducerId && isExhausted(producerEpoch)
}

/** AddPartitionsToTxn; 'NONE': they are in the transaction already. Undefined: they may be added. */
export function refuseAdd(request: AddRequest, { value, pending }: Transaction): ErrorName | undefined {
  if (pending !== undefined) return 'CONCURRENT_TRANSACTIONS'
  const refusal = refuseIdentity(request, value)
  return refusal ?? (hasAll(value, request.partitions) ? 'NONE' : undefined)
}

export function refuseIdentity(request: ProducerIdentity, value: TransactionValue): ErrorName | undefined {
  if (value.producerId !== request.producerId) return 'INVALID_PRODUCER_ID_MAPPING'
  if (value.producerEpoch !== request.producerEpoch) return 'PRODUCER_FENCED'
  return isPrepared(value.state) ? 'CONCURRENT_TRANSACTIONS' : undefined
}
