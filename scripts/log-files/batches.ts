/**
 * Walks the batches of a `.log` file (or a metadata snapshot, which has the same form) and says of each whether it is whole, and why not.
 * After damage it looks for the next batch that is undamaged, so that what lies behind is seen too. Holds one batch in memory at a time.
 */
import type { Disk, DiskFile } from '#broker/environment/environment.ts'
import { batchBytes, batchHeaderBytes, BatchView, logOverheadBytes } from '#broker/protocol/records/batch.ts'
import { checkBatchBytes } from '#broker/protocol/records/batch-validate.ts'

export interface FoundBatch {
  readonly position: number
  /** Whole, of magic 2, its checksum right. */
  readonly batch: BatchView
}

export interface Damage {
  readonly position: number
  /** Bytes up to the next undamaged batch, or to the end of the file. */
  readonly bytes: number
  readonly problem: string
  /** First offset of the undamaged batch that follows in the same file; undefined when none does. */
  readonly followedBy: number | undefined
  /** What the damaged header says; undefined where there is not even a header. */
  readonly header: { readonly baseOffset: number; readonly lastOffset: number; readonly sizeBytes: number } | undefined
}

export type Found = FoundBatch | Damage

export function isDamage(found: Found): found is Damage {
  return 'problem' in found
}

const chunkBytes = 1024 * 1024
/** Longer batches are not believed when their checksum is not right: the search for the next one begins right behind their header. */
const largestBelievedBytes = 256 * 1024 * 1024

export function* batchesOf(disk: Disk, path: string): Generator<Found> {
  const file = disk.open(path, 'read')
  try {
    yield* walk(file, file.size())
  } finally {
    file.close()
  }
}

function* walk(file: DiskFile, end: number): Generator<Found> {
  let chunk: Buffer = Buffer.alloc(0)
  let chunkFrom = 0
  /** `bytes` bytes at `position`, from the chunk where possible. */
  const at = (position: number, bytes: number): Buffer => {
    if (position < chunkFrom || position + bytes > chunkFrom + chunk.length) {
      chunk = readAt(file, position, Math.min(end - position, Math.max(bytes, chunkBytes)))
      chunkFrom = position
    }
    return chunk.subarray(position - chunkFrom, position - chunkFrom + bytes)
  }
  let position = 0
  let nextOffset = 0
  while (position < end) {
    const read = readBatch(at, position, end)
    if ('batch' in read) {
      yield { position, batch: read.batch }
      nextOffset = read.batch.nextOffset
      position += read.batch.sizeBytes
      continue
    }
    const { problem, header } = read
    // Behind the damaged batch, if its length can be believed: its payload may hold bytes that look like batches.
    const behind = header === undefined ? end : position + header.sizeBytes
    const follows = behind < end && 'batch' in readBatch(at, behind, end)
    const next = follows ? behind : nextUndamaged(at, position + 1, end, nextOffset)
    const until = next ?? end
    const followedBy =
      next === undefined ? undefined : new BatchView(Buffer.from(at(next, batchHeaderBytes))).baseOffset
    yield { position, bytes: until - position, problem, followedBy, header }
    position = until
  }
}

type At = (position: number, bytes: number) => Buffer

function readBatch(
  at: At,
  position: number,
  end: number,
): { readonly batch: BatchView } | Pick<Damage, 'problem' | 'header'> {
  const left = end - position
  if (left < batchHeaderBytes)
    return { problem: `${left} bytes are too few for the header of a batch (${batchHeaderBytes})`, header: undefined }
  const view = new BatchView(Buffer.from(at(position, batchHeaderBytes)))
  if (view.buffer.every(byte => byte === 0)) return { problem: 'zeros where a batch should begin', header: undefined }
  const size = batchBytes(view.buffer, 0)
  if (view.magic === 0 || view.magic === 1)
    return { problem: `a message in the old format with magic ${view.magic} (before Kafka 0.11)`, header: undefined }
  if (view.magic !== 2) return { problem: `magic ${view.magic} where 2 was expected: no batch`, header: undefined }
  const { baseOffset, lastOffset } = view
  const header = lastOffset >= baseOffset && baseOffset >= 0 ? { baseOffset, lastOffset, sizeBytes: size } : undefined
  if (size < batchHeaderBytes) return { problem: `a length of ${view.batchLength} bytes, less than a header`, header }
  if (size > left) return { problem: `cut off: ${left} of ${size} bytes are there`, header }
  if (size > largestBelievedBytes) return { problem: `a length of ${size} bytes, more than any batch has`, header }
  const batch = new BatchView(Buffer.from(at(position, size)))
  const checked = checkBatchBytes(batch.buffer, 0)
  return checked === undefined ? { batch } : { problem: checked.message, header }
}

/** Where the next undamaged batch with an offset at or above `nextOffset` begins; undefined when none does. */
function nextUndamaged(at: At, from: number, end: number, nextOffset: number): number | undefined {
  for (let position = from; position + batchHeaderBytes <= end;) {
    const chunk = at(position, Math.min(chunkBytes, end - position))
    for (let index = 0; index + batchHeaderBytes <= chunk.length; index++) {
      if (chunk[index + 16] !== 2 || !looksLikeBatch(chunk, index, end - position - index, nextOffset)) continue
      if ('batch' in readBatch(at, position + index, end)) return position + index
    }
    position += Math.max(1, chunk.length - batchHeaderBytes + 1)
  }
  return undefined
}

function looksLikeBatch(bytes: Buffer, at: number, left: number, nextOffset: number): boolean {
  // The high half of an offset first: it is zero in every log that there is.
  if (bytes.readUInt32BE(at) > 0x1fffff) return false
  const size = bytes.readInt32BE(at + 8) + logOverheadBytes
  if (size < batchHeaderBytes || size > left || size > largestBelievedBytes) return false
  const view = new BatchView(bytes, at)
  return view.baseOffset >= nextOffset && view.lastOffsetDelta >= 0
}

function readAt(file: DiskFile, position: number, bytes: number): Buffer {
  const target = Buffer.allocUnsafe(bytes)
  return target.subarray(0, file.read(target, position))
}
