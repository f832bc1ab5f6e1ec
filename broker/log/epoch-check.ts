/**
 * Whether the leader epochs that a checkpoint file tells are those of the batches. A wrong one would have a follower cut its log at the wrong
 * place. The file has no checksum: the newest epoch is compared with the last batch at each start, the others the first time that one of them
 * is asked for. Where they differ, all are read from the batches.
 */
import type { Logger } from '../environment/environment.ts'
import { BatchView } from '../protocol/records/batch.ts'
import { damageAt } from './damaged-region.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import type { Segment } from './segment.ts'

/** The log whose epochs these are. */
export interface EpochsOfLog {
  readonly log: Logger
  /** Of the checkpoint file. */
  readonly path: string
  readonly epochs: LeaderEpochs
  /** By base offset. */
  readonly segments: readonly Segment[]
  readonly logStartOffset: number
  readonly logEndOffset: number
  /** Compaction may have removed the batch with which an epoch began. */
  readonly gapsAllowed: boolean
}

/** Where the last batch ends in the segment, whether the bytes end there too, and its epoch; -1 when there is none. */
export function endOf(segment: Segment): {
  readonly nextOffset: number
  readonly epoch: number
  readonly isWhole: boolean
} {
  let nextOffset = segment.baseOffset
  let epoch = -1
  const position = segment.scanFromIndexed(Number.MAX_SAFE_INTEGER, (bytes, at) => {
    const batch = new BatchView(bytes, at)
    nextOffset = batch.nextOffset
    epoch = batch.partitionLeaderEpoch
    return true
  })
  return { nextOffset, epoch, isWhole: position === segment.sizeBytes }
}

/** At a start: the newest epoch must be that of the last batch, and the epochs must reach down to the log start. */
export function checkNewestEpoch(of: EpochsOfLog, lastBatchEpoch: number): void {
  const { epochs, logEndOffset, logStartOffset } = of
  const known = epochs.latest?.epoch ?? -1
  if (known >= 0 && lastBatchEpoch >= 0 && known !== lastBatchEpoch)
    disagree(of, `the newest epoch is ${known}, the last batch has ${lastBatchEpoch}`)
  // It may have been written when the log start had been raised, and that was lost; or it is damaged and was not used.
  const until = epochs.all[0]?.startOffset ?? logEndOffset
  if (until > logStartOffset) complete(of, until)
}

/** Checks all epochs, once: to be asked before one of them that is not the newest is used. */
export class EpochCheck {
  private readonly about: Omit<EpochsOfLog, 'logStartOffset' | 'logEndOffset'>
  private isDone = false

  constructor(about: EpochCheck['about']) {
    this.about = about
  }

  run({ logStartOffset, logEndOffset }: { readonly logStartOffset: number; readonly logEndOffset: number }): void {
    if (this.isDone) return
    checkAllEpochs({ ...this.about, logStartOffset, logEndOffset })
    this.isDone = true
  }
}

/** Every epoch must begin with a batch that has it. */
function checkAllEpochs(of: EpochsOfLog): void {
  for (const { epoch, startOffset } of of.epochs.all) {
    const found = batchAt(of.segments, Math.max(startOffset, of.logStartOffset))
    if (found === undefined) continue
    const isBeginning = found.baseOffset === startOffset || startOffset <= of.logStartOffset
    if ((isBeginning && found.epoch === epoch) || (!isBeginning && of.gapsAllowed)) continue
    // First, since it may throw: until it is done the log keeps what it has.
    const read = readEpochs(of, of.logEndOffset)
    disagree(
      of,
      `epoch ${epoch} should begin at ${startOffset}, found a batch of epoch ${found.epoch} at ${found.baseOffset}`,
    )
    of.epochs.replace(read.all)
    return
  }
}

function batchAt(segments: readonly Segment[], offset: number): { baseOffset: number; epoch: number } | undefined {
  const segment = segments.findLast(each => each.baseOffset <= offset)
  if (segment !== undefined && damageAt(segment.damaged, offset) !== undefined) return undefined
  const found: { baseOffset: number; epoch: number }[] = []
  segment?.scan(segment.positionOf(offset), (bytes, at) => {
    const { baseOffset, partitionLeaderEpoch } = new BatchView(bytes, at)
    found.push({ baseOffset, epoch: partitionLeaderEpoch })
    return false
  })
  return found[0]
}

function disagree({ log, path, epochs }: EpochsOfLog, problem: string): void {
  log.warn('The leader epoch checkpoint does not agree with the batches; reading the epochs from them.', {
    path,
    problem,
  })
  epochs.clear()
}

/** Puts the epochs of what lies between the log start and `until` before those that are known. */
function complete(of: EpochsOfLog, until: number): void {
  const { epochs } = of
  const completed = readEpochs(of, until)
  for (const { epoch, startOffset } of epochs.all) completed.assign(epoch, startOffset)
  epochs.replace(completed.all)
}

/** Reads the epochs of what lies between the log start and `until` from the headers. Throws DiskError. */
function readEpochs({ segments, logStartOffset }: EpochsOfLog, until: number): LeaderEpochs {
  const completed = new LeaderEpochs()
  const first = segments.findLastIndex(each => each.baseOffset <= logStartOffset)
  for (const [index, segment] of segments.entries()) {
    if (index < first) continue
    if (segment.baseOffset >= until) break
    // What damage has left behind the beginning of the next segment is not the log's.
    const end = Math.min(until, segments[index + 1]?.baseOffset ?? Infinity)
    segment.scanThrough(segment.positionOf(logStartOffset), (bytes, at) => {
      const batch = new BatchView(bytes, at)
      if (batch.baseOffset >= end) return false
      completed.assign(batch.partitionLeaderEpoch, batch.baseOffset)
      return true
    })
  }
  return completed
}
