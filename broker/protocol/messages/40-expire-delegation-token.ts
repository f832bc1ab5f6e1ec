/**
 * ExpireDelegationToken, API key 40, v1-2.
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
    throttleTimeMs: int32({ default: 0 }),
  },
})
export type ExpireDelegationTokenResponse = Infer<typeof expireDelegationTokenResponse>
