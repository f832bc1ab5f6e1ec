/**
 * One partition's log: the segments of its directory, its leader epochs and producers. Implements PartitionLog (log.ts has the contract).
 *
 * The hot path is synchronous and makes one write per append. Nothing of an append that was refused counts. A DiskError anywhere marks the log
 * as failed: from then on appends are refused with KAFKA_STORAGE_ERROR, and `onFailure` takes the whole log directory offline; except for want
 * of space or of descriptors, which only refuses what was asked for (log-failure.ts).
 *
 * Source: Kafka documentation, "Log"; KIP-101, KIP-98; the semantics of Apache Kafka's log, observed and checked with its tools.
 */
import type { DiskError, Logger } from '../environment/environment.ts'
import { wholeBatchesBytes, type BatchView } from '../protocol/records/batch.ts'
import type { CleanableLog, ProducerEnd } from './cleaner/cleanable-log.ts'
import { SegmentReplacement } from './cleaner/segment-replacement.ts'
import { checkProducers, stampForLeader, storageRefusal, validateForLeader } from './append-validation.ts'
import { DelayedRemoval } from './delayed-removal.ts'
import { Durability } from './durability.ts'
import { EpochFile } from './epoch-file.ts'
import type { EpochEntry, LeaderEpochs } from './leader-epochs.ts'
import { abortedTransaction, loadLog, loadOptionsOf, rebuildProducers } from './log-loader.ts'
import { LogFailure } from './log-failure.ts'
import { LogReader, nothingAt, segmentIndexOf } from './log-reader.ts'
import type {
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
import { dayMs, defaultWritebackBytes, type PartitionLogOptions } from './partition-log-options.ts'
import { writePartitionMetadata } from './partition-metadata.ts'
import type { ProducerRefusal, ProducerStates } from './producer-state.ts'
import type { ProducerSnapshots } from './producer-snapshots.ts'
import type { DamagedBatch } from './read-check.ts'
import { checkReplicated } from './replicated-batches.ts'
import { OpenFiles } from './open-files.ts'
import { segmentsBeyondRetention } from './retention.ts'
import { nextBaseOffset, rollJitterMs } from './rolling.ts'
import { Segment, type SegmentContext } from './segment.ts'
import { SegmentTally } from './segment-tally.ts'
import { findByTimestamp, findMaxTimestamp } from './time-lookup.ts'
import type { AbortedTransaction } from './transaction-index.ts'
import type { TransactionIndexes } from './transaction-indexes.ts'
import type { VerificationGuard, VerifiedProducer } from './transaction-verification.ts'
import { needsWriteOut, settle, writeOut } from './write-out.ts'

/** Opens the log of one partition; creates directory and files when they are missing, recovers what was not stopped cleanly. */
export function openPartitionLog(options: PartitionLogOptions): SegmentedLog {
  return new SegmentedLog(options)
}

export class SegmentedLog implements PartitionLog, CleanableLog {
  readonly topicPartition: TopicPartition
  private id: string
  readonly directory: string
  private readonly environment: PartitionLogOptions['environment']
  private readonly options: PartitionLogOptions
  readonly log: Logger
  private config: LogConfig
  private readonly segments: Segment[]
  readonly segmentContext: SegmentContext
  readonly tally = new SegmentTally()
  active: Segment
  epochs: LeaderEpochs
  private readonly epochFile = new EpochFile(this)
  producerStates: ProducerStates
  readonly snapshots: ProducerSnapshots
  readonly transactions: TransactionIndexes
  readonly reader = new LogReader(this)
  readonly durability: Durability
  readonly removal: DelayedRemoval
  private startOffset: number
  private endOffset: number
  highWatermark = 0
  private readonly failure: LogFailure
  private closed = false
  /** Told of its topic's settings by somebody who knows them. */
  private isConfigured = false
  losses = 0
  private replacement: SegmentReplacement | undefined

  constructor(options: PartitionLogOptions) {
    const { environment, directory, topicPartition } = options
    this.options = options
    this.environment = environment
    this.topicPartition = topicPartition
    this.id = options.topicId
    this.directory = directory
    this.config = options.config
    this.log = environment.log.child({ component: 'log', ...topicPartition })
    const failed = (error: DiskError) => {
      this.durability.stop(error)
      options.onFailure?.(error)
    }
    this.failure = new LogFailure({ directory, log: this.log, room: options.room, failed })
    const created = environment.disk.stat(directory) === undefined
    if (created) {
      environment.disk.makeDirectory(directory)
      writePartitionMetadata(environment.disk, directory, options.topicId, { durable: false })
    }
    this.segmentContext = {
      disk: environment.disk,
      directory,
      openFiles: options.openFiles ?? new OpenFiles(),
      log: this.log,
      indexIntervalBytes: () => this.config.indexIntervalBytes,
      failed: error => this.fail(error),
    }
    const newSegmentJitterMs = () => rollJitterMs(this.config, environment.random)
    const loaded = loadLog(loadOptionsOf(options, { log: this.log, segments: this.segmentContext, newSegmentJitterMs }))
    this.segments = loaded.segments
    for (const segment of this.segments) this.tally.add(segment)
    this.active = loaded.segments.at(-1)!
    this.epochs = loaded.epochs
    this.producerStates = loaded.producers
    this.snapshots = loaded.snapshots
    this.startOffset = loaded.logStartOffset
    this.endOffset = loaded.logEndOffset
    this.removal = new DelayedRemoval(environment, this.log, () => this.durability.namesWentAway())
    this.transactions = loaded.transactions
    this.durability = new Durability(environment, this, {
      recoveryPoint: loaded.recoveryPoint,
      // A process that was killed may have made files whose names it never fsynced.
      created: created || (!options.cleanShutdown && options.topicId !== ''),
      writebackBytes: options.writebackBytes ?? defaultWritebackBytes,
    })
    if (loaded.logEndOffset < (options.recoveryPoint ?? 0) || loaded.logStartOffset < (options.logStartOffset ?? 0)) {
      options.onOffsetsLowered?.(this)
    }
  }

  get topicId(): string {
    return this.id
  }
  get currentSegments(): readonly Segment[] {
    return this.segments
  }
  get flushMs(): number {
    return this.config.flushMs
  }
  get fileDeleteDelayMs(): number {
    return this.config.fileDeleteDelayMs
  }
  get logStartOffset(): number {
    return this.startOffset
  }
  get logEndOffset(): number {
    return this.endOffset
  }
  get recoveryPoint(): number {
    return this.durability.recoveryPoint
  }
  get sizeBytes(): number {
    return this.tally.bytes
  }
  get latestEpoch(): number | undefined {
    return this.epochs.latest?.epoch
  }
  get deletesRecords(): boolean {
    return this.config.cleanupPolicy.includes('delete') || !this.config.cleanupPolicy.includes('compact')
  }
  get failedWith(): DiskError | undefined {
    return this.failure.error
  }
  get damage(): readonly DamagedBatch[] {
    return this.reader.damage
  }
  get firstSegmentOffset(): number {
    return this.segments[0]!.baseOffset
  }
  /** Base offsets of the segments, rising: for tests. */
  get segmentOffsets(): readonly number[] {
    return this.segments.map(segment => segment.baseOffset)
  }

  // ---------------------------------------------------------------------------------------------------------- append

  appendAsLeader(records: Buffer, request: AppendRequest): AppendResult {
    const { unavailable } = this.failure
    if (unavailable !== undefined) return storageRefusal(this.topicPartition, unavailable)
    const append = validateForLeader(records, request, this.config, this.topicPartition)
    if ('refused' in append) return append
    const bytes = append.records.length
    if (bytes > this.config.segmentBytes) {
      const message = `The append has ${bytes} bytes, more than fit into a segment (${this.config.segmentBytes}).`
      return { refused: 'RECORD_LIST_TOO_LARGE', message }
    }
    const producerProblem = checkProducers(append, request, this.producerStates, this.config)
    if (producerProblem !== undefined) return producerProblem
    const firstOffset = this.endOffset
    const lastOffset = stampForLeader(append, firstOffset, request, this.config)
    try {
      this.write(append.records, append.batches, request.wallMs)
    } catch (error) {
      return storageRefusal(this.topicPartition, this.fail(error))
    }
    const logAppendTimeMs = this.config.messageTimestampType === 'LogAppendTime' ? request.wallMs : -1
    return { appended: { firstOffset, lastOffset, logAppendTimeMs, bytes } }
  }

  startVerification(producer: VerifiedProducer): VerificationGuard | 'ongoing' | ProducerRefusal {
    return this.producerStates.startVerification(producer, this.environment.clock.wallMs())
  }

  appendAsFollower(records: Buffer): { readonly lastOffset: number; readonly bytes: number } {
    this.assertUsable()
    this.failure.assertAppendable()
    const bytes = wholeBatchesBytes(records)
    if (bytes === 0) return { lastOffset: this.endOffset - 1, bytes: 0 }
    const whole = records.subarray(0, bytes)
    const batches = checkReplicated(whole, this.endOffset)
    const { lastOffset } = batches.at(-1)!
    try {
      this.write(whole, batches, this.environment.clock.wallMs())
    } catch (error) {
      throw this.fail(error)
    }
    return { lastOffset, bytes }
  }

  /** Writes stamped batches and takes them into every state derived from the log. Throws DiskError with nothing taken in. */
  private write(records: Buffer, batches: readonly BatchView[], wallMs: number): void {
    const { baseOffset: firstOffset } = batches[0]!
    const { lastOffset } = batches.at(-1)!
    const append = { records, firstOffset, lastOffset, wallMs }
    const baseOffset = nextBaseOffset(this.active, this.endOffset, append, this.config)
    const segment = baseOffset === undefined ? this.active : this.roll(baseOffset)
    const count = lastOffset - firstOffset + 1
    const flushes = this.durability.mustFlushAfter(count, this.config.flushMessages)
    // What a flush needs space or descriptors for is done first, while the append can still be refused.
    if (flushes) this.durability.prepareFlush()
    segment.append(records, this.config.indexIntervalBytes)
    this.endOffset = lastOffset + 1
    // The records are in the log by now: what goes wrong from here on must not pass for an append that was refused.
    this.failure.guardFully(() => {
      for (const batch of batches) this.follow(batch, segment)
      this.durability.appended(count, records.length, flushes)
    })
  }

  private follow(batch: BatchView, segment: Segment): void {
    const epoch = batch.partitionLeaderEpoch
    if (epoch !== this.epochs.latest?.epoch) this.epochs.assign(epoch, batch.baseOffset)
    if (!batch.hasProducerId) return
    const completed = this.producerStates.apply(batch)
    if (completed?.aborted !== true) return
    this.transactions.append(segment, abortedTransaction(completed, this.producerStates))
    this.durability.directoryDirty = true
  }

  // ------------------------------------------------------------------------------------------------------------ roll

  /** Closes the active segment and begins one at `baseOffset`; the old one is fsynced off the event loop. */
  private roll(baseOffset: number): Segment {
    const old = this.active
    if (old.baseOffset === baseOffset && old.sizeBytes === 0) return old
    // Whatever of this finds no space can be done again: the old segment stays active until the new one is there.
    old.becomeInactive()
    // With the snapshot at the segment's base, a recovery of this segment needs nothing before it.
    this.snapshots.write(baseOffset, this.producerStates.all(), { sync: false })
    const segment = this.begin(this.newSegment(baseOffset))
    this.durability.directoryDirty = true
    this.durability.flushLater(() => {}, baseOffset)
    return segment
  }

  private newSegment(baseOffset: number): Segment {
    return Segment.create({
      context: this.segmentContext,
      baseOffset,
      createdWallMs: this.environment.clock.wallMs(),
      rollJitterMs: rollJitterMs(this.config, this.environment.random),
    })
  }

  private begin(segment: Segment): Segment {
    this.active = segment
    this.segments.push(segment)
    this.tally.add(segment)
    return segment
  }

  // ------------------------------------------------------------------------------------------------------------ read

  read(offset: number, options: ReadOptions): ReadResult | { readonly refused: 'OFFSET_OUT_OF_RANGE' } {
    if (offset < this.startOffset || offset > this.endOffset) return { refused: 'OFFSET_OUT_OF_RANGE' }
    const limit = Math.min(options.untilOffset, this.endOffset)
    if (offset >= limit) return nothingAt(offset)
    return this.guard(() => this.reader.read(offset, limit, options))
  }

  findByTimestamp(timestamp: number, untilOffset: number): OffsetAndTimestamp | undefined {
    const found = this.guard(() => findByTimestamp(this, timestamp))
    return found !== undefined && found.offset < untilOffset ? found : undefined
  }

  findMaxTimestamp(): OffsetAndTimestamp | undefined {
    return this.guard(() => findMaxTimestamp(this))
  }

  // ---------------------------------------------------------------------------------------------------------- epochs

  endOffsetForEpoch(leaderEpoch: number): EpochEndOffset {
    if (leaderEpoch !== this.latestEpoch) this.guard(() => this.epochFile.check())
    return this.epochs.endOffsetFor(leaderEpoch, this.endOffset)
  }

  epochAt(offset: number): number | undefined {
    if (offset < (this.epochs.latest?.startOffset ?? 0)) this.guard(() => this.epochFile.check())
    return offset < this.endOffset ? this.epochs.epochAt(offset) : undefined
  }

  startEpoch(leaderEpoch: number, startOffset: number): void {
    this.epochs.assign(leaderEpoch, startOffset)
  }

  learnEpochs(entries: readonly EpochEntry[]): void {
    for (const { epoch, startOffset } of entries) this.epochs.assign(epoch, startOffset)
    this.guard(() => this.epochFile.save(Infinity))
  }

  // -------------------------------------------------------------------------------------------------------- truncate

  truncateTo(offset: number): void {
    this.assertUsable()
    if (offset >= this.endOffset) {
      this.epochs.truncateFromEnd(this.endOffset)
      return
    }
    if (offset < this.segments[0]!.baseOffset) return this.truncateFullyAndStartAt(offset)
    this.replacement?.settle()
    const keep = segmentIndexOf(this.segments, offset)
    const { position, end } = this.guard(() => this.segments[keep]!.cutPoint(offset))
    this.guard(() => this.lowerOffsets(end, Math.min(end, this.startOffset)))
    this.endOffset = end
    this.epochs.truncateFromEnd(end)
    this.reader.forget()
    this.failure.finish(() => {
      this.removeFrom(keep + 1)
      this.active = this.segments[keep]!
      this.active.cutAt(position, end)
      this.durability.syncTruncated(this.active)
      this.transactions.truncateTo(this.active, end)
      this.snapshots.retain(snapshot => snapshot <= end)
      this.rebuildProducers()
    })
    this.log.info('Truncated the log.', { offset, logEndOffset: this.endOffset })
  }

  truncateFullyAndStartAt(offset: number): void {
    this.assertUsable()
    this.replacement?.settle()
    this.guard(() => this.lowerOffsets(offset, offset))
    this.endOffset = offset
    this.epochs.clear()
    this.reader.forget()
    this.producerStates.clear()
    this.failure.finish(() => {
      this.removeSegments(this.segments.toReversed(), 'removeForGood')
      const fresh = this.newSegment(offset)
      this.segments.length = 0
      this.begin(fresh)
      this.durability.directoryDirty = true
      this.durability.syncTruncated(this.active)
      this.snapshots.retain(() => false)
    })
    this.log.info('Dropped the log and started anew.', { offset })
  }

  skipTo(offset: number): void {
    this.assertUsable()
    if (offset <= this.endOffset) return
    this.guard(() => this.roll(offset))
    this.endOffset = offset
  }

  /** Recovery must not trust bytes that are about to be replaced: the checkpoints go down before the log does. */
  private lowerOffsets(recoveryPoint: number, logStartOffset: number): void {
    const lowered = recoveryPoint < this.recoveryPoint || logStartOffset < this.startOffset
    const before = { recoveryPoint: this.recoveryPoint, startOffset: this.startOffset }
    this.losses++
    this.options.onTruncated?.(recoveryPoint)
    this.durability.lowerTo(recoveryPoint)
    this.startOffset = logStartOffset
    if (!lowered) return
    try {
      this.prepareCheckpoint()
      this.options.onOffsetsLowered?.(this)
    } catch (error) {
      // Refused: the next try has to note it again.
      this.startOffset = before.startOffset
      this.durability.recoveryPoint = before.recoveryPoint
      throw error
    }
  }

  private rebuildProducers(): void {
    const { segments, endOffset: logEndOffset, producerStates: producers, snapshots, transactions } = this
    const expirationMs = this.options.producerIdExpirationMs?.() ?? dayMs
    const options = { wallMs: this.environment.clock.wallMs(), expirationMs, log: this.log }
    rebuildProducers({ segments, logEndOffset, producers, snapshots, transactions }, options)
    this.producerStates.highWatermarkRaised(this.highWatermark)
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
    this.guard(() => this.durability.flush())
  }

  flushLater(done: (result: { durableOffset: number } | { error: Error }) => void): void {
    const error = this.failure.unusable
    if (error === undefined) this.durability.flushLater(done)
    else this.environment.timers.soon(() => done({ error }))
  }

  /** To be called before the recovery point is checkpointed: what a recovery from there takes for granted goes to disk. */
  prepareCheckpoint(): void {
    // While something is unfinished its recovery point does not rise.
    if (this.isOver || this.failure.unusable !== undefined) return
    this.guard(() => {
      this.active.spillIndexes()
      this.epochFile.save(this.recoveryPoint)
    })
  }

  // ------------------------------------------------------------------------------------------------------- retention

  enforceRetention(nowWallMs: number, untilOffset: number): number {
    if (this.isOver) return 0
    return this.guard(() => {
      this.replacement?.settle()
      const input = { config: this.config, nowWallMs, untilOffset, log: this, logger: this.log }
      let count = segmentsBeyondRetention(this.segments, input)
      // The log always has an active segment: a new one, where there is space for it.
      if (count === this.segments.length && this.failure.full !== undefined) count--
      if (count <= 0) return 0
      if (count === this.segments.length) this.roll(this.endOffset)
      const removed = this.segments.slice(0, count)
      this.removeSegments(removed, 'remove')
      this.segments.splice(0, count)
      this.startOffset = Math.max(this.startOffset, this.segments[0]!.baseOffset)
      this.epochs.truncateFromStart(this.startOffset)
      this.reader.forget()
      const fields = { segments: removed.map(({ baseOffset }) => baseOffset), logStartOffset: this.startOffset }
      this.log.info('Deleted segments beyond retention.', fields)
      return count
    })
  }

  /** Newest first: whenever the node stops, what is left is the log up to some offset. Can be done again when it throws. */
  private removeFrom(index: number): void {
    this.removeSegments(this.segments.slice(index).reverse(), 'removeForGood')
    this.segments.length = index
  }

  /** Takes the files of segments out of the log; they go for good after file.delete.delay.ms. */
  private removeSegments(segments: readonly Segment[], how: 'remove' | 'removeForGood'): void {
    const paths = segments.flatMap(segment => [...segment.files(), ...this.snapshots.pathsAt(segment.baseOffset)])
    this.removal[how](paths, this.failure.full === undefined ? this.config.fileDeleteDelayMs : 0)
    this.losses++
    this.durability.directoryDirty = true
    for (const segment of segments) {
      segment.retire()
      this.transactions.forget(segment)
      this.snapshots.forget(segment.baseOffset)
    }
  }

  /** For a log whose partition.metadata was lost. */
  adoptTopicId(topicId: string): void {
    this.id = topicId
    this.guard(() => writePartitionMetadata(this.environment.disk, this.directory, topicId, { durable: true }))
  }

  updateConfig(config: LogConfig): void {
    this.config = config
    this.isConfigured = true
    this.durability.flushMsChanged()
  }

  // --------------------------------------------------------------------------------------------------- producers, end

  firstUnstableOffset(): number | undefined {
    const offset = this.producerStates.firstUnstableOffset()
    return offset === undefined ? undefined : Math.max(offset, this.startOffset)
  }

  producers(): readonly ProducerEntry[] {
    return this.producerStates.entries()
  }

  expireProducers(nowWallMs: number, expirationMs: number): void {
    this.producerStates.expire(nowWallMs, expirationMs)
  }

  setHighWatermark(offset: number): void {
    this.highWatermark = offset
    this.producerStates.highWatermarkRaised(offset)
  }

  /** Aborted transactions whose records may lie in [fromOffset, untilOffset), for read_committed. */
  abortedTransactions(fromOffset: number, untilOffset: number): readonly AbortedTransaction[] {
    return this.guard(() => this.transactions.collect(this.segments, fromOffset, untilOffset))
  }

  /** Takes the place of the log of which this one is a complete copy, with what that knows beyond its batches. */
  succeed(former: SegmentedLog): void {
    this.producerStates = former.producerStates
    this.epochs = former.epochs
    this.epochs.unsavedFrom = 0
    this.highWatermark = former.highWatermark
    this.isConfigured = former.isConfigured
  }

  // --------------------------------------------------------------------------------------------------------- cleaning

  get cleaning(): LogConfig | undefined {
    return this.isConfigured && !this.failure.isUnfinished ? this.config : undefined
  }
  get isOver(): boolean {
    return this.failure.error !== undefined || this.closed
  }
  get lastStableOffset(): number {
    return Math.min(this.firstUnstableOffset() ?? Infinity, this.highWatermark)
  }

  producerEnds(): ReadonlyMap<bigint, ProducerEnd> {
    return this.producerStates.ends()
  }

  settleReplacement(): void {
    this.replacement?.settle()
  }

  replaceSegments(cleaned: Segment, old: readonly Segment[]): SegmentReplacement {
    this.assertUsable()
    const { guard, segments } = this
    guard(() => this.epochFile.beforeCompaction(old.at(-1)!))
    const finish = (run: () => void): void => this.failure.finish(run)
    const options = { createdWallMs: this.environment.clock.wallMs(), segments, guard, finish }
    return (this.replacement = new SegmentReplacement(this, options, cleaned, old))
  }

  /** Does most of what a clean `close` does, off the event loop; for when nothing is appended any more. */
  writeOutLater(done: () => void): void {
    if (this.isOver || this.failure.full !== undefined || this.failure.isUnfinished || !needsWriteOut(this))
      return done()
    this.guard(() => writeOut(this, done))
  }

  close(): void {
    if (this.closed) return
    try {
      if (this.failure.error === undefined) this.guard(() => settle(this))
    } finally {
      this.release()
    }
  }

  /** Gives all descriptors back without writing anything: the log directory failed, or the partition was deleted. */
  release(): void {
    this.closed = true
    this.durability.stop()
    this.removal.stop()
    for (const segment of this.segments) segment.retire()
  }

  // ---------------------------------------------------------------------------------------------------------- failure

  private assertUsable(): void {
    this.failure.assertUsable()
    if (this.closed) throw new Error(`Bug: the log ${this.directory} is closed.`)
  }

  private readonly guard = <T>(run: () => T): T => this.failure.guard(run)

  /** The log directory failed elsewhere: no more appends here either. */
  markFailed(error: DiskError): void {
    this.failure.mark(error)
    this.durability.stop(error)
  }

  readonly fail = (error: unknown): DiskError => this.failure.take(error)
}
