/**
 * Which leader epoch wrote which offsets: a list of (epoch, start offset), both rising. `leader-epoch-checkpoint` keeps
 * it across restarts.
 *
 * The file is written when the recovery point passed an epoch that is not in it, not at every new epoch: an epoch that
 * began above the recovery point is found again in the batches themselves.
 *
 * Sources: KIP-101, KIP-279; end offsets as the leader answers OffsetForLeaderEpoch.
 */
import type { EpochEndOffset } from './log.ts'

export interface EpochEntry {
  readonly epoch: number
  readonly startOffset: number
}

export class LeaderEpochs {
  private entries: EpochEntry[] = []
  /** From this offset on the checkpoint file may say something else; Infinity when it says the same. */
  unsavedFrom = Infinity

  constructor(entries: readonly EpochEntry[] = []) {
    for (const entry of entries) this.assign(entry.epoch, entry.startOffset)
    this.saved()
  }

  get all(): readonly EpochEntry[] {
    return this.entries
  }
  get latest(): EpochEntry | undefined {
    return this.entries.at(-1)
  }

  /** The checkpoint file says the same. */
  saved(): void {
    this.unsavedFrom = Infinity
  }

  /** After changes that may have led back to what the file says, or to it and a little more. */
  compareWith(inFile: readonly EpochEntry[]): void {
    const differs = (entry: EpochEntry | undefined, index: number) =>
      entry?.epoch !== inFile[index]?.epoch || entry?.startOffset !== inFile[index]?.startOffset
    const first = this.entries.findIndex(differs)
    this.saved()
    if (first >= 0) this.changedFrom(Math.min(this.entries[first]!.startOffset, inFile[first]?.startOffset ?? Infinity))
    else if (inFile.length > this.entries.length) this.changedFrom(inFile[this.entries.length]!.startOffset)
  }

  private changedFrom(offset: number): void {
    this.unsavedFrom = Math.min(this.unsavedFrom, offset)
  }

  /** Notes that what begins at `startOffset` was written in `epoch`; entries that contradict it (higher epoch or offset) go. */
  assign(epoch: number, startOffset: number): void {
    if (epoch < 0) return
    if (this.latest?.epoch === epoch && startOffset >= this.latest.startOffset) return
    // A leader of a later epoch may have written nothing here. Then it is the epoch before that goes on, from where it began.
    this.truncateFromEnd(startOffset)
    if (this.latest?.epoch === epoch) return
    while (this.latest !== undefined && this.latest.epoch >= epoch) this.changedFrom(this.entries.pop()!.startOffset)
    this.entries.push({ epoch, startOffset })
    this.changedFrom(startOffset)
  }

  /** End of the largest epoch at or below `leaderEpoch`; -1/-1 when that cannot be told. */
  endOffsetFor(leaderEpoch: number, logEndOffset: number): EpochEndOffset {
    const unknown = { leaderEpoch: -1, endOffset: -1 }
    const latest = this.latest
    if (latest === undefined || leaderEpoch < 0) return unknown
    if (leaderEpoch === latest.epoch) return { leaderEpoch, endOffset: logEndOffset }
    const higher = this.entries.findIndex(entry => entry.epoch > leaderEpoch)
    if (higher < 0) return unknown
    // Below the first known epoch the data is gone; a follower must not keep anything above the first start offset.
    if (higher === 0) return { leaderEpoch, endOffset: this.entries[0]!.startOffset }
    return { leaderEpoch: this.entries[higher - 1]!.epoch, endOffset: this.entries[higher]!.startOffset }
  }

  /** Epoch of the record at `offset`. */
  epochAt(offset: number): number | undefined {
    return this.entries.findLast(entry => entry.startOffset <= offset)?.epoch
  }

  /** Forgets epochs that begin at or above the new end. */
  truncateFromEnd(endOffset: number): void {
    while (this.entries.length > 0 && this.entries.at(-1)!.startOffset >= endOffset) {
      this.changedFrom(this.entries.pop()!.startOffset)
    }
  }

  /** Forgets epochs that end at or below the new start; the one that spans it begins there now. */
  truncateFromStart(startOffset: number): void {
    const keep = this.entries.findLastIndex(entry => entry.startOffset <= startOffset)
    if (keep < 0 || (keep === 0 && this.entries[0]!.startOffset === startOffset)) return
    this.changedFrom(this.entries[0]!.startOffset)
    this.entries = [{ epoch: this.entries[keep]!.epoch, startOffset }, ...this.entries.slice(keep + 1)]
  }

  /** Takes these for what was known so far. */
  replace(entries: readonly EpochEntry[]): void {
    this.changedFrom(0)
    this.entries = [...entries]
  }

  clear(): void {
    if (this.entries.length === 0) return
    this.changedFrom(this.entries[0]!.startOffset)
    this.entries = []
  }
}
