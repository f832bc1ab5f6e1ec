/**
 * OffsetCommit, API key 8, v2-10.
 */
import { array, int16, int32, message, offset, string, uuid, type Infer } from '../schema.ts'

export const offsetCommitRequest = message({
  key: 8,
  name: 'OffsetCommitRequest',
  kind: 'request',
  versions: '2-10',
  flexible: '8+',
  fields: {
    groupId: string(),
    generationIdOrMemberEpoch: int32({ default: -1 }),
    memberId: string(),
    groupInstanceId: string({ versions: '7+', nullable: '7+', default: null }),
    retentionTimeMs: offset({ versions: '2-4', default: -1, ignorable: true }),
    topics: array({
      name: string({ versions: '0-9', ignorable: true }),
      topicId: uuid({ versions: '10+', ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: offset(),
        committedLeaderEpoch: int32({ versions: '6+', default: -1, ignorable: true }),
        committedMetadata: string({ nullable: '0+' }),
      }),
    }),
  },
})
export type OffsetCommitRequest = Infer<typeof offsetCommitRequest>

export const offsetCommitResponse = message({
  key: 8,
  name: 'OffsetCommitResponse',
  kind: 'response',
  versions: '2-10',
  flexible: '8+',
  fields: {
    throttleTimeMs: int32({ versions: '3+', ignorable: true }),
    topics: array({
      name: string({ versions: '0-9', ignorable: true }),
      topicId: uuid({ versions: '10+', ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
})
export type OffsetCommitResponse = Infer<typeof offsetCommitResponse>
