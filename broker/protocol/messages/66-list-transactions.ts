/**
 * ListTransactions, API key 66, v0-2.
 *
 * Transactional ids that this broker coordinates (KIP-664).
 *
 * Versions: v1 filter by duration (KIP-994); v2 filter by pattern (KIP-1152).
 */
import { array, int16, int32, int64, message, offset, string, type Infer } from '../schema.ts'

export const listTransactionsRequest = message({
  key: 66,
  name: 'ListTransactionsRequest',
  kind: 'request',
  versions: '0-2',
  flexible: '0+',
  fields: {
    stateFilters: array(string()),
    producerIdFilters: array(int64()),
    durationFilter: offset({ versions: '1+', default: -1 }),
    transactionalIdPattern: string({ versions: '2+', nullable: '2+', default: null }),
  },
})
export type ListTransactionsRequest = Infer<typeof listTransactionsRequest>

export const listTransactionsResponse = message({
  key: 66,
  name: 'ListTransactionsResponse',
  kind: 'response',
  versions: '0-2',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    unknownStateFilters: array(string()),
    transactionStates: array({
      transactionalId: string(),
      producerId: int64(),
      transactionState: string(),
    }),
  },
})
export type ListTransactionsResponse = Infer<typeof listTransactionsResponse>
