/**
 * WriteTxnMarkers, API key 27, v1-2.
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
      transactionResult: bool(),
      topics: array({
        name: string(),
        partitionIndexes: array(int32()),
      }),
      coordinatorEpoch: int32(),
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
