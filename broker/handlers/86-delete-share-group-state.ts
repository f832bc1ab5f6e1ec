/**
 * DeleteShareGroupState: v0. A group deletes the states of share partitions; deleting what is not there is no error.
 *
 * Errors: NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION.
 * Source: KIP-932.
 */
import type {
  DeleteShareGroupStateRequest,
  deleteShareGroupStateResponse,
} from '../protocol/messages/86-delete-share-group-state.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight } from './handler.ts'
import { failEachSharePartition, forEachSharePartition, shareResult } from './share-state.ts'

export const deleteShareGroupState = handler<DeleteShareGroupStateRequest, Input<typeof deleteShareGroupStateResponse>>(
  {
    apiKey: 86,
    versions: [0, 0],
    listeners: ['broker'],
    authorization: [requestRight('ClusterAction')],
    fail: (request, error) => failEachSharePartition(request, error, result => result),
    handle: (request, context) =>
      forEachSharePartition(request, async key => {
        return shareResult(key.partition, await brokerOf(context).shares.coordinator.remove(key))
      }),
  },
)
