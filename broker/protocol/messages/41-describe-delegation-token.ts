/**
 * DescribeDelegationToken, API key 41, v1-3.
 *
 * Delegation tokens by owner (KIP-48).
 *
 * Versions: v2 flexible; v3 requester (KIP-373).
 */
import { array, bytes, int16, int32, message, offset, string, type Infer } from '../schema.ts'

export const describeDelegationTokenRequest = message({
  key: 41,
  name: 'DescribeDelegationTokenRequest',
  kind: 'request',
  versions: '1-3',
  flexible: '2+',
  fields: {
    owners: array(
      { nullable: '0+' },
      {
        principalType: string(),
        principalName: string(),
      },
    ),
  },
})
export type DescribeDelegationTokenRequest = Infer<typeof describeDelegationTokenRequest>

export const describeDelegationTokenResponse = message({
  key: 41,
  name: 'DescribeDelegationTokenResponse',
  kind: 'response',
  versions: '1-3',
  flexible: '2+',
  fields: {
    errorCode: int16(),
    tokens: array({
      principalType: string(),
      principalName: string(),
      tokenRequesterPrincipalType: string({ versions: '3+' }),
      tokenRequesterPrincipalName: string({ versions: '3+' }),
      issueTimestamp: offset(),
      expiryTimestamp: offset(),
      maxTimestamp: offset(),
      tokenId: string(),
      hmac: bytes(),
      renewers: array({
        principalType: string(),
        principalName: string(),
      }),
    }),
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
  },
})
export type DescribeDelegationTokenResponse = Infer<typeof describeDelegationTokenResponse>
