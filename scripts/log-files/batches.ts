/**
 * Walks the batches of a `.log` file (or a metadata snapshot, which has the same form) and says of each whether it is whole, and why not.
 * After damage it looks for the next batch that is undamaged, so that what lies behind is seen too. Holds one batch in memory at a time.
 */
import type { Disk } from '#broker/environment/environment.ts'
import { ByteWindow, largestBelievedBytes, nextSoundBatch, soundBatchAt } from '#broker/log/batch-search.ts'
import { batchBytes, batchHeaderBytes, BatchView } from '#broker/protocol/records/batch.ts'
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

export function* batchesOf(disk: Disk, path: string): Generator<Found> {
  const file = disk.open(path, 'read')
  try {
    yield* walk(new ByteWindow((target, position) => file.read(target, position), file.size()))
  } finally {
    file.close()
  }
}

function* walk(window: ByteWindow): Generator<Found> {
  const { end } = window
  let position = 0
  let nextOffset = 0
  while (position < end) {
    const read = readBatch(window, position)
    if ('batch' in read) {
      yield { position, batch: read.batch }
      nextOffset = read.batch.nextOffset
      position += read.batch.sizeBytes
      continue
    }
    const { problem, header } = read
    // Behind the damaged batch, if its length can be believed: its payload may hold bytes that look like batches.
    const behind = header === undefined ? end : position + header.sizeBytes
    const follows = behind > position && soundBatchAt(window, behind) !== undefined
    const expected = nextOffset
    const next = follows
      ? behind
      : nextSoundBatch(window, position + 1, end, ({ baseOffset }) => baseOffset >= expected)
    const until = next ?? end
    const followedBy = next === undefined ? undefined : soundBatchAt(window, next)?.baseOffset
    yield { position, bytes: until - position, problem, followedBy, header }
    position = until
  }
}

function readBatch(
  window: ByteWindow,
  position: number,
): { readonly batch: BatchView } | Pick<Damage, 'problem' | 'header'> {
  const left = window.end - position
  if (left < batchHeaderBytes)
    return { problem: `${left} bytes are too few for the header of a batch (${batchHeaderBytes})`, header: undefined }
  const view = new BatchView(Buffer.from(window.at(position, batchHeaderBytes)))
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
  const batch = new BatchView(Buffer.from(window.at(position, size)))
  const checked = checkBatchBytes(batch.buffer, 0)
  return checked === undefined ? { batch } : { problem: checked.message, header }
}
