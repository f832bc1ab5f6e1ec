/**
 * ShareGroupDescribe, API key 77, v1.
 *
 * State and members of share groups (KIP-932).
 *
 * Versions: v0 was early access and is gone.
 */
import { array, bool, int16, int32, message, string, struct, uuid, type Infer } from '../schema.ts'

export const shareGroupDescribeRequest = message({
  key: 77,
  name: 'ShareGroupDescribeRequest',
  kind: 'request',
  versions: '1',
  flexible: '0+',
  fields: {
    groupIds: array(string()),
    includeAuthorizedOperations: bool(),
  },
})
export type ShareGroupDescribeRequest = Infer<typeof shareGroupDescribeRequest>

/** Shared by several fields below. */
const topicPartitions = {
  topicId: uuid(),
  topicName: string(),
  partitions: array(int32()),
}

/** Shared by several fields below. */
const assignment = {
  topicPartitions: array(topicPartitions),
}

export const shareGroupDescribeResponse = message({
  key: 77,
  name: 'ShareGroupDescribeResponse',
  kind: 'response',
  versions: '1',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    groups: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+', default: null }),
      groupId: string(),
      groupState: string(),
      groupEpoch: int32(),
      assignmentEpoch: int32(),
      assignorName: string(),
      members: array({
        memberId: string(),
        rackId: string({ nullable: '0+', default: null }),
        memberEpoch: int32(),
        clientId: string(),
        clientHost: string(),
        subscribedTopicNames: array(string()),
        assignment: struct(assignment),
      }),
      /** Bit field; -2147483648 when not asked for (KIP-430). */
      authorizedOperations: int32({ default: -2147483648 }),
    }),
  },
})
export type ShareGroupDescribeResponse = Infer<typeof shareGroupDescribeResponse>
