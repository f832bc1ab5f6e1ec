/**
 * ConsumerGroupHeartbeat, API key 68, v0-1.
 *
 * The one request of members of the new consumer protocol: join, heartbeat, acknowledge, leave (KIP-848).
 *
 * Versions: v1 subscription by a regular expression that the broker evaluates; the member makes its own id.
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
    /** 0 joins, -1 leaves, -2 leaves for a while (static member). */
    memberEpoch: int32(),
    instanceId: string({ nullable: '0+', default: null }),
    rackId: string({ nullable: '0+', default: null }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    /** Null when nothing changed since the last heartbeat. */
    subscribedTopicNames: array({ nullable: '0+', default: null }, string()),
    subscribedTopicRegex: string({ versions: '1+', nullable: '1+', default: null }),
    serverAssignor: string({ nullable: '0+', default: null }),
    /** Partitions that the member owns; null when nothing changed. */
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
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    memberId: string({ nullable: '0+', default: null }),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    /** Null when nothing changed. */
    assignment: struct(
      { nullable: '0+', default: null },
      {
        topicPartitions: array(topicPartitions),
      },
    ),
  },
})
export type ConsumerGroupHeartbeatResponse = Infer<typeof consumerGroupHeartbeatResponse>
