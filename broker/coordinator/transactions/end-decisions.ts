/**
 * What an EndTxn means for a transaction, by its state and by what the client knows (transactions v1 or v2). Decides; changes nothing.
 *
 * Requests may come twice. Before transactions v2 a repeated request carries the same epoch and finds the transaction prepared
 * (CONCURRENT_TRANSACTIONS, try again) or complete (done). With v2 every transaction has an epoch of its own, so that a request whose epoch
 * is one behind is the repetition, and the same epoch is the next transaction.
 * Sources: KIP-98, KIP-360, KIP-890 part 2.
 */
import type { ErrorName } from '../../protocol/errors.ts'
import type { Transaction } from './transaction.ts'
import { bumpsEpoch, isExhausted, maxEpoch, type TransactionValue } from './transaction-value.ts'

export interface EndRequest {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly committed: boolean
  /** 2 for a client that raises the epoch with every transaction, else 0. */
  readonly clientTransactionVersion: number
}

/** 'done': what is asked for has happened. 'end': do it. */
export type EndDecision = ErrorName | 'done' | 'end'

export function decideEnd(transaction: Transaction, request: EndRequest): EndDecision {
  return bumpsEpoch(request.clientTransactionVersion)
    ? decideSecondVersion(transaction, request)
    : decideFirstVersion(transaction, request)
}

function decideFirstVersion({ value, pending }: Transaction, request: EndRequest): EndDecision {
  if (value.producerId !== request.producerId) return 'INVALID_PRODUCER_ID_MAPPING'
  if (value.producerEpoch !== request.producerEpoch) return 'PRODUCER_FENCED'
  if (pending !== undefined) return 'CONCURRENT_TRANSACTIONS'
  switch (value.state) {
    case 'Ongoing':
      return 'end'
    case 'PrepareCommit':
      return request.committed ? 'CONCURRENT_TRANSACTIONS' : 'INVALID_TXN_STATE'
    case 'PrepareAbort':
      return request.committed ? 'INVALID_TXN_STATE' : 'CONCURRENT_TRANSACTIONS'
    case 'CompleteCommit':
      return request.committed ? 'done' : 'INVALID_TXN_STATE'
    case 'CompleteAbort':
      return request.committed ? 'INVALID_TXN_STATE' : 'done'
    default:
      return 'INVALID_TXN_STATE'
  }
}

function decideSecondVersion({ value, pending }: Transaction, request: EndRequest): EndDecision {
  // First: the producer may use the id that follows, which the pending transition brings.
  if (pending !== undefined) return 'CONCURRENT_TRANSACTIONS'
  const afterReplacement = isRetryAfterReplacement(value, request)
  if (value.producerId !== request.producerId && !afterReplacement) return 'INVALID_PRODUCER_ID_MAPPING'
  const isRetry = value.producerEpoch === request.producerEpoch + 1 || afterReplacement
  const isPresent = value.producerEpoch === request.producerEpoch
  switch (value.state) {
    case 'Ongoing':
      return isPresent ? 'end' : 'PRODUCER_FENCED'
    case 'Empty':
      if (!isPresent) return 'PRODUCER_FENCED'
      return request.committed ? 'INVALID_TXN_STATE' : 'end'
    case 'PrepareCommit':
    case 'PrepareAbort':
      if (value.producerEpoch !== request.producerEpoch + 1) return 'PRODUCER_FENCED'
      return request.committed === (value.state === 'PrepareCommit') ? 'CONCURRENT_TRANSACTIONS' : 'INVALID_TXN_STATE'
    case 'CompleteCommit':
    case 'CompleteAbort':
      if (isRetry) return request.committed === (value.state === 'CompleteCommit') ? 'done' : 'INVALID_TXN_STATE'
      if (!isPresent) return 'PRODUCER_FENCED'
      // The producer aborts what, as far as the coordinator knows, had not begun.
      return request.committed ? 'INVALID_TXN_STATE' : 'end'
    default:
      return 'INVALID_TXN_STATE'
  }
}

/** The last transaction of the former producer id, ended once more by a client that has not heard of the new one. */
function isRetryAfterReplacement(value: TransactionValue, request: EndRequest): boolean {
  return (
    value.previousProducerId === request.producerId &&
    request.producerEpoch === maxEpoch - 1 &&
    value.producerEpoch === 0
  )
}

/** With transactions v2 the end of a transaction uses up an epoch; the last one needs a new producer id. */
export function needsNextProducerId(value: TransactionValue, clientTransactionVersion: number): boolean {
  return bumpsEpoch(clientTransactionVersion) && isExhausted(value.producerEpoch)
}
