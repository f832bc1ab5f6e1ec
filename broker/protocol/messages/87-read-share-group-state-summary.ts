/**
 * ReadShareGroupStateSummary, API key 87, v0-1.
 *
 * Start offsets of share partitions without their batches (KIP-932).
 *
 * Versions: v1 count of completed deliveries (KIP-1226).
 */
import { array, int16, int32, message, offset, string, uuid, type Infer } from '../schema.ts'

export const readShareGroupStateSummaryRequest = message({
  key: 87,
  name: 'ReadShareGroupStateSummaryRequest',
  kind: 'request',
  versions: '0-1',
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
export type ReadShareGroupStateSummaryRequest = Infer<typeof readShareGroupStateSummaryRequest>

export const readShareGroupStateSummaryResponse = message({
  key: 87,
  name: 'ReadShareGroupStateSummaryResponse',
  kind: 'response',
  versions: '0-1',
  flexible: '0+',
  fields: {
    results: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
        stateEpoch: int32(),
        leaderEpoch: int32(),
        startOffset: offset(),
        deliveryCompleteCount: int32({ versions: '1+', default: -1, ignorable: true }),
      }),
    }),
  },
})
export type ReadShareGroupStateSummaryResponse = Infer<typeof readShareGroupStateSummaryResponse>
