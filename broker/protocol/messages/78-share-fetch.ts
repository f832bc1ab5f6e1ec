/**
 * ShareFetch, API key 78, v1-2.
 *
 * Acquires records for a share group and acknowledges earlier ones (KIP-932).
 *
 * Versions: v0 was early access; v1 limit on records; v2 acquire mode and renewal (KIP-1206, KIP-1222).
 */
import {
  array,
  bool,
  int16,
  int32,
  int8,
  message,
  offset,
  records,
  string,
  struct,
  uuid,
  type Infer,
} from '../schema.ts'

export const shareFetchRequest = message({
  key: 78,
  name: 'ShareFetchRequest',
  kind: 'request',
  versions: '1-2',
  flexible: '0+',
  fields: {
    groupId: string({ nullable: '0+', default: null }),
    memberId: string({ nullable: '0+' }),
    shareSessionEpoch: int32(),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32({ default: 0x7fffffff }),
    maxRecords: int32(),
    batchSize: int32(),
    shareAcquireMode: int8({ versions: '2+', default: 0, ignorable: true }),
    isRenewAck: bool({ versions: '2+', default: false }),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        partitionMaxBytes: int32({ versions: '0' }),
        acknowledgementBatches: array({
          firstOffset: offset(),
          lastOffset: offset(),
          acknowledgeTypes: array(int8()),
        }),
      }),
    }),
    forgottenTopicsData: array({
      topicId: uuid(),
      partitions: array(int32()),
    }),
  },
})
export type ShareFetchRequest = Infer<typeof shareFetchRequest>

export const shareFetchResponse = message({
  key: 78,
  name: 'ShareFetchResponse',
  kind: 'response',
  versions: '1-2',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    acquisitionLockTimeoutMs: int32(),
    responses: array({
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
        acknowledgeErrorCode: int16(),
        acknowledgeErrorMessage: string({ nullable: '0+', default: null }),
        /** Where to go instead; set with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH (KIP-951). */
        currentLeader: struct({
          leaderId: int32(),
          leaderEpoch: int32(),
        }),
        records: records({ nullable: '0' }),
        acquiredRecords: array({
          firstOffset: offset(),
          lastOffset: offset(),
          deliveryCount: int16(),
        }),
      }),
    }),
    /** Addresses of the leaders named above (KIP-951). */
    nodeEndpoints: array({
      nodeId: int32(),
      host: string(),
      port: int32(),
      rack: string({ nullable: '0+', default: null }),
    }),
  },
})
export type ShareFetchResponse = Infer<typeof shareFetchResponse>
