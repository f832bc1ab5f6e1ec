/**
 * UnregisterBroker, API key 64, v0.
 *
 * Removes a broker that will not come back (KIP-631).
 */
import { int16, int32, message, string, type Infer } from '../schema.ts'

export const unregisterBrokerRequest = message({
  key: 64,
  name: 'UnregisterBrokerRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    brokerId: int32(),
  },
})
export type UnregisterBrokerRequest = Infer<typeof unregisterBrokerRequest>

export const unregisterBrokerResponse = message({
  key: 64,
  name: 'UnregisterBrokerResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
  },
})
export type UnregisterBrokerResponse = Infer<typeof unregisterBrokerResponse>
