/**
 * What handlers, coordinators and the node know of replication. `replica-manager.ts` implements it.
 * Sources: KIP-101, KIP-279, KIP-320 (truncation by epoch), KIP-903 (broker epochs), KIP-966 (ISR rules).
 */
import type { ErrorName } from '../protocol/errors.ts'
import type { MetadataDelta, MetadataImage } from '../controller/image.ts'
import type { AppendInfo, PartitionLog, TopicPartition } from '../log/log.ts'
import type { VerificationGuard } from '../log/transaction-verification.ts'
import type { ProducersTransaction, TransactionSupport, VerificationResult } from './transaction-verifier.ts'

/** Told when this broker starts or stops leading a partition of a watched topic (the coordinators watch their internal topics). */
export interface LeadershipListener {
  /** The local log holds everything that was committed before `leaderEpoch`. */
  becameLeader(partition: TopicPartition, leaderEpoch: number): void
  resigned(partition: TopicPartition, leaderEpoch: number | undefined): void
}

export interface CoordinatorAppend {
  readonly leaderEpoch: number
  readonly timeoutMs: number
  /** From `verifyTransaction`: for records of a client's transaction. */
  readonly verification?: VerificationGuard | undefined
  /** For end-of-transaction markers: the version of transactions they are written by (KIP-1228). */
  readonly transactionVersion?: number
}

export interface CommittedAppend {
  readonly info: AppendInfo
  /** Resolves when the high watermark passed the append; rejects never: refusals are values. */
  readonly committed: Promise<'committed' | ErrorName>
}

export interface Replicas {
  /** Brings local replicas in line with the metadata: create, delete, lead, follow. Called once per committed batch, in order. */
  applyMetadata(image: MetadataImage, delta: MetadataDelta): void
  watchTopic(topic: string, listener: LeadershipListener): void
  /**
   * Appends as the leader (group and transaction coordinators). `committed` resolves once all in-sync replicas have it, or with the
   * reason why it will not be known (NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS_AFTER_APPEND, REQUEST_TIMED_OUT).
   */
  appendForCoordinator(
    partition: TopicPartition,
    records: Buffer,
    options: CoordinatorAppend,
  ): CommittedAppend | { refused: ErrorName }
  /**
   * Before records of a client's transaction are appended here (TxnOffsetCommit): asks its coordinator, unless the transaction has
   * records here already. `guard` goes into the append that follows. The errors are those of the coordinator, as they are.
   */
  verifyTransaction(
    partition: TopicPartition,
    transaction: ProducersTransaction,
    support: TransactionSupport,
  ): VerificationResult | Promise<VerificationResult>
  /** Resolves with true once the in-sync replicas have all below `endOffset`; with false when this broker leads in another epoch, or not. */
  whenCommitted(
    partition: TopicPartition,
    at: { readonly leaderEpoch: number; readonly endOffset: number },
  ): Promise<boolean>
  /** The log of a local replica, leader or not, for loading a coordinator's state. */
  log(partition: TopicPartition): PartitionLog | undefined
  /** High watermark of a local replica, undefined when there is none. */
  highWatermark(partition: TopicPartition): number | undefined
  /** Leads it now: the epoch; else undefined. */
  leaderEpoch(partition: TopicPartition): number | undefined
  /** Before a controlled shutdown ends: stop fetchers, checkpoint high watermarks. */
  stop(): Promise<void>
}
