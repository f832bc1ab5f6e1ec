/** Puts a cleaned segment in the place of neighbours: the files (segment-swap.ts has the order), then what the log knows in memory. */
import type { DelayedRemoval } from '../delayed-removal.ts'
import { snapshotSuffix } from '../log-files.ts'
import type { ProducerSnapshots } from '../producer-snapshots.ts'
import { Segment } from '../segment.ts'
import type { SegmentContext } from '../segment.ts'
import type { SegmentTally } from '../segment-tally.ts'
import type { TransactionIndexes } from '../transaction-indexes.ts'
import { commitSwap, finishSwap } from './segment-swap.ts'

/** The log whose segments are replaced. */
export interface ReplaceableLog {
  readonly directory: string
  readonly segmentContext: SegmentContext
  readonly tally: SegmentTally
  readonly transactions: TransactionIndexes
  readonly snapshots: ProducerSnapshots
  readonly removal: DelayedRemoval
  readonly reader: { forget(): void }
  readonly durability: { directoryDirty: boolean }
  readonly fileDeleteDelayMs: number
}

/**
 * `old`: neighbours below the active segment, `cleaned` what they became, durable. `segments`: all of the log, by base offset, changed in
 * place. Throws DiskError.
 */
export function replaceSegments(
  log: ReplaceableLog,
  { createdWallMs, segments }: { readonly createdWallMs: number; readonly segments: Segment[] },
  cleaned: Segment,
  old: readonly Segment[],
): void {
  const { directory, segmentContext: context, transactions, snapshots } = log
  const { baseOffset } = cleaned
  const at = segments.indexOf(old[0]!)
  if (at < 0 || old.some((segment, index) => segments[at + index] !== segment) || at + old.length >= segments.length)
    throw new Error(`Bug: the segments to be replaced at ${baseOffset} of ${directory} are not in the log.`)
  if (old[0]!.baseOffset !== baseOffset) throw new Error(`Bug: a cleaned segment begins at ${baseOffset}.`)
  cleaned.retire()
  commitSwap(context.disk, directory, baseOffset)
  const paths: string[] = []
  for (const segment of old) {
    segment.retire()
    transactions.forget(segment)
    paths.push(...segment.files())
    if (segment.baseOffset !== baseOffset && snapshots.forget(segment.baseOffset))
      paths.push(segment.filePath(snapshotSuffix))
  }
  log.removal.remove(paths, log.fileDeleteDelayMs)
  finishSwap(context.disk, directory, baseOffset)
  const replacement = Segment.open({ context, baseOffset, createdWallMs, rollJitterMs: 0 })
  segments.splice(at, old.length, replacement)
  log.tally.add(replacement)
  transactions.adopt(replacement)
  log.reader.forget()
  log.durability.directoryDirty = true
}
