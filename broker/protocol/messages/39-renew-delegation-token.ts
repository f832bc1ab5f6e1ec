/**
 * RenewDelegationToken, API key 39, v1-2.
 *
 * Renews a delegation token (KIP-48).
 *
 * Versions: v2 flexible.
 */
import { bytes, int16, int32, message, offset, type Infer } from '../schema.ts'

export const renewDelegationTokenRequest = message({
  key: 39,
  name: 'RenewDelegationTokenRequest',
  kind: 'request',
  versions: '1-2',
  flexible: '2+',
  fields: {
    hmac: bytes(),
    renewPeriodMs: offset(),
  },
})
export type RenewDelegationTokenRequest = Infer<typeof renewDelegationTokenRequest>

export const renewDelegationTokenResponse = message({
  key: 39,
  name: 'RenewDelegationTokenResponse',
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
export type RenewDelegationTokenResponse = Infer<typeof renewDelegationTokenResponse>
