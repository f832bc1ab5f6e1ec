/**
 * Reads the batches of one segment from a position on and checks that each is undamaged and follows the one before: what recovery does with
 * everything above the recovery point, and with what lies right below it.
 *
 * Below the recovery point all was fsynced, so what is not good there was damaged by its disk, be it in its records or in the length, the base
 * offset or the epoch, which no checksum covers. It is never cut: the bytes become a DamagedRegion, and checking goes on at the next undamaged
 * batch. Above it nobody was promised anything: the first batch that is not good ends the log.
 */
import type { Logger } from '../environment/environment.ts'
import { batchHeaderBytes, BatchView, isWholeBatch } from '../protocol/records/batch.ts'
import { checkBatchBytes } from '../protocol/records/batch-validate.ts'
import { ByteWindow, nextSoundBatch, soundBatchAt } from './batch-search.ts'
import type { DamagedRegion } from './damaged-region.ts'
import type { EpochEntry, LeaderEpochs } from './leader-epochs.ts'
import { LogDirectoryError } from './meta-properties.ts'
import type { OffsetAndPosition } from './offset-index.ts'
import type { Segment } from './segment.ts'

/** Damage below the recovery point of a log that must not be opened with it. */
export class DamagedLogError extends LogDirectoryError {
  constructor(message: string) {
    super(message)
    this.name = 'DamagedLogError'
  }
}

export interface TailCheckOptions {
  readonly log: Logger
  readonly segment: Segment
  /** Everything below was fsynced. */
  readonly recoveryPoint: number
  /** Base offset of the segment that follows; Infinity for the last one. */
  readonly nextBaseOffset: number
  /** Index entry at whose batch the check begins; undefined: at the beginning of the segment. */
  readonly start: OffsetAndPosition | undefined
  /** Index entries of the segment, by position: where to look for a batch behind damage. */
  readonly anchors: readonly OffsetAndPosition[]
  readonly epochs: LeaderEpochs
  /** As the checkpoint file has them: right below the recovery point. */
  readonly savedEpochs: readonly EpochEntry[]
  /** Damage below the recovery point is thrown, as DamagedLogError. */
  readonly refusesDamage: boolean
  readonly indexIntervalBytes: number
}

/** So many that follow each other are no bytes within a record. */
const enoughHeaders = 16

export class TailChecker {
  /** Everything before it is settled: good, or damaged and kept. */
  position: number
  /** Offset that follows the last good batch; -1 while that is not known. */
  nextOffset: number
  readonly damaged: DamagedRegion[] = []
  /** Damage reaches to the end of the file: what comes next, at `nextOffset`, must come into a segment of its own. */
  isSealed = false
  private readonly options: TailCheckOptions
  private readonly segment: Segment
  private readonly window: ByteWindow
  private lastEpoch = -1
  private seen = false

  constructor(options: TailCheckOptions) {
    const { segment, start } = options
    this.options = options
    this.segment = segment
    this.window = new ByteWindow((target, position) => segment.read(target, position), segment.sizeBytes)
    this.position = start?.position ?? 0
    this.nextOffset = start === undefined ? segment.baseOffset : -1
  }

  /**
   * Undefined when all bytes are settled; else what is wrong with those at `position`, which are to be cut. Good batches go into indexes and
   * epochs.
   */
  run(): string | undefined {
    const { segment } = this
    let isBehindDamage = false
    while (this.position < segment.sizeBytes) {
      const chunk = this.window.batchesAt(this.position)
      let at = 0
      let problem: string | undefined
      do {
        problem = checkBatchBytes(chunk, at)?.message
        const batch = new BatchView(chunk, at)
        problem ??= this.check(batch)
        if (problem !== undefined) break
        const { sizeBytes } = batch
        // The batch behind damage gets an index entry of its own: a look-up cannot come there through the damage.
        segment.note(chunk, at, this.position, sizeBytes, isBehindDamage ? -1 : this.options.indexIntervalBytes)
        isBehindDamage = false
        this.position += sizeBytes
        at += sizeBytes
      } while (isWholeBatch(chunk, at, chunk.length))
      if (problem === undefined) continue
      if (!this.isDurable) return problem
      this.keep(problem)
      isBehindDamage = true
    }
    return undefined
  }

  /** The bytes at `position` were fsynced. Where even the offset is unknown the caller begins anew, further in front. */
  private get isDurable(): boolean {
    return this.nextOffset >= 0 && this.nextOffset < this.options.recoveryPoint
  }

  // ----------------------------------------------------------------------------------------------------- one batch

  private check(batch: BatchView): string | undefined {
    const { baseOffset, lastOffset, partitionLeaderEpoch: epoch } = batch
    const { start, epochs } = this.options
    const problem = this.checkOffsets(batch)
    if (problem !== undefined) return problem
    if (!this.seen) {
      if (start !== undefined && start.offset !== lastOffset)
        return `the index points to offset ${start.offset}, not ${lastOffset}`
      // Epochs from here on are known better from the batches than from the checkpoint, which may be older than the
      // last truncation.
      epochs.truncateFromEnd(baseOffset)
      this.lastEpoch = epochs.latest?.epoch ?? -1
      this.seen = true
    }
    if (lastOffset < this.options.recoveryPoint && this.isDamagedEpoch(batch)) {
      this.options.log.error('The leader epoch of a batch below the recovery point is damaged; it is not used.', {
        segment: this.segment.path,
        position: this.position,
        offset: baseOffset,
        epoch,
        lastEpoch: this.lastEpoch,
      })
    } else if (epoch >= 0) {
      if (epoch < this.lastEpoch) return `leader epoch ${epoch} follows epoch ${this.lastEpoch}`
      // Compaction may have taken the batch with which an epoch began, and all of others. Where it began never changes, so that the checkpoint is
      // right about it even if it is older than the last truncation.
      if (this.nextOffset >= 0 && this.nextOffset < baseOffset) this.restoreEpochs(this.nextOffset, baseOffset, epoch)
      this.lastEpoch = epoch
      epochs.assign(epoch, baseOffset)
    }
    this.nextOffset = lastOffset + 1
    return undefined
  }

  /** Offsets may be missing before a batch: they were when it was written, since batches are written one behind the other. */
  private checkOffsets(batch: BatchView): string | undefined {
    const { baseOffset, lastOffset } = batch
    const { nextOffset, segment } = this
    if (lastOffset < baseOffset || !segment.holdsOffset(baseOffset) || !segment.holdsOffset(lastOffset))
      return `offsets ${baseOffset} to ${lastOffset} do not belong to this segment`
    if (baseOffset < nextOffset) return `offset ${baseOffset} does not follow ${nextOffset - 1}`
    if (baseOffset === nextOffset) return undefined
    // A base offset that a disk has damaged looks like missing offsets. But then the batch reaches into what follows it.
    const { nextBaseOffset, recoveryPoint } = this.options
    if (lastOffset >= nextBaseOffset)
      return `offsets ${baseOffset} to ${lastOffset} reach into the segment at ${nextBaseOffset}`
    // Compaction, or a cut, may have taken what ended at the recovery point; but no batch ever reached over it.
    if (baseOffset < recoveryPoint && lastOffset >= recoveryPoint)
      return `offsets ${baseOffset} to ${lastOffset} reach over the recovery point ${recoveryPoint}, ${nextOffset} was expected`
    const next = this.headerAt(this.position + batch.sizeBytes)
    if (next !== undefined && next.baseOffset >= nextOffset && next.baseOffset <= lastOffset)
      return `offsets ${baseOffset} to ${lastOffset} reach into the batch at ${next.baseOffset}`
    return undefined
  }

  /** Lower than the one before, or higher than the one behind; for the last of a segment than what the checkpoint says. */
  private isDamagedEpoch({ baseOffset, partitionLeaderEpoch: epoch, sizeBytes }: BatchView): boolean {
    if (epoch < this.lastEpoch) return true
    if (epoch === this.lastEpoch) return false
    const saved = this.options.savedEpochs.findLast(({ startOffset }) => startOffset <= baseOffset)
    const next = this.headerAt(this.position + sizeBytes)?.partitionLeaderEpoch ?? saved?.epoch
    return next !== undefined && next < epoch && next >= this.lastEpoch
  }

  /** What says that it is the header of a batch. */
  private headerAt(position: number): BatchView | undefined {
    if (position + batchHeaderBytes > this.window.end) return undefined
    const header = new BatchView(this.window.at(position, batchHeaderBytes))
    return header.buffer.length === batchHeaderBytes && header.magic === 2 ? header : undefined
  }

  // -------------------------------------------------------------------------------------------------------- damage

  /** What was durable and is damaged now is left where it is, for readers to be told: to cut it would cost all that follows. */
  private keep(problem: string): void {
    const { position: from, nextOffset: offset, segment } = this
    const { log, refusesDamage, recoveryPoint, nextBaseOffset } = this.options
    if (refusesDamage)
      throw new DamagedLogError(
        `${segment.path} is damaged at byte ${from}, offset ${offset}, although everything below offset ${recoveryPoint} was durable: ${problem}`,
      )
    const found = this.behind(from)
    const end = Math.min(nextBaseOffset, recoveryPoint)
    const region = {
      from,
      to: found?.position ?? segment.sizeBytes,
      offset,
      nextOffset: found?.baseOffset ?? end,
      problem,
    }
    this.damaged.push(region)
    log.error('A batch below the recovery point is damaged; it stays, and is not served.', {
      segment: segment.path,
      position: from,
      bytes: region.to - from,
      offset,
      nextOffset: region.nextOffset,
      problem,
      advice:
        'delete this replica and let it be copied from another broker, where there is one; `log verify` shows the damage',
    })
    this.restoreEpochs(region.offset, Math.min(region.nextOffset, recoveryPoint - 1))
    this.position = region.to
    this.nextOffset = region.nextOffset
    this.isSealed = found === undefined && nextBaseOffset > recoveryPoint
  }

  /** Epochs up to `newest` that began at these offsets, of which no batch tells it any more. */
  private restoreEpochs(from: number, to: number, newest = Infinity): void {
    for (const { epoch, startOffset } of this.options.savedEpochs) {
      if (startOffset < from || startOffset > to) continue
      if (epoch <= this.lastEpoch || epoch > newest) continue
      this.options.epochs.assign(epoch, startOffset)
      this.lastEpoch = epoch
    }
  }

  /**
   * The next undamaged batch that was durable, or is the first that need not be: nothing is taken from behind a hole in what was not.
   * Where the length of the damaged batch leads to one, it is that: its records may hold bytes that look like batches. Else an index entry says
   * where one is, and one that is found before it counts when the batches from it on lead there.
   */
  private behind(from: number): { readonly position: number; readonly baseOffset: number } | undefined {
    const sizeBytes = this.headerAt(from)?.sizeBytes ?? 0
    const own = sizeBytes >= batchHeaderBytes ? soundBatchAt(this.window, from + sizeBytes) : undefined
    if (own !== undefined && this.fits(own)) return { position: from + sizeBytes, baseOffset: own.baseOffset }
    const anchor = this.options.anchors.find(entry => {
      const batch = entry.position > from ? soundBatchAt(this.window, entry.position) : undefined
      return batch !== undefined && batch.lastOffset === entry.offset && this.fits(batch)
    })
    const goal = anchor?.position ?? this.window.end
    let first: number | undefined
    const leads = nextSoundBatch(this.window, from + 1, goal, (batch, position) => {
      if (!this.fits(batch)) return false
      first ??= position
      return this.leadsTo(goal, position)
    })
    const position = leads ?? anchor?.position ?? first
    return position === undefined
      ? undefined
      : { position, baseOffset: soundBatchAt(this.window, position)!.baseOffset }
  }

  private fits({ baseOffset, lastOffset }: BatchView): boolean {
    const { nextBaseOffset, recoveryPoint } = this.options
    // What is damaged had an offset at least; a batch that begins there again has a damaged one itself.
    const isInside = baseOffset > this.nextOffset && lastOffset >= baseOffset && lastOffset < nextBaseOffset
    if (!isInside || !this.segment.holdsOffset(lastOffset)) return false
    return lastOffset < recoveryPoint || baseOffset === recoveryPoint
  }

  /** Whether headers follow each other from `position` up to `goal`, or to the recovery point, or are many. */
  private leadsTo(goal: number, position: number): boolean {
    let expected = 0
    let at = position
    for (let count = 0; at < goal && count < enoughHeaders; count++) {
      const header = this.headerAt(at)
      if (header === undefined || header.baseOffset < expected || header.sizeBytes < batchHeaderBytes) return false
      expected = header.nextOffset
      if (expected >= this.options.recoveryPoint) return true
      at += header.sizeBytes
    }
    return at <= goal
  }
}
