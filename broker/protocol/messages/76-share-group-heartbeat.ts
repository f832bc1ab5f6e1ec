/**
 * ShareGroupHeartbeat, API key 76, v1.
 *
 * Join, heartbeat and leave a share group (KIP-932).
 *
 * Versions: v0 was early access and is gone.
 */
import { array, int16, int32, message, string, struct, uuid, type Infer } from '../schema.ts'

export const shareGroupHeartbeatRequest = message({
  key: 76,
  name: 'ShareGroupHeartbeatRequest',
  kind: 'request',
  versions: '1',
  flexible: '0+',
  fields: {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    rackId: string({ nullable: '0+', default: null }),
    subscribedTopicNames: array({ nullable: '0+', default: null }, string()),
  },
})
export type ShareGroupHeartbeatRequest = Infer<typeof shareGroupHeartbeatRequest>

/** Shared by several fields below. */
const topicPartitions = {
  topicId: uuid(),
  partitions: array(int32()),
}

export const shareGroupHeartbeatResponse = message({
  key: 76,
  name: 'ShareGroupHeartbeatResponse',
  kind: 'response',
  versions: '1',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
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
export type ShareGroupHeartbeatResponse = Infer<typeof shareGroupHeartbeatResponse>
