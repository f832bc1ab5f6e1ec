/** What surrounds damage in a segment that nobody has recovered: where it begins and ends, which offsets it costs. */
import { batchHeaderBytes, BatchView } from '../protocol/records/batch.ts'
import { ByteWindow, nextSoundBatch, soundBatchAt } from './batch-search.ts'
import { noDamage, type DamagedRegion } from './damaged-region.ts'
import type { Segment } from './segment.ts'

/**
 * Makes the indexes of a segment anew from all of its undamaged batches, and remembers what lies between them. Reads every byte: a damaged
 * header would lead astray.
 */
export function indexAllBatches(segment: Segment, indexIntervalBytes: number): void {
  segment.resetIndexes()
  const damaged: DamagedRegion[] = []
  try {
    visitAllBatches(segment, indexIntervalBytes, region => damaged.push(region))
  } finally {
    // Also where the disk fails on the way: what was found until then is damaged.
    segment.damaged = damaged.length === 0 ? noDamage : damaged
  }
}

function visitAllBatches(segment: Segment, indexIntervalBytes: number, found: (region: DamagedRegion) => void): void {
  const window = new ByteWindow((target, position) => segment.read(target, position), segment.sizeBytes)
  let position = 0
  let nextOffset = segment.baseOffset
  let isBehindDamage = false
  while (position < segment.sizeBytes) {
    const batch = soundBatchAt(window, position)
    if (batch !== undefined && follows(batch, nextOffset, segment, headerAt(window, position + batch.sizeBytes))) {
      // Behind damage the first batch has an entry: a look-up cannot come there from in front.
      segment.note(batch.buffer, batch.start, position, batch.sizeBytes, isBehindDamage ? -1 : indexIntervalBytes)
      nextOffset = batch.nextOffset
      position += batch.sizeBytes
      isBehindDamage = false
      continue
    }
    const region = regionFrom(window, segment, { from: position, offset: nextOffset, problem: 'no undamaged batch' })
    if (region === undefined) return
    found(region)
    position = region.to
    nextOffset = region.nextOffset
    isBehindDamage = true
  }
}

/** The batch that ends at `position`. Where the segment begins it has no size; undefined when the headers before do not lead there. */
export function batchBefore(
  segment: Segment,
  position: number,
):
  | {
      readonly position: number
      readonly size: number
      /** Where it should begin: the offset after the batch before it, as far as that is known. */
      readonly firstOffset: number
      readonly nextOffset: number
    }
  | undefined {
  const { baseOffset } = segment
  // One entry more, so that the offset is known at which the batch of the last one should begin.
  const from = segment.offsetIndex.entryAt(lastEntryBelow(segment, position) - 1)?.position ?? 0
  let before = { position: 0, size: 0, firstOffset: baseOffset, nextOffset: baseOffset }
  segment.scan(from, (bytes, at, visited, size) => {
    if (visited >= position) return false
    const { nextOffset } = new BatchView(bytes, at)
    before = { position: visited, size, firstOffset: before.nextOffset, nextOffset }
    return true
  })
  return before.position + before.size === position ? before : undefined
}

/** Slot of the last index entry that points below `position`; -1 when none does. */
function lastEntryBelow({ offsetIndex }: Segment, position: number): number {
  let low = -1
  let high = offsetIndex.entries
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (offsetIndex.entryAt(middle)!.position < position) low = middle
    else high = middle
  }
  return low
}

/** What the damage that a reader has found at `from` costs; undefined when no undamaged batch follows in the segment. */
export function regionAt(segment: Segment, from: number, problem: string): DamagedRegion | undefined {
  const offset = batchBefore(segment, from)?.nextOffset
  if (offset === undefined) return undefined
  const window = new ByteWindow((target, position) => segment.read(target, position), segment.sizeBytes)
  return regionFrom(window, segment, { from, offset, problem })
}

/** Whether a batch that belongs there is read from where a damaged region begins: the damage was in what was read, not on the disk. */
export function isSoundNow(segment: Segment, { from, to, offset, nextOffset }: DamagedRegion): boolean {
  const batch = soundBatchAt(new ByteWindow((target, position) => segment.read(target, position), to), from)
  if (batch === undefined) return false
  const { baseOffset, lastOffset, sizeBytes } = batch
  if (lastOffset < baseOffset || lastOffset >= nextOffset) return false
  // Where compaction has taken what was before it, it must fill the place of the damage.
  return baseOffset === offset || (baseOffset > offset && from + sizeBytes === to)
}

/** The next undamaged batch is the one to which the length of the damaged one leads, or else the first that is found. */
function regionFrom(
  window: ByteWindow,
  segment: Segment,
  at: Pick<DamagedRegion, 'from' | 'offset' | 'problem'>,
): DamagedRegion | undefined {
  const { from, offset } = at
  const fits = ({ baseOffset, lastOffset }: BatchView): boolean =>
    baseOffset > offset && lastOffset >= baseOffset && segment.holdsOffset(lastOffset)
  const sizeBytes = headerAt(window, from)?.sizeBytes ?? 0
  const own = sizeBytes >= batchHeaderBytes ? soundBatchAt(window, from + sizeBytes) : undefined
  const isOwn = own !== undefined && fits(own)
  const to = isOwn ? from + sizeBytes : nextSoundBatch(window, from + 1, segment.sizeBytes, fits)
  return to === undefined ? undefined : { ...at, to, nextOffset: headerAt(window, to)!.baseOffset }
}

function headerAt(window: ByteWindow, position: number): BatchView | undefined {
  const header = position + batchHeaderBytes <= window.end ? window.at(position, batchHeaderBytes) : undefined
  return header?.length === batchHeaderBytes ? new BatchView(header) : undefined
}

/** Offsets may be missing before it, unless it reaches into the batch behind. */
function follows(batch: BatchView, nextOffset: number, segment: Segment, next: BatchView | undefined): boolean {
  const { baseOffset, lastOffset } = batch
  if (baseOffset < nextOffset || lastOffset < baseOffset || !segment.holdsOffset(lastOffset)) return false
  const isDoubtful = baseOffset > nextOffset && next?.magic === 2
  return !isDoubtful || next.baseOffset < nextOffset || next.baseOffset > lastOffset
}
