/**
 * WriteShareGroupState: v0-1. The leader of a partition writes what changed in a share partition. v1 has the count of completed deliveries (KIP-1226).
 *
 * Errors: NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION, FENCED_LEADER_EPOCH, FENCED_STATE_EPOCH.
 * Source: KIP-932.
 */
import type {
  WriteShareGroupStateRequest,
  writeShareGroupStateResponse,
} from '../protocol/messages/85-write-share-group-state.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight } from './handler.ts'
import { failEachSharePartition, forEachSharePartition, shareResult } from './share-state.ts'

export const writeShareGroupState = handler<WriteShareGroupStateRequest, Input<typeof writeShareGroupStateResponse>>({
  apiKey: 85,
  versions: [0, 1],
  listeners: ['broker'],
  authorization: [requestRight('ClusterAction')],
  fail: (request, error) => failEachSharePartition(request, error, result => result),
  handle: (request, context) =>
    forEachSharePartition(request, async (key, update) => {
      return shareResult(key.partition, await brokerOf(context).shares.coordinator.write(key, update))
    }),
})
