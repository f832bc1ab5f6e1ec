/**
 * Finds records by timestamp: the segment by its largest timestamp, the place in it by the time index, the record by
 * decoding one batch.
 *
 * A batch that cannot be decompressed is answered with its first offset and largest timestamp: a reader that starts there
 * misses nothing. The same where the answer is in damage, or right behind it; Kafka's look-up fails there (CORRUPT_MESSAGE), or believes what the
 * damaged bytes say. Sources: KIP-33, KIP-734.
 */
import {
  baseOffsetOf,
  batchBytes,
  batchHeaderBytes,
  BatchView,
  lastOffsetOf,
  maxTimestampOf,
} from '../protocol/records/batch.ts'
import { MalformedBatchError, readRecords } from '../protocol/records/batch-read.ts'
import { batchBefore } from './damage-search.ts'
import { damageUpTo, type DamagedRegion } from './damaged-region.ts'
import type { OffsetAndTimestamp } from './log.ts'
import { checkRead } from './read-check.ts'
import { CorruptRecordsError } from './replicated-batches.ts'
import type { Segment } from './segment.ts'

/**
 * So many batches are read at most to find the newest record. That there are more of them, and all damaged, must not hold the node up: a client
 * gets CORRUPT_MESSAGE then.
 */
const maxTries = 256

/** The log that is looked through. */
export interface TimedLog {
  readonly currentSegments: readonly Segment[]
  readonly logStartOffset: number
  epochAt(offset: number): number | undefined
}

/** First record of the log with a timestamp at or above `timestamp`. */
export function findByTimestamp(log: TimedLog, timestamp: number): OffsetAndTimestamp | undefined {
  const { currentSegments: segments, logStartOffset: fromOffset } = log
  for (const [index, segment] of segments.entries()) {
    if ((segment.largestTimestamp()?.timestamp ?? -1) < timestamp) continue
    const found = findInSegment(segments, index, { timestamp, fromOffset, damage: 'may be it' })
    if (found !== undefined) return withEpoch(log, found)
  }
  return undefined
}

/** The first record with the largest timestamp of all. What is damaged does not count. */
export function findMaxTimestamp(log: TimedLog): OffsetAndTimestamp | undefined {
  const { currentSegments: segments, logStartOffset: fromOffset } = log
  let best = -1
  let largest = -1
  for (const [index, segment] of segments.entries()) {
    const timestamp = segment.largestTimestamp()?.timestamp ?? -1
    if (timestamp > largest) [best, largest] = [index, timestamp]
  }
  if (best < 0) return undefined
  const sought = { timestamp: largest, fromOffset, damage: 'does not count' } as const
  const found = findInSegment(segments, best, sought) ?? findNewestLeft(segments, fromOffset)
  return found && withEpoch(log, found)
}

/** The checksum of a batch does not cover its leader epoch: what the log knows of its epochs is to be trusted more. */
function withEpoch(log: TimedLog, { offset, timestamp }: Found): OffsetAndTimestamp {
  return { offset, timestamp, leaderEpoch: log.epochAt(offset) ?? -1 }
}

/**
 * The same where the records of the batch with the largest timestamp are damaged, or compaction has taken them. Reads all headers once, then of
 * the newest batches so many as may be. Throws CorruptRecordsError when all of these are damaged, but there are others.
 */
function findNewestLeft(segments: readonly Segment[], fromOffset: number): Found | undefined {
  const { batches, areAll } = newestBatches(segments, fromOffset)
  let best: Found | undefined
  for (const { index, position, timestamp } of batches) {
    // What is behind it is not newer.
    if (best !== undefined && best.timestamp >= timestamp) return best
    const batch = soundBatch(segments, index, position)
    const found = batch instanceof BatchView ? newestIn(batch, fromOffset) : undefined
    if (found !== undefined && found.timestamp > (best?.timestamp ?? -1)) best = found
  }
  const oldest = batches.at(-1)
  if (areAll || oldest === undefined || (best !== undefined && best.timestamp >= oldest.timestamp)) return best
  throw new CorruptRecordsError(`the ${batches.length} batches with the largest timestamps are damaged`)
}

interface BatchPlace {
  /** Of its segment. */
  readonly index: number
  readonly position: number
  /** The largest of its records, as its header has it. */
  readonly timestamp: number
}

/** The batches with the largest timestamps, the newest first, equal ones in their order in the log. */
function newestBatches(
  segments: readonly Segment[],
  fromOffset: number,
): { readonly batches: readonly BatchPlace[]; readonly areAll: boolean } {
  const batches: BatchPlace[] = []
  let areAll = true
  let floor = -1
  const keepNewest = (): void => {
    batches.sort((left, right) => right.timestamp - left.timestamp)
    if (batches.length <= maxTries) return
    batches.length = maxTries
    floor = batches.at(-1)!.timestamp
    areAll = false
  }
  for (const [index, segment] of segments.entries()) {
    const endOffset = endOf(segments, index)
    segment.scanThrough(0, (bytes, at, position) => {
      const { recordsCount, maxTimestamp: timestamp, baseOffset, lastOffset } = new BatchView(bytes, at)
      if (recordsCount > 0 && timestamp > floor && lastOffset >= fromOffset && baseOffset < endOffset)
        batches.push({ index, position, timestamp })
      if (batches.length >= 2 * maxTries) keepNewest()
      return true
    })
  }
  keepNewest()
  return { batches, areAll }
}

/** What damage has left in a segment from there on is not the log's. */
function endOf(segments: readonly Segment[], index: number): number {
  return segments[index + 1]?.baseOffset ?? Infinity
}

type Found = Pick<OffsetAndTimestamp, 'offset' | 'timestamp'>

interface Sought {
  readonly timestamp: number
  readonly fromOffset: number
  /** What is to be said of damage that may hold the record. */
  readonly damage: 'may be it' | 'does not count'
}

function findInSegment(segments: readonly Segment[], index: number, sought: Sought): Found | undefined {
  const { timestamp, fromOffset, damage } = sought
  const segment = segments[index]!
  const endOffset = endOf(segments, index)
  const indexed = segment.timeEntry(timestamp)
  // Only whole batches at or above the indexed one matter; `positionOf` also proves that the index points to a batch.
  let position = segment.positionOf(Math.max(indexed?.offset ?? segment.baseOffset, fromOffset))
  for (let tries = 1; ; tries++) {
    let foundBytes = 0
    position = segment.scanThrough(position, (bytes, at, _, size) => {
      const isBefore = maxTimestampOf(bytes, at) < timestamp || lastOffsetOf(bytes, at) < fromOffset
      if (isBefore || baseOffsetOf(bytes, at) >= endOffset) return true
      foundBytes = size
      return false
    })
    if (foundBytes === 0) return undefined
    const batch = soundBatch(segments, index, position)
    if (batch instanceof BatchView) {
      const found = findInBatch(batch, timestamp, fromOffset)
      if (found !== undefined)
        return (damage === 'may be it' ? inDamageBefore(segments, index, position, sought) : undefined) ?? found
    } else if (damage === 'may be it') return { offset: Math.max(batch.damagedFrom, fromOffset), timestamp }
    if (damage === 'does not count' && tries === maxTries) return undefined
    position += foundBytes
  }
}

/**
 * Damage that ends where the first record was found may have held the first one: nobody can tell. A reader that starts there is told so,
 * one that starts behind it would miss those records and never know.
 */
function inDamageBefore(
  segments: readonly Segment[],
  index: number,
  position: number,
  { timestamp, fromOffset }: Sought,
): Found | undefined {
  const segment = segments[index]!
  const previous = position === 0 ? segments[index - 1] : undefined
  const damage = damageUpTo(segment.damaged, position) ?? (previous && damageAtEnd(previous, segment))
  if (damage === undefined || damage.nextOffset <= fromOffset) return undefined
  return { offset: Math.max(damage.offset, fromOffset), timestamp }
}

function damageAtEnd(
  previous: Segment,
  { baseOffset }: Segment,
): Pick<DamagedRegion, 'offset' | 'nextOffset'> | undefined {
  const known = damageUpTo(previous.damaged, previous.sizeBytes)
  if (known !== undefined) return known
  // Without a batch behind it, it is nowhere noted.
  const { position, end } = previous.cutPoint(baseOffset)
  return position < previous.sizeBytes && end < baseOffset ? { offset: end, nextOffset: baseOffset } : undefined
}

/** The batch there, or the offset at which it should begin when it is damaged in two reads: bytes also change on their way from the disk. */
function soundBatch(
  segments: readonly Segment[],
  index: number,
  position: number,
): BatchView | { readonly damagedFrom: number } {
  const segment = segments[index]!
  const before = batchBefore(segment, position)
  const nextBaseOffset = segments[index + 1]?.baseOffset
  for (let attempt = 1; ; attempt++) {
    const bytes = readBatch(segment, position)
    // Behind damage the headers do not tell where it should begin.
    const offset = before?.nextOffset ?? (bytes === undefined ? segment.baseOffset : baseOffsetOf(bytes, 0))
    const place = { segment, position, offset, nextBaseOffset, isSeek: before === undefined }
    if (bytes !== undefined && checkRead(bytes, place).damage === undefined) return new BatchView(bytes)
    if (attempt === 2) return { damagedFrom: Math.max(offset, segment.baseOffset) }
  }
}

function readBatch(segment: Segment, position: number): Buffer | undefined {
  const header = Buffer.allocUnsafe(batchHeaderBytes)
  if (segment.read(header, position) < header.length) return undefined
  const size = batchBytes(header, 0)
  if (size < batchHeaderBytes || size > segment.sizeBytes - position) return undefined
  const bytes = Buffer.allocUnsafe(size)
  return segment.read(bytes, position) === bytes.length ? bytes : undefined
}

function findInBatch(batch: BatchView, timestamp: number, fromOffset: number): Found | undefined {
  return inRecords(batch, fromOffset, records =>
    records.find(record => record.timestamp >= timestamp && record.offset >= fromOffset),
  )
}

function newestIn(batch: BatchView, fromOffset: number): Found | undefined {
  return inRecords(batch, fromOffset, records => {
    let newest: Found | undefined
    for (const record of records)
      if (record.offset >= fromOffset && record.timestamp > (newest?.timestamp ?? -1)) newest = record
    return newest
  })
}

/** A batch that cannot be decompressed answers for its records. */
function inRecords(
  batch: BatchView,
  fromOffset: number,
  find: (records: ReturnType<typeof readRecords>) => Found | undefined,
): Found | undefined {
  try {
    const found = find(readRecords(batch))
    return found && { offset: found.offset, timestamp: found.timestamp }
  } catch (error) {
    if (!(error instanceof MalformedBatchError)) throw error
    return { offset: Math.max(batch.baseOffset, fromOffset), timestamp: batch.maxTimestamp }
  }
}
