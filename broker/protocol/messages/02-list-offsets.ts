/**
 * ListOffsets, API key 2, v1-11.
 *
 * Finds offsets by timestamp; special timestamps ask for an end of the log.
 *
 * Special timestamps: -1 latest, -2 earliest, -3 record with the largest timestamp (KIP-734), -4 earliest on local disk (KIP-405), -5 latest
 * tiered (KIP-1005), -6 earliest not yet uploaded (KIP-1023). Versions: v2 isolation level (KIP-98); v4 leader epochs (KIP-320); v6 flexible;
 * v10 timeout for tiered look-ups (KIP-1075).
 */
import { array, int16, int32, int8, message, offset, string, type Infer } from '../schema.ts'

export const listOffsetsRequest = message({
  key: 2,
  name: 'ListOffsetsRequest',
  kind: 'request',
  versions: '1-11',
  flexible: '6+',
  fields: {
    /** Broker id of a follower, -1 for a consumer, -2 for a debugging client. */
    replicaId: int32(),
    /** 0: up to the high watermark; 1: up to the last stable offset, with aborted transactions named. */
    isolationLevel: int8({ versions: '2+' }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        /** Leader epoch that the client knows, -1 for none; a mismatch is refused (KIP-320). */
        currentLeaderEpoch: int32({ versions: '4+', default: -1, ignorable: true }),
        /** Timestamp, ms, or one of the special values above. */
        timestamp: offset(),
      }),
    }),
    timeoutMs: int32({ versions: '10+', ignorable: true }),
  },
})
export type ListOffsetsRequest = Infer<typeof listOffsetsRequest>

export const listOffsetsResponse = message({
  key: 2,
  name: 'ListOffsetsResponse',
  kind: 'response',
  versions: '1-11',
  flexible: '6+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ versions: '2+', ignorable: true }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        /** Timestamp of the record found, -1 for none. */
        timestamp: offset({ default: -1 }),
        offset: offset({ default: -1 }),
        leaderEpoch: int32({ versions: '4+', default: -1 }),
      }),
    }),
  },
})
export type ListOffsetsResponse = Infer<typeof listOffsetsResponse>
