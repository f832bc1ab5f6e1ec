/** What consumers may say of records they hold, and what becomes of the records. Sources: KIP-932, KIP-1222 (renewal). */
import type { ErrorName } from '../../protocol/errors.ts'
import { isHeld, type Spans, type SpanState } from './spans.ts'

export const acknowledgeTypes = { gap: 0, accept: 1, release: 2, reject: 3, renew: 4 } as const

/** One type for a range of offsets, both ends included. */
export interface Acknowledgement {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly type: number
}

interface Refusal {
  readonly error: ErrorName
  readonly message: string
}

/** Undefined when all can be done. Offsets below the start offset are done with, whatever is said of them. */
export function validateAcknowledgements(
  acknowledgements: readonly Acknowledgement[],
  memberId: string,
  partition: {
    readonly spans: Spans
    readonly startOffset: number
    readonly endOffset: number
    readonly isRenewalEnabled: boolean
  },
): Refusal | undefined {
  let nextOffset = 0
  for (const { firstOffset, lastOffset, type } of acknowledgements) {
    if (firstOffset > lastOffset || firstOffset < nextOffset)
      return { error: 'INVALID_REQUEST', message: 'The acknowledgement batches overlap or are out of order.' }
    nextOffset = lastOffset + 1
    if (lastOffset < partition.startOffset) continue
    if (firstOffset >= partition.endOffset)
      return { error: 'INVALID_RECORD_STATE', message: 'The first offset in request is past acquired records.' }
    if (lastOffset >= partition.endOffset)
      return { error: 'INVALID_REQUEST', message: 'The last offset in request is past acquired records.' }
    for (const span of partition.spans.within(Math.max(firstOffset, partition.startOffset), lastOffset)) {
      if (!isHeld(span))
        return {
          error: 'INVALID_RECORD_STATE',
          message: 'The offset cannot be acknowledged. The offset is not acquired.',
        }
      if (span.memberId !== memberId)
        return { error: 'INVALID_RECORD_STATE', message: 'Member is not the owner of offset.' }
    }
    if (type === acknowledgeTypes.renew && !partition.isRenewalEnabled)
      return { error: 'INVALID_RECORD_STATE', message: 'Renewing acquisition locks is not enabled for the group.' }
  }
  return undefined
}

/** Undefined: it stays acquired, under a new lock. */
export function stateAfter(
  { deliveryCount }: SpanState,
  type: number,
  { maxDeliveryCount }: { readonly maxDeliveryCount: number },
): SpanState | undefined {
  const after = (state: SpanState['state']): SpanState => ({
    state,
    deliveryCount,
    memberId: '',
    lockedUntilMs: Infinity,
    unconfirmed: undefined,
  })
  switch (type) {
    case acknowledgeTypes.accept:
      return after('acknowledged')
    case acknowledgeTypes.release:
      return after(deliveryCount >= maxDeliveryCount ? 'archived' : 'available')
    case acknowledgeTypes.renew:
      return undefined
    default:
      return after('archived')
  }
}
