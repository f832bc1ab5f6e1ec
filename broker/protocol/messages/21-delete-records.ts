/**
 * DeleteRecords, API key 21, v0-2.
 *
 * Raises the log start offset, so that records below it are gone (KIP-107).
 *
 * Versions: v2 flexible.
 */
import { array, int16, int32, message, offset, string, type Infer } from '../schema.ts'

export const deleteRecordsRequest = message({
  key: 21,
  name: 'DeleteRecordsRequest',
  kind: 'request',
  versions: '0-2',
  flexible: '2+',
  fields: {
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        /** New log start offset; -1 for the high watermark. */
        offset: offset(),
      }),
    }),
    timeoutMs: int32(),
  },
})
export type DeleteRecordsRequest = Infer<typeof deleteRecordsRequest>

export const deleteRecordsResponse = message({
  key: 21,
  name: 'DeleteRecordsResponse',
  kind: 'response',
  versions: '0-2',
  flexible: '2+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        lowWatermark: offset(),
        errorCode: int16(),
      }),
    }),
  },
})
export type DeleteRecordsResponse = Infer<typeof deleteRecordsResponse>
