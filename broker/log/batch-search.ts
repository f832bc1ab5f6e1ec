/**
 * Finds undamaged batches in bytes that are not all good: reads one where it should be, and looks for the next one behind damage. Works on the
 * bytes of a `.log` file and knows nothing of segments. Holds one batch, or a MiB, in memory at a time.
 */
import { batchBytes, batchHeaderBytes, BatchView, isWholeBatch, logOverheadBytes } from '../protocol/records/batch.ts'
import { checkBatchBytes } from '../protocol/records/batch-validate.ts'

/** Reads up to `target.length` bytes at `position`; returns how many there were. */
export type ReadAt = (target: Buffer, position: number) => number

/** Bytes read at a time while batches are checked, or looked for. */
export const searchChunkBytes = 1024 * 1024
/** Longer batches are not believed when their checksum is not right: the search for the next one begins right behind their header. */
export const largestBelievedBytes = 256 * 1024 * 1024

/** The first `end` bytes of a file, a piece at a time. */
export class ByteWindow {
  readonly end: number
  private readonly read: ReadAt
  private chunk: Buffer = Buffer.alloc(0)
  private chunkFrom = 0

  constructor(read: ReadAt, end: number) {
    this.read = read
    this.end = end
  }

  /** `bytes` bytes at `position`; fewer where the file ends. */
  at(position: number, bytes: number): Buffer {
    const from = position - this.chunkFrom
    if (from < 0 || from + bytes > this.chunk.length) return this.load(position, bytes).subarray(0, bytes)
    return this.chunk.subarray(from, from + bytes)
  }

  /** Everything that is in memory from `position` on: the whole batch there, if it is whole, and often many more. */
  batchesAt(position: number): Buffer {
    const header = this.at(position, Math.min(batchHeaderBytes, this.end - position))
    const size = header.length < batchHeaderBytes ? header.length : batchBytes(header, 0)
    const fits = size >= batchHeaderBytes && size <= this.end - position
    this.at(position, fits ? size : header.length)
    return this.chunk.subarray(position - this.chunkFrom)
  }

  private load(position: number, bytes: number): Buffer {
    const target = Buffer.allocUnsafe(Math.min(this.end - position, Math.max(bytes, searchChunkBytes)))
    this.chunk = target.subarray(0, this.read(target, position))
    this.chunkFrom = position
    return this.chunk
  }
}

/** The batch at `position`, when it is whole, of magic 2, and its checksum is right. */
export function soundBatchAt(window: ByteWindow, position: number): BatchView | undefined {
  const left = window.end - position
  if (position < 0 || left < batchHeaderBytes) return undefined
  const header = window.at(position, batchHeaderBytes)
  if (header.length < batchHeaderBytes) return undefined
  const size = batchBytes(header, 0)
  if (header[16] !== 2 || size < batchHeaderBytes || size > left || size > largestBelievedBytes) return undefined
  const bytes = window.at(position, size)
  return isWholeBatch(bytes, 0, bytes.length) && checkBatchBytes(bytes, 0) === undefined
    ? new BatchView(bytes)
    : undefined
}

/** Where the next undamaged batch that `fits` begins, between `from` and `until`; undefined when none does. */
export function nextSoundBatch(
  window: ByteWindow,
  from: number,
  until: number,
  fits: (batch: BatchView, position: number) => boolean,
): number | undefined {
  for (let position = from; position < until && position + batchHeaderBytes <= window.end;) {
    const chunk = window.at(position, Math.min(searchChunkBytes, window.end - position))
    for (let index = 0; index + batchHeaderBytes <= chunk.length && position + index < until; index++) {
      if (chunk[index + 16] !== 2 || !looksLikeBatch(chunk, index, window.end - position - index)) continue
      const batch = soundBatchAt(window, position + index)
      if (batch !== undefined && fits(batch, position + index)) return position + index
    }
    position += Math.max(1, chunk.length - batchHeaderBytes + 1)
  }
  return undefined
}

function looksLikeBatch(bytes: Buffer, at: number, left: number): boolean {
  // The high half of an offset first: it is zero in every log that there is.
  if (bytes.readUInt32BE(at) > 0x1fffff) return false
  const size = bytes.readInt32BE(at + 8) + logOverheadBytes
  if (size < batchHeaderBytes || size > left || size > largestBelievedBytes) return false
  return new BatchView(bytes, at).lastOffsetDelta >= 0
}
