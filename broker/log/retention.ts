/**
 * Which segments a log may drop: by the log start offset, by age (retention.ms), by size (retention.bytes), oldest
 * first, never a segment that reaches above the high watermark. Pure apart from reading the segments' own figures.
 *
 * Source: Kafka documentation, "Log deletion policy" of topic configs.
 */
import type { Logger } from '../environment/environment.ts'
import type { LogConfig } from './log.ts'
import type { Segment } from './segment.ts'

export interface RetentionInput {
  readonly config: LogConfig
  readonly nowWallMs: number
  /** The high watermark. */
  readonly untilOffset: number
  readonly logger: Logger
  readonly log: { readonly logStartOffset: number; readonly logEndOffset: number; readonly sizeBytes: number }
}

/**
 * How many segments, counted from the oldest, may go. All of them only when the active one has records and is itself
 * beyond retention.
 */
export function segmentsBeyondRetention(segments: readonly Segment[], input: RetentionInput): number {
  const { config, untilOffset, log } = input
  const byPolicy = config.cleanupPolicy.includes('delete')
  let excessBytes = byPolicy && config.retentionBytes >= 0 ? log.sizeBytes - config.retentionBytes : 0
  let count = 0
  for (const [index, segment] of segments.entries()) {
    const nextBaseOffset = segments[index + 1]?.baseOffset
    const isLast = nextBaseOffset === undefined
    if (isLast && segment.sizeBytes === 0) break
    if (untilOffset < (nextBaseOffset ?? log.logEndOffset)) break
    const belowStart = nextBaseOffset !== undefined && nextBaseOffset <= log.logStartOffset
    const tooOld = byPolicy && config.retentionMs >= 0 && isOlder(segment, config.retentionMs, input)
    // By size a segment goes only when what is left still reaches retention.bytes.
    const tooMuch = excessBytes >= segment.sizeBytes && excessBytes > 0
    if (!belowStart && !tooOld && !tooMuch) break
    excessBytes -= segment.sizeBytes
    count++
  }
  return count
}

/** Records without timestamps age by the file. */
function isOlder(segment: Segment, retentionMs: number, { nowWallMs, logger }: RetentionInput): boolean {
  const newest = segment.largestTimestamp()?.timestamp ?? segment.modifiedWallMs()
  if (newest > nowWallMs) {
    const fields = { segment: segment.path, timestamp: newest }
    logger.warn('A segment has records from the future, and is kept until their time has come.', fields)
  }
  return nowWallMs - newest > retentionMs
}
