/**
 * DeleteShareGroupOffsets, API key 92, v0.
 *
 * Deletes start offsets of a share group (KIP-932).
 */
import { array, int16, int32, message, string, uuid, type Infer } from '../schema.ts'

export const deleteShareGroupOffsetsRequest = message({
  key: 92,
  name: 'DeleteShareGroupOffsetsRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    groupId: string(),
    topics: array({
      topicName: string(),
    }),
  },
})
export type DeleteShareGroupOffsetsRequest = Infer<typeof deleteShareGroupOffsetsRequest>

export const deleteShareGroupOffsetsResponse = message({
  key: 92,
  name: 'DeleteShareGroupOffsetsResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    responses: array({
      topicName: string(),
      topicId: uuid(),
      errorCode: int16(),
      errorMessage: string({ nullable: '0+', default: null }),
    }),
  },
})
export type DeleteShareGroupOffsetsResponse = Infer<typeof deleteShareGroupOffsetsResponse>
