/**
 * ConsumerGroupHeartbeat, API key 68, v0-1.
 */
import { array, int16, int32, message, string, struct, uuid, type Infer } from '../schema.ts'

export const consumerGroupHeartbeatRequest = message({
  key: 68,
  name: 'ConsumerGroupHeartbeatRequest',
  kind: 'request',
  versions: '0-1',
  flexible: '0+',
  fields: {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    instanceId: string({ nullable: '0+', default: null }),
    rackId: string({ nullable: '0+', default: null }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    subscribedTopicNames: array({ nullable: '0+', default: null }, string()),
    subscribedTopicRegex: string({ versions: '1+', nullable: '1+', default: null }),
    serverAssignor: string({ nullable: '0+', default: null }),
    topicPartitions: array(
      { nullable: '0+', default: null },
      {
        topicId: uuid(),
        partitions: array(int32()),
      },
    ),
  },
})
export type ConsumerGroupHeartbeatRequest = Infer<typeof consumerGroupHeartbeatRequest>

/** Shared by several fields below. */
const topicPartitions = {
  topicId: uuid(),
  partitions: array(int32()),
}

export const consumerGroupHeartbeatResponse = message({
  key: 68,
  name: 'ConsumerGroupHeartbeatResponse',
  kind: 'response',
  versions: '0-1',
  flexible: '0+',
  fields: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    memberId: string({ nullable: '0+', default: null }),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    assignment: struct(
      { nullable: '0+', default: null },
      {
        topicPartitions: array(topicPartitions),
      },
    ),
  },
})
export type ConsumerGroupHeartbeatResponse = Infer<typeof consumerGroupHeartbeatResponse>
