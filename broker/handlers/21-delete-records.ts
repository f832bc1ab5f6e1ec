/**
 * DeleteRecords: v0-2. Raises the log start offset of partitions led here: nothing below it can be read any more (KIP-107).
 *
 * Behavior:
 * - Offset -1 stands for the high watermark; nothing above it can be deleted.
 * - Answered when every replica that is alive has raised its log start too, with the lowest of them.
 * Versions: v1 throttling as for all; v2 flexible.
 * Errors: TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, INVALID_TOPIC_EXCEPTION for internal topics,
 *   POLICY_VIOLATION for topics that are only compacted, OFFSET_OUT_OF_RANGE, REQUEST_TIMED_OUT, KAFKA_STORAGE_ERROR.
 * Not implemented: nothing.
 */
import { internalTopics } from '../controller/topic-names.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { DeleteRecordsRequest, deleteRecordsResponse } from '../protocol/messages/21-delete-records.ts'
import type { Input } from '../protocol/schema.ts'
import type { LocalReplica } from '../replication/local-replica.ts'
import type { DeletionOutcome } from '../replication/record-deletion.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof deleteRecordsResponse>

function targetOf(topic: string, partition: number, context: RequestContext): LocalReplica | ErrorName {
  if (!context.authorize('Delete', 'Topic', topic)) return 'TOPIC_AUTHORIZATION_FAILED'
  if (context.services.metadata().partition(topic, partition) === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
  if (internalTopics.has(topic)) return 'INVALID_TOPIC_EXCEPTION'
  return brokerOf(context).replicas.find(topic, partition)
}

function responseOf(request: DeleteRecordsRequest, outcomes: readonly DeletionOutcome[]): Response {
  let next = 0
  return {
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => {
        const { error, lowWatermark } = outcomes[next++] ?? { error: 'UNKNOWN_SERVER_ERROR', lowWatermark: -1 }
        return { partitionIndex, lowWatermark, errorCode: errorCode(error) }
      }),
    })),
  }
}

export const deleteRecords = handler<DeleteRecordsRequest, Response>({
  apiKey: 21,
  versions: [0, 2],
  listeners: ['broker'],
  authorization: [right('Delete', 'Topic')],
  fail: (request, error) =>
    responseOf(
      request,
      request.topics.flatMap(({ partitions }) => partitions.map(() => ({ error, lowWatermark: -1 }))),
    ),
  handle: (request, context) => {
    const entries = request.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, offset }) => ({ target: targetOf(name, partitionIndex, context), offset })),
    )
    const { timeoutMs } = request
    const outcomes = brokerOf(context).replicas.deleteRecords(entries, { timeoutMs, connection: context.connection })
    return outcomes instanceof Promise
      ? outcomes.then(known => responseOf(request, known))
      : responseOf(request, outcomes)
  },
})
