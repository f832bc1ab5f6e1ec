/** Whether a segment shows that it was compacted: it lacks offsets between its batches, or a batch lacks records. Reads all headers. */
import { baseOffsetOf, BatchView, lastOffsetOf } from '../../protocol/records/batch.ts'
import type { Segment } from '../segment.ts'

export function wasCompacted(segment: Segment): boolean {
  let expected: number | undefined
  let isComplete = true
  segment.scan(0, (bytes, at) => {
    const { recordsCount, lastOffsetDelta } = new BatchView(bytes, at)
    isComplete =
      recordsCount === lastOffsetDelta + 1 && (expected ?? baseOffsetOf(bytes, at)) === baseOffsetOf(bytes, at)
    expected = lastOffsetOf(bytes, at) + 1
    return isComplete
  })
  return !isComplete
}
