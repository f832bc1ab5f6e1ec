/**
 * OffsetCommit, API key 8, v2-10.
 *
 * Commits offsets of a group.
 *
 * Versions: v2-4 retention time; v6 leader epoch; v7 group instance id (KIP-345); v8 flexible; v9 member epochs of the new protocol,
 * v10 topic ids (KIP-848).
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
    /** Generation of the classic protocol, member epoch of the new one; -1 for a simple consumer. */
    generationIdOrMemberEpoch: int32({ default: -1 }),
    memberId: string(),
    /** Set for a static member (KIP-345). */
    groupInstanceId: string({ versions: '7+', nullable: '7+', default: null }),
    /** Ignored from v5 on; -1 for the broker's own. */
    retentionTimeMs: offset({ versions: '2-4', default: -1, ignorable: true }),
    topics: array({
      name: string({ versions: '0-9', ignorable: true }),
      topicId: uuid({ versions: '10+', ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: offset(),
        /** Leader epoch of the last record consumed, -1 when unknown. */
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
    /** How long the client was, or should be, held back for a quota, ms. */
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
