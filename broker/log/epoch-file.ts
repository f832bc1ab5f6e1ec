/** `leader-epoch-checkpoint` of a log that is open: checked once before what it told is used, and written before it is all that tells. */
import type { Disk, Logger } from '../environment/environment.ts'
import { leaderEpochFile, writeEpochCheckpoint } from './checkpoints.ts'
import { checkAllEpochs } from './epoch-check.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { Segment } from './segment.ts'

export interface LogWithEpochs {
  readonly log: Logger
  readonly directory: string
  readonly segmentContext: { readonly disk: Disk }
  readonly durability: { syncDirectories(): void }
  readonly epochs: LeaderEpochs
  readonly currentSegments: readonly Segment[]
  readonly logStartOffset: number
  readonly logEndOffset: number
}

export class EpochFile {
  private readonly of: LogWithEpochs
  private checked: LeaderEpochs | undefined

  constructor(of: LogWithEpochs) {
    this.of = of
  }

  private get path(): string {
    return `${this.of.directory}/${leaderEpochFile}`
  }

  /** Throws DiskError: then it is still to be done. */
  check(): void {
    const { log, epochs, currentSegments: segments, logStartOffset, logEndOffset } = this.of
    if (this.checked === epochs) return
    checkAllEpochs({ log, path: this.path, epochs, segments, logStartOffset, logEndOffset })
    this.checked = epochs
  }

  /** Makes durable where epochs below `offset` begin. Throws DiskError. */
  save(offset: number): void {
    const { epochs, durability, segmentContext } = this.of
    if (epochs.unsavedFrom >= offset) return
    durability.syncDirectories()
    writeEpochCheckpoint(segmentContext.disk, this.path, epochs.all, { durable: true })
    epochs.saved()
  }

  /** When what is in `last`, and in segments before it, is compacted, no batch may tell any more where an epoch began. Throws DiskError. */
  beforeCompaction(last: Segment): void {
    this.check()
    const { currentSegments: segments } = this.of
    this.save(segments[segments.indexOf(last) + 1]?.baseOffset ?? Infinity)
  }
}
