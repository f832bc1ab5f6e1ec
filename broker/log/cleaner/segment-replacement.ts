/**
 * Puts a cleaned segment in the place of neighbours, step by step as segment-swap.ts has it: between the steps the directory is fsynced,
 * and while that takes its time, off the event loop, the log goes on. Whoever is about to take segments or records from the log settles
 * first what is under way.
 */
import type { DelayedRemoval } from '../delayed-removal.ts'
import { swapSuffix } from '../log-files.ts'
import type { ProducerSnapshots } from '../producer-snapshots.ts'
import { Segment } from '../segment.ts'
import type { SegmentContext } from '../segment-context.ts'
import type { SegmentTally } from '../segment-tally.ts'
import type { TransactionIndexes } from '../transaction-indexes.ts'
import { commitSwap, finishSwap, prepareSwap } from './segment-swap.ts'

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

export interface ReplacementOptions {
  /** All of the log, by base offset, changed in place. */
  readonly segments: Segment[]
  readonly createdWallMs: number
  /** A DiskError that it throws is the end of the log, unless it is for a shortage. */
  guard<T>(run: () => T): T
  /** For what must not be left half done: nobody uses the log before it is done, and no shortage is thrown. */
  finish(run: () => void): void
}

/** What was done last. */
type Stage = 'nothing' | 'prepared' | 'committed' | 'in place' | 'finished'

export class SegmentReplacement {
  private readonly log: ReplaceableLog
  private readonly cleaned: Segment
  private readonly old: readonly Segment[]
  private readonly options: ReplacementOptions
  /** Under the `.swap` names. */
  private swapped: Segment | undefined
  /** Files of the old segments, which the log does not have any more. */
  private replacedPaths: readonly string[] = []
  private stage: Stage = 'nothing'

  /** `old`: neighbours below the active segment, `cleaned` what they became, durable. */
  constructor(log: ReplaceableLog, options: ReplacementOptions, cleaned: Segment, old: readonly Segment[]) {
    this.log = log
    this.options = options
    this.cleaned = cleaned
    this.old = old
    if (old[0]?.baseOffset !== cleaned.baseOffset)
      throw new Error(`Bug: a cleaned segment begins at ${cleaned.baseOffset}, and what it replaces does not.`)
    this.position()
  }

  /** Whether the log has the cleaned segment, also after a crash. */
  get isCommitted(): boolean {
    return this.stage !== 'nothing' && this.stage !== 'prepared'
  }

  /**
   * Does the next step. False: nothing is left. Before it is called again the directory must be fsynced. Throws DiskError: then the log has
   * failed, or, for a shortage, the step is still to be done; before the commit all of it may be given up as well.
   */
  step(): boolean {
    this.options.guard(() => this.doNext())
    return this.stage !== 'finished'
  }

  private doNext(): void {
    const { segmentContext, directory, durability } = this.log
    const { disk } = segmentContext
    const { baseOffset } = this.cleaned
    if (this.stage === 'nothing') {
      this.cleaned.retire()
      prepareSwap(disk, directory, baseOffset)
      this.stage = 'prepared'
    } else if (this.stage === 'prepared') {
      commitSwap(disk, directory, baseOffset)
      this.stage = 'committed'
    } else if (this.stage === 'committed') {
      this.takePlace()
      this.stage = 'in place'
    } else if (this.stage === 'in place') {
      // While only some of its files have their names the segment cannot be read.
      this.options.finish(() => {
        finishSwap(disk, directory, baseOffset)
        this.replace([this.swapped!], this.open(segmentContext))
        durability.directoryDirty = true
        this.stage = 'finished'
      })
    }
  }

  /** Brings to its end at once, blocking, what can no longer be given up. Throws DiskError. */
  settle(): void {
    if (!this.isCommitted) return
    const { segmentContext, directory } = this.log
    while (this.stage !== 'finished') {
      this.options.guard(() => segmentContext.disk.syncDirectory(directory))
      this.step()
    }
  }

  private takePlace(): void {
    const { segmentContext, removal, fileDeleteDelayMs } = this.log
    if (this.swapped === undefined) {
      const swapped = this.open({ ...segmentContext, fileEnding: swapSuffix })
      this.replace(this.old, swapped)
      this.swapped = swapped
      this.replacedPaths = this.old.flatMap(segment => this.filesOf(segment))
    }
    removal.removeForGood(this.replacedPaths, fileDeleteDelayMs)
  }

  private filesOf(segment: Segment): string[] {
    const { snapshots } = this.log
    const { baseOffset } = segment
    // The snapshot at the base of the new one stays.
    const snapshot = baseOffset === this.cleaned.baseOffset ? [] : snapshots.pathsAt(baseOffset)
    if (snapshot.length > 0) snapshots.forget(baseOffset)
    return [...segment.files(), ...snapshot]
  }

  private replace(old: readonly Segment[], by: Segment): void {
    const { tally, transactions, reader } = this.log
    // First what may be refused.
    transactions.adopt(by)
    this.options.segments.splice(this.position(old), old.length, by)
    for (const segment of old) {
      segment.retire()
      if (segment.baseOffset !== by.baseOffset) transactions.forget(segment)
    }
    tally.add(by)
    reader.forget()
  }

  private position(old: readonly Segment[] = this.old): number {
    const { segments } = this.options
    const at = segments.indexOf(old[0]!)
    if (at < 0 || old.some((segment, index) => segments[at + index] !== segment) || at + old.length >= segments.length)
      throw new Error(
        `Bug: the segments to be replaced at ${this.cleaned.baseOffset} of ${this.log.directory} are not in the log.`,
      )
    return at
  }

  private open(context: SegmentContext): Segment {
    const { createdWallMs } = this.options
    return Segment.open({ context, baseOffset: this.cleaned.baseOffset, createdWallMs, rollJitterMs: 0 })
  }
}
