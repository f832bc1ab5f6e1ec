/**
 * DescribeUserScramCredentials, API key 50, v0.
 *
 * SCRAM mechanisms and iteration counts of users, never secrets (KIP-554).
 */
import { array, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const describeUserScramCredentialsRequest = message({
  key: 50,
  name: 'DescribeUserScramCredentialsRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    users: array(
      { nullable: '0+' },
      {
        name: string(),
      },
    ),
  },
})
export type DescribeUserScramCredentialsRequest = Infer<typeof describeUserScramCredentialsRequest>

export const describeUserScramCredentialsResponse = message({
  key: 50,
  name: 'DescribeUserScramCredentialsResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    results: array({
      user: string(),
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
      credentialInfos: array({
        mechanism: int8(),
        iterations: int32(),
      }),
    }),
  },
})
export type DescribeUserScramCredentialsResponse = Infer<typeof describeUserScramCredentialsResponse>
