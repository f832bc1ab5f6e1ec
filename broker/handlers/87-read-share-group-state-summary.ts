/**
 * ReadShareGroupStateSummary: v0-1. Start offsets of share partitions; -1 where nothing is known. v1 has the count of completed deliveries (KIP-1226).
 *
 * Errors: NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION.
 * Source: KIP-932.
 */
import type {
  ReadShareGroupStateSummaryRequest,
  readShareGroupStateSummaryResponse,
} from '../protocol/messages/87-read-share-group-state-summary.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight } from './handler.ts'
import { failEachSharePartition, forEachSharePartition, shareResult } from './share-state.ts'

export const readShareGroupStateSummary = handler<
  ReadShareGroupStateSummaryRequest,
  Input<typeof readShareGroupStateSummaryResponse>
>({
  apiKey: 87,
  versions: [0, 1],
  listeners: ['broker'],
  authorization: [requestRight('ClusterAction')],
  fail: (request, error) =>
    failEachSharePartition(request, error, result => ({ ...result, stateEpoch: 0, leaderEpoch: 0, startOffset: -1 })),
  handle: (request, context) =>
    forEachSharePartition(request, key => {
      const state = brokerOf(context).shares.coordinator.summary(key)
      if ('error' in state)
        return { ...shareResult(key.partition, state), stateEpoch: 0, leaderEpoch: 0, startOffset: -1 }
      const { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount } = state
      const summary = { stateEpoch, leaderEpoch, startOffset, deliveryCompleteCount }
      return { ...shareResult(key.partition, { error: 'NONE' }), ...summary }
    }),
})
