/**
 * ReadShareGroupState: v0. The leader of a partition reads the state of a share partition; its epoch keeps former leaders out.
 *
 * Errors: NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION, FENCED_LEADER_EPOCH.
 * Source: KIP-932.
 */
import type {
  ReadShareGroupStateRequest,
  readShareGroupStateResponse,
} from '../protocol/messages/84-read-share-group-state.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight } from './handler.ts'
import { failEachSharePartition, forEachSharePartition, shareResult } from './share-state.ts'

export const readShareGroupState = handler<ReadShareGroupStateRequest, Input<typeof readShareGroupStateResponse>>({
  apiKey: 84,
  versions: [0, 0],
  listeners: ['broker'],
  authorization: [requestRight('ClusterAction')],
  fail: (request, error) =>
    failEachSharePartition(request, error, result => ({ ...result, stateEpoch: 0, startOffset: -1, stateBatches: [] })),
  handle: (request, context) =>
    forEachSharePartition(request, async (key, { leaderEpoch }) => {
      const state = await brokerOf(context).shares.coordinator.read(key, leaderEpoch)
      if ('error' in state)
        return { ...shareResult(key.partition, state), stateEpoch: 0, startOffset: -1, stateBatches: [] }
      return { ...shareResult(key.partition, { error: 'NONE' }), ...state, stateBatches: [...state.stateBatches] }
    }),
})
