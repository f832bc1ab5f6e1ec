/**
 * AlterShareGroupOffsets, API key 91, v0.
 *
 * Sets start offsets of an empty share group (KIP-932).
 */
import { array, int16, int32, message, offset, string, uuid, type Infer } from '../schema.ts'

export const alterShareGroupOffsetsRequest = message({
  key: 91,
  name: 'AlterShareGroupOffsetsRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    groupId: string(),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        startOffset: offset(),
      }),
    }),
  },
})
export type AlterShareGroupOffsetsRequest = Infer<typeof alterShareGroupOffsetsRequest>

export const alterShareGroupOffsetsResponse = message({
  key: 91,
  name: 'AlterShareGroupOffsetsResponse',
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
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
      }),
    }),
  },
})
export type AlterShareGroupOffsetsResponse = Infer<typeof alterShareGroupOffsetsResponse>
