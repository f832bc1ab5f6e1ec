/**
 * ExpireDelegationToken, API key 40, v1-2.
 *
 * Lets a delegation token expire (KIP-48).
 *
 * Versions: v2 flexible.
 */
import { bytes, int16, int32, message, offset, type Infer } from '../schema.ts'

export const expireDelegationTokenRequest = message({
  key: 40,
  name: 'ExpireDelegationTokenRequest',
  kind: 'request',
  versions: '1-2',
  flexible: '2+',
  fields: {
    hmac: bytes(),
    expiryTimePeriodMs: offset(),
  },
})
export type ExpireDelegationTokenRequest = Infer<typeof expireDelegationTokenRequest>

export const expireDelegationTokenResponse = message({
  key: 40,
  name: 'ExpireDelegationTokenResponse',
  kind: 'response',
  versions: '1-2',
  flexible: '2+',
  fields: {
    errorCode: int16(),
    expiryTimestampMs: offset(),
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
  },
})
export type ExpireDelegationTokenResponse = Infer<typeof expireDelegationTokenResponse>
