/**
 * Finds records by timestamp: the segment by its largest timestamp, the place in it by the time index, the record by
 * decoding one batch.
 *
 * A batch that cannot be decompressed is answered with its first offset and largest timestamp: a reader that starts there
 * misses nothing. The same for a damaged region right before the answer; Kafka's look-up fails there (CORRUPT_MESSAGE). Sources: KIP-33, KIP-734.
 */
import { baseOffsetOf, batchBytes, BatchView, lastOffsetOf, maxTimestampOf } from '../protocol/records/batch.ts'
import { MalformedBatchError, readRecords } from '../protocol/records/batch-read.ts'
import type { DamagedRegion } from './damaged-region.ts'
import type { OffsetAndTimestamp } from './log.ts'
import type { Segment } from './segment.ts'

/** First record at or above `fromOffset` with a timestamp at or above `timestamp`. */
export function findByTimestamp(
  segments: readonly Segment[],
  timestamp: number,
  fromOffset: number,
): OffsetAndTimestamp | undefined {
  for (const [index, segment] of segments.entries()) {
    if ((segment.largestTimestamp()?.timestamp ?? -1) < timestamp) continue
    const found = findInSegment(segments, index, timestamp, fromOffset)
    if (found !== undefined) return found
  }
  return undefined
}

/** The first record with the largest timestamp of all. What is damaged does not count. */
export function findMaxTimestamp(segments: readonly Segment[], fromOffset: number): OffsetAndTimestamp | undefined {
  let best = -1
  let largest = -1
  for (const [index, segment] of segments.entries()) {
    const timestamp = segment.largestTimestamp()?.timestamp ?? -1
    if (timestamp > largest) [best, largest] = [index, timestamp]
  }
  if (best < 0) return undefined
  return findInSegment(segments, best, largest, fromOffset) ?? findNewestLeft(segments, fromOffset)
}

/** The same where compaction has taken the records of the batch with the largest timestamp. Reads all headers. */
function findNewestLeft(segments: readonly Segment[], fromOffset: number): OffsetAndTimestamp | undefined {
  let newest: { readonly index: number; readonly timestamp: number } | undefined
  for (const [index, segment] of segments.entries()) {
    const endOffset = endOf(segments, index)
    segment.scanThrough(0, (bytes, at) => {
      const { recordsCount, maxTimestamp, baseOffset, lastOffset } = new BatchView(bytes, at)
      if (recordsCount > 0 && lastOffset >= fromOffset && baseOffset < endOffset)
        if (maxTimestamp > (newest?.timestamp ?? -1)) newest = { index, timestamp: maxTimestamp }
      return true
    })
  }
  return newest && findInSegment(segments, newest.index, newest.timestamp, fromOffset)
}

/** What damage has left in a segment from there on is not the log's. */
function endOf(segments: readonly Segment[], index: number): number {
  return segments[index + 1]?.baseOffset ?? Infinity
}

function findInSegment(
  segments: readonly Segment[],
  index: number,
  timestamp: number,
  fromOffset: number,
): OffsetAndTimestamp | undefined {
  const segment = segments[index]!
  const endOffset = endOf(segments, index)
  const indexed = segment.timeEntry(timestamp)
  // Only whole batches at or above the indexed one matter; `positionOf` also proves that the index points to a batch.
  let position = segment.positionOf(Math.max(indexed?.offset ?? segment.baseOffset, fromOffset))
  for (;;) {
    let isFound = false
    position = segment.scanThrough(position, (bytes, at) => {
      const isBefore = maxTimestampOf(bytes, at) < timestamp || lastOffsetOf(bytes, at) < fromOffset
      isFound = !isBefore && baseOffsetOf(bytes, at) < endOffset
      return !isFound
    })
    if (!isFound) return undefined
    const batch = readBatch(segment, position)
    if (batch === undefined) return undefined
    const found = findInBatch(batch, timestamp, fromOffset)
    if (found !== undefined) return inDamageBefore(segments, index, position, { timestamp, fromOffset }) ?? found
    position += batch.sizeBytes
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
  { timestamp, fromOffset }: { readonly timestamp: number; readonly fromOffset: number },
): OffsetAndTimestamp | undefined {
  const segment = segments[index]!
  const previous = position === 0 ? segments[index - 1] : undefined
  const damage = segment.damaged.find(({ to }) => to === position) ?? (previous && damageAtEnd(previous, segment))
  if (damage === undefined || damage.nextOffset <= fromOffset) return undefined
  return { offset: Math.max(damage.offset, fromOffset), timestamp, leaderEpoch: -1 }
}

function damageAtEnd(
  previous: Segment,
  { baseOffset }: Segment,
): Pick<DamagedRegion, 'offset' | 'nextOffset'> | undefined {
  const known = previous.damaged.find(({ to }) => to === previous.sizeBytes)
  if (known !== undefined) return known
  // Without a batch behind it, it is nowhere noted.
  const { position, end } = previous.cutPoint(baseOffset)
  return position < previous.sizeBytes && end < baseOffset ? { offset: end, nextOffset: baseOffset } : undefined
}

function readBatch(segment: Segment, position: number): BatchView | undefined {
  const header = Buffer.allocUnsafe(12)
  if (segment.read(header, position) < header.length) return undefined
  const bytes = Buffer.allocUnsafe(batchBytes(header, 0))
  return segment.read(bytes, position) === bytes.length ? new BatchView(bytes) : undefined
}

function findInBatch(batch: BatchView, timestamp: number, fromOffset: number): OffsetAndTimestamp | undefined {
  const leaderEpoch = batch.partitionLeaderEpoch
  try {
    const record = readRecords(batch).find(record => record.timestamp >= timestamp && record.offset >= fromOffset)
    return record && { offset: record.offset, timestamp: record.timestamp, leaderEpoch }
  } catch (error) {
    if (!(error instanceof MalformedBatchError)) throw error
    return { offset: Math.max(batch.baseOffset, fromOffset), timestamp: batch.maxTimestamp, leaderEpoch }
  }
}
