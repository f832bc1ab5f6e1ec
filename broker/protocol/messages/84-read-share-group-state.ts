/**
 * ReadShareGroupState, API key 84, v0.
 *
 * Reads the state of share partitions; from the leader to the share coordinator (KIP-932).
 */
import { array, int16, int32, int8, message, offset, string, uuid, type Infer } from '../schema.ts'

export const readShareGroupStateRequest = message({
  key: 84,
  name: 'ReadShareGroupStateRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        leaderEpoch: int32(),
      }),
    }),
  },
})
export type ReadShareGroupStateRequest = Infer<typeof readShareGroupStateRequest>

export const readShareGroupStateResponse = message({
  key: 84,
  name: 'ReadShareGroupStateResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    results: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
        stateEpoch: int32(),
        startOffset: offset(),
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
export type ReadShareGroupStateResponse = Infer<typeof readShareGroupStateResponse>
