/**
 * DescribeShareGroupOffsets, API key 90, v0-1.
 *
 * Start offsets of share groups (KIP-932).
 *
 * Versions: v1 lag (KIP-1226).
 */
import { array, int16, int32, message, offset, string, uuid, type Infer } from '../schema.ts'

export const describeShareGroupOffsetsRequest = message({
  key: 90,
  name: 'DescribeShareGroupOffsetsRequest',
  kind: 'request',
  versions: '0-1',
  flexible: '0+',
  fields: {
    groups: array({
      groupId: string(),
      topics: array(
        { nullable: '0+' },
        {
          topicName: string(),
          partitions: array(int32()),
        },
      ),
    }),
  },
})
export type DescribeShareGroupOffsetsRequest = Infer<typeof describeShareGroupOffsetsRequest>

export const describeShareGroupOffsetsResponse = message({
  key: 90,
  name: 'DescribeShareGroupOffsetsResponse',
  kind: 'response',
  versions: '0-1',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    groups: array({
      groupId: string(),
      topics: array({
        topicName: string(),
        topicId: uuid(),
        partitions: array({
          partitionIndex: int32(),
          startOffset: offset(),
          leaderEpoch: int32(),
          lag: offset({ versions: '1+', default: -1, ignorable: true }),
          errorCode: int16(),
          errorMessage: string({ nullable: '0+', default: null }),
        }),
      }),
      errorCode: int16(),
      errorMessage: string({ nullable: '0+', default: null }),
    }),
  },
})
export type DescribeShareGroupOffsetsResponse = Infer<typeof describeShareGroupOffsetsResponse>
