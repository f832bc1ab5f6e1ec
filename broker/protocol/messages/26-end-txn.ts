/**
 * EndTxn, API key 26, v0-5.
 *
 * Commits or aborts a transaction.
 *
 * Versions: v3 flexible; v5 raises the producer epoch with every transaction (KIP-890).
 */
import { bool, int16, int32, int64, message, string, type Infer } from '../schema.ts'

export const endTxnRequest = message({
  key: 26,
  name: 'EndTxnRequest',
  kind: 'request',
  versions: '0-5',
  flexible: '3+',
  fields: {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    /** True commits, false aborts. */
    committed: bool(),
  },
})
export type EndTxnRequest = Infer<typeof endTxnRequest>

export const endTxnResponse = message({
  key: 26,
  name: 'EndTxnResponse',
  kind: 'response',
  versions: '0-5',
  flexible: '3+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    producerId: int64({ versions: '5+', default: -1n, ignorable: true }),
    producerEpoch: int16({ versions: '5+', default: -1, ignorable: true }),
  },
})
export type EndTxnResponse = Infer<typeof endTxnResponse>
