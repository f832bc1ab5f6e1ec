/**
 * ShareGroupMemberMetadata: record type 10 of the group coordinator.
 */
import { array, message, string, type Infer } from '../../schema.ts'

export const shareGroupMemberMetadataKey = message({
  key: 10,
  name: 'ShareGroupMemberMetadataKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
    memberId: string(),
  },
})
export type ShareGroupMemberMetadataKey = Infer<typeof shareGroupMemberMetadataKey>

export const shareGroupMemberMetadataValue = message({
  key: 10,
  name: 'ShareGroupMemberMetadataValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    rackId: string({ nullable: '0+' }),
    clientId: string(),
    clientHost: string(),
    subscribedTopicNames: array(string()),
  },
})
export type ShareGroupMemberMetadataValue = Infer<typeof shareGroupMemberMetadataValue>
