/**
 * Finds records by timestamp: the segment by its largest timestamp, the place in it by the time index, the record by
 * decoding one batch.
 *
 * A batch that cannot be decompressed is answered with its first offset and largest timestamp: a reader that starts there
 * misses nothing. Sources: KIP-33, KIP-734.
 */
import { batchBytes, BatchView, lastOffsetOf, maxTimestampOf } from '../protocol/records/batch.ts'
import { MalformedBatchError, readRecords } from '../protocol/records/batch-read.ts'
import type { OffsetAndTimestamp } from './log.ts'
import type { Segment } from './segment.ts'

/** First record at or above `fromOffset` with a timestamp at or above `timestamp`. */
export function findByTimestamp(
  segments: readonly Segment[],
  timestamp: number,
  fromOffset: number,
): OffsetAndTimestamp | undefined {
  for (const segment of segments) {
    if ((segment.largestTimestamp()?.timestamp ?? -1) < timestamp) continue
    const found = findInSegment(segment, timestamp, fromOffset)
    if (found !== undefined) return found
  }
  return undefined
}

/** The first record with the largest timestamp of all. */
export function findMaxTimestamp(segments: readonly Segment[], fromOffset: number): OffsetAndTimestamp | undefined {
  let best: Segment | undefined
  for (const segment of segments) {
    const timestamp = segment.largestTimestamp()?.timestamp
    if (timestamp !== undefined && timestamp > (best?.largestTimestamp()?.timestamp ?? -1)) best = segment
  }
  const found = best && findInSegment(best, best.largestTimestamp()!.timestamp, fromOffset)
  return best === undefined ? undefined : (found ?? findNewestLeft(segments, fromOffset))
}

/** The same where compaction has taken the records of the batch with the largest timestamp. Reads all headers. */
function findNewestLeft(segments: readonly Segment[], fromOffset: number): OffsetAndTimestamp | undefined {
  let newest: { readonly segment: Segment; readonly timestamp: number } | undefined
  for (const segment of segments) {
    segment.scan(0, (bytes, at) => {
      const { recordsCount, maxTimestamp, lastOffset } = new BatchView(bytes, at)
      if (recordsCount > 0 && lastOffset >= fromOffset && maxTimestamp > (newest?.timestamp ?? -1))
        newest = { segment, timestamp: maxTimestamp }
      return true
    })
  }
  return newest && findInSegment(newest.segment, newest.timestamp, fromOffset)
}

function findInSegment(segment: Segment, timestamp: number, fromOffset: number): OffsetAndTimestamp | undefined {
  const indexed = segment.timeEntry(timestamp)
  // Only whole batches at or above the indexed one matter; `positionOf` also proves that the index points to a batch.
  let position = segment.positionOf(Math.max(indexed?.offset ?? segment.baseOffset, fromOffset))
  for (;;) {
    let size = 0
    position = segment.scan(position, (bytes, at, _position, sizeBytes) => {
      size = sizeBytes
      return maxTimestampOf(bytes, at) < timestamp || lastOffsetOf(bytes, at) < fromOffset
    })
    if (size === 0 || position >= segment.sizeBytes) return undefined
    const batch = readBatch(segment, position)
    if (batch === undefined) return undefined
    const found = findInBatch(batch, timestamp, fromOffset)
    if (found !== undefined) return found
    position += batch.sizeBytes
  }
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
