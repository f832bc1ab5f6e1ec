/**
 * AddOffsetsToTxn, API key 25, v0-4.
 *
 * Adds the offsets partition of a group to a transaction (KIP-98).
 *
 * Versions: v3 flexible; v4 TRANSACTION_ABORTABLE (KIP-890).
 */
import { int16, int32, int64, message, string, type Infer } from '../schema.ts'

export const addOffsetsToTxnRequest = message({
  key: 25,
  name: 'AddOffsetsToTxnRequest',
  kind: 'request',
  versions: '0-4',
  flexible: '3+',
  fields: {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    groupId: string(),
  },
})
export type AddOffsetsToTxnRequest = Infer<typeof addOffsetsToTxnRequest>

export const addOffsetsToTxnResponse = message({
  key: 25,
  name: 'AddOffsetsToTxnResponse',
  kind: 'response',
  versions: '0-4',
  flexible: '3+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
  },
})
export type AddOffsetsToTxnResponse = Infer<typeof addOffsetsToTxnResponse>
