/**
 * ConsumerGroupDescribe, API key 69, v0-1.
 *
 * State and members of groups of the new consumer protocol (KIP-848).
 *
 * Versions: v1 member type.
 */
import { array, bool, int16, int32, int8, message, string, struct, uuid, type Infer } from '../schema.ts'

export const consumerGroupDescribeRequest = message({
  key: 69,
  name: 'ConsumerGroupDescribeRequest',
  kind: 'request',
  versions: '0-1',
  flexible: '0+',
  fields: {
    groupIds: array(string()),
    includeAuthorizedOperations: bool(),
  },
})
export type ConsumerGroupDescribeRequest = Infer<typeof consumerGroupDescribeRequest>

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

export const consumerGroupDescribeResponse = message({
  key: 69,
  name: 'ConsumerGroupDescribeResponse',
  kind: 'response',
  versions: '0-1',
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
        instanceId: string({ nullable: '0+', default: null }),
        rackId: string({ nullable: '0+', default: null }),
        memberEpoch: int32(),
        clientId: string(),
        clientHost: string(),
        subscribedTopicNames: array(string()),
        subscribedTopicRegex: string({ nullable: '0+', default: null }),
        assignment: struct(assignment),
        targetAssignment: struct(assignment),
        memberType: int8({ versions: '1+', default: -1, ignorable: true }),
      }),
      /** Bit field; -2147483648 when not asked for (KIP-430). */
      authorizedOperations: int32({ default: -2147483648 }),
    }),
  },
})
export type ConsumerGroupDescribeResponse = Infer<typeof consumerGroupDescribeResponse>
