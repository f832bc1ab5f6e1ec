/**
 * Opens the directory of one partition: removes leftovers, opens segments, and after an unclean stop recovers from the
 * recovery point: checks every batch above it, cuts the torn tail, rebuilds the indexes and leader epochs of that part.
 * Then rebuilds the producer state from the newest snapshot.
 *
 * It reads nothing below the recovery point, except index entries of the segment that holds it, and headers after the
 * newest snapshot.
 * Source: Kafka documentation, "Log"; KIP-101 for the epochs found on the way.
 */
import type { Disk, Logger } from '../environment/environment.ts'
import { batchBytes, BatchView, isWholeBatch } from '../protocol/records/batch.ts'
import { checkBatchBytes } from '../protocol/records/batch-validate.ts'
import { wasCompacted } from './cleaner/compaction-traces.ts'
import { recoverSwaps } from './cleaner/segment-swap.ts'
import { DamagedFileError, leaderEpochFile, readEpochCheckpoint } from './checkpoints.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import { checkNewestEpoch, endOf, EpochCheck } from './epoch-check.ts'
import { deletedSuffix, logSuffix, offsetOfFileName, segmentSuffixes, snapshotSuffix } from './log-files.ts'
import { isDiskFull } from './log-failure.ts'
import type { LogConfig } from './log.ts'
import { dayMs, type PartitionLogOptions } from './partition-log-options.ts'
import { ProducerSnapshots } from './producer-snapshots.ts'
import { ProducerStates } from './producer-state.ts'
import type { CompletedTransaction } from './producer-state.ts'
import { Segment } from './segment.ts'
import type { SegmentContext } from './segment.ts'
import type { AbortedTransaction } from './transaction-index.ts'
import { TransactionIndexes } from './transaction-indexes.ts'

export interface LoadOptions {
  readonly disk: Disk
  readonly log: Logger
  readonly directory: string
  readonly segments: SegmentContext
  readonly config: LogConfig
  readonly cleanShutdown: boolean
  /** As checkpointed; 0 when not known. */
  readonly recoveryPoint: number
  readonly logStartOffset: number
  /** Where the last cleaning ended: below it offsets may be missing between segments. */
  readonly cleanedBelow?: number
  readonly wallMs: number
  readonly producerIdExpirationMs: number
  newSegmentJitterMs(): number
}

/** What is to be loaded, as whoever opens the log says it. */
export function loadOptionsOf(
  options: PartitionLogOptions,
  own: Pick<LoadOptions, 'log' | 'segments' | 'newSegmentJitterMs'>,
): LoadOptions {
  const { environment, directory, config, cleanShutdown } = options
  return {
    ...own,
    disk: environment.disk,
    directory,
    config,
    cleanShutdown,
    recoveryPoint: options.recoveryPoint ?? 0,
    logStartOffset: options.logStartOffset ?? 0,
    cleanedBelow: options.cleanedBelow ?? 0,
    wallMs: environment.clock.wallMs(),
    producerIdExpirationMs: options.producerIdExpirationMs?.() ?? dayMs,
  }
}

export interface LoadedLog {
  /** At least one, by base offset. */
  readonly segments: Segment[]
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly recoveryPoint: number
  readonly epochs: LeaderEpochs
  readonly epochCheck: EpochCheck
  readonly producers: ProducerStates
  readonly snapshots: ProducerSnapshots
  readonly transactions: TransactionIndexes
}

/** Bytes read at a time while batches are checked. */
const recoveryChunkBytes = 1024 * 1024

export function loadLog(options: LoadOptions): LoadedLog {
  const { disk, directory } = options
  recoverSwaps(disk, options.log, directory)
  const names = removeLeftovers(disk, directory)
  const snapshots = new ProducerSnapshots(disk, directory, names, options.log)
  const epochs = loadEpochs(options)
  const savedEpochs = epochs.unsavedFrom === Infinity ? [...epochs.all] : undefined
  let segments = openSegments(options, names)
  const transactions = new TransactionIndexes(disk, names, {
    log: options.log,
    rebuild: segment => abortedIn(options, segment),
  })
  const recoverFrom = Math.max(options.recoveryPoint, options.logStartOffset)
  /** Base offset of the first segment whose transaction index is made anew. */
  let reindexFrom = Infinity
  if (!options.cleanShutdown) {
    reindexFrom = segments.findLast(segment => segment.baseOffset <= recoverFrom)?.baseOffset ?? 0
    segments = recover(options, segments, recoverFrom, epochs)
    // What was derived from bytes above the recovery point may be older, or newer, than these bytes.
    for (const segment of segments) if (segment.baseOffset >= reindexFrom) transactions.clear(segment)
    snapshots.retain(offset => offset <= reindexFrom)
  } else checkEnd(options, segments, epochs)

  if (segments.length > 0 && segments.at(-1)!.readNextOffset() < options.logStartOffset) {
    const fields = {
      directory,
      logStartOffset: options.logStartOffset,
      logEndOffset: segments.at(-1)!.readNextOffset(),
    }
    options.log.warn(
      'The log ends before its start offset: everything in it was deleted already; starting empty.',
      fields,
    )
    for (const segment of segments) {
      transactions.forget(segment)
      removeSegment(disk, segment)
    }
    segments = []
    epochs.clear()
    snapshots.retain(() => false)
  }
  if (segments.length === 0) segments.push(Segment.create(segmentOptions(options, options.logStartOffset)))
  const active = segments.at(-1)!
  const { nextOffset: logEndOffset, epoch: lastBatchEpoch } = endOf(active)
  const logStartOffset = Math.max(options.logStartOffset, segments[0]!.baseOffset)
  const epochCheck = settleEpochs(options, { epochs, segments, logStartOffset, logEndOffset, lastBatchEpoch })
  if (savedEpochs !== undefined) epochs.compareWith(savedEpochs)
  const baseOffsets = new Set(segments.map(segment => segment.baseOffset))
  const newest = snapshots.latest
  snapshots.retain(offset => offset <= logEndOffset && (baseOffsets.has(offset) || offset === newest))
  const producers = new ProducerStates()
  const recoveryPoint = options.cleanShutdown ? logEndOffset : Math.min(options.recoveryPoint, logEndOffset)
  const offsets = { logStartOffset, logEndOffset, recoveryPoint }
  if (logEndOffset < options.recoveryPoint)
    options.log.warn('The log ends below its recovery point: records that were durable are missing.', {
      directory,
      logEndOffset,
      recoveryPoint: options.recoveryPoint,
    })
  const loaded = { ...offsets, epochCheck, segments, epochs, producers, snapshots, transactions }
  rebuildProducers(loaded, { wallMs: options.wallMs, expirationMs: options.producerIdExpirationMs, reindexFrom })
  active.makeWritable()
  return loaded
}

/** Brings the epochs of the checkpoint file in line with what is left of the log. */
function settleEpochs(
  options: LoadOptions,
  log: Pick<LoadedLog, 'epochs' | 'segments' | 'logStartOffset' | 'logEndOffset'> & { readonly lastBatchEpoch: number },
): EpochCheck {
  const { epochs, segments, logStartOffset, logEndOffset, lastBatchEpoch } = log
  epochs.truncateFromEnd(logEndOffset)
  epochs.truncateFromStart(logStartOffset)
  const about = {
    log: options.log,
    path: `${options.directory}/${leaderEpochFile}`,
    epochs,
    segments,
    // The policy of the topic is not known yet when a node opens its logs.
    gapsAllowed: options.config.cleanupPolicy.includes('compact') || (options.cleanedBelow ?? 0) > 0,
  }
  checkNewestEpoch({ ...about, logStartOffset, logEndOffset }, lastBatchEpoch)
  epochs.truncateFromStart(logStartOffset)
  return new EpochCheck(about)
}

/**
 * Producer state of everything below the log end: newest snapshot, then the headers of the batches after it. What lies
 * below the log start in the first segment counts too: a transaction may have begun there.
 */
export function rebuildProducers(
  log: Pick<LoadedLog, 'producers' | 'snapshots' | 'segments' | 'logEndOffset' | 'transactions'>,
  options: {
    readonly wallMs: number
    readonly expirationMs: number
    /** Segments from this base offset on get their aborted transactions written to their index. */
    readonly reindexFrom?: number
  },
): void {
  const { producers, segments } = log
  producers.clear()
  const firstOffset = segments[0]?.baseOffset ?? 0
  const snapshot = log.snapshots.newest(firstOffset, log.logEndOffset)
  if (snapshot !== undefined) producers.load(snapshot.producers, options.wallMs, options.expirationMs)
  const from = snapshot?.offset ?? firstOffset
  if (from >= log.logEndOffset) return
  const reindexFrom = options.reindexFrom ?? Infinity
  const first = segments.findLastIndex(segment => segment.baseOffset <= from)
  for (const segment of segments.slice(Math.max(0, first))) {
    segment.scan(segment.positionOf(from), (bytes, at, position, size) => {
      const header = new BatchView(bytes, at)
      if (!header.hasProducerId) return true
      const completed = producers.apply(header.isControl ? wholeBatch(segment, position, size) : header)
      if (completed?.aborted === true && segment.baseOffset >= reindexFrom)
        log.transactions.append(segment, abortedTransaction(completed, producers))
      return true
    })
  }
}

/**
 * Aborted transactions whose markers lie in `segment`, read from the batches: from the producer snapshot at its base, or, where there is none,
 * from the newest one before or the beginning of the log.
 */
function abortedIn(options: LoadOptions, segment: Segment): AbortedTransaction[] {
  const { disk, directory } = options
  const names = disk.list(directory).map(entry => entry.name)
  const offsets = names.map(name => offsetOfFileName(name, logSuffix)).filter(offset => offset !== undefined)
  const before = offsets.filter(offset => offset < segment.baseOffset).sort((a, b) => a - b)
  const producers = new ProducerStates()
  const snapshot = new ProducerSnapshots(disk, directory, names, options.log).newest(-1, segment.baseOffset)
  if (snapshot !== undefined) producers.load(snapshot.producers, options.wallMs, options.producerIdExpirationMs)
  const from = snapshot?.offset ?? 0
  const first = before.findLastIndex(offset => offset <= from)
  const aborted: AbortedTransaction[] = []
  const read = (each: Segment): void => {
    each.scan(each.positionOf(from), (bytes, at, position, size) => {
      const header = new BatchView(bytes, at)
      if (!header.hasProducerId) return true
      const completed = producers.apply(header.isControl ? wholeBatch(each, position, size) : header)
      if (completed?.aborted === true && each === segment) aborted.push(abortedTransaction(completed, producers))
      return true
    })
  }
  for (const offset of from < segment.baseOffset ? before.slice(Math.max(0, first)) : []) {
    const each = Segment.open(segmentOptions(options, offset))
    read(each)
    each.closeHandle()
  }
  read(segment)
  return aborted
}

/** The entry of the transaction index for a transaction that was just aborted. */
export function abortedTransaction(completed: CompletedTransaction, producers: ProducerStates): AbortedTransaction {
  const { producerId, firstOffset, lastOffset } = completed
  return { producerId, firstOffset, lastOffset, lastStableOffset: producers.lastStableOffset(completed) }
}

function wholeBatch(segment: Segment, position: number, size: number): BatchView {
  const bytes = Buffer.allocUnsafe(size)
  segment.read(bytes, position)
  return new BatchView(bytes)
}

function segmentOptions(options: LoadOptions, baseOffset: number) {
  const { segments: context, wallMs: createdWallMs } = options
  return { context, baseOffset, createdWallMs, rollJitterMs: options.newSegmentJitterMs() }
}

/** Removes files that a stopped broker left half done; returns the names that stay, sorted. */
function removeLeftovers(disk: Disk, directory: string): string[] {
  const names = disk
    .list(directory)
    .filter(entry => entry.kind === 'file')
    .map(entry => entry.name)
    .sort()
  const hasLog = new Set(names.map(name => offsetOfFileName(name, logSuffix)).filter(offset => offset !== undefined))
  return names.filter(name => {
    const orphan = segmentSuffixes.some(suffix => {
      const offset = offsetOfFileName(name, suffix)
      return offset !== undefined && !hasLog.has(offset)
    })
    const leftover =
      orphan || ((name.endsWith(deletedSuffix) || name.endsWith('.tmp')) && !name.includes('.checkpoint'))
    if (leftover) disk.remove(`${directory}/${name}`)
    return !leftover
  })
}

function loadEpochs(options: LoadOptions): LeaderEpochs {
  try {
    return new LeaderEpochs(readEpochCheckpoint(options.disk, `${options.directory}/${leaderEpochFile}`))
  } catch (error) {
    if (!(error instanceof DamagedFileError)) throw error
    options.log.warn('The leader epoch checkpoint is damaged; reading the epochs from the batches.', {
      directory: options.directory,
      problem: error.message,
    })
    const epochs = new LeaderEpochs()
    epochs.unsavedFrom = 0
    return epochs
  }
}

/** The last segment of a log that was stopped cleanly must end with a batch: what follows it was not written by a log. */
function checkEnd(options: LoadOptions, segments: Segment[], epochs: LeaderEpochs): void {
  const active = segments.at(-1)
  if (active === undefined || endOf(active).isWhole) return
  recoverSegment(options, active, active.baseOffset, epochs)
}

function openSegments(options: LoadOptions, names: readonly string[]): Segment[] {
  const offsets = names.map(name => offsetOfFileName(name, logSuffix)).filter(offset => offset !== undefined)
  return offsets.map(offset => Segment.open(segmentOptions(options, offset)))
}

/**
 * Checks everything from the recovery point on. Segments after a cut are removed: what they hold does not follow any
 * more.
 */
function recover(options: LoadOptions, segments: Segment[], recoverFrom: number, epochs: LeaderEpochs): Segment[] {
  // A segment that ends at the recovery point may have been the active one when that was noted: its bytes are durable, its indexes need not be.
  const first = Math.max(
    0,
    segments.findLastIndex(segment => segment.baseOffset < recoverFrom),
  )
  let expected = -1
  for (let index = first; index < segments.length; index++) {
    const segment = segments[index]!
    if (index > first && !follows(options, segments[index - 1]!, segment, expected)) {
      removeFrom(options, segments, index, `the log before it ends at ${expected}`)
      break
    }
    const recovered = recoverSegment(options, segment, Math.max(recoverFrom, segment.baseOffset), epochs)
    expected = recovered.nextOffset
    if (recovered.cut) removeFrom(options, segments, index + 1, 'the segment before it was cut')
  }
  return segments
}

/**
 * Whether a segment may follow one that ends at `expected`. This broker leaves no offsets out between segments, so above the
 * recovery point a power failure has taken the end of the first; unless it is compaction that left them out, by Kafka: what was
 * cleaned is durable, and shows it.
 */
function follows(options: LoadOptions, before: Segment, segment: Segment, expected: number): boolean {
  if (segment.baseOffset <= expected) return segment.baseOffset === expected
  return segment.baseOffset <= (options.cleanedBelow ?? 0) || wasCompacted(before) || wasCompacted(segment)
}

function removeFrom(options: LoadOptions, segments: Segment[], index: number, problem: string): void {
  const dropped = segments.splice(index)
  if (dropped.length === 0) return
  const baseOffsets = dropped.map(segment => segment.baseOffset)
  options.log.warn('Removing segments that do not follow.', { directory: options.directory, baseOffsets, problem })
  for (const segment of dropped.reverse()) removeSegment(options.disk, segment)
}

function recoverSegment(
  options: LoadOptions,
  segment: Segment,
  fromOffset: number,
  epochs: LeaderEpochs,
): { readonly cut: boolean; readonly nextOffset: number } {
  segment.leaveIndexesUnchecked()
  // Entries below the recovery point stay, as far as they are sound; entries above it describe bytes that were not
  // checked yet.
  segment.offsetIndex.truncateToEntries(segment.offsetIndex.soundEntries(segment.sizeBytes))
  segment.timeIndex.truncateToEntries(segment.timeIndex.soundEntries())
  segment.offsetIndex.truncateTo(fromOffset)
  const start = segment.offsetIndex.entryAt(segment.offsetIndex.entries - 1)
  segment.timeIndex.truncateTo(start?.offset ?? segment.baseOffset)
  segment.resumeIndexes(start?.position ?? 0)
  let checker = new TailChecker(options, segment, start, epochs)
  let problem = checker.run(options.config.indexIntervalBytes)
  if (problem !== undefined && start !== undefined && checker.nextOffset < 0) {
    // Not even the batch that the index points to is good: it may be the index that is wrong.
    segment.resetIndexes()
    checker = new TailChecker(options, segment, undefined, epochs)
    problem = checker.run(options.config.indexIntervalBytes)
  }
  const cutBytes = segment.sizeBytes - checker.position
  if (cutBytes > 0) {
    const atOffset = Math.max(checker.nextOffset, segment.baseOffset)
    const fields = { segment: segment.path, atOffset, position: checker.position, cutBytes, problem }
    options.log.warn('Cutting the tail of a log that was not stopped cleanly.', fields)
    segment.cutAt(checker.position, atOffset)
    // Else a second power failure could bring back what was cut, in the place of what is appended next.
    segment.syncLog()
  }
  try {
    segment.becomeInactive()
  } catch (error) {
    // What of the indexes finds no space stays in memory.
    if (!isDiskFull(error)) throw error
    options.log.warn('No space for the indexes of a segment; they are written later.', { segment: segment.path })
  }
  segment.dirty = true
  return { cut: cutBytes > 0, nextOffset: segment.readNextOffset() }
}

/** Reads whole batches from a position on and checks that each is undamaged and follows the one before. */
class TailChecker {
  position: number
  /** Offset that follows the last good batch; -1 while that is not known. */
  nextOffset: number
  private readonly options: LoadOptions
  private readonly segment: Segment
  private readonly epochs: LeaderEpochs
  private readonly start: { readonly offset: number } | undefined
  private lastEpoch = -1
  private seen = false

  constructor(
    options: LoadOptions,
    segment: Segment,
    start: { readonly offset: number; readonly position: number } | undefined,
    epochs: LeaderEpochs,
  ) {
    this.options = options
    this.segment = segment
    this.epochs = epochs
    this.start = start
    this.position = start?.position ?? 0
    this.nextOffset = start === undefined ? segment.baseOffset : -1
  }

  /**
   * Undefined when all bytes are good; else what is wrong with those at `position`. Good batches go into indexes and
   * epochs.
   */
  run(indexIntervalBytes: number): string | undefined {
    const { segment } = this
    while (this.position < segment.sizeBytes) {
      let chunk = Buffer.allocUnsafe(Math.min(recoveryChunkBytes, segment.sizeBytes - this.position))
      chunk = chunk.subarray(0, segment.read(chunk, this.position))
      if (!isWholeBatch(chunk, 0, chunk.length)) {
        const size = chunk.length >= 12 ? batchBytes(chunk, 0) : 0
        if (size <= chunk.length || size > segment.sizeBytes - this.position)
          return checkBatchBytes(chunk, 0)?.message ?? 'cut off'
        chunk = Buffer.allocUnsafe(size)
        segment.read(chunk, this.position)
      }
      for (let at = 0; isWholeBatch(chunk, at, chunk.length); at += batchBytes(chunk, at)) {
        const batch = new BatchView(chunk, at)
        const problem = this.spare(batch, checkBatchBytes(chunk, at)?.message) ?? this.check(batch)
        if (problem !== undefined) return problem
        segment.note(chunk, at, this.position, batch.sizeBytes, indexIntervalBytes)
        this.position += batch.sizeBytes
      }
    }
    return undefined
  }

  /** What was durable and is damaged now is left where it is, for readers to be told: to cut it would cost all that follows. */
  private spare(batch: BatchView, problem: string | undefined): string | undefined {
    if (problem === undefined || batch.lastOffset >= this.options.recoveryPoint) return problem
    const { path } = this.segment
    const fields = { segment: path, position: this.position, offset: batch.baseOffset, problem }
    this.options.log.error('A batch below the recovery point is damaged; it stays, and is not served.', fields)
    return undefined
  }

  private check(batch: BatchView): string | undefined {
    const { baseOffset, lastOffset, partitionLeaderEpoch: epoch } = batch
    if (lastOffset < baseOffset || !this.segment.holdsOffset(baseOffset) || !this.segment.holdsOffset(lastOffset)) {
      return `offsets ${baseOffset} to ${lastOffset} do not belong to this segment`
    }
    if (baseOffset < this.nextOffset) return `offset ${baseOffset} does not follow ${this.nextOffset - 1}`
    if (!this.seen) {
      if (this.start !== undefined && this.start.offset !== lastOffset)
        return `the index points to offset ${this.start.offset}, not ${lastOffset}`
      // Epochs from here on are known better from the batches than from the checkpoint, which may be older than the
      // last truncation.
      this.epochs.truncateFromEnd(baseOffset)
      this.lastEpoch = this.epochs.latest?.epoch ?? -1
      this.seen = true
    }
    if (epoch >= 0 && epoch < this.lastEpoch) return `leader epoch ${epoch} follows epoch ${this.lastEpoch}`
    this.nextOffset = lastOffset + 1
    if (epoch >= 0) {
      this.lastEpoch = epoch
      this.epochs.assign(epoch, baseOffset)
    }
    return undefined
  }
}

/** Removes the files of a segment and its snapshot at once. */
function removeSegment(disk: Disk, segment: Segment): void {
  segment.retire()
  for (const suffix of [...segmentSuffixes, snapshotSuffix]) disk.remove(segment.filePath(suffix))
}
