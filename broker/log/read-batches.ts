/**
 * Reads whole batches from a segment, with one pread in the common case. It returns bytes as they are in the file and
 * never looks inside them.
 */
import { batchBytes, batchHeaderBytes, isWholeBatch, lastOffsetOf, maxTimestampOf } from '../protocol/records/batch.ts'
import type { ReadMemory, ReadOptions } from './log.ts'
import type { Segment } from './segment.ts'

/** Reads from this size on get memory that nothing else shares, and do not keep it when less than half of it is used. */
const ownMemoryFromBytes = 16 * 1024

export const emptyBuffer = Buffer.alloc(0)

/** The heap, for reads whose records nobody gives back. */
const heap: ReadMemory = {
  take: bytes => (bytes < ownMemoryFromBytes ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes)),
  release: () => undefined,
  giveBack: () => undefined,
}

/**
 * Whole batches from `position` on that end below `limit`, at most `maxBytes` unless the first must be returned anyway. Of the memory it takes
 * it keeps no more than about twice what it returns: a fetch reads many partitions that its response has no room for.
 */
export function readWholeBatches(segment: Segment, position: number, limit: number, options: ReadOptions): Buffer {
  const available = segment.sizeBytes - position
  const wanted = Math.min(available, Math.max(options.maxBytes, options.atLeastOneBatch ? batchHeaderBytes : 0))
  if (wanted < batchHeaderBytes) return emptyBuffer
  const memory = options.memory ?? heap
  let taken = memory.take(wanted)
  let bytes = taken.subarray(0, segment.read(taken, position))
  const firstBytes = bytes.length < batchHeaderBytes ? 0 : batchBytes(bytes, 0)
  if (firstBytes > bytes.length && options.atLeastOneBatch) {
    memory.release(taken)
    taken = memory.take(Math.min(firstBytes, available))
    bytes = taken.subarray(0, segment.read(taken, position))
  }
  let end = 0
  while (isWholeBatch(bytes, end, bytes.length) && lastOffsetOf(bytes, end) < limit) end += batchBytes(bytes, end)
  return kept(taken, end, memory)
}

/** The first `end` bytes of what was taken; in memory of their own when they leave more than half of it unused. */
function kept(taken: Buffer, end: number, memory: ReadMemory): Buffer {
  // Memory that nothing else shares may be larger than was asked for.
  const heldBytes = taken.length < ownMemoryFromBytes ? taken.length : taken.buffer.byteLength
  if (end >= heldBytes / 2) return taken.subarray(0, end)
  const copy = end === 0 ? emptyBuffer : memory.take(end)
  taken.copy(copy, 0, 0, end)
  memory.release(taken)
  return copy
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
