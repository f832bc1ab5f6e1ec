/**
 * How a cleaned segment takes the place of those it was made from, so that a crash at any moment leaves the old ones or the new one, and a
 * start finishes what was begun. `A` is the base offset of the first of the old segments, which the new one keeps:
 *
 *   1. A.log.cleaned, A.index.cleaned, A.timeindex.cleaned, A.txnindex.cleaned are written, fsynced    old
 *   2. all but the log are renamed to .swap; the directory is fsynced                                   old
 *   3. A.log.cleaned becomes A.log.swap; the directory is fsynced                                       new, from here on
 *   4. the files of the old segments are renamed to .deleted; the directory is fsynced
 *   5. all files lose their .swap, the log last
 *
 * At a start `.cleaned` files go. With an A.log.swap what is left of 4 and 5 is done: old segments lie below the offset at which it ends,
 * since the last batch of the old ones is always kept (swap-evidence.ts makes sure of that offset); an index that has no `.swap` any more has its name already. Without an A.log.swap the
 * other `.swap` files are from before 3, and go; or they are from 5, of which a power failure kept the name of the log only, or Kafka left
 * them, which renames the log first: then their place is empty, and is theirs.
 *
 * The log is served while this goes on (segment-replacement.ts), from the old segments until 4 and from the `.swap` files until 5.
 *
 * Sources: Kafka documentation, "Log"; KAFKA-6264 (which swaps count); Kafka's LocalLog.replaceSegments and LogLoader, observed.
 */
import { DiskError, type Disk, type Logger } from '../../environment/environment.ts'
import {
  cleanedSuffix,
  indexSuffix,
  logSuffix,
  offsetFileName,
  offsetOfFileName,
  segmentSuffixes,
  snapshotSuffix,
  swapSuffix,
  timeIndexSuffix,
} from '../log-files.ts'
import type { Segment } from '../segment.ts'
import { encodeAbortedTransactions } from '../transaction-index.ts'
import type { AbortedTransaction } from '../transaction-index.ts'
import { areNeighbours, cutBelow, isEndCertain, reachOf, readSwap } from './swap-evidence.ts'

/** Of a segment, in the order in which they become the log's. */
const indexSuffixes = segmentSuffixes.filter(suffix => suffix !== logSuffix)

/** Paths of the files of a cleaned segment, under every name they may have by now. */
export function cleanedFiles(cleaned: Segment): string[] {
  return cleaned.files().flatMap(path => [path, path.slice(0, -cleanedSuffix.length) + swapSuffix])
}

export function removeFiles(disk: Disk, paths: readonly string[]): void {
  for (const path of paths) if (disk.stat(path) !== undefined) disk.remove(path)
}

/** The transaction index of a cleaned segment: always there, so that a start can tell whether it was renamed. Durable. */
export function writeCleanedTransactions(
  disk: Disk,
  cleaned: Segment,
  transactions: readonly AbortedTransaction[],
): void {
  const file = disk.open(cleaned.files().at(-1)!, 'write')
  try {
    file.truncate(0)
    if (transactions.length === 0) return
    file.write([encodeAbortedTransactions(transactions)], 0)
    file.sync()
  } finally {
    file.close()
  }
}

/** Step 2, but for the fsync. Nothing counts yet, and all of it may still be given up. */
export function prepareSwap(disk: Disk, directory: string, baseOffset: number): void {
  for (const suffix of indexSuffixes) rename(disk, directory, baseOffset, suffix, cleanedSuffix, swapSuffix)
}

/** Step 3. Once the directory is fsynced the cleaned segment counts. */
export function commitSwap(disk: Disk, directory: string, baseOffset: number): void {
  rename(disk, directory, baseOffset, logSuffix, cleanedSuffix, swapSuffix)
}

/** Step 5, when the old segments are out of the way for good. As durable as the next fsync of the directory makes it. */
export function finishSwap(disk: Disk, directory: string, baseOffset: number): void {
  for (const suffix of [...indexSuffixes, logSuffix]) rename(disk, directory, baseOffset, suffix, swapSuffix, '')
}

/** Done already when there is only the new name: a step that was interrupted is done again. */
function rename(disk: Disk, directory: string, baseOffset: number, suffix: string, from: string, to: string): void {
  const path = `${directory}/${offsetFileName(baseOffset, suffix)}`
  try {
    disk.rename(path + from, path + to)
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'ENOENT' || disk.stat(path + to) === undefined) throw error
  }
}

/** At a start, before anything else is looked at: no `.cleaned` and no `.swap` is left afterwards. */
export function recoverSwaps(disk: Disk, log: Logger, directory: string): void {
  const names = new Set(disk.list(directory).map(({ name }) => name))
  const cleaned = offsetsOf(names, cleanedSuffix)
  const swaps = offsetsOf(names, swapSuffix)
  if (cleaned.size === 0 && swaps.size === 0) return
  // A swap that does not count may be one of several of which the first are not there yet.
  const firstCleaned = Math.min(...cleaned, Infinity)
  const path = (offset: number, suffix: string): string => `${directory}/${offsetFileName(offset, suffix)}`
  for (const offset of swaps) {
    const has = (suffix: string): boolean => names.has(offsetFileName(offset, suffix))
    // Without the log that it replaces it is the only copy.
    if (offset >= firstCleaned && has(logSuffix)) removeFiles(disk, swapFilesOf(offset, path))
    else if (has(logSuffix + swapSuffix)) finishInterrupted({ disk, log, directory, names }, offset)
    else {
      for (const suffix of indexSuffixes) {
        if (!has(suffix + swapSuffix)) continue
        if (has(logSuffix) && !has(suffix)) disk.rename(path(offset, suffix + swapSuffix), path(offset, suffix))
        else disk.remove(path(offset, suffix + swapSuffix))
      }
    }
  }
  for (const offset of cleaned)
    removeFiles(
      disk,
      segmentSuffixes.map(suffix => path(offset, suffix + cleanedSuffix)),
    )
  disk.syncDirectory(directory)
}

interface SwapPlace {
  readonly disk: Disk
  readonly log: Logger
  readonly directory: string
  readonly names: Set<string>
}

/**
 * Steps 4 and 5 of a swap that counts. What it replaces is removed only where it is certain up to which offset that is. If not, the `.swap` file
 * is damaged, or another one than this broker's: with the first of the old segments there nothing was taken away yet, and the swap goes;
 * else the log has the swap up to the old segments that are left, and those.
 */
function finishInterrupted({ disk, log, directory, names }: SwapPlace, baseOffset: number): void {
  const path = (suffix: string): string => `${directory}/${offsetFileName(baseOffset, suffix)}`
  const swapPath = path(logSuffix + swapSuffix)
  const logs = [...names].flatMap(name => offsetOfFileName(name, logSuffix) ?? []).sort((a, b) => a - b)
  const content = readSwap(disk, swapPath, baseOffset)
  const { endOffset, isSound } = content
  const old = logs.filter(offset => offset >= baseOffset && offset < endOffset)
  const about = { directory, baseOffset, endOffset }
  if (isSound && (old.length === 0 || isEndCertain(disk, directory, content, logs))) {
    log.info('Finishing a swap of segments that a stop had interrupted.', about)
    removeReplaced(disk, directory, names, baseOffset, endOffset)
  } else if (logs.includes(baseOffset)) {
    if (!areNeighbours(disk, directory, logs, { baseOffset, reach: reachOf(disk, swapPath) }))
      throw new DiskError(
        'EIO',
        'recover',
        swapPath,
        'it is damaged, and some of the segments that it replaces are gone',
      )
    log.error('A cleaned segment is damaged; it is given up for those that it was made of.', about)
    return removeFiles(
      disk,
      segmentSuffixes.map(suffix => path(suffix + swapSuffix)),
    )
  } else {
    const next = logs.find(offset => offset > baseOffset)
    const cutAt = next === undefined ? undefined : cutBelow(disk, swapPath, next)
    log.error('A cleaned segment is damaged; what it replaces is kept, as far as it is still there.', {
      ...about,
      nextSegment: next,
      cutAt,
    })
    if (cutAt !== undefined) cutSwap(disk, swapPath, cutAt)
    // They may reach further; they are made anew.
    removeFiles(disk, [path(indexSuffix + swapSuffix), path(timeIndexSuffix + swapSuffix)])
  }
  for (const suffix of indexSuffixes)
    if (disk.stat(path(suffix + swapSuffix)) !== undefined) disk.rename(path(suffix + swapSuffix), path(suffix))
  disk.syncDirectory(directory)
  disk.rename(swapPath, path(logSuffix))
}

function cutSwap(disk: Disk, path: string, bytes: number): void {
  const file = disk.open(path, 'write')
  try {
    file.truncate(bytes)
    file.sync()
  } finally {
    file.close()
  }
}

function swapFilesOf(offset: number, path: (offset: number, suffix: string) => string): string[] {
  return segmentSuffixes.map(suffix => path(offset, suffix + swapSuffix))
}

/**
 * Old segments that are still there, the first one first, as SegmentReplacement takes them away: as long as any is left, so is the one that
 * proves where the swap ends. Of the first one its log alone, and what has a successor in `.swap`.
 */
function removeReplaced(
  disk: Disk,
  directory: string,
  names: Set<string>,
  baseOffset: number,
  endOffset: number,
): void {
  for (const name of [...names].sort()) {
    const suffix = [...segmentSuffixes, snapshotSuffix].find(each => offsetOfFileName(name, each) !== undefined)
    if (suffix === undefined) continue
    const offset = offsetOfFileName(name, suffix)!
    const isInside = offset > baseOffset && offset < endOffset
    if (!isInside && (offset !== baseOffset || suffix !== logSuffix)) continue
    disk.remove(`${directory}/${name}`)
    names.delete(name)
  }
}

function offsetsOf(names: ReadonlySet<string>, ending: string): Set<number> {
  const offsets = new Set<number>()
  for (const name of names) {
    for (const suffix of segmentSuffixes) {
      const offset = offsetOfFileName(name, suffix + ending)
      if (offset !== undefined) offsets.add(offset)
    }
  }
  return offsets
}
