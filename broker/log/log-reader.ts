/**
 * Reads of one log: finds the segment and the position of an offset, and remembers where readers go on. The caller has
 * checked that the offset is in the log.
 */
import { baseOffsetOf } from '../protocol/records/batch.ts'
import type { ReadOptions, ReadResult } from './log.ts'
import { emptyBuffer, lastBatchEnd, readWholeBatches } from './read-batches.ts'
import { ReadPositions } from './read-positions.ts'
import type { Segment } from './segment.ts'

export class LogReader {
  private readonly log: { readonly currentSegments: readonly Segment[] }
  private readonly positions = new ReadPositions()

  constructor(log: { readonly currentSegments: readonly Segment[] }) {
    this.log = log
  }

  /** Whole batches from the one that holds `offset` on, none that reaches `limit`. */
  read(offset: number, limit: number, options: ReadOptions): ReadResult {
    const segments = this.log.currentSegments
    const slot = this.positions.find(offset)
    let segment = slot >= 0 ? this.positions.segmentAt(slot) : segmentOf(segments, offset)
    let position = slot >= 0 ? this.positions.positionAt(slot) : segment.positionOf(offset)
    while (position >= segment.sizeBytes) {
      const next = segments[segmentIndexOf(segments, segment.baseOffset) + 1]
      if (next === undefined) return nothingAt(offset)
      segment = next
      position = 0
    }
    const records = readWholeBatches(segment, position, limit, options)
    if (records.length === 0) return nothingAt(offset)
    const nextOffset = lastBatchEnd(records)
    this.positions.remember(nextOffset, segment, position + records.length)
    return { records, baseOffset: baseOffsetOf(records, 0), nextOffset }
  }

  /** The log lost bytes: no remembered position can be trusted. */
  forget(): void {
    this.positions.clear()
  }
}

export function nothingAt(offset: number): ReadResult {
  return { records: emptyBuffer, baseOffset: -1, nextOffset: offset }
}

/** The segment that holds `offset`: the last one that begins at or below it, else the first. */
export function segmentOf(segments: readonly Segment[], offset: number): Segment {
  return segments[segmentIndexOf(segments, offset)]!
}

/** Its place in the log. */
export function segmentIndexOf(segments: readonly Segment[], offset: number): number {
  let low = 0
  let high = segments.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (segments[middle]!.baseOffset <= offset) low = middle
    else high = middle - 1
  }
  return low
}
