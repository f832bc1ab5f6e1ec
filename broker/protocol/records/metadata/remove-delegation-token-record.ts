/**
 * A delegation token is gone (KIP-900).
 */
import { message, string, type Infer } from '../../schema.ts'

export const removeDelegationTokenRecord = message({
  key: 26,
  name: 'RemoveDelegationTokenRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    tokenId: string(),
  },
})
export type RemoveDelegationTokenRecord = Infer<typeof removeDelegationTokenRecord>
