/**
 * InitializeShareGroupState, API key 83, v0.
 *
 * Creates the state of share partitions; from the group to the share coordinator (KIP-932).
 */
import { array, int16, int32, message, offset, string, uuid, type Infer } from '../schema.ts'

export const initializeShareGroupStateRequest = message({
  key: 83,
  name: 'InitializeShareGroupStateRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        stateEpoch: int32(),
        startOffset: offset(),
      }),
    }),
  },
})
export type InitializeShareGroupStateRequest = Infer<typeof initializeShareGroupStateRequest>

export const initializeShareGroupStateResponse = message({
  key: 83,
  name: 'InitializeShareGroupStateResponse',
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
      }),
    }),
  },
})
export type InitializeShareGroupStateResponse = Infer<typeof initializeShareGroupStateResponse>
