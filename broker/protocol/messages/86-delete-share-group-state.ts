/**
 * DeleteShareGroupState, API key 86, v0.
 *
 * Deletes the state of share partitions; from the group to the share coordinator (KIP-932).
 */
import { array, int16, int32, message, string, uuid, type Infer } from '../schema.ts'

export const deleteShareGroupStateRequest = message({
  key: 86,
  name: 'DeleteShareGroupStateRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
      }),
    }),
  },
})
export type DeleteShareGroupStateRequest = Infer<typeof deleteShareGroupStateRequest>

export const deleteShareGroupStateResponse = message({
  key: 86,
  name: 'DeleteShareGroupStateResponse',
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
export type DeleteShareGroupStateResponse = Infer<typeof deleteShareGroupStateResponse>
