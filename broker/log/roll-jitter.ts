/** How much earlier than segment.ms a new segment is rolled, so that logs created together do not all roll at once. */
import type { Random } from '../environment/environment.ts'
import type { LogConfig } from './log.ts'

/** @returns uniform in [0, segment.jitter.ms), ms */
export function rollJitterMs({ segmentJitterMs, segmentMs }: LogConfig, random: Random): number {
  const limitMs = Math.min(segmentJitterMs, segmentMs, 2 ** 31)
  return limitMs >= 1 ? random.below(limitMs) : 0
}
