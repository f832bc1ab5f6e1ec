/**
 * CreateDelegationToken, API key 38, v1-3.
 *
 * Issues a delegation token (KIP-48).
 *
 * Versions: v2 flexible; v3 on behalf of another owner (KIP-373).
 */
import { array, bytes, int16, int32, message, offset, string, type Infer } from '../schema.ts'

export const createDelegationTokenRequest = message({
  key: 38,
  name: 'CreateDelegationTokenRequest',
  kind: 'request',
  versions: '1-3',
  flexible: '2+',
  fields: {
    ownerPrincipalType: string({ versions: '3+', nullable: '3+' }),
    ownerPrincipalName: string({ versions: '3+', nullable: '3+' }),
    renewers: array({
      principalType: string(),
      principalName: string(),
    }),
    maxLifetimeMs: offset(),
  },
})
export type CreateDelegationTokenRequest = Infer<typeof createDelegationTokenRequest>

export const createDelegationTokenResponse = message({
  key: 38,
  name: 'CreateDelegationTokenResponse',
  kind: 'response',
  versions: '1-3',
  flexible: '2+',
  fields: {
    errorCode: int16(),
    principalType: string(),
    principalName: string(),
    tokenRequesterPrincipalType: string({ versions: '3+' }),
    tokenRequesterPrincipalName: string({ versions: '3+' }),
    issueTimestampMs: offset(),
    expiryTimestampMs: offset(),
    maxTimestampMs: offset(),
    tokenId: string(),
    hmac: bytes(),
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
  },
})
export type CreateDelegationTokenResponse = Infer<typeof createDelegationTokenResponse>
