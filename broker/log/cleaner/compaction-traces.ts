/**
 * What shows on disk that Apache Kafka's cleaner has been at a log. It leaves offsets out between segments, which this broker's cleaner never
 * does, and says so in cleaner-offset-checkpoint only when it is done with the whole log. Killed before that, Kafka leaves a log that looks like
 * one that has lost the end of a segment to a power failure; recovery would cut it there.
 *
 * Two things together tell the one from the other. A segment next to the gap was compacted: Kafka fsyncs what it has cleaned before it takes the
 * place of the old segments, and it cleans a log from its beginning, so that everything up to there is durable. And it was Kafka that had the
 * log when it ended: it keeps the indexes of the segment that it appends to at their full size (segment.index.bytes), zeros behind the entries,
 * and cuts them when it closes them. A follower of this broker may hold batches that its leader has compacted, too, but never such an index.
 *
 * Source: Kafka's Cleaner, LocalLog.replaceSegments and AbstractIndex, observed.
 */
import type { Disk } from '../../environment/environment.ts'
import { baseOffsetOf, BatchView, lastOffsetOf } from '../../protocol/records/batch.ts'
import { indexSuffix } from '../log-files.ts'
import type { Segment } from '../segment.ts'

/** Zeros at the end of an index that only Kafka writes: an index of this broker would have had to lose so much in one piece. */
const preallocatedBytes = 64 * 1024

/** Whether a segment shows that it was compacted: it lacks offsets between its batches, or a batch lacks records. Reads headers. */
export function wasCompacted(segment: Segment): boolean {
  return traces(segment).isCompacted
}

/** Base offset of the last segment that follows a gap which Kafka's cleaner has left before it was killed, at or above `from`; 0: none. */
export function keptByKafka(disk: Disk, segments: readonly Segment[], from: number): number {
  const first = Math.max(
    0,
    segments.findLastIndex(segment => segment.baseOffset <= from),
  )
  const active = segments.at(-1)
  if (active === undefined || first === segments.length - 1 || !isPreallocated(disk, active.filePath(indexSuffix)))
    return 0
  let kept = 0
  let before: Traces | undefined
  for (const segment of segments.slice(first)) {
    const found = traces(segment)
    const hasGap = before !== undefined && segment.baseOffset > before.nextOffset
    if (hasGap && (before!.isCompacted || found.isCompacted)) kept = segment.baseOffset
    // A torn tail, or a loss: what follows is not Kafka's word.
    else if (hasGap) break
    if (!found.isWhole) break
    before = found
  }
  return kept
}

interface Traces {
  readonly nextOffset: number
  readonly isCompacted: boolean
  /** Its bytes end where its last batch ends. */
  readonly isWhole: boolean
}

function traces(segment: Segment): Traces {
  let nextOffset = segment.baseOffset
  let isFirst = true
  let isCompacted = false
  const end = segment.scan(0, (bytes, at) => {
    const { recordsCount, lastOffsetDelta } = new BatchView(bytes, at)
    isCompacted ||= recordsCount !== lastOffsetDelta + 1 || (!isFirst && baseOffsetOf(bytes, at) !== nextOffset)
    nextOffset = lastOffsetOf(bytes, at) + 1
    isFirst = false
    return true
  })
  return { nextOffset, isCompacted, isWhole: end === segment.sizeBytes }
}

function isPreallocated(disk: Disk, path: string): boolean {
  const bytes = disk.stat(path)?.bytes ?? 0
  if (bytes < preallocatedBytes) return false
  const file = disk.open(path, 'read')
  try {
    const tail = Buffer.alloc(preallocatedBytes, 1)
    return file.read(tail, bytes - preallocatedBytes) === preallocatedBytes && tail.every(byte => byte === 0)
  } finally {
    file.close()
  }
}
