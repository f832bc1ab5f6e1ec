/**
 * ListOffsets: v1-11. Offsets by time, or the special ones: latest -1, earliest -2, of the largest timestamp -3 (v7), earliest local -4 (v8),
 * latest tiered -5 (v9), earliest pending upload -6 (v11).
 *
 * Behavior:
 * - A consumer (replica id -1) sees up to the high watermark, with isolation 1 up to the last stable offset; brokers see the log end.
 * - Replica id -2 is a debugging consumer: also a follower answers it, with its own log end offset.
 * - A leader that does not know yet how far its log is committed says OFFSET_NOT_AVAILABLE (before v5: LEADER_NOT_AVAILABLE) (KIP-207).
 * Versions: v2 isolation; v4 leader epochs (KIP-320); v6 flexible; v10 timeout (KIP-1075), which only tiered storage would need.
 * Errors: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, OFFSET_NOT_AVAILABLE,
 *   LEADER_NOT_AVAILABLE, CORRUPT_MESSAGE, UNSUPPORTED_VERSION for a special offset that the version lacks, INVALID_REQUEST for a partition named twice.
 * Not implemented: tiered storage.
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { ListOffsetsRequest, listOffsetsResponse } from '../protocol/messages/02-list-offsets.ts'
import type { Input } from '../protocol/schema.ts'
import type { Isolation } from '../replication/local-replica.ts'
import { findOffset, offsetTimestamps, type OffsetQuery } from '../replication/offset-lookup.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right } from './handler.ts'
import type { BrokerServices } from './services.ts'

type Response = Input<typeof listOffsetsResponse>
type PartitionResponse = Response['topics'][number]['partitions'][number]

const leaderEpochSince = 4
const notAvailableSince = 5
const consumerId = -1
const debuggingId = -2
const readCommitted = 1
const since: ReadonlyMap<number, number> = new Map([
  [offsetTimestamps.maximum, 7],
  [offsetTimestamps.earliestLocal, 8],
  [offsetTimestamps.latestTiered, 9],
  [offsetTimestamps.earliestPendingUpload, 11],
])

function failed(partitionIndex: number, error: ErrorName, apiVersion: number): PartitionResponse {
  const isOld = error === 'OFFSET_NOT_AVAILABLE' && apiVersion < notAvailableSince
  return { partitionIndex, errorCode: errorCode(isOld ? 'LEADER_NOT_AVAILABLE' : error) }
}

function lookUp(
  at: { topic: string; partition: number; apiVersion: number },
  query: OffsetQuery,
  broker: BrokerServices,
): PartitionResponse {
  const { topic, partition, apiVersion } = at
  if (apiVersion < (since.get(query.timestamp) ?? 0)) return failed(partition, 'UNSUPPORTED_VERSION', apiVersion)
  const replica = broker.replicas.find(topic, partition)
  if (typeof replica === 'string') return failed(partition, replica, apiVersion)
  const found = findOffset(replica, query)
  if ('error' in found) return failed(partition, found.error, apiVersion)
  return {
    partitionIndex: partition,
    errorCode: 0,
    timestamp: found.timestamp,
    offset: found.offset,
    ...(apiVersion >= leaderEpochSince ? { leaderEpoch: found.leaderEpoch } : {}),
  }
}

function isolationOf(request: ListOffsetsRequest): Isolation {
  if (request.replicaId !== consumerId) return 'log-end'
  return request.isolationLevel === readCommitted ? 'last-stable' : 'high-watermark'
}

export const listOffsets = handler<ListOffsetsRequest, Response>({
  apiKey: 2,
  versions: [1, 11],
  listeners: ['broker'],
  authorization: [right('Describe', 'Topic')],
  fail: (request, error, _message, { apiVersion }) => ({
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => failed(partitionIndex, error, apiVersion)),
    })),
  }),
  handle: (request, context) => {
    const { apiVersion } = context
    const broker = brokerOf(context)
    const isolation = isolationOf(request)
    const onlyLeader = request.replicaId !== debuggingId
    const counts = new Map<string, number>()
    for (const { name, partitions } of request.topics) {
      for (const { partitionIndex } of partitions) {
        const key = `${name}/${partitionIndex}`
        counts.set(key, (counts.get(key) ?? 0) + 1)
      }
    }
    const hidden = new Set(
      request.topics.map(({ name }) => name).filter(name => !context.authorize('Describe', 'Topic', name)),
    )
    return {
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, currentLeaderEpoch, timestamp }) => {
          if (hidden.has(name)) return failed(partitionIndex, 'TOPIC_AUTHORIZATION_FAILED', apiVersion)
          if (counts.get(`${name}/${partitionIndex}`) !== 1)
            return failed(partitionIndex, 'INVALID_REQUEST', apiVersion)
          const query = { timestamp, currentLeaderEpoch, onlyLeader, isolation }
          return lookUp({ topic: name, partition: partitionIndex, apiVersion }, query, broker)
        }),
      })),
    }
  },
})
