/**
 * OffsetFetch, API key 9, v1-10.
 *
 * Reads committed offsets.
 *
 * Versions: v2 null topics mean all, top-level error; v5 leader epoch; v6 flexible; v7 stable offsets only (KIP-447); v8 several groups (KIP-709);
 * v9 member epochs, v10 topic ids (KIP-848).
 */
import { array, bool, int16, int32, message, offset, string, uuid, type Infer } from '../schema.ts'

export const offsetFetchRequest = message({
  key: 9,
  name: 'OffsetFetchRequest',
  kind: 'request',
  versions: '1-10',
  flexible: '6+',
  fields: {
    groupId: string({ versions: '0-7' }),
    topics: array(
      { versions: '0-7', nullable: '2-7' },
      {
        name: string(),
        partitionIndexes: array(int32()),
      },
    ),
    groups: array(
      { versions: '8+' },
      {
        groupId: string(),
        memberId: string({ versions: '9+', nullable: '9+', default: null, ignorable: true }),
        memberEpoch: int32({ versions: '9+', default: -1, ignorable: true }),
        topics: array(
          { nullable: '8+' },
          {
            name: string({ versions: '8-9', ignorable: true }),
            topicId: uuid({ versions: '10+', ignorable: true }),
            partitionIndexes: array(int32()),
          },
        ),
      },
    ),
    /** Refuse with UNSTABLE_OFFSET_COMMIT while a transaction may change the offsets (KIP-447). */
    requireStable: bool({ versions: '7+', default: false }),
  },
})
export type OffsetFetchRequest = Infer<typeof offsetFetchRequest>

export const offsetFetchResponse = message({
  key: 9,
  name: 'OffsetFetchResponse',
  kind: 'response',
  versions: '1-10',
  flexible: '6+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ versions: '3+', ignorable: true }),
    topics: array(
      { versions: '0-7' },
      {
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          committedOffset: offset(),
          /** Leader epoch of the last record consumed, -1 when unknown. */
          committedLeaderEpoch: int32({ versions: '5-7', default: -1, ignorable: true }),
          metadata: string({ nullable: '0-7' }),
          errorCode: int16(),
        }),
      },
    ),
    errorCode: int16({ versions: '2-7', default: 0, ignorable: true }),
    groups: array(
      { versions: '8+' },
      {
        groupId: string(),
        topics: array({
          name: string({ versions: '8-9', ignorable: true }),
          topicId: uuid({ versions: '10+', ignorable: true }),
          partitions: array({
            partitionIndex: int32(),
            committedOffset: offset(),
            /** Leader epoch of the last record consumed, -1 when unknown. */
            committedLeaderEpoch: int32({ default: -1 }),
            metadata: string({ nullable: '8+' }),
            errorCode: int16(),
          }),
        }),
        errorCode: int16({ default: 0 }),
      },
    ),
  },
})
export type OffsetFetchResponse = Infer<typeof offsetFetchResponse>
