/**
 * TxnOffsetCommit, API key 28, v0-5.
 *
 * Commits offsets of a group within a transaction.
 *
 * Versions: v2 leader epoch; v3 flexible, group generation (KIP-447); v5 TRANSACTION_ABORTABLE, adds the partition itself (KIP-890).
 */
import { array, int16, int32, int64, message, offset, string, type Infer } from '../schema.ts'

export const txnOffsetCommitRequest = message({
  key: 28,
  name: 'TxnOffsetCommitRequest',
  kind: 'request',
  versions: '0-5',
  flexible: '3+',
  fields: {
    transactionalId: string(),
    groupId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    generationId: int32({ versions: '3+', default: -1 }),
    memberId: string({ versions: '3+', default: '' }),
    /** Set for a static member (KIP-345). */
    groupInstanceId: string({ versions: '3+', nullable: '3+', default: null }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: offset(),
        /** Leader epoch of the last record consumed, -1 when unknown. */
        committedLeaderEpoch: int32({ versions: '2+', default: -1, ignorable: true }),
        committedMetadata: string({ nullable: '0+' }),
      }),
    }),
  },
})
export type TxnOffsetCommitRequest = Infer<typeof txnOffsetCommitRequest>

export const txnOffsetCommitResponse = message({
  key: 28,
  name: 'TxnOffsetCommitResponse',
  kind: 'response',
  versions: '0-5',
  flexible: '3+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
})
export type TxnOffsetCommitResponse = Infer<typeof txnOffsetCommitResponse>
