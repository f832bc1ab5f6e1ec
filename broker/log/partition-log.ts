/**
 * One partition's log: the segments of its directory, its leader epochs and producers. Implements PartitionLog (log.ts has the contract).
 *
 * The hot path is synchronous and makes one write per append. A DiskError anywhere marks the log as failed: from then on appends are
 * refused with KAFKA_STORAGE_ERROR, and `onFailure` takes the whole log directory offline. Nothing of a failed append counts.
 *
 * Source: Kafka documentation, "Log"; KIP-101, KIP-98; the semantics of Apache Kafka's log, observed and checked with its tools.
 */
import { DiskError } from '../environment/environment.ts'
import type { Environment, Logger, Timer } from '../environment/environment.ts'
import {
  batchBytes,
  batchHeaderBytes,
  baseOffsetOf,
  BatchView,
  isWholeBatch,
  lastOffsetOf,
  maxTimestampOf,
  wholeBatchesBytes,
} from '../protocol/records/batch.ts'
import { checkBatchBytes } from '../protocol/records/batch-validate.ts'
import type { ErrorName } from '../protocol/errors.ts'
import { stampForLeader, validateForLeader } from './append-validation.ts'
import type { ValidatedAppend } from './append-validation.ts'
import { leaderEpochFile, writeEpochCheckpoint } from './checkpoints.ts'
import { DelayedRemoval } from './delayed-removal.ts'
import { Flusher } from './flusher.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import { snapshotSuffix, transactionIndexSuffix } from './log-files.ts'
import { loadLog, rebuildProducers } from './log-loader.ts'
import type {
  AppendInfo,
  AppendRequest,
  AppendResult,
  EpochEndOffset,
  LogConfig,
  OffsetAndTimestamp,
  PartitionLog,
  ProducerEntry,
  ReadOptions,
  ReadResult,
  TopicPartition,
} from './log.ts'
import { writePartitionMetadata } from './partition-metadata.ts'
import type { BatchMetadata, CompletedTransaction, ProducerStates } from './producer-state.ts'
import type { ProducerSnapshots } from './producer-snapshots.ts'
import { ReadPositions } from './read-positions.ts'
import { segmentsBeyondRetention } from './retention.ts'
import { Segment } from './segment.ts'
import { parentOf } from './small-files.ts'
import { findByTimestamp, findMaxTimestamp } from './time-lookup.ts'
import { TransactionIndex } from './transaction-index.ts'
import type { AbortedTransaction } from './transaction-index.ts'

export interface PartitionLogOptions {
  readonly environment: Pick<Environment, 'clock' | 'timers' | 'random' | 'disk' | 'log'>
  /** Absolute path of `<log dir>/<topic>-<partition>`; created when missing. */
  readonly directory: string
  readonly topicPartition: TopicPartition
  /** Base64url, 22 characters. */
  readonly topicId: string
  readonly config: LogConfig
  /** True only when the node was stopped cleanly: nothing is checked then. */
  readonly cleanShutdown: boolean
  /** As checkpointed; 0 (the default) checks the whole log. */
  readonly recoveryPoint?: number
  readonly logStartOffset?: number
  /** producer.id.expiration.ms; default one day. */
  readonly producerIdExpirationMs?: number
  /** The log failed; called once. */
  onFailure?(error: DiskError): void
  /** The recovery point or log start went back below what may be checkpointed: both must be on disk before this returns. */
  onOffsetsLowered?(log: PartitionLog): void
}

/** Batches from a leader that are damaged: the follower must not take them. */
export class CorruptRecordsError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CorruptRecordsError'
  }
}

const dayMs = 24 * 60 * 60 * 1000
/** Closed segments that may keep their descriptor for readers, per log. */
const maxOpenClosedSegments = 4
/** A read that used less than half of a buffer above this size gives the rest back. */
const copyAboveBytes = 64 * 1024
const emptyBuffer = Buffer.alloc(0)

/** Opens the log of one partition; creates directory and files when they are missing, recovers what was not stopped cleanly. */
export function openPartitionLog(options: PartitionLogOptions): SegmentedLog {
  return new SegmentedLog(options)
}

export class SegmentedLog implements PartitionLog {
  readonly topicPartition: TopicPartition
  readonly topicId: string
  readonly directory: string
  private readonly environment: PartitionLogOptions['environment']
  private readonly options: PartitionLogOptions
  private readonly log: Logger
  private config: LogConfig
  private segments: Segment[]
  private active: Segment
  private readonly epochs: LeaderEpochs
  private readonly producerStates: ProducerStates
  private readonly snapshots: ProducerSnapshots
  private readonly readPositions = new ReadPositions()
  private readonly flusher: Flusher
  private readonly removal: DelayedRemoval
  private readonly transactionIndexes = new Map<number, TransactionIndex>()
  private startOffset: number
  private endOffset: number
  private durableOffset: number
  private highWatermark = 0
  /** A file of this directory was created, renamed or removed and the directory not fsynced since. */
  private directoryDirty: boolean
  private parentDirty: boolean
  private unflushedMessages = 0
  private flushTimer: Timer | undefined
  private failure: DiskError | undefined
  private closed = false

  constructor(options: PartitionLogOptions) {
    const { environment, directory, topicPartition } = options
    this.options = options
    this.environment = environment
    this.topicPartition = topicPartition
    this.topicId = options.topicId
    this.directory = directory
    this.config = options.config
    this.log = environment.log.child({ component: 'log', ...topicPartition })
    const created = environment.disk.stat(directory) === undefined
    if (created) {
      environment.disk.makeDirectory(directory)
      writePartitionMetadata(environment.disk, directory, options.topicId, { durable: false })
    }
    this.parentDirty = created
    this.directoryDirty = created
    const loaded = loadLog({
      disk: environment.disk,
      log: this.log,
      directory,
      config: options.config,
      cleanShutdown: options.cleanShutdown,
      recoveryPoint: options.recoveryPoint ?? 0,
      logStartOffset: options.logStartOffset ?? 0,
      wallMs: environment.clock.wallMs(),
      producerIdExpirationMs: options.producerIdExpirationMs ?? dayMs,
      newSegmentJitterMs: () => this.newSegmentJitterMs(),
    })
    this.segments = loaded.segments
    this.active = loaded.segments.at(-1)!
    this.epochs = loaded.epochs
    this.producerStates = loaded.producers
    this.snapshots = loaded.snapshots
    this.startOffset = loaded.logStartOffset
    this.endOffset = loaded.logEndOffset
    this.durableOffset = loaded.recoveryPoint
    this.removal = new DelayedRemoval(environment, this.log)
    this.flusher = new Flusher({
      end: () => this.endOffset,
      sync: (end, done) => this.syncBelow(end, done),
      reached: end => this.raiseRecoveryPoint(end),
    })
    if (loaded.logEndOffset < (options.recoveryPoint ?? 0) || loaded.logStartOffset < (options.logStartOffset ?? 0)) {
      options.onOffsetsLowered?.(this)
    }
  }

  get logStartOffset(): number {
    return this.startOffset
  }
  get logEndOffset(): number {
    return this.endOffset
  }
  get recoveryPoint(): number {
    return this.durableOffset
  }
  get sizeBytes(): number {
    let bytes = 0
    for (const segment of this.segments) bytes += segment.sizeBytes
    return bytes
  }
  get latestEpoch(): number | undefined {
    return this.epochs.latest?.epoch
  }
  /** The error that made this log unusable. */
  get failedWith(): DiskError | undefined {
    return this.failure
  }
  /** Base offsets of the segments, rising: for the inspector and tests. */
  get segmentOffsets(): readonly number[] {
    return this.segments.map(segment => segment.baseOffset)
  }

  // ---------------------------------------------------------------------------------------------------------- append

  appendAsLeader(records: Buffer, request: AppendRequest): AppendResult {
    if (this.failure !== undefined) return this.storageRefusal(this.failure)
    const append = validateForLeader(records, request, this.config)
    if ('refused' in append) return append
    if (records.length > this.config.segmentBytes) {
      const message = `The append has ${records.length} bytes, more than fit into a segment (${this.config.segmentBytes}).`
      return { refused: 'RECORD_LIST_TOO_LARGE', message }
    }
    const producerProblem = this.checkProducers(append, request)
    if (producerProblem !== undefined) return producerProblem
    const firstOffset = this.endOffset
    const lastOffset = stampForLeader(append, firstOffset, request, this.config)
    try {
      this.write(records, append.batches, firstOffset, lastOffset, request.wallMs)
    } catch (error) {
      return this.storageRefusal(this.fail(error))
    }
    const logAppendTimeMs = this.config.messageTimestampType === 'LogAppendTime' ? request.wallMs : -1
    return { appended: { firstOffset, lastOffset, logAppendTimeMs, bytes: records.length } }
  }

  private checkProducers(append: ValidatedAppend, request: AppendRequest): AppendResult | undefined {
    for (const batch of append.batches) {
      const found = this.producerStates.check(batch, request.origin)
      if (found === undefined) continue
      return 'duplicate' in found ? { duplicate: duplicateInfo(found.duplicate, this.config) } : found
    }
    return undefined
  }

  private storageRefusal(error: DiskError): { refused: ErrorName; message: string } {
    const { topic, partition } = this.topicPartition
    return { refused: 'KAFKA_STORAGE_ERROR', message: `The log of ${topic}-${partition} is offline: ${error.message}.` }
  }

  appendAsFollower(records: Buffer): { readonly lastOffset: number; readonly bytes: number } {
    this.assertUsable()
    const bytes = wholeBatchesBytes(records)
    if (bytes === 0) return { lastOffset: this.endOffset - 1, bytes: 0 }
    const whole = records.subarray(0, bytes)
    const batches = this.checkReplicated(whole)
    const lastOffset = batches.at(-1)!.lastOffset
    try {
      this.write(whole, batches, batches[0]!.baseOffset, lastOffset, this.environment.clock.wallMs())
    } catch (error) {
      throw this.fail(error)
    }
    return { lastOffset, bytes }
  }

  /** Batches from the leader must be undamaged and follow the log and each other; only compaction may leave gaps. */
  private checkReplicated(records: Buffer): BatchView[] {
    const batches: BatchView[] = []
    const gapsAllowed = this.config.cleanupPolicy.includes('compact')
    let expected = this.endOffset
    for (let at = 0; at < records.length; at += batchBytes(records, at)) {
      const problem = checkBatchBytes(records, at)
      if (problem !== undefined) throw new CorruptRecordsError(problem.message)
      const batch = new BatchView(records, at)
      const { baseOffset, lastOffset } = batch
      if (lastOffset < baseOffset)
        throw new CorruptRecordsError(`A replicated batch ends at ${lastOffset}, before it begins at ${baseOffset}.`)
      if (baseOffset < expected || (baseOffset > expected && !gapsAllowed)) {
        throw new Error(
          `Bug: expected a replicated batch that begins at offset ${expected}, got ${baseOffset}; truncate first.`,
        )
      }
      expected = lastOffset + 1
      batches.push(batch)
    }
    return batches
  }

  /** Writes stamped batches and takes them into every state derived from the log. Throws DiskError with nothing taken in. */
  private write(
    records: Buffer,
    batches: readonly BatchView[],
    firstOffset: number,
    lastOffset: number,
    wallMs: number,
  ): void {
    const segment = this.rollIfDue(records, firstOffset, lastOffset, wallMs)
    const sizeBefore = segment.sizeBytes
    try {
      segment.append(records, this.config.indexIntervalBytes)
    } catch (error) {
      this.discardTail(segment, sizeBefore)
      throw error
    }
    this.endOffset = lastOffset + 1
    for (const batch of batches) {
      const epoch = batch.partitionLeaderEpoch
      if (epoch !== this.epochs.latest?.epoch) this.epochs.assign(epoch, batch.baseOffset)
      if (!batch.hasProducerId) continue
      const completed = this.producerStates.apply(batch)
      if (completed?.aborted === true) this.recordAborted(segment, completed)
    }
    this.unflushedMessages += lastOffset - firstOffset + 1
    if (this.unflushedMessages >= this.config.flushMessages) this.flush()
    else if (this.flushTimer === undefined && Number.isFinite(this.config.flushMs)) this.scheduleFlush()
  }

  private discardTail(segment: Segment, sizeBytes: number): void {
    try {
      segment.discardTail(sizeBytes, this.endOffset)
    } catch (error) {
      // The failed append itself is reported; what it left behind is cut by recovery, since its offsets are above the recovery point.
      this.log.warn('The rest of a failed append could not be removed.', {
        directory: this.directory,
        error: String(error),
      })
    }
  }

  private recordAborted(segment: Segment, completed: CompletedTransaction): void {
    this.transactionIndex(segment).append({
      producerId: completed.producerId,
      firstOffset: completed.firstOffset,
      lastOffset: completed.lastOffset,
      lastStableOffset: this.producerStates.lastStableOffset(completed),
    })
    this.directoryDirty = true
  }

  private scheduleFlush(): void {
    this.flushTimer = this.environment.timers.after(this.config.flushMs, () => {
      this.flushTimer = undefined
      if (!this.closed && this.failure === undefined) this.flushLater(() => {})
    })
  }

  // ------------------------------------------------------------------------------------------------------------ roll

  private rollIfDue(records: Buffer, firstOffset: number, lastOffset: number, wallMs: number): Segment {
    const { active, config } = this
    if (!active.holdsOffset(lastOffset) || active.sizeBytes > config.segmentBytes - records.length)
      return this.roll(firstOffset)
    if (active.indexesFull(config.segmentIndexBytes)) return this.roll(firstOffset)
    if (active.sizeBytes === 0 || config.segmentMs === Infinity) return active
    const waitedMs = active.waitedForRollMs(wallMs, newestTimestamp(records))
    return waitedMs > config.segmentMs - active.rollJitterMs ? this.roll(firstOffset) : active
  }

  /** Closes the active segment and begins one at `baseOffset`; the old one is fsynced off the event loop. */
  private roll(baseOffset = this.endOffset): Segment {
    const old = this.active
    if (old.baseOffset === baseOffset && old.sizeBytes === 0) return old
    old.becomeInactive()
    const segment = Segment.create(this.segmentOptions(baseOffset))
    this.segments.push(segment)
    this.active = segment
    this.directoryDirty = true
    // With the snapshot at the segment's base, a recovery of this segment needs nothing before it.
    this.snapshots.write(baseOffset, this.producerStates.all(), { sync: false })
    this.flusher.request(() => this.closeSpareHandles(), baseOffset)
    return segment
  }

  private segmentOptions(baseOffset: number) {
    const { disk, clock } = this.environment
    const { directory, log } = this
    const { indexIntervalBytes } = this.config
    return {
      disk,
      directory,
      baseOffset,
      createdWallMs: clock.wallMs(),
      rollJitterMs: this.newSegmentJitterMs(),
      indexIntervalBytes,
      log,
    }
  }

  private newSegmentJitterMs(): number {
    const limitMs = Math.min(this.config.segmentJitterMs, this.config.segmentMs, 2 ** 31)
    return limitMs >= 1 ? this.environment.random.below(limitMs) : 0
  }

  // ------------------------------------------------------------------------------------------------------------ read

  read(offset: number, options: ReadOptions): ReadResult | { readonly refused: 'OFFSET_OUT_OF_RANGE' } {
    if (offset < this.startOffset || offset > this.endOffset) return { refused: 'OFFSET_OUT_OF_RANGE' }
    const limit = Math.min(options.untilOffset, this.endOffset)
    if (offset >= limit) return { records: emptyBuffer, baseOffset: -1, nextOffset: offset }
    try {
      return this.readFrom(offset, limit, options)
    } catch (error) {
      throw this.fail(error)
    }
  }

  private readFrom(offset: number, limit: number, options: ReadOptions): ReadResult {
    const slot = this.readPositions.find(offset)
    let segment = slot >= 0 ? this.readPositions.segmentAt(slot) : this.segmentOf(offset)
    let position = slot >= 0 ? this.readPositions.positionAt(slot) : segment.positionOf(offset)
    while (position >= segment.sizeBytes) {
      const next = this.segments[this.segments.indexOf(segment) + 1]
      if (next === undefined) return { records: emptyBuffer, baseOffset: -1, nextOffset: offset }
      segment = next
      position = 0
    }
    this.noteRead(segment)
    const bytes = readWholeBatches(segment, position, limit, options)
    if (bytes.length === 0) return { records: emptyBuffer, baseOffset: -1, nextOffset: offset }
    const nextOffset = lastBatchEnd(bytes)
    this.readPositions.remember(nextOffset, segment, position + bytes.length)
    return { records: bytes, baseOffset: baseOffsetOf(bytes, 0), nextOffset }
  }

  /** The segment that holds `offset`. */
  private segmentOf(offset: number): Segment {
    let low = 0
    let high = this.segments.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.segments[middle]!.baseOffset <= offset) low = middle
      else high = middle - 1
    }
    return this.segments[low]!
  }

  /** Readers of old segments must not use up the descriptors of the node. */
  private noteRead(segment: Segment): void {
    if (segment !== this.active && !segment.isOpen) this.closeSpareHandles()
  }

  private closeSpareHandles(): void {
    const open = this.segments.filter(segment => segment !== this.active && segment.isOpen)
    for (const segment of open.slice(0, Math.max(0, open.length - maxOpenClosedSegments + 1))) segment.closeHandle()
  }

  findByTimestamp(timestamp: number, untilOffset: number): OffsetAndTimestamp | undefined {
    const found = this.guard(() => findByTimestamp(this.segments, timestamp, this.startOffset))
    return found !== undefined && found.offset < untilOffset ? found : undefined
  }

  findMaxTimestamp(): OffsetAndTimestamp | undefined {
    return this.guard(() => findMaxTimestamp(this.segments, this.startOffset))
  }

  // ---------------------------------------------------------------------------------------------------------- epochs

  endOffsetForEpoch(leaderEpoch: number): EpochEndOffset {
    return this.epochs.endOffsetFor(leaderEpoch, this.endOffset)
  }

  epochAt(offset: number): number | undefined {
    return offset < this.endOffset ? this.epochs.epochAt(offset) : undefined
  }

  startEpoch(leaderEpoch: number, startOffset: number): void {
    this.epochs.assign(leaderEpoch, startOffset)
  }

  // -------------------------------------------------------------------------------------------------------- truncate

  truncateTo(offset: number): void {
    this.assertUsable()
    if (offset >= this.endOffset) {
      this.epochs.truncateFromEnd(this.endOffset)
      return
    }
    if (offset < this.segments[0]!.baseOffset) return this.truncateFullyAndStartAt(offset)
    this.guard(() => {
      const keep = this.segments.findLastIndex(segment => segment.baseOffset <= offset)
      const { position, end } = this.segments[keep]!.cutPoint(offset)
      this.lowerOffsets(end, Math.min(end, this.startOffset))
      for (const segment of this.segments.splice(keep + 1)) this.removeSegment(segment)
      this.active = this.segments[keep]!
      this.active.cutAt(position, end)
      this.transactionIndexIfAny(this.active)?.truncateTo(end)
      this.endOffset = end
      this.epochs.truncateFromEnd(end)
      this.readPositions.clear()
      this.snapshots.retain(snapshot => snapshot <= end)
      this.rebuildProducers()
    })
    this.log.info('Truncated the log.', { offset, logEndOffset: this.endOffset })
  }

  truncateFullyAndStartAt(offset: number): void {
    this.assertUsable()
    this.guard(() => {
      this.lowerOffsets(Math.min(offset, this.durableOffset), offset)
      for (const segment of this.segments.splice(0)) this.removeSegment(segment)
      this.active = Segment.create(this.segmentOptions(offset))
      this.segments.push(this.active)
      this.directoryDirty = true
      this.endOffset = offset
      this.durableOffset = Math.min(this.durableOffset, offset)
      this.epochs.clear()
      this.readPositions.clear()
      this.snapshots.retain(() => false)
      this.producerStates.clear()
    })
    this.log.info('Dropped the log and started anew.', { offset })
  }

  /** Recovery must not trust bytes that are about to be replaced: the checkpoints go down before the log does. */
  private lowerOffsets(recoveryPoint: number, logStartOffset: number): void {
    this.flusher.truncated(recoveryPoint)
    const lowered = recoveryPoint < this.durableOffset || logStartOffset < this.startOffset
    this.durableOffset = Math.min(this.durableOffset, recoveryPoint)
    this.startOffset = logStartOffset
    if (lowered) this.options.onOffsetsLowered?.(this)
  }

  private rebuildProducers(): void {
    const { segments, startOffset, endOffset, durableOffset, epochs, producerStates, snapshots } = this
    rebuildProducers(
      {
        segments,
        logStartOffset: startOffset,
        logEndOffset: endOffset,
        recoveryPoint: durableOffset,
        epochs,
        producers: producerStates,
        snapshots,
      },
      { wallMs: this.environment.clock.wallMs(), expirationMs: this.producerIdExpirationMs },
    )
    this.producerStates.highWatermarkRaised(this.highWatermark)
  }

  private get producerIdExpirationMs(): number {
    return this.options.producerIdExpirationMs ?? dayMs
  }

  advanceLogStart(offset: number): void {
    if (offset <= this.startOffset) return
    if (offset > this.endOffset)
      throw new Error(`Bug: the log start cannot go to ${offset}, beyond the log end ${this.endOffset}.`)
    this.startOffset = offset
    this.epochs.truncateFromStart(offset)
    this.log.info('Raised the log start offset.', { offset })
  }

  // ----------------------------------------------------------------------------------------------------------- flush

  flush(): void {
    this.assertUsable()
    this.guard(() => {
      this.syncDirectories()
      for (const segment of this.segments) {
        if (!segment.unsynced) continue
        if (segment === this.active) segment.syncLog()
        else segment.sync()
      }
      for (const index of this.transactionIndexes.values()) index.sync()
      this.raiseRecoveryPoint(this.endOffset)
    })
  }

  flushLater(done: (result: { durableOffset: number } | { error: Error }) => void): void {
    if (this.failure !== undefined) {
      const error = this.failure
      this.environment.timers.soon(() => done({ error }))
      return
    }
    this.flusher.request(done)
  }

  private syncBelow(end: number, done: (error: DiskError | undefined) => void): void {
    const due = this.segments.filter(segment => segment.baseOffset < end && segment.unsynced)
    let left = due.length + 1
    let failed: DiskError | undefined
    const finished = (error: DiskError | undefined) => {
      failed ??= error
      if (--left > 0) return
      if (failed === undefined && !this.closed) {
        try {
          this.syncDirectories()
        } catch (error) {
          failed = this.fail(error)
        }
      } else if (failed !== undefined) {
        this.fail(failed)
      }
      done(failed)
    }
    for (const segment of due) {
      if (segment === this.active) segment.syncLater(finished)
      else
        segment.syncAllLater(error =>
          error === undefined ? this.snapshots.syncLater(this.endOfSegment(segment), finished) : finished(error),
        )
    }
    this.environment.timers.soon(() => finished(undefined))
  }

  private endOfSegment(segment: Segment): number {
    return this.segments[this.segments.indexOf(segment) + 1]?.baseOffset ?? this.endOffset
  }

  private raiseRecoveryPoint(offset: number): number {
    const reached = Math.min(offset, this.endOffset)
    if (reached > this.durableOffset) this.durableOffset = reached
    if (reached === this.endOffset) {
      this.unflushedMessages = 0
      this.flushTimer?.cancel()
      this.flushTimer = undefined
    }
    return this.durableOffset
  }

  /** Names of new files must be as durable as what is in them. */
  private syncDirectories(): void {
    const { disk } = this.environment
    if (this.parentDirty) {
      writePartitionMetadata(disk, this.directory, this.topicId, { durable: true })
      disk.syncDirectory(parentOf(this.directory))
      this.parentDirty = false
    }
    if (this.directoryDirty) disk.syncDirectory(this.directory)
    this.directoryDirty = false
  }

  /** To be called before the recovery point is checkpointed: what a recovery from there takes for granted goes to disk. */
  prepareCheckpoint(): void {
    if (this.failure !== undefined || this.closed) return
    this.guard(() => {
      this.active.spillIndexes()
      if (!this.epochs.dirty) return
      if (this.parentDirty) this.syncDirectories()
      const path = `${this.directory}/${leaderEpochFile}`
      writeEpochCheckpoint(this.environment.disk, path, this.epochs.all, { durable: true })
      this.epochs.dirty = false
    })
  }

  // ------------------------------------------------------------------------------------------------------- retention

  enforceRetention(nowWallMs: number, untilOffset: number): number {
    if (this.failure !== undefined || this.closed) return 0
    this.producerStates.expire(nowWallMs, this.producerIdExpirationMs)
    return this.guard(() => {
      const count = segmentsBeyondRetention(this.segments, {
        config: this.config,
        nowWallMs,
        untilOffset,
        logStartOffset: this.startOffset,
        logEndOffset: this.endOffset,
      })
      if (count === 0) return 0
      // The log always has an active segment.
      if (count === this.segments.length) this.roll()
      const removed = this.segments.splice(0, count)
      this.startOffset = Math.max(this.startOffset, this.segments[0]!.baseOffset)
      this.epochs.truncateFromStart(this.startOffset)
      this.readPositions.clear()
      for (const segment of removed) this.removeSegment(segment)
      this.log.info('Deleted segments beyond retention.', {
        segments: removed.map(segment => segment.baseOffset),
        logStartOffset: this.startOffset,
      })
      return count
    })
  }

  /** Takes the files of a segment out of the log; they go for good after file.delete.delay.ms. */
  private removeSegment(segment: Segment): void {
    segment.closeHandle()
    this.directoryDirty = true
    this.transactionIndexes.delete(segment.baseOffset)
    const paths = segment.files()
    if (this.snapshots.forget(segment.baseOffset)) paths.push(segment.filePath(snapshotSuffix))
    this.removal.remove(paths, this.config.fileDeleteDelayMs)
  }

  updateConfig(config: LogConfig): void {
    this.config = config
    if (config.flushMs !== Infinity && this.unflushedMessages > 0 && this.flushTimer === undefined) this.scheduleFlush()
  }

  // --------------------------------------------------------------------------------------------------- producers, end

  firstUnstableOffset(): number | undefined {
    const offset = this.producerStates.firstUnstableOffset()
    return offset === undefined ? undefined : Math.max(offset, this.startOffset)
  }

  producers(): readonly ProducerEntry[] {
    return this.producerStates.entries()
  }

  setHighWatermark(offset: number): void {
    this.highWatermark = offset
    this.producerStates.highWatermarkRaised(offset)
  }

  /** Aborted transactions whose records may lie in [fromOffset, untilOffset), for read_committed. */
  abortedTransactions(fromOffset: number, untilOffset: number): readonly AbortedTransaction[] {
    const first = this.segments.indexOf(this.segmentOf(fromOffset))
    return this.segments
      .slice(first)
      .flatMap(segment => this.transactionIndexIfAny(segment)?.all ?? [])
      .filter(aborted => aborted.lastOffset >= fromOffset && aborted.firstOffset < untilOffset)
  }

  private transactionIndex(segment: Segment): TransactionIndex {
    let index = this.transactionIndexes.get(segment.baseOffset)
    if (index === undefined) {
      index = new TransactionIndex(this.environment.disk, segment.filePath(transactionIndexSuffix))
      this.transactionIndexes.set(segment.baseOffset, index)
    }
    return index
  }

  private transactionIndexIfAny(segment: Segment): TransactionIndex | undefined {
    const known = this.transactionIndexes.get(segment.baseOffset)
    if (known !== undefined) return known
    return this.environment.disk.stat(segment.filePath(transactionIndexSuffix)) === undefined
      ? undefined
      : this.transactionIndex(segment)
  }

  close(): void {
    if (this.closed) return
    this.flushTimer?.cancel()
    this.removal.stop()
    if (this.failure === undefined) {
      this.guard(() => {
        this.active.becomeInactive()
        this.directoryDirty = true
        this.snapshots.write(this.endOffset, this.producerStates.all(), { sync: true })
        for (const segment of this.segments) if (segment.unsynced || segment === this.active) segment.sync()
        this.flush()
        this.prepareCheckpoint()
      })
    }
    this.release()
  }

  /** Gives all descriptors back without writing anything: the log directory failed, or the partition was deleted. */
  release(): void {
    this.closed = true
    this.flushTimer?.cancel()
    this.removal.stop()
    for (const segment of this.segments) segment.closeHandle()
  }

  // ---------------------------------------------------------------------------------------------------------- failure

  private assertUsable(): void {
    if (this.failure !== undefined) throw this.failure
    if (this.closed) throw new Error(`Bug: the log ${this.directory} is closed.`)
  }

  private guard<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      throw this.fail(error)
    }
  }

  /** Takes a DiskError as the end of this log and returns it; everything else is a bug and goes on. */
  private fail(error: unknown): DiskError {
    if (!(error instanceof DiskError)) throw error
    if (this.failure === undefined) {
      this.failure = error
      this.flushTimer?.cancel()
      this.log.error('The log failed; its directory goes offline.', {
        directory: this.directory,
        operation: error.operation,
        code: error.code,
      })
      this.options.onFailure?.(error)
    }
    return error
  }
}

function duplicateInfo(known: BatchMetadata, config: LogConfig): AppendInfo {
  const logAppendTimeMs = config.messageTimestampType === 'LogAppendTime' ? known.timestamp : -1
  return { firstOffset: known.lastOffset - known.offsetDelta, lastOffset: known.lastOffset, logAppendTimeMs, bytes: 0 }
}

function newestTimestamp(records: Buffer): number {
  let newest = -1
  for (let at = 0; at < records.length; at += batchBytes(records, at))
    newest = Math.max(newest, maxTimestampOf(records, at))
  return newest
}

/** Whole batches from `position` on that end below `limit`, at most `maxBytes` unless the first must be returned anyway. */
function readWholeBatches(segment: Segment, position: number, limit: number, options: ReadOptions): Buffer {
  const available = segment.sizeBytes - position
  const wanted = Math.min(available, Math.max(options.maxBytes, options.atLeastOneBatch ? batchHeaderBytes : 0))
  if (wanted < batchHeaderBytes) return emptyBuffer
  let bytes = wanted > copyAboveBytes ? Buffer.allocUnsafeSlow(wanted) : Buffer.allocUnsafe(wanted)
  bytes = bytes.subarray(0, segment.read(bytes, position))
  if (bytes.length < batchHeaderBytes) return emptyBuffer
  const firstBytes = batchBytes(bytes, 0)
  if (firstBytes > bytes.length && options.atLeastOneBatch) {
    bytes = Buffer.allocUnsafeSlow(Math.min(firstBytes, available))
    bytes = bytes.subarray(0, segment.read(bytes, position))
  }
  let end = 0
  while (isWholeBatch(bytes, end, bytes.length) && lastOffsetOf(bytes, end) < limit) end += batchBytes(bytes, end)
  const used = bytes.subarray(0, end)
  return bytes.length > copyAboveBytes && end < bytes.length / 2 ? Buffer.from(used) : used
}

function lastBatchEnd(bytes: Buffer): number {
  let at = 0
  let next = 0
  for (; at < bytes.length; at += batchBytes(bytes, at)) next = lastOffsetOf(bytes, at) + 1
  return next
}
