/**
 * Which neighbours become one segment, so that segments do not shrink to nothing: as many as stay within segment.bytes, segment.index.bytes and
 * the relative offsets of an index. Reads the indexes' sizes alone.
 *
 * Source: Kafka's Cleaner (groupSegmentsBySize), observed.
 */
import { maxRelative } from '../segment.ts'
import type { Segment } from '../segment.ts'

/** All of a group are swapped in one turn. */
const mostSegments = 100

/** A segment below the active one. */
export interface ClosedSegment {
  readonly segment: Segment
  /** Base offset of the segment that follows: no offset of this one reaches it. */
  readonly nextBase: number
}

/** All of a log but the last, which is active. */
export function closedSegments(segments: readonly Segment[]): ClosedSegment[] {
  return segments.slice(0, -1).map((segment, index) => ({ segment, nextBase: segments[index + 1]!.baseOffset }))
}

export interface GroupLimits {
  readonly segmentBytes: number
  readonly segmentIndexBytes: number
}

/** Yields undefined whenever it has opened the indexes of a segment, and a group once it is known where it ends. Throws DiskError. */
export function* groupSegments(
  segments: readonly ClosedSegment[],
  limits: GroupLimits,
): Generator<readonly ClosedSegment[] | undefined, void, void> {
  let group: ClosedSegment[] = []
  let [bytes, entries, timeEntries] = [0, 0, 0]
  for (const closed of segments) {
    const { segment, nextBase } = closed
    bytes += segment.sizeBytes
    entries += segment.offsetIndex.entries
    timeEntries += segment.timeIndex.entries
    yield undefined
    const fits =
      group.length < mostSegments &&
      bytes <= limits.segmentBytes &&
      entries * 8 <= limits.segmentIndexBytes &&
      timeEntries * 12 <= limits.segmentIndexBytes &&
      (segment.sizeBytes === 0 || nextBase - 1 - (group[0]?.segment.baseOffset ?? 0) <= maxRelative)
    if (group.length > 0 && !fits) {
      yield group
      group = []
      bytes = segment.sizeBytes
      entries = segment.offsetIndex.entries
      timeEntries = segment.timeIndex.entries
    }
    group.push(closed)
  }
  if (group.length > 0) yield group
}
