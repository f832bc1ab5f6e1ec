/**
 * DescribeProducers, API key 61, v0.
 *
 * Producers that a partition leader knows (KIP-664).
 */
import { array, int16, int32, int64, message, offset, string, type Infer } from '../schema.ts'

export const describeProducersRequest = message({
  key: 61,
  name: 'DescribeProducersRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    topics: array({
      name: string(),
      partitionIndexes: array(int32()),
    }),
  },
})
export type DescribeProducersRequest = Infer<typeof describeProducersRequest>

export const describeProducersResponse = message({
  key: 61,
  name: 'DescribeProducersResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
        activeProducers: array({
          producerId: int64(),
          producerEpoch: int32(),
          lastSequence: int32({ default: -1 }),
          lastTimestamp: offset({ default: -1 }),
          coordinatorEpoch: int32(),
          currentTxnStartOffset: offset({ default: -1 }),
        }),
      }),
    }),
  },
})
export type DescribeProducersResponse = Infer<typeof describeProducersResponse>
