/**
 * AlterReplicaLogDirs: v1-2. Moves replicas between the log directories of this broker while they serve (KIP-113).
 *
 * Behavior:
 * - Answered by the broker that is asked, for its own replicas, as soon as the move has begun. DescribeLogDirs tells how far it is.
 * - A replica that is not here yet is created in the directory that was asked for, when it comes; the answer is REPLICA_NOT_AVAILABLE.
 * - Another directory in the middle of a move begins a new one; the directory where the replica is ends it.
 * - Of several directories for one partition the last one counts.
 * Versions: v2 flexible.
 * Errors: CLUSTER_AUTHORIZATION_FAILED; LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR, REPLICA_NOT_AVAILABLE, UNKNOWN_TOPIC_OR_PARTITION,
 *   INVALID_REPLICA_ASSIGNMENT (cordoned, KIP-1066), INVALID_TOPIC_EXCEPTION (the name is too long for the name of a copy).
 * Not implemented: nothing.
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  AlterReplicaLogDirsRequest,
  alterReplicaLogDirsResponse,
} from '../protocol/messages/34-alter-replica-log-dirs.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof alterReplicaLogDirsResponse>

type Alter = (topic: string, partition: number, path: string) => ErrorName | 'NONE'

function responseOf({ dirs }: AlterReplicaLogDirsRequest, alter: Alter): Response {
  const topics = new Map<string, Map<number, string>>()
  for (const { path, topics: asked } of dirs) {
    for (const { name, partitions } of asked) {
      const paths = topics.get(name) ?? new Map<number, string>()
      for (const partition of partitions) paths.set(partition, path)
      topics.set(name, paths)
    }
  }
  const results = [...topics].map(([topicName, paths]) => ({
    topicName,
    partitions: [...paths].map(([partitionIndex, path]) => ({
      partitionIndex,
      errorCode: errorCode(alter(topicName, partitionIndex, path)),
    })),
  }))
  return { results }
}

export const alterReplicaLogDirs = handler<AlterReplicaLogDirsRequest, Response>({
  apiKey: 34,
  versions: [1, 2],
  listeners: ['broker'],
  authorization: [requestRight('Alter')],
  fail: (request, error) => responseOf(request, () => error),
  handle: (request, context) => {
    const { replicas } = brokerOf(context)
    return responseOf(request, (topic, partition, path) => replicas.alterLogDir({ topic, partition }, path))
  },
})
