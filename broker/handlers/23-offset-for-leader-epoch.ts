/**
 * OffsetForLeaderEpoch: v2-4. Where the largest epoch that is not above the one asked for ends on the leader's log, so that a follower or
 * consumer can tell where its own log parts from it.
 *
 * Behavior:
 * - Only the leader answers. -1 for both when it knows no epoch that old.
 * - Our followers find out by Fetch where logs part (KIP-595), and ask only about epochs whose first batches compaction took. Consumers ask (KIP-320), and
 *   followers of other make.
 * Versions: v3 replica id, of which nothing depends; v4 flexible.
 * Errors: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, KAFKA_STORAGE_ERROR.
 * Not implemented: nothing.
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  OffsetForLeaderEpochRequest,
  offsetForLeaderEpochResponse,
} from '../protocol/messages/23-offset-for-leader-epoch.ts'
import type { Input } from '../protocol/schema.ts'
import { findEpochEnd } from '../replication/offset-lookup.ts'
import { clusterName } from '../security/authorization/acl.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right } from './handler.ts'

type Response = Input<typeof offsetForLeaderEpochResponse>

function failed(partition: number, error: ErrorName) {
  return { partition, errorCode: errorCode(error) }
}

export const offsetForLeaderEpoch = handler<OffsetForLeaderEpochRequest, Response>({
  apiKey: 23,
  versions: [2, 4],
  listeners: ['broker'],
  authorization: [right('ClusterAction', 'Cluster'), right('Describe', 'Topic')],
  fail: (request, error) => ({
    topics: request.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) => failed(partition, error)),
    })),
  }),
  handle: (request, context) => {
    const { replicas } = brokerOf(context)
    const mayReplicate = context.authorize('ClusterAction', 'Cluster', clusterName, 'filter')
    const maySee = (topic: string) => mayReplicate || context.authorize('Describe', 'Topic', topic)
    const hidden = new Set(request.topics.map(({ topic }) => topic).filter(topic => !maySee(topic)))
    return {
      topics: request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) => {
          if (hidden.has(topic)) return failed(partition, 'TOPIC_AUTHORIZATION_FAILED')
          const replica = replicas.find(topic, partition)
          if (typeof replica === 'string') return failed(partition, replica)
          const found = findEpochEnd(replica, { leaderEpoch, currentLeaderEpoch, onlyLeader: true })
          if ('error' in found) return failed(partition, found.error)
          return { partition, errorCode: 0, leaderEpoch: found.leaderEpoch, endOffset: found.endOffset }
        }),
      })),
    }
  },
})
