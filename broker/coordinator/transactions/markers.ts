/** Markers of one ended transaction, as the machine wants them written, and what became of them. */
import type { ErrorName } from '../../protocol/errors.ts'
import type { PartitionSet } from './partition-set.ts'

export interface MarkerRequest {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly committed: boolean
  readonly coordinatorEpoch: number
  /** What the client of the transaction used. */
  readonly transactionVersion: number
  readonly partitions: PartitionSet
  /** How long to wait first. */
  readonly delayMs: number
}

/** 'GONE': there is no such partition any more. */
export type MarkerOutcome = ErrorName | 'GONE'

export interface MarkerAnswer {
  readonly topic: string
  readonly partition: number
  readonly outcome: MarkerOutcome
}

/**
 * written: nothing is left to do for the partition. fenced: another coordinator, or another producer, has taken over; whoever it is ends the
 * transaction. again: the leader moved, is down, or lacks replicas.
 */
export function verdictOf(outcome: MarkerOutcome): 'written' | 'fenced' | 'again' {
  switch (outcome) {
    case 'NONE':
    case 'GONE':
    case 'UNSUPPORTED_FOR_MESSAGE_FORMAT':
    case 'UNSUPPORTED_VERSION':
      return 'written'
    case 'INVALID_PRODUCER_EPOCH':
    case 'TRANSACTION_COORDINATOR_FENCED':
      return 'fenced'
    default:
      return 'again'
  }
}
