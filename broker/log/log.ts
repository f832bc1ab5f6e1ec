/**
 * What the rest of the broker knows of a log: one partition's records, in segments on one log directory. `partition-log.ts` implements it.
 *
 * All calls are synchronous; a call that fails with DiskError leaves the log unusable (the log directory goes offline, see log-manager.ts)
 * and nothing of a failed append is ever acknowledged. Offsets are exclusive ends unless named `last…`.
 */
import type { EpochEntry } from './leader-epochs.ts'
import type { ErrorName } from '../protocol/errors.ts'
import type { CompressionName } from '../protocol/records/batch.ts'
import type { CompressionLevels } from '../protocol/records/compression.ts'
import type { LogCleaner } from './cleaner/log-cleaner.ts'
import type { VerificationGuard, VerifiedProducer } from './transaction-verification.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** 'client': Produce. 'coordinator': group/transaction records, control batches allowed. 'raft': metadata log, control batches allowed. */
export type AppendOrigin = 'client' | 'coordinator' | 'raft'

export interface AppendRequest {
  readonly origin: AppendOrigin
  readonly leaderEpoch: number
  readonly wallMs: number
  /** Transactional records need `verification`, or a transaction that has records here already (KIP-890). */
  readonly requireVerification?: boolean
  /** From `startVerification`, after the transaction coordinator agreed. */
  readonly verification?: VerificationGuard | undefined
  /** For markers: from 2 on their epoch must be above the one of the transaction's records (KIP-1228). */
  readonly transactionVersion?: number
}

export type AppendResult =
  | { readonly appended: AppendInfo }
  /** An idempotent producer sent a batch again that is already in the log: acknowledge it with the offsets it has. */
  | { readonly duplicate: AppendInfo }
  | {
      readonly refused: ErrorName
      readonly message: string
      readonly recordErrors?: readonly { batchIndex: number; message: string }[]
      /** With KAFKA_STORAGE_ERROR: what the disk said. */
      readonly cause?: Error
    }

export interface AppendInfo {
  readonly firstOffset: number
  /** Offset of the last record, inclusive. */
  readonly lastOffset: number
  /** -1 with CreateTime; with LogAppendTime the time the broker stamped, wall ms. */
  readonly logAppendTimeMs: number
  readonly bytes: number
}

export interface ReadOptions {
  /** Upper bound on the bytes returned, but see `atLeastOneBatch`. */
  readonly maxBytes: number
  /** Exclusive: no batch whose last offset reaches it is returned (high watermark, last stable offset or log end offset). */
  readonly untilOffset: number
  /** Return the first whole batch even when it is larger than maxBytes (KIP-74). */
  readonly atLeastOneBatch: boolean
  /** Where the records are read into; default: memory that is left to the garbage collector. */
  readonly memory?: ReadMemory | undefined
}

/** Memory that its owner uses again. */
export interface ReadMemory {
  /** A buffer of exactly so many bytes, with anything in it. */
  take(bytes: number): Buffer
  /** Nobody looks any more at this one of the buffers that were taken. */
  release(taken: Buffer): void
  /** Nobody looks any more at what was taken so far. */
  giveBack(): void
}

export interface ReadResult {
  /** Whole batches, first one contains the requested offset; empty when the offset is at or above `untilOffset`. */
  readonly records: Buffer
  /** Base offset of the first batch returned, -1 when none. */
  readonly baseOffset: number
  /** Offset that follows the last batch returned; the requested offset when none. */
  readonly nextOffset: number
}

export interface OffsetAndTimestamp {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

export interface EpochEndOffset {
  /** -1 when unknown. */
  readonly leaderEpoch: number
  /** Exclusive; -1 when unknown. */
  readonly endOffset: number
}

export interface ProducerEntry {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly lastSequence: number
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  readonly currentTransactionStartOffset: number
}

/** The settings a log follows; changed live by `updateConfig`. Names are Kafka's topic configs in camel case. */
export interface LogConfig {
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly segmentJitterMs: number
  readonly segmentIndexBytes: number
  readonly indexIntervalBytes: number
  readonly retentionMs: number
  readonly retentionBytes: number
  readonly maxMessageBytes: number
  readonly messageTimestampType: 'CreateTime' | 'LogAppendTime'
  readonly messageTimestampBeforeMaxMs: number
  readonly messageTimestampAfterMaxMs: number
  readonly flushMessages: number
  readonly flushMs: number
  readonly fileDeleteDelayMs: number
  readonly cleanupPolicy: readonly ('delete' | 'compact')[]
  readonly minCleanableDirtyRatio: number
  readonly minCompactionLagMs: number
  readonly maxCompactionLagMs: number
  readonly deleteRetentionMs: number
  readonly preallocate: boolean
  /** Codec in which the leader stores batches; 'producer': as they come. */
  readonly compressionType: 'producer' | CompressionName
  readonly compressionLevels: CompressionLevels
}

export interface PartitionLog {
  readonly topicPartition: TopicPartition
  readonly topicId: string
  /** Absolute path of `<log dir>/<topic>-<partition>`. */
  readonly directory: string
  readonly logStartOffset: number
  /** Offset the next record will get. */
  readonly logEndOffset: number
  /** Below it everything is fsynced. */
  readonly recoveryPoint: number
  readonly sizeBytes: number
  readonly latestEpoch: number | undefined
  /** Batches that reads found to be damaged on disk. */
  readonly damage?: readonly { readonly offset: number; readonly problem: string }[]
  /** Whether records may be deleted on demand: not where compaction alone decides what goes. */
  readonly deletesRecords: boolean

  /**
   * Validates (header, CRC, sizes, timestamps, producer sequence), assigns offsets, stamps leader epoch in place and appends.
   * `records` may hold several batches for origins other than 'client'. The buffer is modified and written, not kept.
   */
  appendAsLeader(records: Buffer, request: AppendRequest): AppendResult
  /**
   * Before the first transactional append of a producer: a guard, to be given to `appendAsLeader` once the coordinator
   * agreed. 'ongoing' when its transaction has records here already and nobody needs to be asked.
   */
  startVerification(
    producer: VerifiedProducer,
  ): VerificationGuard | 'ongoing' | { readonly refused: ErrorName; readonly message: string }
  /**
   * Appends batches that already carry offsets and epochs. Refuses an overlap with an assertion: the caller truncates first. Offsets may be
   * missing: the leader's log was compacted, whatever its policy is by now.
   */
  appendAsFollower(records: Buffer): { readonly lastOffset: number; readonly bytes: number }

  /**
   * OFFSET_OUT_OF_RANGE when offset < logStartOffset or > logEndOffset. Throws DamagedBatchError when the batch there is damaged on disk; what
   * is before it is returned first.
   */
  read(offset: number, options: ReadOptions): ReadResult | { readonly refused: 'OFFSET_OUT_OF_RANGE' }
  /** First record with a timestamp >= `timestamp`, below `untilOffset`. */
  findByTimestamp(timestamp: number, untilOffset: number): OffsetAndTimestamp | undefined
  /** The record with the largest timestamp (KIP-734). Throws CorruptRecordsError when too many are damaged to find it. */
  findMaxTimestamp(): OffsetAndTimestamp | undefined
  /** KIP-101/279: end of the largest epoch <= `leaderEpoch`. */
  endOffsetForEpoch(leaderEpoch: number): EpochEndOffset
  /** Epoch of the record at `offset`, undefined when not known. */
  epochAt(offset: number): number | undefined
  /** A leader notes its epoch before it appends (leader-epoch-checkpoint). */
  startEpoch(leaderEpoch: number, startOffset: number): void
  /**
   * Where epochs begin of which batches do not tell it, rising: compaction took those with which they began (KIP-101). Durable when it returns.
   * Throws DiskError.
   */
  learnEpochs(entries: readonly EpochEntry[]): void

  /** Drops everything at and above `offset`. */
  truncateTo(offset: number): void
  /** Drops everything and starts anew at `offset` (follower below the leader's log start, snapshot load). */
  truncateFullyAndStartAt(offset: number): void
  /** Raises the log end offset over offsets that a compaction has emptied; for a copy of a log that ends there. */
  skipTo(offset: number): void
  /** Raises the log start offset (DeleteRecords, follower following its leader, metadata snapshot). */
  advanceLogStart(offset: number): void

  /** fsyncs everything up to the log end offset and raises the recovery point, blocking. */
  flush(): void
  /** The same off the event loop; `done` gets the offset (exclusive) that is durable now. */
  flushLater(done: (result: { durableOffset: number } | { error: Error }) => void): void
  /** Rolls when due, deletes segments beyond retention, but never at or above `untilOffset` (the high watermark). Returns segments deleted. */
  enforceRetention(nowWallMs: number, untilOffset: number): number
  updateConfig(config: LogConfig): void

  /** Last stable offset candidate: first offset of the earliest open transaction, undefined when none. */
  firstUnstableOffset(): number | undefined
  producers(): readonly ProducerEntry[]
  /** Forgets producers that were silent for `expirationMs`, except those with an open transaction (KIP-854). */
  expireProducers(nowWallMs: number, expirationMs: number): void
  /** Aborted transactions whose records may lie in [fromOffset, untilOffset), for read_committed. */
  abortedTransactions?(
    fromOffset: number,
    untilOffset: number,
  ): readonly { readonly producerId: bigint; readonly firstOffset: number }[]
  /** The high watermark bounds what producer expiry and retention may assume; set by the partition. */
  setHighWatermark(offset: number): void

  /** Flushes and closes, for a clean shutdown. */
  close(): void
}

/** A copy of a log on its way into another log directory. */
export interface FutureLog {
  readonly log: PartitionLog
  /** Of the log directory it goes to. */
  readonly path: string
  readonly directoryId: string
}

/** What the metadata says of a replica of this node that may have no log here yet. */
export interface AssignedReplica {
  /** The log directory it names; undefined when it names none (unassigned, lost, from before KIP-858). */
  readonly directoryId?: string | undefined
  /** It became a replica while this node followed the metadata: no log of it can be in a directory that is offline. */
  readonly isNew?: boolean
}

export interface DescribedDirectory {
  readonly path: string
  /** Base64url UUID of meta.properties. */
  readonly id: string
  readonly online: boolean
  /** `full`: nothing is appended to its logs until it has space again. */
  readonly room: { readonly full: Error | undefined }
}

/** All logs of this node: finds them at start, recovers, checkpoints, retires. `log-manager.ts` implements it. */
export interface LogManager {
  /** Compacts the logs, once it is configured. */
  readonly cleaner: LogCleaner
  readonly directories: readonly DescribedDirectory[]
  /** Loads every partition found on disk; recovers those that were not closed cleanly, from their recovery points. */
  start(): void
  get(partition: TopicPartition): PartitionLog | undefined
  /**
   * A new log goes where `prefer` said, else into the directory of the metadata, else where the fewest logs are. Throws DiskError, also when
   * some directory is offline that may hold the log (KIP-858): the metadata names a directory that does not work here, or it names none and
   * the replica is not new.
   */
  getOrCreate(partition: TopicPartition, topicId: string, config: LogConfig, assigned?: AssignedReplica): PartitionLog
  all(): Iterable<PartitionLog>
  /** Directory that holds the partition's log; undefined when there is none. */
  directoryOf(partition: TopicPartition): { readonly path: string; readonly id: string } | undefined
  /** Id of the directory that failed with the partition's log; undefined when there is a log, or never was one. */
  lostWith(partition: TopicPartition): string | undefined
  /**
   * Once the metadata of this start is known, before logs are used: settles what a stop in the middle of a move left
   * behind. `metadataDirectory`: where the metadata has the replica of this node, undefined when there is none.
   */
  settle(metadataDirectory: (partition: TopicPartition, topicId: string) => string | undefined): void
  /** Renames the directory to `….<uuid>-delete` and removes it after file.delete.delay.ms; a copy under way too. */
  delete(partition: TopicPartition): void
  /**
   * Of a log that the metadata does not know: renames the directory to `….<uuid>-stray`, where it stays until somebody removes it. False when
   * that failed: the log is not used, and as long as it is in its place no other is made there.
   */
  setAside(partition: TopicPartition): boolean

  /** The copy of the partition's log that is on its way into another directory (KIP-113). */
  future(partition: TopicPartition): FutureLog | undefined
  futureLogs(): readonly PartitionLog[]
  /** An empty copy in the log directory of this path. Throws DiskError. */
  createFuture(partition: TopicPartition, path: string, config: LogConfig): PartitionLog
  /**
   * The copy, which ends where the log ends, becomes the log; the former one is removed. Throws DiskError when the
   * directory of the copy fails; then the log stays what it was.
   */
  promoteFuture(partition: TopicPartition, config: LogConfig): PartitionLog
  /** Gives the copy up, if there is one. */
  dropFuture(partition: TopicPartition): void
  /** The log directory for the log of a partition that is not here yet. */
  prefer(partition: TopicPartition, path: string): void
  /** Log directories, by path, that get no new logs while there are others (KIP-1066). */
  cordon(paths: ReadonlySet<string>): void
  isCordoned(path: string): boolean
  /** High watermark from replication-offset-checkpoint at start, 0 when unknown. */
  checkpointedHighWatermark(partition: TopicPartition): number
  /** Writes recovery-point-, log-start- and replication-offset-checkpoint. */
  checkpoint(highWatermarkOf: (partition: TopicPartition) => number): void
  /** Called when a log directory fails: it is offline from then on. */
  onDirectoryFailure(listener: (directoryId: string, partitions: readonly TopicPartition[], error: Error) => void): void
  /** Called when a log directory that was full has space again. */
  onSpace(listener: (directoryId: string) => void): void
  /** Flush all, checkpoints, `.kafka_cleanshutdown`. */
  close(highWatermarkOf: (partition: TopicPartition) => number): void
}
