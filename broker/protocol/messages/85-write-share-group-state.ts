/**
 * WriteShareGroupState, API key 85, v0-1.
 *
 * Writes the state of share partitions; from the leader to the share coordinator (KIP-932).
 *
 * Versions: v1 count of completed deliveries (KIP-1226).
 */
import { array, int16, int32, int8, message, offset, string, uuid, type Infer } from '../schema.ts'

export const writeShareGroupStateRequest = message({
  key: 85,
  name: 'WriteShareGroupStateRequest',
  kind: 'request',
  versions: '0-1',
  flexible: '0+',
  fields: {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        stateEpoch: int32(),
        leaderEpoch: int32(),
        startOffset: offset(),
        deliveryCompleteCount: int32({ versions: '1+', default: -1, ignorable: true }),
        stateBatches: array({
          firstOffset: offset(),
          lastOffset: offset(),
          deliveryState: int8(),
          deliveryCount: int16(),
        }),
      }),
    }),
  },
})
export type WriteShareGroupStateRequest = Infer<typeof writeShareGroupStateRequest>

export const writeShareGroupStateResponse = message({
  key: 85,
  name: 'WriteShareGroupStateResponse',
  kind: 'response',
  versions: '0-1',
  flexible: '0+',
  fields: {
    results: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
      }),
    }),
  },
})
export type WriteShareGroupStateResponse = Infer<typeof writeShareGroupStateResponse>
