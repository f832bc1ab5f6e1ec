/**
 * A partition as one share group reads it, on the leader of the partition; the machine. From the start offset to the end offset records are
 * in flight: available, acquired by a member under a lock that ends, acknowledged, or archived (rejected, delivered too often, aborted, gone
 * from the log). What changes is written to the share coordinator before it counts; a write that fails takes its changes back. The start
 * offset moves over what is done with. Acquisition is never written: after a failover an acquired record is available again.
 * Sources: KIP-932; KIP-1206 (record limit), KIP-1222 (renewal), KIP-1226 (count of completed deliveries).
 */
import type { ErrorName } from '../../protocol/errors.ts'
import type { ShareState } from '../share/share-shard.ts'
import type { StateBatch } from '../share/state-batches.ts'
import { acquireRecords, type Acquired, type Acquisition } from './acquire.ts'
import { stateAfter, validateAcknowledgements, type Acknowledgement } from './acknowledge.ts'
import { isFree, isHeld, isTerminal, recordStateIds, Spans, type Span, type SpanState } from './spans.ts'

export interface ShareLimits {
  readonly maxDeliveryCount: number
  /** Records from the start offset to the end offset. */
  readonly maxInFlightRecords: number
  readonly lockDurationMs: number
  readonly isRenewalEnabled: boolean
}

export interface ShareWrite {
  readonly stateEpoch: number
  readonly startOffset: number
  readonly deliveryCompleteCount: number
  readonly stateBatches: readonly StateBatch[]
}

export type ShareEffect =
  | { readonly kind: 'write'; readonly write: ShareWrite; readonly done: (outcome: ErrorName) => void }
  | { readonly kind: 'reply'; readonly send: () => void }
  /** Somebody may acquire what nobody could before. */
  | { readonly kind: 'wake' }
  /** Another leader or another state took over: this state is worth nothing any more. */
  | { readonly kind: 'fenced' }

export interface AcknowledgeOutcome {
  readonly error: ErrorName
  readonly message?: string
}

const fencing: ReadonlySet<ErrorName> = new Set(['FENCED_LEADER_EPOCH', 'FENCED_STATE_EPOCH', 'NOT_LEADER_OR_FOLLOWER'])

export class SharePartition {
  readonly #limits: () => ShareLimits
  readonly #spans = new Spans()
  readonly #stateEpoch: number
  #startOffset: number
  /** Exclusive: the first offset that was never acquired. */
  #endOffset: number
  #effects: ShareEffect[] = []
  #nextWriteId = 0

  /** @param startOffset  where to begin when the state says nothing (-1) */
  constructor(state: ShareState, startOffset: number, limits: () => ShareLimits) {
    this.#limits = limits
    this.#stateEpoch = state.stateEpoch
    this.#startOffset = state.startOffset === -1 ? startOffset : state.startOffset
    this.#endOffset = this.#startOffset
    for (const batch of state.stateBatches) {
      // What lies between was acquired, but nothing became of it.
      if (batch.firstOffset > this.#endOffset) this.#append(this.#endOffset, batch.firstOffset - 1, fresh)
      const { deliveryState, deliveryCount } = batch
      const state =
        deliveryState === recordStateIds.available
          ? 'available'
          : deliveryState === recordStateIds.acknowledged
            ? 'acknowledged'
            : 'archived'
      this.#append(batch.firstOffset, batch.lastOffset, { ...fresh, state, deliveryCount })
    }
    this.#moveStart()
  }

  #append(firstOffset: number, lastOffset: number, state: SpanState): void {
    this.#spans.append({ firstOffset, lastOffset, ...state })
    this.#endOffset = lastOffset + 1
  }

  get startOffset(): number {
    return this.#startOffset
  }

  get endOffset(): number {
    return this.#endOffset
  }

  get spans(): readonly Span[] {
    return this.#spans.all
  }

  takeEffects(): ShareEffect[] {
    const taken = this.#effects
    this.#effects = []
    return taken
  }

  // --------------------------------------------------------------------------------------------------- acquiring

  /** Where to read for the next acquisition. */
  nextFetchOffset(): number {
    return this.#spans.all.find(isFree)?.firstOffset ?? this.#endOffset
  }

  canAcquire(): boolean {
    if (this.nextFetchOffset() !== this.#endOffset) return true
    return this.#endOffset - this.#startOffset < this.#limits().maxInFlightRecords
  }

  /** Locks records for a member, out of those that were read; what belongs to aborted transactions is archived and not given out. */
  acquire(request: Acquisition, nowMs: number): Acquired[] {
    const limits = this.#limits()
    const { batches, fetchOffset } = request
    const first = batches[0]
    const last = batches.at(-1)
    if (first === undefined || last === undefined || last.lastOffset < this.#startOffset) return []
    // Nothing is left of these in the log.
    this.#archiveFree(fetchOffset, Math.min(first.baseOffset, this.#endOffset) - 1)
    const acquired = acquireRecords(request, {
      spans: this.#spans,
      startOffset: this.#startOffset,
      endOffset: this.#endOffset,
      limits,
      locked: deliveryCount => ({
        state: 'acquired',
        deliveryCount,
        memberId: request.memberId,
        lockedUntilMs: nowMs + limits.lockDurationMs,
        unconfirmed: undefined,
      }),
    })
    if (this.#spans.all.length > 0) this.#endOffset = (this.#spans.all.at(-1)?.lastOffset ?? -1) + 1
    this.#startOffset = this.#spans.all[0]?.firstOffset ?? this.#startOffset
    const given = acquired.flatMap(each => this.#withoutAborted(each, request.aborted))
    this.#moveStart()
    return given
  }

  #archiveFree(firstOffset: number, lastOffset: number): void {
    this.#spans.change(firstOffset, lastOffset, span => (isFree(span) ? { ...span, state: 'archived' } : undefined))
  }

  #withoutAborted(acquired: Acquired, aborted: Acquisition['aborted']): Acquired[] {
    let rest: Acquired[] = [acquired]
    for (const { baseOffset, lastOffset } of aborted) {
      this.#spans.change(
        Math.max(baseOffset, acquired.firstOffset),
        Math.min(lastOffset, acquired.lastOffset),
        span => ({
          ...fresh,
          state: 'archived',
          deliveryCount: span.deliveryCount,
        }),
      )
      rest = rest.flatMap(each => without(each, baseOffset, lastOffset))
    }
    return rest
  }

  // ----------------------------------------------------------------------------------------------- acknowledging

  /** All of a request or nothing of it. Answers once the outcome is written. */
  acknowledge(
    memberId: string,
    acknowledgements: readonly Acknowledgement[],
    answer: (outcome: AcknowledgeOutcome) => void,
    nowMs: number,
  ): void {
    const limits = this.#limits()
    const refusal = validateAcknowledgements(acknowledgements, memberId, {
      spans: this.#spans,
      startOffset: this.#startOffset,
      endOffset: this.#endOffset,
      isRenewalEnabled: limits.isRenewalEnabled,
    })
    if (refusal !== undefined) {
      this.#effects.push({ kind: 'reply', send: () => answer(refusal) })
      return
    }
    const writeId = this.#nextWriteId++
    const changed: StateBatch[] = []
    for (const { firstOffset, lastOffset, type } of acknowledgements) {
      this.#spans.change(Math.max(firstOffset, this.#startOffset), lastOffset, span => {
        const after = stateAfter(span, type, limits)
        if (after === undefined) return { ...span, lockedUntilMs: nowMs + limits.lockDurationMs }
        return this.#unconfirmed(span, after, writeId, changed)
      })
    }
    this.#write(writeId, changed, answer)
  }

  /** A member left or its session ended: what it held was not delivered. */
  release(memberId: string, answer: (outcome: AcknowledgeOutcome) => void): void {
    const writeId = this.#nextWriteId++
    const changed: StateBatch[] = []
    this.#spans.change(this.#startOffset, this.#endOffset - 1, span => {
      if (!isHeld(span) || span.memberId !== memberId) return undefined
      const deliveryCount = Math.max(0, span.deliveryCount - 1)
      return this.#unconfirmed(span, { ...fresh, deliveryCount }, writeId, changed)
    })
    this.#write(writeId, changed, answer)
  }

  #unconfirmed(span: Span, after: SpanState, writeId: number, changed: StateBatch[]): SpanState {
    changed.push(batchOf(span, after))
    const { state, deliveryCount, memberId, lockedUntilMs, unconfirmed } = span
    return {
      ...after,
      unconfirmed: { writeId, before: { state, deliveryCount, memberId, lockedUntilMs, unconfirmed } },
    }
  }

  #write(writeId: number, stateBatches: StateBatch[], answer: (outcome: AcknowledgeOutcome) => void): void {
    if (stateBatches.length === 0) {
      this.#effects.push({ kind: 'reply', send: () => answer({ error: 'NONE' }) })
      return
    }
    const done = (outcome: ErrorName): void => {
      this.#spans.change(this.#startOffset, this.#endOffset - 1, span => {
        if (span.unconfirmed?.writeId !== writeId) return undefined
        return outcome === 'NONE' ? { ...span, unconfirmed: undefined } : span.unconfirmed.before
      })
      this.#effects.push({ kind: 'reply', send: () => answer({ error: outcome }) })
      this.#written(outcome)
    }
    this.#effects.push({ kind: 'write', write: this.#state(stateBatches), done })
  }

  #state(stateBatches: readonly StateBatch[]): ShareWrite {
    const deliveryCompleteCount = this.#spans.all
      .filter(isTerminal)
      .reduce((count, { firstOffset, lastOffset }) => count + lastOffset - firstOffset + 1, 0)
    return { stateEpoch: this.#stateEpoch, startOffset: this.#startOffset, deliveryCompleteCount, stateBatches }
  }

  #written(outcome: ErrorName): void {
    this.#moveStart()
    this.#effects.push(fencing.has(outcome) ? { kind: 'fenced' } : { kind: 'wake' })
  }

  // ------------------------------------------------------------------------------------------------- time and log

  /** When the next lock ends, monotonic ms. */
  deadlineMs(): number {
    let earliest = Infinity
    for (const span of this.#spans.all) if (isHeld(span)) earliest = Math.min(earliest, span.lockedUntilMs)
    return earliest
  }

  /** Takes back what was held too long. It counts at once; that the write of it may fail costs a delivery at most. */
  tick(nowMs: number): void {
    const { maxDeliveryCount } = this.#limits()
    const changed: StateBatch[] = []
    this.#spans.change(this.#startOffset, this.#endOffset - 1, span => {
      if (!isHeld(span) || span.lockedUntilMs > nowMs) return undefined
      const { deliveryCount } = span
      const state = deliveryCount >= maxDeliveryCount ? 'archived' : 'available'
      const after: SpanState = { ...fresh, state, deliveryCount }
      changed.push(batchOf(span, after))
      return after
    })
    if (changed.length === 0) return
    const write = this.#state(changed)
    this.#effects.push({ kind: 'write', write, done: outcome => this.#written(outcome) })
    this.#written('NONE')
  }

  /** Records below it are gone from the log. */
  logStartRaised(logStartOffset: number): void {
    if (logStartOffset <= this.#startOffset) return
    this.#startOffset = logStartOffset
    if (logStartOffset >= this.#endOffset) {
      this.#endOffset = logStartOffset
      this.#spans.clear()
    } else {
      this.#spans.dropBefore(logStartOffset)
      this.#moveStart()
    }
    this.#effects.push({ kind: 'wake' })
  }

  #moveStart(): void {
    let start = this.#startOffset
    for (const span of this.#spans.all) {
      if (!isTerminal(span) || span.unconfirmed !== undefined) break
      start = span.lastOffset + 1
    }
    if (start === this.#startOffset) return
    this.#startOffset = start
    this.#spans.dropBefore(start)
  }
}

const fresh: SpanState = {
  state: 'available',
  deliveryCount: 0,
  memberId: '',
  lockedUntilMs: Infinity,
  unconfirmed: undefined,
}

const batchOf = ({ firstOffset, lastOffset }: Span, { state, deliveryCount }: SpanState): StateBatch => ({
  firstOffset,
  lastOffset,
  deliveryState: recordStateIds[state],
  deliveryCount,
})

function without(acquired: Acquired, firstOffset: number, lastOffset: number): Acquired[] {
  if (lastOffset < acquired.firstOffset || firstOffset > acquired.lastOffset) return [acquired]
  const rest: Acquired[] = []
  if (acquired.firstOffset < firstOffset) rest.push({ ...acquired, lastOffset: firstOffset - 1 })
  if (acquired.lastOffset > lastOffset) rest.push({ ...acquired, firstOffset: lastOffset + 1 })
  return rest
}
