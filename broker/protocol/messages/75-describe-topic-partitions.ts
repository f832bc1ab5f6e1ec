/**
 * DescribeTopicPartitions, API key 75, v0.
 *
 * Partitions of topics, page by page, with eligible leaders (KIP-966).
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
    /** Where to go on; null at the first request. */
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
    /** How long the client was, or should be, held back for a quota, ms. */
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
        /** Replicas outside the in-sync set that still hold everything up to the high watermark (KIP-966). */
        eligibleLeaderReplicas: array({ nullable: '0+', default: null }, int32()),
        /** Members that left the eligible set with an unclean shutdown (KIP-966). */
        lastKnownElr: array({ nullable: '0+', default: null }, int32()),
        offlineReplicas: array(int32()),
      }),
      /** Bit field; -2147483648 when not asked for (KIP-430). */
      topicAuthorizedOperations: int32({ default: -2147483648 }),
    }),
    /** Null on the last page. */
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
