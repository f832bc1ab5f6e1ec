/**
 * A delegation token has been issued or renewed (KIP-900).
 */
import { array, message, offset, string, type Infer } from '../../schema.ts'

export const delegationTokenRecord = message({
  key: 10,
  name: 'DelegationTokenRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    owner: string(),
    requester: string(),
    renewers: array(string()),
    issueTimestamp: offset(),
    maxTimestamp: offset(),
    expirationTimestamp: offset(),
    tokenId: string(),
  },
})
export type DelegationTokenRecord = Infer<typeof delegationTokenRecord>
