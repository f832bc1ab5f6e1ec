/**
 * AllocateProducerIds, API key 67, v0.
 *
 * A broker fetches a block of producer ids from the controller (KIP-730).
 */
import { int16, int32, int64, message, offset, type Infer } from '../schema.ts'

export const allocateProducerIdsRequest = message({
  key: 67,
  name: 'AllocateProducerIdsRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    brokerId: int32(),
    /** Offset of the broker's registration record; fences earlier lives of the broker. */
    brokerEpoch: offset({ default: -1 }),
  },
})
export type AllocateProducerIdsRequest = Infer<typeof allocateProducerIdsRequest>

export const allocateProducerIdsResponse = message({
  key: 67,
  name: 'AllocateProducerIdsResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    producerIdStart: int64(),
    producerIdLen: int32(),
  },
})
export type AllocateProducerIdsResponse = Infer<typeof allocateProducerIdsResponse>
