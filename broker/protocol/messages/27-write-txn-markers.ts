/**
 * WriteTxnMarkers, API key 27, v1-2.
 *
 * Writes commit and abort markers; from the transaction coordinator to partition leaders.
 *
 * Versions: v1 flexible; v2 transaction version (KIP-1228).
 */
import { array, bool, int16, int32, int64, int8, message, string, type Infer } from '../schema.ts'

export const writeTxnMarkersRequest = message({
  key: 27,
  name: 'WriteTxnMarkersRequest',
  kind: 'request',
  versions: '1-2',
  flexible: '1+',
  fields: {
    markers: array({
      producerId: int64(),
      producerEpoch: int16(),
      /** True commits, false aborts. */
      transactionResult: bool(),
      topics: array({
        name: string(),
        partitionIndexes: array(int32()),
      }),
      coordinatorEpoch: int32(),
      /** Version of transactions; from 2 on the epoch of the marker is checked strictly. */
      transactionVersion: int8({ versions: '2+', default: 0, ignorable: true }),
    }),
  },
})
export type WriteTxnMarkersRequest = Infer<typeof writeTxnMarkersRequest>

export const writeTxnMarkersResponse = message({
  key: 27,
  name: 'WriteTxnMarkersResponse',
  kind: 'response',
  versions: '1-2',
  flexible: '1+',
  fields: {
    markers: array({
      producerId: int64(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
        }),
      }),
    }),
  },
})
export type WriteTxnMarkersResponse = Infer<typeof writeTxnMarkersResponse>
