/**
 * Cleans one log once: reads its dirty part into a table of keys, then writes the segments up to there anew, with the newest record of each
 * key. A generator, so that it takes turns with everything else the broker does: it yields after each piece of work, and whoever runs it
 * decides when it goes on, or that it does not. It decides nothing about what is read by whom: a reader sees the old segments until the new
 * one has their place.
 *
 * What does not fit into the table is left for the next cleaning: `endOffset` tells how far this one came.
 * Sources: Kafka documentation, "Log compaction"; KIP-98, KIP-534; Kafka's LogCleaner, observed.
 */
import type { Disk, Logger } from '../../environment/environment.ts'
import { batchBytes, batchHeaderBytes, BatchView, isWholeBatch } from '../../protocol/records/batch.ts'
import { checkBatchBytes } from '../../protocol/records/batch-validate.ts'
import { MalformedBatchError } from '../../protocol/records/batch-read.ts'
import { cleanedSuffix } from '../log-files.ts'
import type { LogConfig } from '../log.ts'
import { Segment } from '../segment.ts'
import { BatchCleaning, payloadOf } from './clean-batch.ts'
import type { CleanableLog, ProducerEnd } from './cleanable-log.ts'
import { CleanedTransactions } from './cleaned-transactions.ts'
import { closedSegments, groupSegments } from './segment-groups.ts'
import type { ClosedSegment } from './segment-groups.ts'
import type { Cleanable } from './cleaner-choice.ts'
import type { OffsetMap } from './offset-map.ts'
import { RecordCursor } from './record-cursor.ts'
import type { SegmentReplacement } from './segment-replacement.ts'
import { cleanedFiles, removeFiles, writeCleanedTransactions } from './segment-swap.ts'

/** A record costs as much as so many bytes. */
const recordCost = 256
/** So does opening the log of a segment, and so do its indexes. */
const openCost = 4 * 1024
const indexesCost = 16 * 1024
const recordsAtOnce = 32
/** What is written is gathered up to this size. */
const writeBytes = 64 * 1024

/** Positions in a segment have 31 bits. */
const maxSegmentBytes = 0x7fffffff

/** A log that cannot be cleaned as it is. */
export class UncleanableError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'UncleanableError'
  }
}

/** What happened; the runner goes on when it has seen to it. */
export type CleaningStep =
  /** So many bytes were read or written. */
  | { readonly kind: 'worked'; readonly bytes: number }
  /** The log must be durable. */
  | { readonly kind: 'flush-log' }
  | { readonly kind: 'flush-segment'; readonly segment: Segment }
  | { readonly kind: 'flush-directory'; readonly directory: string }

export interface CleaningTools {
  readonly disk: Disk
  readonly log: Logger
  readonly map: OffsetMap
  readonly nowWallMs: number
  readonly config: LogConfig
  /** Bytes to be read at once; batches that are larger are read whole. */
  readonly readBytes: number
  /** Cost after which a turn ends, as it is now. */
  sliceCost(): number
}

export interface CleaningStats {
  /** Everything below it is clean now. */
  endOffset: number
  mapBytesRead: number
  mapRecords: number
  bytesRead: number
  recordsRead: number
  bytesWritten: number
  recordsWritten: number
  /** Records without a key. */
  invalidRecords: number
  segmentsBefore: number
  segmentsAfter: number
}

type Steps<T> = Generator<CleaningStep, T, void>

export class LogCleaning {
  readonly stats: CleaningStats
  private readonly log: CleanableLog
  private readonly range: Cleanable
  private readonly tools: CleaningTools
  private spent = 0
  private bytes = 0

  constructor(log: CleanableLog, range: Cleanable, tools: CleaningTools) {
    this.log = log
    this.range = range
    this.tools = tools
    const none = { mapBytesRead: 0, mapRecords: 0, bytesRead: 0, recordsRead: 0, bytesWritten: 0, recordsWritten: 0 }
    this.stats = { endOffset: range.firstDirtyOffset, ...none, invalidRecords: 0, segmentsBefore: 0, segmentsAfter: 0 }
  }

  /** Throws DiskError, MalformedBatchError for a log that is damaged, UncleanableError. */
  *run(): Steps<void> {
    const { log, range, tools } = this
    log.settleReplacement()
    yield* this.readKeys()
    const endOffset = tools.map.latestOffset + 1
    const segments = closedSegments(log.currentSegments).filter(({ segment }) => segment.baseOffset < endOffset)
    if (segments.length > 0) {
      // What makes records superfluous must be as durable as their absence: newer records, and markers, which may lie above what is cleaned.
      if (log.recoveryPoint < log.logEndOffset) yield { kind: 'flush-log' }
      const { segmentBytes, segmentIndexBytes } = tools.config
      const transactions = new CleanedTransactions(
        log.abortedTransactions(segments[0]!.segment.baseOffset, range.firstUncleanableOffset),
      )
      for (const group of groupSegments(segments, { segmentBytes, segmentIndexBytes })) {
        if (group !== undefined) yield* this.cleanGroup(group, transactions)
        else {
          this.spent += indexesCost
          if (this.isTired) yield this.rest()
        }
      }
    }
    this.stats.endOffset = endOffset
  }

  // -------------------------------------------------------------------------------------------------- the table of keys

  private *readKeys(): Steps<void> {
    const { log, range, tools } = this
    const { firstDirtyOffset: start, firstUncleanableOffset: end } = range
    const { map } = tools
    map.latestOffset = start - 1
    const transactions = new CleanedTransactions(log.abortedTransactions(start, end))
    for (const closed of closedSegments(log.currentSegments)) {
      const { segment, nextBase } = closed
      if (segment.baseOffset >= end || nextBase <= start) continue
      for (const batch of this.batches(closed, segment.baseOffset < start ? segment.positionOf(start) : 0)) {
        this.stats.mapBytesRead += batch.sizeBytes
        const { lastOffset } = batch
        if (batch.isControl) transactions.control(batch)
        else if (!transactions.data(batch) && lastOffset >= start && !(yield* this.readKeysOf(batch, start))) return
        if (lastOffset >= start) map.latestOffset = lastOffset
        if (this.isTired) yield this.rest()
      }
      // Whatever offsets are missing before the next segment, there is nothing to be looked at.
      map.latestOffset = Math.max(map.latestOffset, Math.min(nextBase, end) - 1)
    }
  }

  /** False when the table is full. */
  private *readKeysOf(batch: BatchView, start: number): Steps<boolean> {
    const { map } = this.tools
    const { baseOffset } = batch
    const cursor = RecordCursor.over(batch, payloadOf(batch))
    while (cursor.next()) {
      const offset = baseOffset + cursor.offsetDelta
      this.stats.mapRecords++
      this.spent += recordCost
      if (cursor.hasKey && offset >= start) {
        if (!map.put(cursor.bytes, cursor.keyStart, cursor.keyEnd, offset)) {
          // Of a batch that does not fit as a whole at least a part has been looked at.
          return false
        }
        map.latestOffset = offset
      }
      if (this.isTired && this.stats.mapRecords % recordsAtOnce === 0) yield this.rest()
    }
    return true
  }

  // --------------------------------------------------------------------------------------------------------- segments

  private *cleanGroup(group: readonly ClosedSegment[], transactions: CleanedTransactions): Steps<void> {
    const { log, tools, stats } = this
    const context = { ...log.segmentContext, fileEnding: cleanedSuffix }
    const old = group.map(({ segment }) => segment)
    const { baseOffset } = old[0]!
    const cleaned = Segment.create({ context, baseOffset, createdWallMs: tools.nowWallMs, rollJitterMs: 0 })
    let replacement: SegmentReplacement | undefined
    try {
      yield* this.copyInto(cleaned, group, transactions)
      cleaned.becomeInactive()
      writeCleanedTransactions(tools.disk, cleaned, transactions.takeRetained())
      yield { kind: 'flush-segment', segment: cleaned }
      replacement = log.replaceSegments(cleaned, old)
      while (replacement.step()) yield { kind: 'flush-directory', directory: log.directory }
      stats.segmentsBefore += group.length
      stats.segmentsAfter += 1
    } finally {
      cleaned.retire()
      if (!log.isOver) {
        if (replacement?.isCommitted === true) replacement.settle()
        else removeFiles(tools.disk, replacement === undefined ? cleaned.files() : cleanedFiles(cleaned))
      }
    }
  }

  private *copyInto(cleaned: Segment, group: readonly ClosedSegment[], transactions: CleanedTransactions): Steps<void> {
    const { config } = this.tools
    const producers = this.log.producerEnds()
    const lastWithData = group.findLast(({ segment }) => segment.sizeBytes > 0)?.segment
    const output: Buffer[] = []
    let outputBytes = 0
    const write = (): void => {
      if (outputBytes === 0) return
      if (cleaned.sizeBytes + outputBytes > maxSegmentBytes)
        throw new UncleanableError(`What ${cleaned.path} replaces has become larger than a segment may be.`)
      cleaned.append(Buffer.concat(output), config.indexIntervalBytes)
      this.count(outputBytes)
      this.stats.bytesWritten += outputBytes
      output.length = 0
      outputBytes = 0
    }
    for (const closed of group) {
      const { segment } = closed
      let position = 0
      for (const batch of this.batches(closed, 0)) {
        position += batch.sizeBytes
        const isLast = segment === lastWithData && position >= segment.sizeBytes
        const isDiscardable = batch.isControl ? transactions.control(batch) : transactions.data(batch)
        const mustStay = isLast || isLastOfProducer(batch, producers)
        const bytes = yield* this.cleanBatch(batch, { isDiscardable, mustStay })
        this.stats.bytesRead += batch.sizeBytes
        if (bytes !== undefined) {
          // The memory of what was read is used again.
          output.push(bytes.buffer === batch.buffer.buffer ? Buffer.from(bytes) : bytes)
          outputBytes += bytes.length
        }
        if (outputBytes >= writeBytes || this.isTired) write()
        if (this.isTired) yield this.rest()
      }
    }
    write()
  }

  private *cleanBatch(
    batch: BatchView,
    facts: { readonly isDiscardable: boolean; readonly mustStay: boolean },
  ): Steps<Buffer | undefined> {
    const { map, nowWallMs, config } = this.tools
    const { latestOffset } = map
    const isCovered = batch.lastOffset <= latestOffset
    // Nothing of it was looked at, and nothing of it can go.
    if (batch.baseOffset > latestOffset && !facts.isDiscardable) {
      this.stats.recordsRead += batch.recordsCount
      this.stats.recordsWritten += batch.recordsCount
      return batch.recordsCount === 0 && !facts.mustStay ? undefined : batch.bytes
    }
    const time = { nowMs: nowWallMs, deleteRetentionMs: config.deleteRetentionMs }
    const cleaning = new BatchCleaning(batch, { ...facts, isCovered }, time, (offset, bytes, keyStart, keyEnd) =>
      offset > latestOffset ? undefined : map.get(bytes, keyStart, keyEnd),
    )
    while (!cleaning.step(recordsAtOnce)) {
      this.spent += recordsAtOnce * recordCost
      if (this.isTired) yield this.rest()
    }
    this.spent += (batch.recordsCount % recordsAtOnce) * recordCost
    const result = cleaning.result()
    this.warnIfLarger(batch, result)
    this.stats.recordsRead += batch.recordsCount
    this.stats.recordsWritten += cleaning.retained
    this.stats.invalidRecords += cleaning.withoutKey
    return result
  }

  private warnIfLarger(batch: BatchView, result: Buffer | undefined): void {
    const { log, config } = this.tools
    if (result === undefined || result.length <= batch.sizeBytes || result.length <= config.maxMessageBytes) return
    const fields = { ...this.log.topicPartition, lastOffset: batch.lastOffset, bytes: result.length }
    log.warn('A batch has become larger than max.message.bytes by a cleaning.', fields)
  }

  // ------------------------------------------------------------------------------------------------------------- work

  /**
   * Whole and undamaged batches from `from` on, each in its place: what is rewritten gets a CRC of its own, and damage would no longer be
   * seen. Each is only good until the next is asked for. Throws MalformedBatchError.
   */
  private *batches({ segment, nextBase }: ClosedSegment, from: number): Generator<BatchView, void, void> {
    this.spent += openCost
    /** The least offset that the next batch may have. */
    let expected = segment.baseOffset
    let memory = Buffer.allocUnsafe(Math.max(batchHeaderBytes, this.tools.readBytes))
    for (let position = from; position < segment.sizeBytes;) {
      let chunk = memory.subarray(0, segment.read(memory, position))
      if (chunk.length >= batchHeaderBytes && !isWholeBatch(chunk, 0, chunk.length)) {
        const size = batchBytes(chunk, 0)
        if (size > chunk.length && size <= segment.sizeBytes - position) {
          memory = Buffer.allocUnsafe(size)
          chunk = memory.subarray(0, segment.read(memory, position))
        }
      }
      if (!isWholeBatch(chunk, 0, chunk.length))
        throw new MalformedBatchError(`No whole batch at position ${position} of ${segment.path}.`)
      let at = 0
      while (isWholeBatch(chunk, at, chunk.length)) {
        const batch = new BatchView(chunk, at)
        const problem = checkBatchBytes(chunk, at)?.message ?? misplacement(batch, expected, nextBase)
        if (problem !== undefined)
          throw new MalformedBatchError(`At position ${position + at} of ${segment.path}: ${problem}`)
        expected = batch.nextOffset
        at += batch.sizeBytes
        this.count(batch.sizeBytes)
        yield batch
      }
      position += at
    }
  }

  private get isTired(): boolean {
    return this.spent >= this.tools.sliceCost()
  }

  private count(bytes: number): void {
    this.spent += bytes
    this.bytes += bytes
  }

  private rest(): CleaningStep {
    const { bytes } = this
    this.spent = 0
    this.bytes = 0
    return { kind: 'worked', bytes }
  }
}

/** The CRC does not cover the base offset, by which a cleaning decides what goes: it must fit the batches around it. */
function misplacement({ baseOffset, lastOffset }: BatchView, least: number, nextBase: number): string | undefined {
  if (baseOffset >= least && lastOffset >= baseOffset && lastOffset < nextBase) return undefined
  return `a batch with offsets ${baseOffset} to ${lastOffset}, where offsets from ${least} to ${nextBase - 1} may be.`
}

/** The batch that tells a producer's last sequence, or the marker that tells its epoch. */
function isLastOfProducer(batch: BatchView, producers: ReadonlyMap<bigint, ProducerEnd>): boolean {
  if (!batch.hasProducerId) return false
  const end = producers.get(batch.producerId)
  if (end === undefined) return false
  if (end.lastDataOffset >= 0) return batch.lastOffset === end.lastDataOffset
  return batch.isControl && batch.producerEpoch === end.epoch
}
