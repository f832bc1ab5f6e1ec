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
import { BatchView } from '../protocol/records/batch.ts'
import { checkBatchBytes } from '../protocol/records/batch-validate.ts'
import { keptByKafka } from './cleaner/compaction-traces.ts'
import { recoverSwaps } from './cleaner/segment-swap.ts'
import { DamagedFileError, leaderEpochFile, readEpochCheckpoint } from './checkpoints.ts'
import type { DamagedRegion } from './damaged-region.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import { checkNewestEpoch, endOf } from './epoch-check.ts'
import { deletedSuffix, logSuffix, offsetOfFileName, segmentSuffixes } from './log-files.ts'
import { recover, recoverEnd, removeSegment, type RecoveryOptions } from './log-recovery.ts'
import type { LogConfig } from './log.ts'
import { dayMs, type PartitionLogOptions } from './partition-log-options.ts'
import { ProducerSnapshots } from './producer-snapshots.ts'
import { ProducerStates } from './producer-state.ts'
import type { CompletedTransaction } from './producer-state.ts'
import { Segment } from './segment.ts'
import type { SegmentContext } from './segment-context.ts'
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
  readonly refusesDamage?: boolean
  onGapKept?(offset: number): void
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
    refusesDamage: options.refusesDamage ?? false,
    onGapKept: offset => options.onGapKept?.(offset),
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
  readonly producers: ProducerStates
  readonly snapshots: ProducerSnapshots
  readonly transactions: TransactionIndexes
}

export function loadLog(given: LoadOptions): LoadedLog {
  const { disk, directory } = given
  let options = given
  recoverSwaps(disk, options.log, directory)
  const names = removeLeftovers(disk, directory)
  const snapshots = new ProducerSnapshots(disk, directory, names, options.log)
  const epochs = loadEpochs(options)
  const savedEpochs = epochs.unsavedFrom === Infinity ? [...epochs.all] : undefined
  let segments = openSegments(options, names)
  if (!options.cleanShutdown) options = { ...options, cleanedBelow: cleanedBelowOf(options, segments) }
  const transactions = new TransactionIndexes(disk, names, {
    log: options.log,
    rebuild: segment => abortedIn(options, segment),
  })
  const recoverFrom = options.refusesDamage === true ? 0 : Math.max(options.recoveryPoint, options.logStartOffset)
  const recovery = recoveryOptions(options, epochs)
  /** Base offset of the first segment whose transaction index is made anew. */
  let reindexFrom = Infinity
  let recoveredEnd: number | undefined
  if (!options.cleanShutdown) {
    reindexFrom = segments.findLast(segment => segment.baseOffset <= recoverFrom)?.baseOffset ?? 0
    recoveredEnd = recover(recovery, segments, recoverFrom)
    // What was derived from bytes above the recovery point may be older, or newer, than these bytes.
    for (const segment of segments) if (segment.baseOffset >= reindexFrom) transactions.clear(segment)
    snapshots.retain(offset => offset <= reindexFrom)
  } else if (segments.length > 0 && !endOf(segments.at(-1)!).isWhole) recoveredEnd = recoverEnd(recovery, segments)

  const endOffset = recoveredEnd ?? segments.at(-1)?.readNextOffset()
  if (endOffset !== undefined && endOffset < options.logStartOffset) {
    const fields = { directory, logStartOffset: options.logStartOffset, logEndOffset: endOffset }
    options.log.warn(
      'The log ends before its start offset: everything in it was deleted already; starting empty.',
      fields,
    )
    for (const segment of segments) {
      transactions.forget(segment)
      removeSegment(disk, segment)
    }
    segments = []
    recoveredEnd = undefined
    epochs.clear()
    snapshots.retain(() => false)
  }
  if (segments.length === 0) segments.push(Segment.create(segmentOptions(options, options.logStartOffset)))
  const active = segments.at(-1)!
  const { nextOffset, epoch: lastBatchEpoch } = endOf(active)
  const logEndOffset = recoveredEnd ?? nextOffset
  const logStartOffset = Math.max(options.logStartOffset, segments[0]!.baseOffset)
  settleEpochs(options, { epochs, segments, logStartOffset, logEndOffset, lastBatchEpoch })
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
  const loaded = { ...offsets, segments, epochs, producers, snapshots, transactions }
  const { log, wallMs, producerIdExpirationMs: expirationMs } = options
  rebuildProducers(loaded, { wallMs, expirationMs, reindexFrom, log })
  active.makeWritable()
  return loaded
}

/** As checkpointed, or higher where Apache Kafka's cleaner has left traces. */
function cleanedBelowOf(options: LoadOptions, segments: readonly Segment[]): number {
  const { disk, directory, log, recoveryPoint, cleanedBelow = 0 } = options
  const kept = keptByKafka(disk, segments, Math.max(recoveryPoint, cleanedBelow))
  if (kept === 0) return cleanedBelow
  log.info('Offsets are missing between segments: Apache Kafka compacted the log, and was killed.', { directory, kept })
  // On disk before anything is changed: the next start does not see any more what this one saw.
  options.onGapKept?.(kept)
  return kept
}

function recoveryOptions(options: LoadOptions, epochs: LeaderEpochs): RecoveryOptions {
  const { disk, log, directory, recoveryPoint, cleanedBelow = 0, refusesDamage = false } = options
  const { indexIntervalBytes } = options.config
  const create = (baseOffset: number): Segment => Segment.create(segmentOptions(options, baseOffset))
  const onGapKept = (offset: number): void => options.onGapKept?.(offset)
  const about = { disk, log, directory, recoveryPoint, cleanedBelow, refusesDamage, indexIntervalBytes }
  return { ...about, epochs, create, onGapKept }
}

/** Brings the epochs of the checkpoint file in line with what is left of the log. */
function settleEpochs(
  options: LoadOptions,
  log: Pick<LoadedLog, 'epochs' | 'segments' | 'logStartOffset' | 'logEndOffset'> & { readonly lastBatchEpoch: number },
): void {
  const { epochs, segments, logStartOffset, logEndOffset, lastBatchEpoch } = log
  epochs.truncateFromEnd(logEndOffset)
  epochs.truncateFromStart(logStartOffset)
  const path = `${options.directory}/${leaderEpochFile}`
  checkNewestEpoch({ log: options.log, path, epochs, segments, logStartOffset, logEndOffset }, lastBatchEpoch)
  epochs.truncateFromStart(logStartOffset)
}

/**
 * Producer state of everything below the log end: newest snapshot, then the headers of the batches after it. What lies
 * below the log start in the first segment counts too: a transaction may have begun there. Damage is stepped over: of the batches in it nothing
 * is known, neither their sequence numbers nor the transactions that they began (Kafka does not start there). Bytes that damage has left behind
 * in a segment, from its next one's offset on, are not the log's.
 */
export function rebuildProducers(
  log: Pick<LoadedLog, 'producers' | 'snapshots' | 'segments' | 'logEndOffset' | 'transactions'>,
  options: {
    readonly wallMs: number
    readonly expirationMs: number
    /** Segments from this base offset on get their aborted transactions written to their index. */
    readonly reindexFrom?: number
    readonly log?: Logger
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
  for (const [index, segment] of segments.entries()) {
    if (index < first) continue
    const nextBaseOffset = segments[index + 1]?.baseOffset ?? Infinity
    segment.scanThrough(segment.positionOf(from), (bytes, at, position, size) => {
      const header = new BatchView(bytes, at)
      if (!header.hasProducerId || header.baseOffset >= nextBaseOffset) return true
      const completed = applyTo(producers, segment, header, { position, size })
      if (completed?.aborted === true && segment.baseOffset >= reindexFrom)
        log.transactions.append(segment, abortedTransaction(completed, producers))
      return true
    })
    for (const region of segment.damaged)
      if (region.nextOffset > from && region.offset < nextBaseOffset) tellOfUnknown(segment, region, options.log)
  }
}

/** First offsets of damage that was told of, by segment. */
const toldOf = new WeakMap<Segment, Set<number>>()

/** Once: each truncation of a log builds the state of its producers anew. */
function tellOfUnknown(
  segment: Segment,
  { offset, nextOffset, problem }: DamagedRegion,
  log: Logger | undefined,
): void {
  const told = toldOf.get(segment) ?? new Set()
  if (log === undefined || told.has(offset)) return
  toldOf.set(segment, told.add(offset))
  const fields = { segment: segment.path, offset, nextOffset, problem }
  log.warn('What producers wrote in damaged batches is not known; a retry of it is written again.', fields)
}

/** What a damaged marker says is not known: its transaction stays open. Of other batches the header is enough. */
function applyTo(
  producers: ProducerStates,
  segment: Segment,
  header: BatchView,
  { position, size }: { readonly position: number; readonly size: number },
): CompletedTransaction | undefined {
  if (!header.isControl) return producers.apply(header)
  const marker = wholeBatch(segment, position, size)
  return checkBatchBytes(marker.buffer, marker.start) === undefined ? producers.apply(marker) : undefined
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
  const read = (each: Segment, nextBaseOffset: number): void => {
    each.scanThrough(each.positionOf(from), (bytes, at, position, size) => {
      const header = new BatchView(bytes, at)
      if (!header.hasProducerId || header.baseOffset >= nextBaseOffset) return true
      const completed = applyTo(producers, each, header, { position, size })
      if (completed?.aborted === true && each === segment) aborted.push(abortedTransaction(completed, producers))
      return true
    })
  }
  const earlier = from < segment.baseOffset ? before.slice(Math.max(0, first)) : []
  for (const [index, offset] of earlier.entries()) {
    const each = Segment.open(segmentOptions(options, offset))
    read(each, earlier[index + 1] ?? segment.baseOffset)
    each.closeHandle()
  }
  read(segment, Math.min(...offsets.filter(offset => offset > segment.baseOffset)))
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

function openSegments(options: LoadOptions, names: readonly string[]): Segment[] {
  const offsets = names.map(name => offsetOfFileName(name, logSuffix)).filter(offset => offset !== undefined)
  return offsets.map(offset => Segment.open(segmentOptions(options, offset)))
}
