/**
 * Which log is cleaned next, and how far. Pure apart from reading the segments' own figures.
 *
 * A compacted log has a clean head, which holds one record of each key, and a dirty tail. Cleaned is up to the first segment that may not be
 * looked at: the active one, the one with the last stable offset, the first with a record younger than min.compaction.lag.ms. A log is due
 * when its dirty part is more than min.cleanable.dirty.ratio of what could be cleaned, or older than max.compaction.lag.ms; the dirtiest goes
 * first.
 *
 * Sources: KIP-58 (min.compaction.lag.ms), KIP-354 (max.compaction.lag.ms); Kafka's LogCleanerManager, observed.
 */
import type { LogConfig } from '../log.ts'
import type { Segment } from '../segment.ts'

type Figures = Pick<Segment, 'baseOffset' | 'sizeBytes' | 'largestTimestamp' | 'firstBatchTimestamp'>

/** A log as the choice sees it. */
export interface ChoosableLog {
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly lastStableOffset: number
  /** By base offset; the last one is active. */
  readonly currentSegments: readonly Figures[]
  readonly cleaning: CleaningSettings
}

export type CleaningSettings = Pick<
  LogConfig,
  'cleanupPolicy' | 'minCleanableDirtyRatio' | 'minCompactionLagMs' | 'maxCompactionLagMs' | 'deleteRetentionMs'
>

export interface Cleanable {
  /** Below it every key has one record. */
  readonly firstDirtyOffset: number
  /** Exclusive end of what may be cleaned; where a segment begins. */
  readonly firstUncleanableOffset: number
  readonly cleanBytes: number
  readonly cleanableBytes: number
  /** Share of the bytes that could be cleaned; 0 when there are none. */
  readonly dirtyRatio: number
  /** How long max.compaction.lag.ms has been exceeded; 0 when it has not. */
  readonly delayMs: number
  /** The checkpoint says something that cannot be. */
  readonly isCheckpointWrong: boolean
}

/**
 * Yields whenever it has looked at the records of a segment, so that a log of many segments need not be looked at in one turn. Where no lag
 * is asked for, it looks at none. Throws DiskError.
 *
 * @param checkpoint  where the last cleaning ended; undefined: never cleaned
 */
export function* cleanable(
  log: ChoosableLog,
  checkpoint: number | undefined,
  nowWallMs: number,
): Generator<void, Cleanable, void> {
  const { logStartOffset, logEndOffset, currentSegments: segments } = log
  const isCheckpointWrong = checkpoint !== undefined && (checkpoint < logStartOffset || checkpoint > logEndOffset)
  const firstDirtyOffset = checkpoint === undefined || isCheckpointWrong ? logStartOffset : checkpoint
  const active = segments.at(-1)!
  const closed = segments.slice(0, -1)
  const dirty = from(closed, firstDirtyOffset, active.baseOffset)
  const { minCompactionLagMs, maxCompactionLagMs } = log.cleaning
  let young: Figures | undefined
  for (const each of minCompactionLagMs > 0 ? dirty : []) {
    const newest = each.largestTimestamp()?.timestamp ?? -1
    yield
    if (newest <= nowWallMs - minCompactionLagMs) continue
    young = each
    break
  }
  const limit = Math.max(
    firstDirtyOffset,
    Math.min(log.lastStableOffset, active.baseOffset, young?.baseOffset ?? Infinity),
  )
  const firstUncleanableOffset = (from(closed, limit, active.baseOffset)[0] ?? active).baseOffset
  const cleanBytes = bytesOf(segments.filter(({ baseOffset }) => baseOffset < firstDirtyOffset))
  const firstCleanable = Math.min(firstDirtyOffset, firstUncleanableOffset)
  const cleanableBytes = bytesOf(
    from(segments, firstCleanable, firstUncleanableOffset).filter(
      ({ baseOffset }) => baseOffset < firstUncleanableOffset,
    ),
  )
  const totalBytes = cleanBytes + cleanableBytes
  const cleanUntilMs = nowWallMs - maxCompactionLagMs
  let oldest = Infinity
  // No record is older than the clock.
  for (const each of cleanUntilMs > 0 ? dirty : []) {
    const timestamp = each.firstBatchTimestamp() ?? -1
    yield
    if (timestamp > 0) oldest = Math.min(oldest, timestamp)
  }
  return {
    firstDirtyOffset,
    firstUncleanableOffset,
    cleanBytes,
    cleanableBytes,
    dirtyRatio: totalBytes === 0 ? 0 : cleanableBytes / totalBytes,
    delayMs: Math.max(0, cleanUntilMs - oldest),
    isCheckpointWrong,
  }
}

export function isDue({ cleanableBytes, dirtyRatio, delayMs }: Cleanable, settings: CleaningSettings): boolean {
  return (delayMs > 0 && cleanableBytes > 0) || dirtyRatio > settings.minCleanableDirtyRatio
}

/** The dirtiest of those that are due. */
export function filthiest<T extends { readonly found: Cleanable; readonly settings: CleaningSettings }>(
  candidates: readonly T[],
): T | undefined {
  return candidates
    .filter(({ found, settings }) => isDue(found, settings))
    .reduce<T | undefined>(
      (best, each) => (best === undefined || each.found.dirtyRatio > best.found.dirtyRatio ? each : best),
      undefined,
    )
}

/** Segments from the one on that holds `offset`; none when it is not below `end`, where they end. */
function from<T extends { readonly baseOffset: number }>(
  segments: readonly T[],
  offset: number,
  end: number,
): readonly T[] {
  if (offset >= end) return []
  return segments.slice(
    Math.max(
      0,
      segments.findLastIndex(({ baseOffset }) => baseOffset <= offset),
    ),
  )
}

function bytesOf(segments: readonly { readonly sizeBytes: number }[]): number {
  return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}
