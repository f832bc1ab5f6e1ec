/**
 * OffsetForLeaderEpoch, API key 23, v2-4.
 *
 * End offset of a leader epoch, for truncation and for consumers that check theirs (KIP-101, KIP-320).
 *
 * Versions: v3 replica id; v4 flexible.
 */
import { array, int16, int32, message, offset, string, type Infer } from '../schema.ts'

export const offsetForLeaderEpochRequest = message({
  key: 23,
  name: 'OffsetForLeaderEpochRequest',
  kind: 'request',
  versions: '2-4',
  flexible: '4+',
  fields: {
    replicaId: int32({ versions: '3+', default: -2, ignorable: true }),
    topics: array({
      topic: string(),
      partitions: array({
        partition: int32(),
        /** Leader epoch that the client knows, -1 for none; a mismatch is refused (KIP-320). */
        currentLeaderEpoch: int32({ default: -1 }),
        leaderEpoch: int32(),
      }),
    }),
  },
})
export type OffsetForLeaderEpochRequest = Infer<typeof offsetForLeaderEpochRequest>

export const offsetForLeaderEpochResponse = message({
  key: 23,
  name: 'OffsetForLeaderEpochResponse',
  kind: 'response',
  versions: '2-4',
  flexible: '4+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    topics: array({
      topic: string(),
      partitions: array({
        errorCode: int16(),
        partition: int32(),
        leaderEpoch: int32({ default: -1 }),
        /** Offset, exclusive, at which the epoch ends; -1 when unknown. */
        endOffset: offset({ default: -1 }),
      }),
    }),
  },
})
export type OffsetForLeaderEpochResponse = Infer<typeof offsetForLeaderEpochResponse>
