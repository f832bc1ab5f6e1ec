/**
 * Which of the records that were read a member gets. Free records that were in flight before come first, then new ones. In the
 * batch-optimized mode the limit is stretched to the end of a record batch, so that batches are not split between members; in the
 * record-limit mode (KIP-1206) it holds exactly. A record that was delivered often may be the one that kills its consumers: such records are
 * given out in ever smaller portions, and alone before the last attempt.
 */
import { isFree, type Span, type Spans, type SpanState } from './spans.ts'

export const acquireModes = { batchOptimized: 0, recordLimit: 1 } as const

export interface OffsetRange {
  readonly baseOffset: number
  /** Inclusive. */
  readonly lastOffset: number
}

export interface Acquisition {
  readonly memberId: string
  readonly mode: number
  readonly maxRecords: number
  /** Desired records per acquired batch. */
  readonly batchSize: number
  readonly fetchOffset: number
  /** The record batches that were read, in order. */
  readonly batches: readonly OffsetRange[]
  /** Those of them whose transaction was aborted; empty when uncommitted records are wanted too. */
  readonly aborted: readonly OffsetRange[]
}

export interface Acquired {
  readonly firstOffset: number
  /** Inclusive. */
  readonly lastOffset: number
  readonly deliveryCount: number
}

export interface AcquireFrom {
  readonly spans: Spans
  readonly startOffset: number
  readonly endOffset: number
  readonly limits: { readonly maxDeliveryCount: number; readonly maxInFlightRecords: number }
  locked(deliveryCount: number): SpanState
}

/** Below this limit of deliveries, portions do not shrink. */
const leastThrottledLimit = 2

export function acquireRecords(request: Acquisition, from: AcquireFrom): Acquired[] {
  const { spans, startOffset, endOffset } = from
  const lastRead = request.batches.at(-1)?.lastOffset ?? -1
  const firstRead = Math.max(request.batches[0]?.baseOffset ?? 0, startOffset)
  const acquired: Acquired[] = []
  let left = request.maxRecords
  for (const span of spans.within(firstRead, Math.min(lastRead, endOffset - 1)).filter(isFree)) {
    if (left <= 0) return acquired
    const portion = portionOf(span, from.limits.maxDeliveryCount)
    if (portion !== undefined && acquired.length > 0) return acquired
    const lastOffset =
      portion === undefined
        ? Math.min(span.lastOffset, limitOffset(request, span.firstOffset, left))
        : span.firstOffset + Math.min(portion, request.maxRecords) - 1
    const deliveryCount = span.deliveryCount + 1
    spans.change(span.firstOffset, lastOffset, () => from.locked(deliveryCount))
    acquired.push({ firstOffset: span.firstOffset, lastOffset, deliveryCount })
    left -= lastOffset - span.firstOffset + 1
    if (portion !== undefined) return acquired
  }
  const firstNew = Math.max(firstRead, endOffset)
  const room = from.limits.maxInFlightRecords - (endOffset - startOffset)
  if (left <= 0 || room <= 0 || firstNew > lastRead) return acquired
  const lastNew = Math.min(lastRead, limitOffset(request, firstNew, Math.min(left, room)))
  // Offsets that no batch has, between what was in flight and what was read, go along: the consumer reports them as gaps.
  const first = spans.all.length === 0 ? firstNew : endOffset
  spans.append({ firstOffset: first, lastOffset: lastNew, ...from.locked(1) })
  return [...acquired, ...inBatches(request, first, lastNew)]
}

/** How many records to give out at once; undefined: as many as are wanted. */
function portionOf({ deliveryCount, firstOffset, lastOffset }: Span, maxDeliveryCount: number): number | undefined {
  const throttledFrom = Math.max(leastThrottledLimit, Math.ceil(maxDeliveryCount / 2))
  if (maxDeliveryCount > leastThrottledLimit && deliveryCount === maxDeliveryCount - 1) return 1
  if (deliveryCount < throttledFrom) return undefined
  return Math.max(1, Math.floor((lastOffset - firstOffset + 1) / 2 ** (deliveryCount - throttledFrom + 1)))
}

function limitOffset({ mode, batches }: Acquisition, firstOffset: number, count: number): number {
  const lastWanted = firstOffset + count - 1
  if (mode === acquireModes.recordLimit) return lastWanted
  return Math.max(lastWanted, batches.find(batch => batch.lastOffset >= lastWanted)?.lastOffset ?? lastWanted)
}

/** New records in portions of about the desired size, cut where record batches begin. */
function inBatches({ mode, batches, batchSize }: Acquisition, firstOffset: number, lastOffset: number): Acquired[] {
  const acquired: Acquired[] = []
  let first = firstOffset
  if (mode !== acquireModes.recordLimit)
    for (const { baseOffset } of batches) {
      if (baseOffset > lastOffset) break
      if (baseOffset - first < batchSize || baseOffset <= first) continue
      acquired.push({ firstOffset: first, lastOffset: baseOffset - 1, deliveryCount: 1 })
      first = baseOffset
    }
  return [...acquired, { firstOffset: first, lastOffset, deliveryCount: 1 }]
}
