/**
 * OffsetCommit: v2-10. Stores how far a group has read, as records of `__consumer_offsets`, answered once they are replicated.
 *
 * Behavior:
 * - A generation of -1 without member id commits for a consumer that assigns itself, only while the group has no members.
 * - Unknown topics or partitions are refused one by one; the others are committed.
 * Versions: v2-4 retention time; v6 leader epoch (KIP-320); v7 group instance id (KIP-345); v8 flexible; v9 member epoch (KIP-848, classic
 * groups only here); v10 topic ids instead of names.
 * Errors: COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, INVALID_GROUP_ID, ILLEGAL_GENERATION,
 * UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, REBALANCE_IN_PROGRESS, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, OFFSET_METADATA_TOO_LARGE.
 */
import type { TopicImage } from '../controller/image.ts'
import type { CommitEntry } from '../coordinator/groups/group-offsets.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { OffsetCommitRequest, offsetCommitResponse } from '../protocol/messages/08-offset-commit.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight, right, type RequestContext } from './handler.ts'

type Response = Input<typeof offsetCommitResponse>
type RequestTopic = OffsetCommitRequest['topics'][number]

const firstVersionWithMemberEpochs = 9
const firstVersionWithIds = 10

function answerAll(
  request: OffsetCommitRequest,
  error: (topic: RequestTopic, partition: number) => ErrorName,
): Response {
  return {
    topics: request.topics.map(topic => ({
      name: topic.name,
      topicId: topic.topicId,
      partitions: topic.partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: errorCode(error(topic, partitionIndex)),
      })),
    })),
  }
}

function lookUp(topic: RequestTopic, { apiVersion, services }: RequestContext): TopicImage | undefined {
  const image = services.metadata()
  return apiVersion >= firstVersionWithIds ? image.topicsById.get(topic.topicId) : image.topicsByName.get(topic.name)
}

export const offsetCommit = handler<OffsetCommitRequest, Response>({
  apiKey: 8,
  versions: [2, 10],
  listeners: ['broker'],
  authorization: [requestRight('Read', 'Group', ({ groupId }) => groupId), right('Read', 'Topic')],
  fail: (request, error) => answerAll(request, () => error),
  handle: async (request, context) => {
    const entries: CommitEntry[] = []
    const refused = new Map<RequestTopic, Map<number, ErrorName>>()
    const usesIds = context.apiVersion >= firstVersionWithIds
    for (const topic of request.topics) {
      const known = lookUp(topic, context)
      const missing = usesIds ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'
      const errors = new Map<number, ErrorName>()
      refused.set(topic, errors)
      const isForbidden = !context.authorize('Read', 'Topic', known?.name ?? topic.name)
      for (const { partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata } of topic.partitions) {
        if (isForbidden && !(known === undefined && usesIds)) errors.set(partitionIndex, 'TOPIC_AUTHORIZATION_FAILED')
        else if (known === undefined) errors.set(partitionIndex, missing)
        else if (!known.partitions.has(partitionIndex)) errors.set(partitionIndex, 'UNKNOWN_TOPIC_OR_PARTITION')
        else
          entries.push({
            topic: known.name,
            partition: partitionIndex,
            offset: committedOffset,
            leaderEpoch: committedLeaderEpoch,
            metadata: committedMetadata ?? '',
          })
      }
    }
    const commit = {
      groupId: request.groupId,
      generationId: request.generationIdOrMemberEpoch,
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      retentionMs: request.retentionTimeMs === -1 ? undefined : request.retentionTimeMs,
      knowsMemberEpochs: context.apiVersion >= firstVersionWithMemberEpochs,
      entries,
    }
    const outcomes = await brokerOf(context).groups.ask<readonly ErrorName[]>(
      request.groupId,
      error => entries.map(() => error),
      (shard, ticket, nowMs) => shard.commit(commit, ticket, nowMs),
    )
    let next = 0
    return answerAll(request, (topic, partition) => refused.get(topic)?.get(partition) ?? outcomes[next++] ?? 'NONE')
  },
})
