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
import { maxRelative } from '../segment.ts'
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

/** @param checkpoint  where the last cleaning ended; undefined: never cleaned */
export function cleanable(log: ChoosableLog, checkpoint: number | undefined, nowWallMs: number): Cleanable {
  const { logStartOffset, logEndOffset, currentSegments: segments } = log
  const isCheckpointWrong = checkpoint !== undefined && (checkpoint < logStartOffset || checkpoint > logEndOffset)
  const firstDirtyOffset = checkpoint === undefined || isCheckpointWrong ? logStartOffset : checkpoint
  const active = segments.at(-1)!
  const closed = segments.slice(0, -1)
  const dirty = from(closed, firstDirtyOffset, active.baseOffset)
  const { minCompactionLagMs, maxCompactionLagMs } = log.cleaning
  const young =
    minCompactionLagMs > 0
      ? dirty.find(each => (each.largestTimestamp()?.timestamp ?? -1) > nowWallMs - minCompactionLagMs)
      : undefined
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
  const oldest = dirty
    .map(each => each.firstBatchTimestamp() ?? -1)
    .reduce((least, timestamp) => (timestamp > 0 ? Math.min(least, timestamp) : least), Infinity)
  return {
    firstDirtyOffset,
    firstUncleanableOffset,
    cleanBytes,
    cleanableBytes,
    dirtyRatio: totalBytes === 0 ? 0 : cleanableBytes / totalBytes,
    delayMs: Math.max(0, nowWallMs - maxCompactionLagMs - oldest),
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

export interface GroupLimits {
  readonly segmentBytes: number
  readonly segmentIndexBytes: number
  readonly firstUncleanableOffset: number
}

/**
 * Neighbours that become one segment, so that segments do not shrink to nothing: as many as stay within segment.bytes, segment.index.bytes
 * and the relative offsets of an index.
 */
export function groupSegments(segments: readonly Segment[], limits: GroupLimits): Segment[][] {
  const groups: Segment[][] = []
  let [bytes, entries, timeEntries] = [0, 0, 0]
  for (const [index, segment] of segments.entries()) {
    const group = groups.at(-1)
    const last = (segments[index + 1]?.baseOffset ?? limits.firstUncleanableOffset) - 1
    bytes += segment.sizeBytes
    entries += segment.offsetIndex.entries
    timeEntries += segment.timeIndex.entries
    const fits =
      bytes <= limits.segmentBytes &&
      entries * 8 <= limits.segmentIndexBytes &&
      timeEntries * 12 <= limits.segmentIndexBytes &&
      (segment.sizeBytes === 0 || last - (group?.[0]?.baseOffset ?? 0) <= maxRelative)
    if (group !== undefined && fits) group.push(segment)
    else {
      groups.push([segment])
      bytes = segment.sizeBytes
      entries = segment.offsetIndex.entries
      timeEntries = segment.timeIndex.entries
    }
  }
  return groups
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
