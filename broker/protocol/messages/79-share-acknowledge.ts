/**
 * ShareAcknowledge, API key 79, v1-2.
 *
 * Acknowledges records of a share group (KIP-932).
 *
 * Versions: v0 was early access; v2 renewal of the lock (KIP-1222).
 */
import { array, bool, int16, int32, int8, message, offset, string, struct, uuid, type Infer } from '../schema.ts'

export const shareAcknowledgeRequest = message({
  key: 79,
  name: 'ShareAcknowledgeRequest',
  kind: 'request',
  versions: '1-2',
  flexible: '0+',
  fields: {
    groupId: string({ nullable: '0+', default: null }),
    memberId: string({ nullable: '0+' }),
    shareSessionEpoch: int32(),
    isRenewAck: bool({ versions: '2+', default: false }),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        acknowledgementBatches: array({
          firstOffset: offset(),
          lastOffset: offset(),
          acknowledgeTypes: array(int8()),
        }),
      }),
    }),
  },
})
export type ShareAcknowledgeRequest = Infer<typeof shareAcknowledgeRequest>

export const shareAcknowledgeResponse = message({
  key: 79,
  name: 'ShareAcknowledgeResponse',
  kind: 'response',
  versions: '1-2',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    acquisitionLockTimeoutMs: int32({ versions: '2+', ignorable: true }),
    responses: array({
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
        /** Where to go instead; set with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH (KIP-951). */
        currentLeader: struct({
          leaderId: int32(),
          leaderEpoch: int32(),
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
export type ShareAcknowledgeResponse = Infer<typeof shareAcknowledgeResponse>
