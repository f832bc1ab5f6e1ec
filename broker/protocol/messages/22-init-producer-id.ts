/**
 * InitProducerId, API key 22, v0-6.
 *
 * Gives a producer its id and epoch.
 *
 * Versions: v2 flexible; v3 producer asks to have its epoch raised (KIP-360); v4 PRODUCER_FENCED; v6 two-phase commit (KIP-939), still
 * unstable.
 */
import { bool, int16, int32, int64, message, string, type Infer } from '../schema.ts'

export const initProducerIdRequest = message({
  key: 22,
  name: 'InitProducerIdRequest',
  kind: 'request',
  versions: '0-6',
  flexible: '2+',
  latestVersionUnstable: true,
  fields: {
    transactionalId: string({ nullable: '0+' }),
    transactionTimeoutMs: int32(),
    /** -1, or the id whose epoch the producer wants raised (KIP-360). */
    producerId: int64({ versions: '3+', default: -1n }),
    producerEpoch: int16({ versions: '3+', default: -1 }),
    /** Transaction never times out (KIP-939). */
    enable2Pc: bool({ versions: '6+', default: false }),
    /** Leave a prepared transaction open (KIP-939). */
    keepPreparedTxn: bool({ versions: '6+', default: false }),
  },
})
export type InitProducerIdRequest = Infer<typeof initProducerIdRequest>

export const initProducerIdResponse = message({
  key: 22,
  name: 'InitProducerIdResponse',
  kind: 'response',
  versions: '0-6',
  flexible: '2+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    producerId: int64({ default: -1n }),
    producerEpoch: int16(),
    ongoingTxnProducerId: int64({ versions: '6+', default: -1n }),
    ongoingTxnProducerEpoch: int16({ versions: '6+', default: -1 }),
  },
})
export type InitProducerIdResponse = Infer<typeof initProducerIdResponse>
