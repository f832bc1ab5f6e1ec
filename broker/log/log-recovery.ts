/**
 * Recovery of a log that was not stopped cleanly, segment by segment from the recovery point on: every batch is checked, the torn tail cut,
 * indexes and leader epochs of that part made anew.
 *
 * What a power failure can leave above the recovery point, when a log only grows by appends, and a cut or a cleaned segment is fsynced before
 * anything else happens: pages of a file that were not fsynced are zeros, and a file may be shorter than it was. So within a file an undamaged
 * batch that begins where another one ends was written there, behind it, whatever offsets are missing between them: a follower copies what its
 * leader's compaction has left. Not so between files: the end of one may be gone without a trace while the next one is there. This broker's
 * segments begin where the one before ends, also those that it cleans or copies; a segment that does not has lost what was before it, and goes.
 * Apache Kafka's need not: see compaction-traces.ts.
 */
import type { Disk, Logger } from '../environment/environment.ts'
import { wasCompacted } from './cleaner/compaction-traces.ts'
import type { EpochEntry, LeaderEpochs } from './leader-epochs.ts'
import { isDiskFull } from './log-failure.ts'
import { segmentSuffixes, snapshotSuffix } from './log-files.ts'
import type { OffsetAndPosition } from './offset-index.ts'
import type { Segment } from './segment.ts'
import { DamagedLogError, TailChecker } from './tail-checker.ts'

export interface RecoveryOptions {
  readonly disk: Disk
  readonly log: Logger
  readonly directory: string
  readonly indexIntervalBytes: number
  /** Everything below was fsynced. */
  readonly recoveryPoint: number
  /** Where the last cleaning ended: below it offsets may be missing between segments. */
  readonly cleanedBelow: number
  /** Damage below the recovery point is thrown, as DamagedLogError. */
  readonly refusesDamage: boolean
  readonly epochs: LeaderEpochs
  /** Offsets are missing before the segment at `offset`, and that is right: on disk before this returns, since the recovery point may go down. */
  onGapKept(offset: number): void
  /** A new segment of the log. */
  create(baseOffset: number): Segment
}

/**
 * Checks everything from `from` on. Segments after a cut are removed: what they hold does not follow any more. Returns where the log ends;
 * undefined when it has no segment.
 */
export function recover(options: RecoveryOptions, segments: Segment[], from: number): number | undefined {
  // A segment that ends at the recovery point may have been the active one when that was noted: its bytes are durable, its indexes need not be.
  const first = Math.max(
    0,
    segments.findLastIndex(segment => segment.baseOffset < from),
  )
  const savedEpochs = [...options.epochs.all]
  let logEndOffset: number | undefined
  for (let index = first; index < segments.length; index++) {
    const segment = segments[index]!
    const nextBaseOffset = segments[index + 1]?.baseOffset ?? Infinity
    const fromOffset = Math.max(from, segment.baseOffset)
    const { nextOffset, cut, isSealed } = recoverSegment(options, segment, { fromOffset, nextBaseOffset, savedEpochs })
    logEndOffset = nextOffset
    if (isSealed) {
      removeFrom(options, segments, index + 1, 'the segment before it is damaged up to its end')
      segments.push(options.create(nextOffset))
      break
    }
    if (index + 1 === segments.length || nextBaseOffset === nextOffset) continue
    const problem = cut ? 'the segment before it was cut' : `the log before it ends at ${nextOffset}`
    if (cut || !follows(options, segment, segments[index + 1]!, nextOffset))
      removeFrom(options, segments, index + 1, problem)
  }
  return logEndOffset
}

/** The last segment of a log that was stopped cleanly, when it does not end with a batch: what follows it was not written by a log. */
export function recoverEnd(options: RecoveryOptions, segments: Segment[]): number {
  const active = segments.at(-1)!
  const savedEpochs = [...options.epochs.all]
  const whole = { fromOffset: active.baseOffset, nextBaseOffset: Infinity, savedEpochs }
  const { nextOffset, isSealed } = recoverSegment(options, active, whole)
  if (isSealed) segments.push(options.create(nextOffset))
  return nextOffset
}

/** Whether `segment` may follow one that ends at `expected`, where it does not begin. */
function follows(options: RecoveryOptions, before: Segment, segment: Segment, expected: number): boolean {
  const { baseOffset } = segment
  if (baseOffset > options.recoveryPoint) return baseOffset > expected && baseOffset <= options.cleanedBelow
  // All of `before` was durable: either compaction has left this out, or its file has lost its end.
  if (baseOffset <= options.cleanedBelow) return true
  if (!options.refusesDamage) options.onGapKept(baseOffset)
  if (wasCompacted(before) || wasCompacted(segment)) return true
  const missing = `offsets ${expected} to ${baseOffset - 1}, below the recovery point, are in no segment`
  if (options.refusesDamage) throw new DamagedLogError(`${before.path} ends too early: ${missing}`)
  options.log.error('A log lacks offsets that were durable, unless compaction took them.', {
    segment: before.path,
    endsAt: expected,
    nextSegment: baseOffset,
    advice: 'delete this replica and let it be copied from another broker, if its topic was never compacted',
  })
  return true
}

function removeFrom(options: RecoveryOptions, segments: Segment[], index: number, problem: string): void {
  const dropped = segments.splice(index)
  if (dropped.length === 0) return
  const baseOffsets = dropped.map(segment => segment.baseOffset)
  options.log.warn('Removing segments that do not follow.', { directory: options.directory, baseOffsets, problem })
  for (const segment of dropped.reverse()) removeSegment(options.disk, segment)
}

/** Removes the files of a segment and its snapshot at once. */
export function removeSegment(disk: Disk, segment: Segment): void {
  segment.retire()
  for (const suffix of [...segmentSuffixes, snapshotSuffix]) disk.remove(segment.filePath(suffix))
}

interface RecoveredSegment {
  readonly cut: boolean
  /** What follows it must be in a segment of its own. */
  readonly isSealed: boolean
  readonly nextOffset: number
}

function recoverSegment(
  options: RecoveryOptions,
  segment: Segment,
  place: {
    readonly fromOffset: number
    readonly nextBaseOffset: number
    readonly savedEpochs: readonly EpochEntry[]
  },
): RecoveredSegment {
  segment.leaveIndexesUnchecked()
  // Entries below the recovery point stay, as far as they are sound; entries above it describe bytes that were not
  // checked yet.
  segment.offsetIndex.truncateToEntries(segment.offsetIndex.soundEntries(segment.sizeBytes))
  segment.timeIndex.truncateToEntries(segment.timeIndex.soundEntries())
  segment.offsetIndex.truncateTo(place.fromOffset)
  const start = segment.offsetIndex.entryAt(segment.offsetIndex.entries - 1)
  segment.timeIndex.truncateTo(start?.offset ?? segment.baseOffset)
  segment.resumeIndexes(start?.position ?? 0)
  const about = { ...options, ...place, segment, start, anchors: [] }
  let checker = new TailChecker(about)
  let problem = checker.run()
  if (problem !== undefined && start !== undefined && checker.nextOffset < 0) {
    // Not even the batch that the index points to is good: it may be the index that is wrong.
    const anchors = entriesOf(segment)
    segment.resetIndexes()
    checker = new TailChecker({ ...about, start: undefined, anchors })
    problem = checker.run()
  }
  segment.damaged = checker.damaged
  const cutBytes = segment.sizeBytes - checker.position
  const nextOffset = Math.max(checker.nextOffset, segment.baseOffset)
  if (cutBytes > 0) {
    const fields = { segment: segment.path, atOffset: nextOffset, position: checker.position, cutBytes, problem }
    options.log.warn('Cutting the tail of a log that was not stopped cleanly.', fields)
    segment.cutAt(checker.position, nextOffset)
    // Else a second power failure could bring back what was cut, in the place of what is appended next.
    segment.syncLog()
  }
  try {
    segment.becomeInactive()
  } catch (error) {
    // What of the indexes finds no space stays in memory.
    if (!isDiskFull(error)) throw error
    options.log.warn('No space for the indexes of a segment; they are written later.', { segment: segment.path })
  }
  segment.dirty = true
  return { cut: cutBytes > 0, isSealed: checker.isSealed, nextOffset }
}

function entriesOf({ offsetIndex }: Segment): OffsetAndPosition[] {
  return Array.from({ length: offsetIndex.entries }, (_, slot) => offsetIndex.entryAt(slot)!)
}
