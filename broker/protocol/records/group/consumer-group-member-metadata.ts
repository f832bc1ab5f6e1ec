/**
 * ConsumerGroupMemberMetadata: record type 5 of the group coordinator.
 */
import { array, bytes, int32, message, string, struct, type Infer } from '../../schema.ts'

export const consumerGroupMemberMetadataKey = message({
  key: 5,
  name: 'ConsumerGroupMemberMetadataKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
    memberId: string(),
  },
})
export type ConsumerGroupMemberMetadataKey = Infer<typeof consumerGroupMemberMetadataKey>

export const consumerGroupMemberMetadataValue = message({
  key: 5,
  name: 'ConsumerGroupMemberMetadataValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    instanceId: string({ nullable: '0+' }),
    rackId: string({ nullable: '0+' }),
    clientId: string(),
    clientHost: string(),
    subscribedTopicNames: array(string()),
    subscribedTopicRegex: string({ nullable: '0+' }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    serverAssignor: string({ nullable: '0+' }),
    classicMemberMetadata: struct(
      { nullable: '0+', tag: 0 },
      {
        sessionTimeoutMs: int32(),
        supportedProtocols: array({
          name: string(),
          metadata: bytes(),
        }),
      },
    ),
  },
})
export type ConsumerGroupMemberMetadataValue = Infer<typeof consumerGroupMemberMetadataValue>
