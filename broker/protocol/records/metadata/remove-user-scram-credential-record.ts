/**
 * A SCRAM credential has been removed (KIP-900).
 */
import { int8, message, string, type Infer } from '../../schema.ts'

export const removeUserScramCredentialRecord = message({
  key: 22,
  name: 'RemoveUserScramCredentialRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    name: string(),
    mechanism: int8(),
  },
})
export type RemoveUserScramCredentialRecord = Infer<typeof removeUserScramCredentialRecord>
