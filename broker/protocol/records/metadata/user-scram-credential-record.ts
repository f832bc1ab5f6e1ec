/**
 * A SCRAM credential has been set (KIP-900).
 */
import { bytes, int32, int8, message, string, type Infer } from '../../schema.ts'

export const userScramCredentialRecord = message({
  key: 11,
  name: 'UserScramCredentialRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    name: string(),
    mechanism: int8(),
    salt: bytes(),
    storedKey: bytes(),
    serverKey: bytes(),
    iterations: int32(),
  },
})
export type UserScramCredentialRecord = Infer<typeof userScramCredentialRecord>
