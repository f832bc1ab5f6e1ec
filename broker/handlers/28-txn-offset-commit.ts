/**
 * TxnOffsetCommit: v0-5. Stores how far a group has read as part of a transaction: it counts once the transaction commits.
 *
 * Behavior:
 * - The transaction coordinator is asked first whether the transaction is open and has this group (KIP-890); in v5 the question adds it.
 * - Members of a group tell their generation or member epoch, so that a zombie cannot commit (KIP-447); v0-2 know no membership.
 * - Unknown topics or partitions are refused one by one; the others are committed.
 * Versions: v2 leader epoch; v3 flexible, generation; v4 TRANSACTION_ABORTABLE; v5 adds the partition itself.
 * Errors: COORDINATOR_LOAD_IN_PROGRESS (COORDINATOR_NOT_AVAILABLE in v0-1, whose clients do not know it), NOT_COORDINATOR,
 * COORDINATOR_NOT_AVAILABLE, INVALID_GROUP_ID, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, UNKNOWN_TOPIC_OR_PARTITION,
 * OFFSET_METADATA_TOO_LARGE, INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE, TRANSACTION_ABORTABLE, CONCURRENT_TRANSACTIONS,
 * TRANSACTIONAL_ID_AUTHORIZATION_FAILED, GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED.
 */
import type { CommitEntry } from '../coordinator/groups/group-offsets.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { TxnOffsetCommitRequest, txnOffsetCommitResponse } from '../protocol/messages/28-txn-offset-commit.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof txnOffsetCommitResponse>
type RequestTopic = TxnOffsetCommitRequest['topics'][number]

const firstVersionThatKnowsLoading = 2

function answerAll(
  request: TxnOffsetCommitRequest,
  { apiVersion }: RequestContext,
  error: (topic: RequestTopic, partition: number) => ErrorName,
): Response {
  const known = (name: ErrorName): ErrorName =>
    name === 'COORDINATOR_LOAD_IN_PROGRESS' && apiVersion < firstVersionThatKnowsLoading
      ? 'COORDINATOR_NOT_AVAILABLE'
      : name
  return {
    topics: request.topics.map(topic => ({
      name: topic.name,
      partitions: topic.partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: errorCode(known(error(topic, partitionIndex))),
      })),
    })),
  }
}

function refuseTopic(topic: RequestTopic, context: RequestContext): ErrorName | undefined {
  if (!context.authorize('Read', 'Topic', topic.name)) return 'TOPIC_AUTHORIZATION_FAILED'
  return context.services.metadata().topicsByName.has(topic.name) ? undefined : 'UNKNOWN_TOPIC_OR_PARTITION'
}

export const txnOffsetCommit = handler<TxnOffsetCommitRequest, Response>({
  apiKey: 28,
  versions: [0, 5],
  listeners: ['broker'],
  authorization: [right('Write', 'TransactionalId'), right('Read', 'Group'), right('Read', 'Topic')],
  fail: (request, error, _message, context) => answerAll(request, context, () => error),
  handle: async (request, context) => {
    if (!context.authorize('Write', 'TransactionalId', request.transactionalId))
      return answerAll(request, context, () => 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
    if (!context.authorize('Read', 'Group', request.groupId))
      return answerAll(request, context, () => 'GROUP_AUTHORIZATION_FAILED')
    const image = context.services.metadata()
    const entries: CommitEntry[] = []
    const refused = new Map<RequestTopic, Map<number, ErrorName>>()
    for (const topic of request.topics) {
      const errors = new Map<number, ErrorName>()
      refused.set(topic, errors)
      const refusal = refuseTopic(topic, context)
      for (const { partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata } of topic.partitions) {
        if (refusal !== undefined) errors.set(partitionIndex, refusal)
        else if (image.partition(topic.name, partitionIndex) === undefined)
          errors.set(partitionIndex, 'UNKNOWN_TOPIC_OR_PARTITION')
        else
          entries.push({
            topic: topic.name,
            partition: partitionIndex,
            offset: committedOffset,
            leaderEpoch: committedLeaderEpoch,
            metadata: committedMetadata ?? '',
          })
      }
    }
    const { transactionalId, producerId, producerEpoch, groupId, generationId, memberId, groupInstanceId } = request
    const member = { groupId, generationId, memberId, groupInstanceId }
    const producer = { transactionalId, producerId, producerEpoch, apiVersion: context.apiVersion }
    const outcomes =
      entries.length === 0
        ? []
        : await brokerOf(context).groups.commitTransactional({ ...member, ...producer, entries })
    let next = 0
    return answerAll(
      request,
      context,
      (topic, partition) => refused.get(topic)?.get(partition) ?? outcomes[next++] ?? 'NONE',
    )
  },
})
