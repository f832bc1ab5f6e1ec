/**
 * Finds batches that their disk has damaged, before anybody is given them. What this process has appended itself was checked as it came in,
 * and is read as it is; older bytes are checked when they are read (log-reader.ts says which). The checksum does not cover offsets and
 * lengths: those must fit their neighbours.
 *
 * Kafka's broker sends damaged bytes as they are, and leaves it to the reader to find out.
 */
import { baseOffsetOf, batchBytes, batchHeaderBytes, isWholeBatch, lastOffsetOf } from '../protocol/records/batch.ts'
import { checkBatchBytes } from '../protocol/records/batch-validate.ts'
import { batchBefore } from './damage-search.ts'
import { damageFrom } from './damaged-region.ts'
import { CorruptRecordsError } from './replicated-batches.ts'
import type { Segment } from './segment.ts'

export interface DamagedBatch {
  /** Path of the segment's file, and where in it the batch begins. */
  readonly segment: string
  readonly position: number
  /** First offset that cannot be read. */
  readonly offset: number
  readonly problem: string
}

/** The log of this replica is damaged at an offset; what is before and after it is not concerned. */
export class DamagedBatchError extends CorruptRecordsError {
  readonly damage: DamagedBatch

  constructor(damage: DamagedBatch) {
    super(`Offset ${damage.offset} of ${damage.segment} is damaged at position ${damage.position}: ${damage.problem}`)
    this.name = 'DamagedBatchError'
    this.damage = damage
  }
}

/** What was read: whole batches from `position` on, the first of which should hold `offset`. */
export interface ReadPlace {
  readonly segment: Segment
  readonly position: number
  readonly offset: number
  /** Base offset of the next segment; undefined for the active one. */
  readonly nextBaseOffset: number | undefined
  /** The offset was looked for, and may be in the middle of a batch; else a batch ended right before it. */
  readonly isSeek: boolean
}

/** How many bytes of `records` are good, and what is wrong with the batch that follows them. */
export function checkRead(
  records: Buffer,
  place: ReadPlace,
): { readonly goodBytes: number; readonly damage: DamagedBatch | undefined } {
  let expected = place.offset
  for (let at = 0; at < records.length; at += batchBytes(records, at)) {
    const problem = checkBatchBytes(records, at)?.message ?? checkOffsets(records, at, expected, place)
    if (problem !== undefined) return { goodBytes: at, damage: damageAt(place, at, expected, problem) }
    expected = lastOffsetOf(records, at) + 1
  }
  return { goodBytes: records.length, damage: undefined }
}

/** Why nothing could be read although there should be something; undefined when the batch there is just not to be read yet. */
export function diagnoseEmpty(place: ReadPlace): DamagedBatch | undefined {
  const { segment, position, offset } = place
  const header = Buffer.alloc(batchHeaderBytes)
  const left = segment.sizeBytes - position
  if (left <= 0) return undefined
  if (segment.read(header, position) < batchHeaderBytes)
    return damageAt(place, 0, offset, `the file ends within the header of a batch`)
  const size = batchBytes(header, 0)
  if (size < batchHeaderBytes || size > left)
    return damageAt(place, 0, offset, `a batch of ${size} bytes does not fit into the ${left} that follow`)
  const bytes = Buffer.allocUnsafe(size)
  segment.read(bytes, position)
  return checkRead(bytes, place).damage
}

function damageAt(place: ReadPlace, at: number, offset: number, problem: string): DamagedBatch {
  return { segment: place.segment.path, position: place.position + at, offset, problem }
}

/** Only compaction leaves gaps, and no batch reaches beyond the one after it. */
function checkOffsets(records: Buffer, at: number, expected: number, place: ReadPlace): string | undefined {
  const base = baseOffsetOf(records, at)
  const last = lastOffsetOf(records, at)
  if (last < base || last < expected || !place.segment.holdsOffset(base))
    return `its offsets, ${base} to ${last}, cannot be where ${expected} is expected`
  const isSought = at === 0 && place.isSeek
  if (!isSought && base < expected) return `it begins at ${base}, but the batch before it ends at ${expected - 1}`
  if (base <= expected && !isSought) return undefined
  const next = nextBase(records, at + batchBytes(records, at), place)
  if (next === undefined || next > last) return undefined
  // One of the two is wrong; not this one, when it begins where the one before it ends.
  if (base === batchBefore(place.segment, place.position + at)?.nextOffset) return undefined
  return `it ends at ${last}, but the next one begins at ${next}`
}

/**
 * Why `offset` is missing right before the batch at `position`, to which a look-up has led, unless compaction took it: the batch before is
 * damaged, so that its header does not tell its own offsets.
 */
export function damageBefore(
  { segment, position }: Pick<ReadPlace, 'segment' | 'position'>,
  offset: number,
): DamagedBatch | undefined {
  const before = batchBefore(segment, position)
  if (before === undefined || before.size === 0) return undefined
  const bytes = Buffer.allocUnsafe(before.size)
  segment.read(bytes, before.position)
  const problem =
    checkBatchBytes(bytes, 0)?.message ??
    (baseOffsetOf(bytes, 0) < before.firstOffset
      ? `it begins at ${baseOffsetOf(bytes, 0)}, but the batch before it ends at ${before.firstOffset - 1}`
      : undefined)
  return problem === undefined ? undefined : { segment: segment.path, position: before.position, offset, problem }
}

/** Base offset of the batch after those at `end`; undefined when there is none, or it is not to be believed itself. */
function nextBase(records: Buffer, end: number, { segment, position, nextBaseOffset }: ReadPlace): number | undefined {
  const damage = damageFrom(segment.damaged, position + end)
  if (damage !== undefined) return damage.nextOffset
  if (isWholeBatch(records, end, records.length)) return baseOffsetOf(records, end)
  const header = Buffer.alloc(batchHeaderBytes)
  const read = position + end < segment.sizeBytes ? segment.read(header, position + end) : 0
  return read === batchHeaderBytes ? baseOffsetOf(header, 0) : nextBaseOffset
}
