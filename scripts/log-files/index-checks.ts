/**
 * The indexes of a segment against its batches, while these go by: nothing is kept of a batch once it is seen, however many there are. Each
 * check ends with the first thing that is wrong, since an index is rebuilt as a whole.
 */
import type { Disk } from '#broker/environment/environment.ts'
import { offsetEntries, timeEntries } from './index-entries.ts'
import type { IndexEntries, OffsetEntry, TimeEntry } from './index-entries.ts'

export interface SeenBatch {
  readonly position: number
  readonly baseOffset: number
  readonly maxTimestamp: number
}

/** What is wrong; `position` and `offset` where an entry is. */
export interface IndexProblem {
  readonly message: string
  readonly position?: number
  readonly offset?: number
}

/** Entries that rise, up to the first that does not. */
abstract class IndexCheck<T extends { readonly offset: number }> {
  /** Undefined when there is no file. */
  protected readonly found: IndexEntries<T> | undefined
  problem: IndexProblem | undefined
  protected next = 0
  private readonly entryBytes: number
  private batches = 0

  constructor(found: IndexEntries<T> | undefined, entryBytes: number) {
    this.found = found
    this.entryBytes = entryBytes
    if (found !== undefined && found.oddBytes > 0)
      this.problem = { message: `ends in ${found.oddBytes} bytes of an entry` }
  }

  /** Entries of zeros at the end of the file, beyond what an empty index may be. */
  get zeroEntries(): number {
    return this.found?.zeroEntries ?? 0
  }

  see(batch: SeenBatch): void {
    this.batches++
    if (this.problem === undefined) this.compare(batch)
  }

  /** `isSound`: all batches of the segment could be read. */
  end(isSound: boolean): void {
    if (this.found === undefined && this.batches > 0) this.problem = { message: 'is missing' }
    if (this.problem === undefined && this.found !== undefined) this.finish(isSound)
  }

  protected abstract compare(batch: SeenBatch): void
  protected abstract finish(isSound: boolean): void

  protected entry(index: number): T | undefined {
    return this.found?.entries[index]
  }

  protected wrong(index: number, message: string): void {
    this.problem = { message, position: index * this.entryBytes, offset: this.entry(index)!.offset }
  }
}

export class OffsetIndexCheck extends IndexCheck<OffsetEntry> {
  /** An entry that points to no batch: wrong, unless the batch there could not be read. */
  private astray: number | undefined

  constructor(disk: Disk, path: string, baseOffset: number) {
    super(disk.stat(path) === undefined ? undefined : offsetEntries(disk, path, baseOffset), 8)
  }

  protected compare({ position, baseOffset }: SeenBatch): void {
    for (; this.entry(this.next) !== undefined && this.entry(this.next)!.position < position; this.next++)
      if (this.rises(this.next)) this.astray ??= this.next
    const entry = this.entry(this.next)
    if (this.problem !== undefined || entry?.position !== position || !this.rises(this.next)) return
    if (entry.offset < baseOffset)
      this.wrong(
        this.next,
        `entry ${this.next} says offset ${entry.offset} at byte ${position}, where offset ${baseOffset} begins`,
      )
    this.next++
  }

  protected finish(isSound: boolean): void {
    for (; this.entry(this.next) !== undefined; this.next++) if (this.rises(this.next)) this.astray ??= this.next
    if (this.problem !== undefined || this.astray === undefined || !isSound) return
    const { position } = this.entry(this.astray)!
    this.wrong(this.astray, `entry ${this.astray} points to byte ${position}, where no batch begins`)
  }

  private rises(index: number): boolean {
    const [before, entry] = [this.entry(index - 1), this.entry(index)!]
    if (before === undefined || (entry.offset > before.offset && entry.position > before.position)) return true
    if (this.problem === undefined)
      this.wrong(index, `entry ${index} (${entry.offset} at byte ${entry.position}) does not rise above the one before`)
    return false
  }
}

export class TimeIndexCheck extends IndexCheck<TimeEntry> {
  private largest = -1
  private readonly isActive: boolean

  /** The active segment has no entry yet for what was appended last. */
  constructor(disk: Disk, path: string, baseOffset: number, { isActive }: { readonly isActive: boolean }) {
    super(disk.stat(path) === undefined ? undefined : timeEntries(disk, path, baseOffset), 12)
    this.isActive = isActive
  }

  protected compare({ baseOffset, maxTimestamp }: SeenBatch): void {
    while (this.entry(this.next) !== undefined && this.entry(this.next)!.offset < baseOffset) this.judge(true)
    this.largest = Math.max(this.largest, maxTimestamp)
  }

  protected finish(isSound: boolean): void {
    while (this.problem === undefined && this.entry(this.next) !== undefined) this.judge(isSound)
    const last = this.entry(this.next - 1)?.timestamp ?? -1
    if (this.problem === undefined && isSound && !this.isActive && this.largest > last)
      this.problem = {
        message: `has no entry for the largest timestamp of its segment, ${this.largest}: look-ups by time would pass it by`,
      }
  }

  /** All batches up to the offset of the entry were seen. */
  private judge(isSound: boolean): void {
    const index = this.next++
    const [before, { timestamp, offset }] = [this.entry(index - 1), this.entry(index)!]
    if (this.problem !== undefined) return
    if (before !== undefined && (timestamp <= before.timestamp || offset < before.offset))
      this.wrong(index, `entry ${index} (${timestamp}, offset ${offset}) does not rise above the one before`)
    else if (timestamp !== this.largest && isSound)
      this.wrong(
        index,
        `entry ${index} says ${timestamp} is the largest timestamp up to offset ${offset}; the batches say ${this.largest}`,
      )
  }
}
