/**
 * InitializeShareGroupState: v0. A group makes, or sets anew, the states of share partitions.
 *
 * Errors: NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION, FENCED_STATE_EPOCH.
 * Source: KIP-932.
 */
import type {
  InitializeShareGroupStateRequest,
  initializeShareGroupStateResponse,
} from '../protocol/messages/83-initialize-share-group-state.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight } from './handler.ts'
import { failEachSharePartition, forEachSharePartition, shareResult } from './share-state.ts'

export const initializeShareGroupState = handler<
  InitializeShareGroupStateRequest,
  Input<typeof initializeShareGroupStateResponse>
>({
  apiKey: 83,
  versions: [0, 0],
  listeners: ['broker'],
  authorization: [requestRight('ClusterAction')],
  fail: (request, error) => failEachSharePartition(request, error, result => result),
  handle: (request, context) =>
    forEachSharePartition(request, async (key, { stateEpoch, startOffset }) => {
      const { coordinator } = brokerOf(context).shares
      return shareResult(key.partition, await coordinator.initialize(key, { stateEpoch, startOffset }))
    }),
})
