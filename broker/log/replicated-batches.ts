/** What a follower demands of batches that its leader sent: undamaged, and following its own log and each other. */
import { batchBytes, BatchView } from '../protocol/records/batch.ts'
import { checkBatchBytes } from '../protocol/records/batch-validate.ts'

/** Batches from a leader that are damaged: the follower must not take them. */
export class CorruptRecordsError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CorruptRecordsError'
  }
}

/**
 * The batches of `records`, which are whole. Offsets may be missing between them: the leader's log was compacted, whatever
 * its policy is by now. Throws CorruptRecordsError, or a bug when they go back.
 */
export function checkReplicated(records: Buffer, logEndOffset: number): BatchView[] {
  const batches: BatchView[] = []
  let expected = logEndOffset
  for (let at = 0; at < records.length; at += batchBytes(records, at)) {
    const problem = checkBatchBytes(records, at)
    if (problem !== undefined) throw new CorruptRecordsError(problem.message)
    const batch = new BatchView(records, at)
    const { baseOffset, lastOffset } = batch
    if (lastOffset < baseOffset)
      throw new CorruptRecordsError(`A replicated batch ends at ${lastOffset}, before it begins at ${baseOffset}.`)
    if (baseOffset < expected)
      throw new Error(
        `Bug: expected a replicated batch that begins at offset ${expected} or later, got ${baseOffset}; truncate first.`,
      )
    expected = lastOffset + 1
    batches.push(batch)
  }
  return batches
}
