/**
 * TxnOffsetCommit, API key 28, v0-5.
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
    groupInstanceId: string({ versions: '3+', nullable: '3+', default: null }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: offset(),
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
