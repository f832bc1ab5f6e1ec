/**
 * What is to be known of all segments of a log together, kept up as they change, so that nothing has to visit them: how many bytes they have,
 * and which are not durable.
 */
import type { Segment } from './segment.ts'

export class SegmentTally {
  /** Bytes of whole batches in the segments that were added and have not left. */
  bytes = 0
  /** Segments with bytes that are not known to be durable. */
  private readonly dirty = new Set<Segment>()

  add(segment: Segment): void {
    this.bytes += segment.sizeBytes
    segment.tally = this
    if (segment.unsynced) this.dirty.add(segment)
  }

  remove(segment: Segment): void {
    if (segment.tally !== this) return
    segment.tally = undefined
    this.bytes -= segment.sizeBytes
    this.dirty.delete(segment)
  }

  unsynced(segment: Segment): void {
    this.dirty.add(segment)
  }

  synced(segment: Segment): void {
    this.dirty.delete(segment)
  }

  /** Segments that are not durable, by base offset. */
  get unsyncedSegments(): Segment[] {
    return [...this.dirty].sort((a, b) => a.baseOffset - b.baseOffset)
  }
}
