/**
 * Reads of one log: finds the segment and the position of an offset, and remembers where readers go on. The caller has
 * checked that the offset is in the log.
 */
import type { Logger } from '../environment/environment.ts'
import { baseOffsetOf } from '../protocol/records/batch.ts'
import { damageAt, damageFrom, readableUntil, withDamage, type DamagedRegion } from './damaged-region.ts'
import { isSoundNow, regionAt } from './damage-search.ts'
import type { ReadOptions, ReadResult } from './log.ts'
import { emptyBuffer, lastBatchEnd, readWholeBatches } from './read-batches.ts'
import { ReadPositions } from './read-positions.ts'
import { checkRead, damageBefore, DamagedBatchError, diagnoseEmpty } from './read-check.ts'
import type { DamagedBatch, ReadPlace } from './read-check.ts'
import type { Segment } from './segment.ts'

/** The log that is read. */
export interface ReadableLog {
  readonly log: Logger
  readonly currentSegments: readonly Segment[]
  readonly logStartOffset: number
}

interface KnownDamage {
  readonly segment: Segment
  readonly region: DamagedRegion
}

/** A disk that damages every other read must not hold the node up. */
const maxAttempts = 6
/** An end of damage that is not found is not looked for at each read: that may be all of a segment. The search may have met damage that passes. */
const maxSearches = 3
/** Damaged batches that are remembered, per log: for who looks at the node. */
const maxDamaged = 100

export class LogReader {
  private readonly log: ReadableLog
  private readonly positions = new ReadPositions()
  private readonly damaged = new Map<number, DamagedBatch>()
  /** How often the end of the damage at a place was looked for in vain; the latest last. */
  private readonly searches = new Map<string, { readonly offset: number; readonly count: number }>()

  constructor(log: ReadableLog) {
    this.log = log
  }

  /** What reads have found so far, as far as it is still in the log. */
  get damage(): readonly DamagedBatch[] {
    return [...this.damaged.values()].filter(({ offset }) => offset >= this.log.logStartOffset)
  }

  /**
   * Whole batches from the one that holds `offset` on, none that reaches `limit`. Throws DamagedBatchError when that one is damaged, and was so
   * twice: bytes also change on their way from the disk. Of damage that is known only the first batch is read again, each time.
   */
  read(offset: number, limit: number, options: ReadOptions): ReadResult {
    let doubted: DamagedBatch | undefined
    for (let attempt = 1; ; attempt++) {
      try {
        const result = this.readOnce(offset, limit, options)
        if (doubted !== undefined) this.readWell(doubted)
        if (this.damaged.size > 0 && result.records.length > 0) this.forgetRead(offset, result)
        return result
      } catch (error) {
        if (!(error instanceof DamagedBatchError)) throw error
        const { damage } = error
        const region = this.regionOf(damage)
        if (region !== undefined) {
          if (attempt >= maxAttempts || !this.isWholeNow(region)) throw this.found(error)
          this.readWell(damage)
        } else if (doubted?.position === damage.position && doubted.segment === damage.segment) {
          // What is behind the damage may be what was asked for.
          if (attempt >= maxAttempts || !this.learn(damage)) throw this.found(error)
          doubted = undefined
        } else if (attempt >= maxAttempts) throw this.found(error)
        else doubted = damage
      }
    }
  }

  private segmentAt(path: string): Segment | undefined {
    return this.log.currentSegments.find(each => each.path === path)
  }

  private regionOf({ segment: path, position }: DamagedBatch): KnownDamage | undefined {
    const segment = this.segmentAt(path)
    if (segment === undefined) return undefined
    const region = damageFrom(segment.damaged, position)
    return region === undefined ? undefined : { segment, region }
  }

  /** Whether the first batch of a damaged region is good: then there was no damage, or less. What is still damaged behind it is found again. */
  private isWholeNow({ segment, region }: KnownDamage): boolean {
    if (!isSoundNow(segment, region)) return false
    segment.damaged = segment.damaged.filter(each => each !== region)
    return true
  }

  private readWell({ segment, position, offset, problem }: DamagedBatch): void {
    const fields = { segment, position, offset, problem }
    this.log.log.warn(
      'A batch was read damaged, and well when it was read again: its disk, or the way from there, is not to be trusted.',
      fields,
    )
  }

  /** What was asked for before may have been an earlier record of the first batch. */
  private forgetRead(offset: number, { baseOffset, nextOffset }: ReadResult): void {
    const first = Math.min(offset, baseOffset)
    for (const [found, damage] of this.damaged) {
      if (found < first || found >= nextOffset) continue
      this.damaged.delete(found)
      this.searches.delete(placeOf(damage))
    }
  }

  /** Notes which offsets the damage costs; false when that cannot be found out. */
  private learn(damage: DamagedBatch): boolean {
    const { segment: path, position, problem } = damage
    const segment = this.segmentAt(path)
    const count = this.searches.get(placeOf(damage))?.count ?? 0
    if (segment === undefined || count >= maxSearches) return false
    const region = regionAt(segment, position, problem)
    if (region !== undefined) segment.damaged = withDamage(segment.damaged, region)
    else this.searchedInVain(damage, count + 1)
    return region !== undefined
  }

  /** Where too many places are remembered, the one goes that nobody has looked at for longest. */
  private searchedInVain(damage: DamagedBatch, count: number): void {
    const place = placeOf(damage)
    this.searches.delete(place)
    if (this.searches.size >= maxDamaged) this.forgetRemoved()
    const [oldest] = this.searches.keys()
    if (this.searches.size >= maxDamaged && oldest !== undefined) this.searches.delete(oldest)
    this.searches.set(place, { offset: damage.offset, count })
  }

  /** What is no longer in the log takes no room from what is. */
  private forgetRemoved(): void {
    const { logStartOffset } = this.log
    for (const [offset] of this.damaged) if (offset < logStartOffset) this.damaged.delete(offset)
    for (const [place, { offset }] of this.searches) if (offset < logStartOffset) this.searches.delete(place)
  }

  private readOnce(offset: number, limit: number, options: ReadOptions): ReadResult {
    const segments = this.log.currentSegments
    const slot = this.positions.find(offset)
    let segment = slot >= 0 ? this.positions.segmentAt(slot) : segmentOf(segments, offset)
    let position = slot >= 0 ? this.positions.positionAt(slot) : segment.positionOf(offset)
    const sought = { segment, position }
    const { damaged } = segment
    if (damaged.length > 0) {
      const damage = damageAt(damaged, offset)
      if (damage !== undefined)
        throw new DamagedBatchError({ segment: segment.path, position: damage.from, offset, problem: damage.problem })
      limit = readableUntil(damaged, offset, limit)
    }
    while (position >= segment.sizeBytes) {
      const next = segments[segmentIndexOf(segments, segment.baseOffset) + 1]
      if (next === undefined) return nothingAt(offset)
      segment = next
      position = 0
    }
    let records = readWholeBatches(segment, position, limit, options)
    const isFresh = segment === segments.at(-1) && position >= segment.uncheckedBytes
    if (!isFresh || records.length === 0) {
      const nextBaseOffset = segments[segmentIndexOf(segments, segment.baseOffset) + 1]?.baseOffset
      records = this.undamaged(records, { segment, position, offset, nextBaseOffset, isSeek: slot < 0 }, options)
    }
    if (records.length === 0) return nothingAt(offset)
    const before = slot < 0 && baseOffsetOf(records, 0) > offset ? damageBefore(sought, offset) : undefined
    if (before !== undefined) throw new DamagedBatchError(before)
    const nextOffset = lastBatchEnd(records)
    this.positions.remember(nextOffset, segment, position + records.length)
    return { records, baseOffset: baseOffsetOf(records, 0), nextOffset }
  }

  /**
   * Those before the first that is damaged. Checked are closed segments, and what the active one held when it was opened: what was appended
   * since was checked then, and is in memory still or has just left it.
   */
  private undamaged(records: Buffer, place: ReadPlace, options: ReadOptions): Buffer {
    if (records.length > 0) {
      const { goodBytes, damage } = checkRead(records, place)
      if (goodBytes > 0 || damage === undefined) return records.subarray(0, goodBytes)
      throw new DamagedBatchError(damage)
    }
    const damage = options.atLeastOneBatch ? diagnoseEmpty(place) : undefined
    if (damage !== undefined) throw new DamagedBatchError(damage)
    return records
  }

  private found(error: DamagedBatchError): DamagedBatchError {
    const { damage } = error
    if (this.damaged.size >= maxDamaged) this.forgetRemoved()
    if (!this.damaged.has(damage.offset) && this.damaged.size < maxDamaged) {
      this.damaged.set(damage.offset, damage)
      this.log.log.error('A batch is damaged on disk; it is not served.', {
        ...damage,
        advice:
          'read on behind it, or delete this replica and let it be copied from another broker that has the batch whole',
      })
    }
    return error
  }

  /** The log lost bytes: nothing that is remembered of a position holds any more. */
  forget(): void {
    this.positions.clear()
    this.damaged.clear()
    this.searches.clear()
  }
}

function placeOf({ segment, position }: DamagedBatch): string {
  return `${position} ${segment}`
}

export function nothingAt(offset: number): ReadResult {
  return { records: emptyBuffer, baseOffset: -1, nextOffset: offset }
}

/** The segment that holds `offset`: the last one that begins at or below it, else the first. */
export function segmentOf(segments: readonly Segment[], offset: number): Segment {
  return segments[segmentIndexOf(segments, offset)]!
}

/** Its place in the log. */
export function segmentIndexOf(segments: readonly Segment[], offset: number): number {
  let low = 0
  let high = segments.length - 1
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (segments[middle]!.baseOffset <= offset) low = middle
    else high = middle - 1
  }
  return low
}
