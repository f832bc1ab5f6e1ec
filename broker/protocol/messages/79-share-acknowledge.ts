/**
 * ShareAcknowledge, API key 79, v1-2.
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
        currentLeader: struct({
          leaderId: int32(),
          leaderEpoch: int32(),
        }),
      }),
    }),
    nodeEndpoints: array({
      nodeId: int32(),
      host: string(),
      port: int32(),
      rack: string({ nullable: '0+', default: null }),
    }),
  },
})
export type ShareAcknowledgeResponse = Infer<typeof shareAcknowledgeResponse>
