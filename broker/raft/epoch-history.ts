/**
 * Where each leader epoch begins in the metadata log: the quorum machine's own copy of what the log's leader-epoch-checkpoint holds, so
 * that it can decide about divergence without touching a disk. Must be changed together with every append, truncation and log start.
 * Source: KIP-101, KIP-595 "Fetch"; Kafka's LeaderEpochFileCache gives the same answers.
 */
import type { EpochEnd, EpochStart } from './quorum-messages.ts'

export class EpochHistory {
  /** Ascending in both epoch and offset. */
  private entries: EpochStart[]
  private baseOffset: number
  /** Epoch of the record just below the log start: that of the snapshot which replaces it, 0 when the log starts at 0. */
  private baseEpoch: number
  endOffset: number

  constructor(log: { startOffset: number; endOffset: number; baseEpoch: number; epochs: readonly EpochStart[] }) {
    this.entries = [...log.epochs]
    this.baseOffset = log.startOffset
    this.baseEpoch = log.baseEpoch
    this.endOffset = log.endOffset
  }

  get startOffset(): number {
    return this.baseOffset
  }

  /** Epoch of the last record, or of the snapshot the empty log follows; 0 when there was never a record. */
  get lastEpoch(): number {
    return this.entries.at(-1)?.epoch ?? this.baseEpoch
  }

  get epochs(): readonly EpochStart[] {
    return this.entries
  }

  /** The log grew to `endOffset` by records of `epoch`, the first of them at the old end offset. */
  append(epoch: number, endOffset: number): void {
    if (epoch < this.lastEpoch || endOffset <= this.endOffset) {
      throw new Error(
        `expected records of epoch >= ${this.lastEpoch} above ${this.endOffset}, got epoch ${epoch} up to ${endOffset}`,
      )
    }
    if (this.entries.at(-1)?.epoch !== epoch) this.entries.push({ epoch, startOffset: this.endOffset })
    this.endOffset = endOffset
  }

  /** Largest epoch <= `epoch` in this log, and where it ends. */
  endOffsetFor(epoch: number): EpochEnd {
    if (epoch >= this.lastEpoch) return { epoch: this.lastEpoch, endOffset: this.endOffset }
    const next = this.entries.findIndex(entry => entry.epoch > epoch)
    const end = this.entries[next]
    if (end === undefined) return { epoch: this.lastEpoch, endOffset: this.endOffset }
    return { epoch: this.entries[next - 1]?.epoch ?? this.baseEpoch, endOffset: end.startOffset }
  }

  /** Epoch of the record at `offset`; undefined outside the log. */
  epochAt(offset: number): number | undefined {
    if (offset < this.baseOffset || offset >= this.endOffset) return undefined
    return this.entries.findLast(entry => entry.startOffset <= offset)?.epoch
  }

  truncateTo(offset: number): void {
    if (offset >= this.endOffset) return
    this.entries = this.entries.filter(entry => entry.startOffset < offset)
    this.endOffset = Math.max(offset, this.baseOffset)
  }

  /** The log was emptied and goes on after the snapshot. */
  startAfter(snapshot: EpochEnd): void {
    this.entries = []
    this.baseOffset = snapshot.endOffset
    this.baseEpoch = snapshot.epoch
    this.endOffset = snapshot.endOffset
  }

  /** Everything below the snapshot's end was dropped. */
  trimTo(snapshot: EpochEnd): void {
    if (snapshot.endOffset <= this.baseOffset) return
    const first = this.epochAt(snapshot.endOffset)
    this.entries = this.entries.filter(entry => entry.startOffset > snapshot.endOffset)
    if (first !== undefined) this.entries.unshift({ epoch: first, startOffset: snapshot.endOffset })
    this.baseOffset = snapshot.endOffset
    this.baseEpoch = snapshot.epoch
  }
}
