/**
 * Copying one partition's log into another log of the same broker, piece by piece, while the first goes on growing and being cut. Works on
 * two logs and nothing else; every call is one synchronous step, so that nobody sees a copy that parts from its log.
 * Sources: KIP-113; KIP-101 and KIP-279 for where two logs part.
 */
import type { PartitionLog } from '../log/log.ts'
import { truncationOffset } from './fetcher-machine.ts'

/**
 * Cuts from `copy` all that `log` does not hold: after a restart either may have lost its end, and the log may have been cut while the copy
 * was not.
 */
export function align(log: PartitionLog, copy: PartitionLog): void {
  if (copy.logEndOffset < log.logStartOffset) copy.truncateFullyAndStartAt(log.logStartOffset)
  if (copy.logEndOffset > log.logEndOffset) copy.truncateTo(log.logEndOffset)
  while (copy.logEndOffset > copy.logStartOffset) {
    const epoch = copy.epochAt(copy.logEndOffset - 1)
    const end = epoch === undefined ? undefined : log.endOffsetForEpoch(epoch)
    if (end === undefined || end.endOffset < 0) break
    if (end.leaderEpoch === epoch && end.endOffset >= copy.logEndOffset) return
    const cut = truncationOffset(end, copy)
    if (cut >= copy.logEndOffset || cut <= log.logStartOffset) break
    copy.truncateTo(cut)
  }
  // Nothing of it can be shown to be in the log.
  if (copy.logEndOffset > copy.logStartOffset) copy.truncateFullyAndStartAt(log.logStartOffset)
}

/** The log was cut just now: so is the copy. */
export function followCut(log: PartitionLog, copy: PartitionLog): void {
  if (copy.logEndOffset <= log.logEndOffset) return
  if (log.logEndOffset < copy.logStartOffset) copy.truncateFullyAndStartAt(log.logEndOffset)
  else copy.truncateTo(log.logEndOffset)
}

/**
 * Copies whole batches, at most `maxBytes` but at least one, and follows the start of the log. Where a compacted log has no records any more
 * up to its end, so has the copy. Returns how many bytes were copied.
 */
export function copyNext(log: PartitionLog, copy: PartitionLog, maxBytes: number): number {
  if (copy.logEndOffset < log.logStartOffset) copy.truncateFullyAndStartAt(log.logStartOffset)
  const read = log.read(copy.logEndOffset, { maxBytes, untilOffset: log.logEndOffset, atLeastOneBatch: true })
  if ('refused' in read) throw new Error(`Bug: the copy ends at ${copy.logEndOffset}, outside of its log.`)
  if (read.records.length > 0) {
    // The log may start inside a batch (DeleteRecords): an empty copy has to begin with that batch.
    if (read.baseOffset < copy.logEndOffset && copy.logEndOffset === copy.logStartOffset) {
      copy.truncateFullyAndStartAt(read.baseOffset)
    }
    copy.appendAsFollower(read.records)
  } else if (copy.logEndOffset < log.logEndOffset) copy.skipTo(log.logEndOffset)
  if (copy.logStartOffset < log.logStartOffset) copy.advanceLogStart(Math.min(log.logStartOffset, copy.logEndOffset))
  return read.records.length
}
