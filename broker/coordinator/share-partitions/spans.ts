/**
 * The records of a share partition that are in flight, as ranges of offsets that share a state. The ranges follow each other without gaps
 * from the start offset to the end offset; they are cut where a change begins or ends, and joined again where neighbours came to be alike.
 */

export type RecordState = 'available' | 'acquired' | 'acknowledged' | 'archived'

/** What is written in ShareSnapshot and ShareUpdate records. */
export const recordStateIds: Readonly<Record<RecordState, number>> = {
  available: 0,
  acquired: 1,
  acknowledged: 2,
  archived: 4,
}

export interface SpanState {
  readonly state: RecordState
  readonly deliveryCount: number
  /** Who holds it while it is acquired, else empty. */
  readonly memberId: string
  /** When the lock ends, monotonic ms; Infinity unless acquired. */
  readonly lockedUntilMs: number
  /** While the change to this state is on its way to the share coordinator: what it is without it. */
  readonly unconfirmed: { readonly writeId: number; readonly before: SpanState } | undefined
}

export interface Span extends SpanState {
  readonly firstOffset: number
  /** Inclusive. */
  readonly lastOffset: number
}

export const isTerminal = ({ state }: SpanState): boolean => state === 'acknowledged' || state === 'archived'
export const isFree = ({ state, unconfirmed }: SpanState): boolean => state === 'available' && unconfirmed === undefined
export const isHeld = ({ state, unconfirmed }: SpanState): boolean => state === 'acquired' && unconfirmed === undefined

const isAlike = (a: SpanState, b: SpanState): boolean =>
  a.state === b.state &&
  a.deliveryCount === b.deliveryCount &&
  a.memberId === b.memberId &&
  a.lockedUntilMs === b.lockedUntilMs &&
  (a.unconfirmed === b.unconfirmed ||
    (a.unconfirmed !== undefined &&
      a.unconfirmed.writeId === b.unconfirmed?.writeId &&
      isAlike(a.unconfirmed.before, b.unconfirmed.before)))

export class Spans {
  #spans: Span[] = []

  get all(): readonly Span[] {
    return this.#spans
  }

  /** At the end; the caller sees to it that no offset is left out. */
  append(span: Span): void {
    this.#spans.push(span)
  }

  clear(): void {
    this.#spans = []
  }

  /** Forgets everything below the offset. */
  dropBefore(offset: number): void {
    if (this.#spans.length === 0) return
    this.#spans.splice(0, this.#cut(offset))
  }

  /** What lies in [firstOffset, lastOffset], cut to it. */
  within(firstOffset: number, lastOffset: number): Span[] {
    const found: Span[] = []
    for (let index = this.#indexOf(firstOffset); index < this.#spans.length; index++) {
      const span = this.#spans[index]
      if (span === undefined || span.firstOffset > lastOffset) break
      found.push({
        ...span,
        firstOffset: Math.max(firstOffset, span.firstOffset),
        lastOffset: Math.min(lastOffset, span.lastOffset),
      })
    }
    return found
  }

  /** Gives every range within [firstOffset, lastOffset] another state; undefined leaves it as it is. */
  change(firstOffset: number, lastOffset: number, next: (span: Span) => SpanState | undefined): void {
    if (lastOffset < firstOffset) return
    const from = this.#cut(firstOffset)
    const to = this.#cut(lastOffset + 1)
    for (let index = from; index < to; index++) {
      const span = this.#spans[index]
      const state = span === undefined ? undefined : next(span)
      if (span === undefined || state === undefined) continue
      const { deliveryCount, memberId, lockedUntilMs, unconfirmed } = state
      const { firstOffset: first, lastOffset: last } = span
      this.#spans[index] = {
        firstOffset: first,
        lastOffset: last,
        state: state.state,
        deliveryCount,
        memberId,
        lockedUntilMs,
        unconfirmed,
      }
    }
    this.#join(from - 1, to)
  }

  /** Index of the range that contains the offset, or of the first one behind it. */
  #indexOf(offset: number): number {
    let low = 0
    let high = this.#spans.length
    while (low < high) {
      const middle = (low + high) >> 1
      const span = this.#spans[middle]
      if (span !== undefined && span.lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Sees to it that a range begins at the offset; its index. */
  #cut(offset: number): number {
    const index = this.#indexOf(offset)
    const span = this.#spans[index]
    if (span === undefined || span.firstOffset >= offset) return index
    this.#spans.splice(index, 1, { ...span, lastOffset: offset - 1 }, { ...span, firstOffset: offset })
    return index + 1
  }

  #join(from: number, to: number): void {
    const first = Math.max(0, from)
    const joined: Span[] = []
    const affected = this.#spans.slice(first, to + 1)
    for (const span of affected) {
      const last = joined.at(-1)
      if (last !== undefined && isAlike(last, span))
        joined[joined.length - 1] = { ...last, lastOffset: span.lastOffset }
      else joined.push(span)
    }
    if (joined.length < affected.length) this.#spans.splice(first, affected.length, ...joined)
  }
}
