/**
 * AlterUserScramCredentials, API key 51, v0.
 *
 * Sets and removes SCRAM credentials; the client salts, the broker never sees the password (KIP-554).
 */
import { array, bytes, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const alterUserScramCredentialsRequest = message({
  key: 51,
  name: 'AlterUserScramCredentialsRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    deletions: array({
      name: string(),
      mechanism: int8(),
    }),
    upsertions: array({
      name: string(),
      mechanism: int8(),
      iterations: int32(),
      salt: bytes(),
      saltedPassword: bytes(),
    }),
  },
})
export type AlterUserScramCredentialsRequest = Infer<typeof alterUserScramCredentialsRequest>

export const alterUserScramCredentialsResponse = message({
  key: 51,
  name: 'AlterUserScramCredentialsResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    results: array({
      user: string(),
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
    }),
  },
})
export type AlterUserScramCredentialsResponse = Infer<typeof alterUserScramCredentialsResponse>
