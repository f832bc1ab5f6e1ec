/**
 * WriteTxnMarkers: v1-2. A transaction coordinator ends transactions in the partitions that are led here.
 *
 * Behavior:
 * - Each marker is appended to each of its partitions, which takes the records of the transaction out of, or into, what read_committed
 *   consumers see. Answered when all in-sync replicas have the markers.
 * - In __consumer_offsets the marker is written by the group coordinator, which makes the transaction's offsets effective with it.
 * - One answer per producer id; markers of one producer share it.
 * Versions: v1 flexible; v2 transaction version, by which the epochs of markers are checked (KIP-1228).
 * Errors: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED, NOT_ENOUGH_REPLICAS,
 *   NOT_ENOUGH_REPLICAS_AFTER_APPEND, REQUEST_TIMED_OUT, KAFKA_STORAGE_ERROR, CLUSTER_AUTHORIZATION_FAILED.
 * Not implemented: nothing.
 */
import { offsetsTopic } from '../coordinator/groups/groups.ts'
import type { TopicPartition } from '../log/log.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { WriteTxnMarkersRequest, writeTxnMarkersResponse } from '../protocol/messages/27-write-txn-markers.ts'
import { buildEndTransactionMarker } from '../protocol/records/batch-build.ts'
import type { Input } from '../protocol/schema.ts'
import { appendMarker } from '../replication/markers.ts'
import { clusterName } from '../security/authorization/acl.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof writeTxnMarkersResponse>
type Marker = WriteTxnMarkersRequest['markers'][number]

/** What a transaction coordinator does not expect of a group coordinator; it asks again after the other. */
const notReady: ReadonlySet<ErrorName> = new Set([
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR',
])

interface Written {
  readonly producerId: bigint
  readonly at: TopicPartition
  readonly error: ErrorName | 'NONE'
}

function partitionsOf(marker: Marker): TopicPartition[] {
  return marker.topics.flatMap(({ name, partitionIndexes }) =>
    partitionIndexes.map(partition => ({ topic: name, partition })),
  )
}

async function write(at: TopicPartition, marker: Marker, context: RequestContext): Promise<Written> {
  const { replicas, groups } = brokerOf(context)
  const { producerId, producerEpoch, coordinatorEpoch, transactionResult, transactionVersion } = marker
  if (at.topic === offsetsTopic) {
    const end = { producerId, producerEpoch, coordinatorEpoch, committed: transactionResult, transactionVersion }
    const error = await groups.completeTransaction(at.partition, end)
    return { producerId, at, error: notReady.has(error) ? 'NOT_LEADER_OR_FOLLOWER' : error }
  }
  const batch = buildEndTransactionMarker(transactionResult ? 'commit' : 'abort', {
    producerId,
    producerEpoch,
    coordinatorEpoch,
    timestamp: context.environment.clock.wallMs(),
  })
  const timeoutMs = context.config['request.timeout.ms']
  const error = await appendMarker(replicas, at, batch, { timeoutMs, transactionVersion })
  return { producerId, at, error }
}

/** By producer, and by topic within; of a partition that is named twice for a producer the last answer counts. */
function responseOf(written: readonly Written[]): Response {
  const producers = new Map<bigint, Map<string, Map<number, number>>>()
  for (const { producerId, at, error } of written) {
    const topics = producers.get(producerId) ?? new Map<string, Map<number, number>>()
    producers.set(producerId, topics)
    const partitions = topics.get(at.topic) ?? new Map<number, number>()
    topics.set(at.topic, partitions)
    partitions.set(at.partition, errorCode(error))
  }
  return {
    markers: [...producers].map(([producerId, topics]) => ({
      producerId,
      topics: [...topics].map(([name, partitions]) => ({
        name,
        partitions: [...partitions].map(([partitionIndex, code]) => ({ partitionIndex, errorCode: code })),
      })),
    })),
  }
}

function refuseAll(request: WriteTxnMarkersRequest, error: ErrorName): Response {
  const written = request.markers.flatMap(marker =>
    partitionsOf(marker).map(at => ({ producerId: marker.producerId, at, error })),
  )
  return responseOf(written)
}

export const writeTxnMarkers = handler<WriteTxnMarkersRequest, Response>({
  apiKey: 27,
  versions: [1, 2],
  listeners: ['broker'],
  authorization: [right('Alter', 'Cluster'), right('ClusterAction', 'Cluster')],
  fail: (request, error) => refuseAll(request, error),
  handle: async (request, context) => {
    const isAllowed =
      context.authorize('Alter', 'Cluster', clusterName) || context.authorize('ClusterAction', 'Cluster', clusterName)
    if (!isAllowed) return refuseAll(request, 'CLUSTER_AUTHORIZATION_FAILED')
    const writes = request.markers.flatMap(marker => partitionsOf(marker).map(at => write(at, marker, context)))
    return responseOf(await Promise.all(writes))
  },
})
