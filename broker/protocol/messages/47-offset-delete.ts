/**
 * OffsetDelete, API key 47, v0.
 *
 * Deletes committed offsets of topics that a group no longer reads (KIP-496).
 */
import { array, int16, int32, message, string, type Infer } from '../schema.ts'

export const offsetDeleteRequest = message({
  key: 47,
  name: 'OffsetDeleteRequest',
  kind: 'request',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
      }),
    }),
  },
})
export type OffsetDeleteRequest = Infer<typeof offsetDeleteRequest>

export const offsetDeleteResponse = message({
  key: 47,
  name: 'OffsetDeleteResponse',
  kind: 'response',
  versions: '0',
  flexible: 'none',
  fields: {
    errorCode: int16(),
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
})
export type OffsetDeleteResponse = Infer<typeof offsetDeleteResponse>
