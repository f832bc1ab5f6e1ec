/**
 * A replica of a partition on this broker: its machine and its log, kept in step. Reads and writes the log as the machine permits; what follows
 * from it (waking, proposing) it hands to `ReplicaOwner`. It never answers requests and never waits.
 * A DiskError ends the replica: KAFKA_STORAGE_ERROR from then on. Sources: KIP-101, KIP-279, KIP-320, KIP-392, KIP-595 (divergence in Fetch).
 */
import { DiskError } from '../environment/environment.ts'
import type {
  AppendOrigin,
  AppendResult,
  EpochEndOffset,
  PartitionLog,
  ReadMemory,
  TopicPartition,
} from '../log/log.ts'
import { DamagedBatchError } from '../log/read-check.ts'
import type { VerificationGuard, VerifiedProducer } from '../log/transaction-verification.ts'
import type { ErrorName } from '../protocol/errors.ts'
import { ByteMeter } from './byte-meter.ts'
import type { PartitionEffects, PartitionMachine } from './partition-machine.ts'
import { CommitQueue, type CommitWaiter } from './purgatory.ts'

export type Isolation = 'log-end' | 'high-watermark' | 'last-stable'

export interface PartitionRead {
  readonly fetchOffset: number
  /** -1: not known to the reader. */
  readonly currentLeaderEpoch: number
  /** -1: none. */
  readonly lastFetchedEpoch: number
  readonly maxBytes: number
  readonly atLeastOneBatch: boolean
  readonly isolation: Isolation
  readonly onlyLeader: boolean
  readonly memory?: ReadMemory | undefined
  /** The reader is sent to this broker and gets no records here. */
  readonly preferredReadReplica?: number
  /** Set when a follower of this partition reads. */
  readonly follower?: {
    readonly replicaId: number
    readonly brokerEpoch: number
    readonly logStartOffset: number
    /** Whether this read tells how far the follower is; false when it only repeats a read after waiting. */
    readonly isNew: boolean
  }
}

export interface ReadOutcome {
  readonly error: ErrorName | 'NONE'
  readonly records: Buffer
  /** These are -1 with an error. */
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly divergingEpoch?: EpochEndOffset
  readonly preferredReadReplica?: number
  /** With isolation 'last-stable': aborted transactions that overlap the records. */
  readonly abortedTransactions?: readonly { readonly producerId: bigint; readonly firstOffset: number }[]
}

/** Its log directory failed; its topic was deleted; the partition was reassigned to other brokers. */
export type GoneReason = 'KAFKA_STORAGE_ERROR' | 'UNKNOWN_TOPIC_OR_PARTITION' | 'NOT_LEADER_OR_FOLLOWER'

export interface ReplicaOwner {
  /** Consequences of a step of the machine. */
  effects(replica: LocalReplica, effects: PartitionEffects): void
  /** The log lost its end, or was begun anew. */
  cut(replica: LocalReplica): void
  /** A follower told where its log starts and ends. */
  followerFetched(replica: LocalReplica): void
  /** Records were appended: readers up to the log end may want them. */
  grew(replica: LocalReplica): void
  diskFailed(replica: LocalReplica, error: DiskError): void
  /** Whether transactional records need a verified transaction (transaction.partition.verification.enable). */
  verifiesTransactions(): boolean
  monotonicMs(): number
  wallMs(): number
}

/** How records are appended. `needsAllInSync`: acks=all, refused before the append when the in-sync set is too small. */
export interface ReplicaAppend {
  readonly origin: AppendOrigin
  readonly needsAllInSync: boolean
  /** See AppendRequest of the log. */
  readonly verification?: VerificationGuard | undefined
  readonly transactionVersion?: number | undefined
}

const noRecords = Buffer.alloc(0)

export function failedRead(error: ErrorName): ReadOutcome {
  return { error, records: noRecords, highWatermark: -1, lastStableOffset: -1, logStartOffset: -1 }
}

export class LocalReplica {
  readonly topicPartition: TopicPartition
  readonly topicId: string
  /** Another one after a move between log directories. */
  log: PartitionLog
  readonly machine: PartitionMachine
  readonly meter = new ByteMeter()
  readonly waitingForCommit = new CommitQueue<ErrorName | 'NONE'>()
  /** No access to the log any more. */
  gone: GoneReason | undefined = undefined
  private readonly owner: ReplicaOwner

  constructor(parts: { log: PartitionLog; machine: PartitionMachine; owner: ReplicaOwner }) {
    this.log = parts.log
    this.topicPartition = parts.log.topicPartition
    this.topicId = parts.log.topicId
    this.machine = parts.machine
    this.owner = parts.owner
  }

  get highWatermark(): number {
    return this.machine.highWatermark
  }

  /** What a reader of committed transactions may see: up to the first record of an open transaction. */
  get lastStableOffset(): number {
    const unstable = this.log.firstUnstableOffset()
    return unstable === undefined ? this.highWatermark : Math.min(unstable, this.highWatermark)
  }

  endOffset(isolation: Isolation): number {
    if (isolation === 'log-end') return this.log.logEndOffset
    return isolation === 'high-watermark' ? this.highWatermark : this.lastStableOffset
  }

  // ------------------------------------------------------------------------------------------------------- as leader

  /** Before the first records of a transaction, see PartitionLog. */
  startVerification(producer: VerifiedProducer): VerificationGuard | 'ongoing' | { readonly refused: ErrorName } {
    if (this.gone !== undefined) return { refused: this.gone }
    if (this.machine.role !== 'leader') return { refused: 'NOT_LEADER_OR_FOLLOWER' }
    return this.log.startVerification(producer)
  }

  /** Appends as the leader. */
  append(records: Buffer, options: ReplicaAppend): AppendResult {
    const { machine, log } = this
    if (this.gone !== undefined) return { refused: this.gone, message: 'The replica is not available.' }
    if (machine.role !== 'leader') {
      return { refused: 'NOT_LEADER_OR_FOLLOWER', message: 'This broker does not lead the partition.' }
    }
    if (options.needsAllInSync && !machine.hasEnoughReplicas()) {
      const message = `The in-sync set [${machine.isr.join(',')}] is smaller than min.insync.replicas ${machine.effectiveMinIsr()}.`
      return { refused: 'NOT_ENOUGH_REPLICAS', message }
    }
    let result: AppendResult
    try {
      result = log.appendAsLeader(records, {
        origin: options.origin,
        leaderEpoch: machine.leaderEpoch,
        wallMs: this.owner.wallMs(),
        requireVerification: this.owner.verifiesTransactions(),
        verification: options.verification,
        transactionVersion: options.transactionVersion ?? 0,
      })
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.owner.diskFailed(this, error)
      return { refused: 'KAFKA_STORAGE_ERROR', message: error.message }
    }
    if ('appended' in result) {
      this.meter.appended(log.logEndOffset, result.appended.bytes)
      this.apply(machine.appended(log.logEndOffset, this.owner.monotonicMs()))
      this.owner.grew(this)
    }
    return result
  }

  /** As the leader; not above the high watermark. Throws DiskError. */
  raiseLogStart(offset: number): void {
    this.log.advanceLogStart(offset)
    this.machine.logStartRaised(this.log.logStartOffset)
  }

  /** Adds a waiter for the commit of an append, or tells the outcome when it is known already. */
  awaitCommit(waiter: CommitWaiter<ErrorName | 'NONE'>): ErrorName | 'NONE' | undefined {
    if (this.gone !== undefined) return this.gone
    const status = this.machine.commitStatus(waiter.requiredOffset)
    if (status === 'waiting') {
      this.waitingForCommit.add(waiter)
      return undefined
    }
    return status === 'committed' ? 'NONE' : status
  }

  // ---------------------------------------------------------------------------------------------------------- reading

  read(request: PartitionRead): ReadOutcome {
    if (this.gone !== undefined) return failedRead(this.gone)
    const { machine } = this
    const { follower } = request
    const refusal =
      machine.refusal(request.currentLeaderEpoch, request.onlyLeader) ??
      (follower === undefined ? undefined : machine.followerRefusal(follower, request.currentLeaderEpoch >= 0))
    if (refusal !== undefined) return failedRead(refusal)
    const { preferredReadReplica } = request
    if (preferredReadReplica !== undefined) return { ...this.outcome(noRecords), preferredReadReplica }
    try {
      return this.readLog(request)
    } catch (error) {
      // Of this batch alone: what is before and after it can be read. The log has said so.
      if (error instanceof DamagedBatchError) return failedRead('CORRUPT_MESSAGE')
      if (!(error instanceof DiskError)) throw error
      this.owner.diskFailed(this, error)
      return failedRead('KAFKA_STORAGE_ERROR')
    }
  }

  private readLog(request: PartitionRead): ReadOutcome {
    const { log, machine } = this
    const { fetchOffset, follower } = request
    if (request.lastFetchedEpoch >= 0) {
      const divergence = this.divergence(request.lastFetchedEpoch, fetchOffset)
      if (divergence === 'unknown') return failedRead('OFFSET_OUT_OF_RANGE')
      if (divergence !== undefined) return { ...this.outcome(noRecords), divergingEpoch: divergence }
    }
    const result = log.read(fetchOffset, {
      maxBytes: request.maxBytes,
      untilOffset: this.endOffset(request.isolation),
      atLeastOneBatch: request.atLeastOneBatch,
      memory: request.memory,
    })
    if ('refused' in result) return failedRead(result.refused)
    if (follower?.isNew === true) {
      const { replicaId, brokerEpoch, logStartOffset } = follower
      const fetch = { replicaId, brokerEpoch, fetchOffset, logStartOffset }
      this.apply(machine.followerFetched(fetch, this.owner.monotonicMs()))
      this.owner.followerFetched(this)
    }
    // After the fetch took effect, so that a follower learns of the high watermark that it has just raised itself.
    if (request.isolation !== 'last-stable' || result.records.length === 0) return this.outcome(result.records)
    const abortedTransactions = log.abortedTransactions?.(fetchOffset, result.nextOffset) ?? []
    return { ...this.outcome(result.records), abortedTransactions }
  }

  private outcome(records: Buffer): ReadOutcome {
    return {
      error: 'NONE',
      records,
      highWatermark: this.highWatermark,
      lastStableOffset: this.lastStableOffset,
      logStartOffset: this.log.logStartOffset,
    }
  }

  /** Where the log of a reader, whose last record has `lastFetchedEpoch`, parts from this one; undefined: it does not. */
  divergence(lastFetchedEpoch: number, fetchOffset: number): EpochEndOffset | 'unknown' | undefined {
    const end = this.log.endOffsetForEpoch(lastFetchedEpoch)
    if (end.endOffset < 0 || end.leaderEpoch < 0 || fetchOffset < this.log.logStartOffset) return 'unknown'
    return end.leaderEpoch < lastFetchedEpoch || end.endOffset < fetchOffset ? end : undefined
  }

  // ------------------------------------------------------------------------------------------------------ as follower

  /** Appends what the leader sent; throws DiskError. */
  appendFetched(records: Buffer): void {
    // The leader's log start may lie inside a batch (DeleteRecords): an empty log then has to begin with that batch.
    const base = Number(records.readBigInt64BE(0))
    if (base < this.log.logEndOffset && this.log.logEndOffset === this.log.logStartOffset) {
      this.truncateFullyAndStartAt(base)
    }
    const { bytes } = this.log.appendAsFollower(records)
    this.meter.appended(this.log.logEndOffset, bytes)
    this.apply(this.machine.appended(this.log.logEndOffset, this.owner.monotonicMs()))
    this.owner.grew(this)
  }

  /** Takes over the leader's high watermark and log start offset; throws DiskError. */
  followLeader(leader: { highWatermark: number; logStartOffset: number }): void {
    this.apply(this.machine.leaderHighWatermark(leader.highWatermark))
    // Only what is committed may be dropped: the leader's log start is never above its high watermark, but may be above what we know of it.
    const start = Math.min(leader.logStartOffset, this.highWatermark)
    if (start > this.log.logStartOffset) {
      this.log.advanceLogStart(start)
      this.machine.logStartRaised(start)
    }
  }

  /** Returns true when the cut went below the high watermark: then committed records are gone (unclean election). */
  truncateTo(offset: number): boolean {
    this.log.truncateTo(offset)
    const lowered = this.machine.truncated(this.log.logEndOffset)
    this.log.setHighWatermark(this.highWatermark)
    this.meter.truncated()
    this.owner.cut(this)
    return lowered
  }

  truncateFullyAndStartAt(offset: number): void {
    this.log.truncateFullyAndStartAt(offset)
    this.machine.restartedAt(offset)
    this.log.setHighWatermark(offset)
    this.meter.truncated()
    this.owner.cut(this)
  }

  /** The same records in another log directory. */
  moveTo(log: PartitionLog): void {
    this.log = log
    this.log.setHighWatermark(this.highWatermark)
    this.machine.logStartRaised(log.logStartOffset)
  }

  /** Drops segments beyond retention, but nothing that is not committed. */
  enforceRetention(): void {
    if (this.gone !== undefined) return
    try {
      this.log.enforceRetention(this.owner.wallMs(), this.highWatermark)
      this.machine.logStartRaised(this.log.logStartOffset)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.failDisk(error)
    }
  }

  failDisk(error: DiskError): void {
    this.owner.diskFailed(this, error)
  }

  // ----------------------------------------------------------------------------------------------------- consequences

  /** Settles who waits for the high watermark, and passes the effects on. */
  apply(effects: PartitionEffects): void {
    if (effects.highWatermarkAdvanced) {
      const { highWatermark } = this
      this.log.setHighWatermark(highWatermark)
      this.meter.committed(highWatermark)
      if (this.waitingForCommit.size > 0) {
        const status = this.machine.commitStatus(highWatermark)
        this.waitingForCommit.committed(highWatermark, status === 'NOT_ENOUGH_REPLICAS_AFTER_APPEND' ? status : 'NONE')
      }
    }
    if (effects.highWatermarkAdvanced || effects.propose !== undefined) this.owner.effects(this, effects)
  }
}
