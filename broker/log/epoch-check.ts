/**
 * Whether the leader epochs that a checkpoint file tells are those of the batches. A wrong one would have a follower cut its log at the wrong
 * place. The file has no checksum: the newest epoch is compared with the last batch at each start, the others the first time that one of them
 * is asked for, or the log is compacted. Where they differ, all are read from the batches.
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

/** Before one of them that is not the newest is used. Throws DiskError. */
export function checkAllEpochs(of: EpochsOfLog): void {
  const { epochs } = of
  const contradiction = contradictionIn(of)
  if (contradiction === undefined) return
  // First, since it may throw: until it is done the log keeps what it has.
  const read = readEpochs(of, of.logEndOffset)
  // Of who leads and has written nothing yet no batch tells.
  for (const { epoch, startOffset } of epochs.all) if (startOffset >= of.logEndOffset) read.assign(epoch, startOffset)
  disagree(of, contradiction)
  epochs.replace(read.all)
}

/**
 * Where an epoch begins a batch must end, and those on both sides must have the epochs that are told of them. Offsets that are missing there
 * tell nothing: any log may have been compacted at some time, and where compaction took the first batch of an epoch, only the file says where
 * that was.
 */
function contradictionIn(of: EpochsOfLog): string | undefined {
  const { epochs, segments, logStartOffset } = of
  for (const { epoch, startOffset } of epochs.all) {
    const begin = Math.max(startOffset, logStartOffset)
    for (const offset of begin > logStartOffset ? [begin - 1, begin] : [begin]) {
      const found = batchAt(segments, offset)
      if (found === undefined) continue
      const { baseOffset, nextOffset } = found
      const told = epochs.epochAt(Math.max(baseOffset, logStartOffset))
      const isCut = baseOffset < begin && nextOffset > begin && begin > logStartOffset
      if (!isCut && (told === undefined || told === found.epoch)) continue
      return `epoch ${epoch} should begin at ${startOffset}, found a batch of epoch ${found.epoch} from ${baseOffset} to ${nextOffset - 1}`
    }
  }
  return undefined
}

/** The first batch that ends behind `offset` in the segment where that is; undefined also where it is damaged. */
function batchAt(
  segments: readonly Segment[],
  offset: number,
): { readonly baseOffset: number; readonly nextOffset: number; readonly epoch: number } | undefined {
  const segment = segments.findLast(each => each.baseOffset <= offset)
  if (segment !== undefined && damageAt(segment.damaged, offset) !== undefined) return undefined
  const found: { baseOffset: number; nextOffset: number; epoch: number }[] = []
  segment?.scan(segment.positionOf(offset), (bytes, at) => {
    const { baseOffset, nextOffset, partitionLeaderEpoch } = new BatchView(bytes, at)
    found.push({ baseOffset, nextOffset, epoch: partitionLeaderEpoch })
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

/**
 * Reads the epochs of what lies between the log start and `until` from the headers. Where compaction took the first batch of an epoch, it seems to
 * begin later than it did. Throws DiskError.
 */
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
      completed.assign(batch.partitionLeaderEpoch, Math.max(batch.baseOffset, logStartOffset))
      return true
    })
  }
  return completed
}
