/**
 * RemoveDelegationTokenRecord: metadata record type 26.
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
