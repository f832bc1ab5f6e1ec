/**
 * Reads whole batches from a segment, with one pread in the common case. It returns bytes as they are in the file and
 * never looks inside them.
 */
import { batchBytes, batchHeaderBytes, isWholeBatch, lastOffsetOf, maxTimestampOf } from '../protocol/records/batch.ts'
import type { ReadOptions } from './log.ts'
import type { Segment } from './segment.ts'

/** Larger reads get memory of their own, and give back what they did not use when it is more than half. */
const ownMemoryAboveBytes = 64 * 1024

export const emptyBuffer = Buffer.alloc(0)

/**
 * Whole batches from `position` on that end below `limit`, at most `maxBytes` unless the first must be returned anyway.
 */
export function readWholeBatches(segment: Segment, position: number, limit: number, options: ReadOptions): Buffer {
  const available = segment.sizeBytes - position
  const wanted = Math.min(available, Math.max(options.maxBytes, options.atLeastOneBatch ? batchHeaderBytes : 0))
  if (wanted < batchHeaderBytes) return emptyBuffer
  const { memory } = options
  let bytes = memory?.take(wanted) ?? allocate(wanted)
  bytes = bytes.subarray(0, segment.read(bytes, position))
  if (bytes.length < batchHeaderBytes) return emptyBuffer
  const firstBytes = batchBytes(bytes, 0)
  if (firstBytes > bytes.length && options.atLeastOneBatch) {
    const larger = Math.min(firstBytes, available)
    bytes = memory?.take(larger) ?? allocate(larger)
    bytes = bytes.subarray(0, segment.read(bytes, position))
  }
  let end = 0
  while (isWholeBatch(bytes, end, bytes.length) && lastOffsetOf(bytes, end) < limit) end += batchBytes(bytes, end)
  const used = bytes.subarray(0, end)
  return memory === undefined && bytes.length > ownMemoryAboveBytes && end < bytes.length / 2 ? Buffer.from(used) : used
}

function allocate(bytes: number): Buffer {
  return bytes > ownMemoryAboveBytes ? Buffer.allocUnsafeSlow(bytes) : Buffer.allocUnsafe(bytes)
}

/** Offset that follows the last of these whole batches. */
export function lastBatchEnd(bytes: Buffer): number {
  let next = 0
  for (let at = 0; at < bytes.length; at += batchBytes(bytes, at)) next = lastOffsetOf(bytes, at) + 1
  return next
}

/** The largest timestamp that the headers of these whole batches give. */
export function newestTimestamp(records: Buffer): number {
  let newest = -1
  for (let at = 0; at < records.length; at += batchBytes(records, at))
    newest = Math.max(newest, maxTimestampOf(records, at))
  return newest
}
