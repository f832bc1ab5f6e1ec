/**
 * DescribeTopicPartitions, API key 75, v0.
 */
import { array, bool, int16, int32, message, string, struct, uuid, type Infer } from '../schema.ts'

export const describeTopicPartitionsRequest = message({
  key: 75,
  name: 'DescribeTopicPartitionsRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    topics: array({
      name: string(),
    }),
    responsePartitionLimit: int32({ default: 2000 }),
    cursor: struct(
      { nullable: '0+', default: null },
      {
        topicName: string(),
        partitionIndex: int32(),
      },
    ),
  },
})
export type DescribeTopicPartitionsRequest = Infer<typeof describeTopicPartitionsRequest>

export const describeTopicPartitionsResponse = message({
  key: 75,
  name: 'DescribeTopicPartitionsResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    throttleTimeMs: int32({ default: 0 }),
    topics: array({
      errorCode: int16(),
      name: string({ nullable: '0+' }),
      topicId: uuid(),
      isInternal: bool({ default: false }),
      partitions: array({
        errorCode: int16(),
        partitionIndex: int32(),
        leaderId: int32(),
        leaderEpoch: int32({ default: -1 }),
        replicaNodes: array(int32()),
        isrNodes: array(int32()),
        eligibleLeaderReplicas: array({ nullable: '0+', default: null }, int32()),
        lastKnownElr: array({ nullable: '0+', default: null }, int32()),
        offlineReplicas: array(int32()),
      }),
      topicAuthorizedOperations: int32({ default: -2147483648 }),
    }),
    nextCursor: struct(
      { nullable: '0+', default: null },
      {
        topicName: string(),
        partitionIndex: int32(),
      },
    ),
  },
})
export type DescribeTopicPartitionsResponse = Infer<typeof describeTopicPartitionsResponse>
