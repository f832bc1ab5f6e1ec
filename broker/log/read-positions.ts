/**
 * Where recent reads of one log ended: a reader that goes on from there needs no index look-up. A hint, bounded,
 * forgotten whenever the log loses bytes.
 */
import type { Segment } from './segment.ts'

const positionsToRemember = 16

export class ReadPositions {
  private readonly offsets: number[] = []
  private readonly segments: Segment[] = []
  private readonly positions: number[] = []
  private oldest = 0

  /** `offset` is the first one of the batch at `position` (or the next to be appended there). */
  remember(offset: number, segment: Segment, position: number): void {
    const known = this.offsets.indexOf(offset)
    const slot = known >= 0 ? known : this.oldest
    if (known < 0) this.oldest = (this.oldest + 1) % positionsToRemember
    this.offsets[slot] = offset
    this.segments[slot] = segment
    this.positions[slot] = position
  }

  /** Index for `segmentAt` and `positionAt`, -1 when not remembered. */
  find(offset: number): number {
    return this.offsets.indexOf(offset)
  }

  segmentAt(slot: number): Segment {
    return this.segments[slot]!
  }
  positionAt(slot: number): number {
    return this.positions[slot]!
  }

  clear(): void {
    this.offsets.length = 0
    this.segments.length = 0
    this.positions.length = 0
    this.oldest = 0
  }
}
