/** When the active segment of a log is closed, and where the next one begins. */
import type { Random } from '../environment/environment.ts'
import type { LogConfig } from './log.ts'
import { newestTimestamp } from './read-batches.ts'
import { maxRelative } from './segment.ts'
import type { Segment } from './segment.ts'

/** @returns uniform in [0, segment.jitter.ms), ms: so much earlier than segment.ms, so that logs made together do not all roll at once */
export function rollJitterMs({ segmentJitterMs, segmentMs }: LogConfig, random: Random): number {
  const limitMs = Math.min(segmentJitterMs, segmentMs, 2 ** 31)
  return limitMs >= 1 ? random.below(limitMs) : 0
}

/** What is about to be appended, whole batches. */
export interface NextAppend {
  readonly records: Buffer
  readonly firstOffset: number
  readonly lastOffset: number
  readonly wallMs: number
}

/**
 * Base offset of the segment that the append needs; undefined when it goes into the active one. That is where the log ends, also when offsets
 * are missing before the first record, so that a segment always follows the one before; unless so many are missing (by compaction) that not
 * even a new segment could hold the offsets.
 */
export function nextBaseOffset(
  active: Segment,
  logEndOffset: number,
  append: NextAppend,
  config: LogConfig,
): number | undefined {
  const { records, firstOffset, lastOffset, wallMs } = append
  if (!active.holdsOffset(lastOffset)) return lastOffset - logEndOffset > maxRelative ? firstOffset : logEndOffset
  if (active.sizeBytes > config.segmentBytes - records.length) return logEndOffset
  if (active.indexesFull(config.segmentIndexBytes)) return logEndOffset
  if (active.sizeBytes === 0 || config.segmentMs >= Number.MAX_SAFE_INTEGER) return undefined
  const waitedMs = active.waitedForRollMs(wallMs, newestTimestamp(records))
  return waitedMs > config.segmentMs - active.rollJitterMs ? logEndOffset : undefined
}
