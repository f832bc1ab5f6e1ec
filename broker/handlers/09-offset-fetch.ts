/**
 * OffsetFetch: v1-10. How far groups have read.
 *
 * Behavior:
 * - Null topics (v2+) ask for everything the group has committed; a partition without a commit is answered with offset -1.
 * - `requireStable` (v7+): a partition that an open transaction has an offset for is answered with UNSTABLE_OFFSET_COMMIT (KIP-447).
 * Versions: v5 leader epoch; v6 flexible; v8 several groups (KIP-709); v9 member id and epoch (KIP-848); v10 topic ids.
 * Errors: COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, INVALID_GROUP_ID, UNKNOWN_TOPIC_ID,
 * UNSTABLE_OFFSET_COMMIT, UNKNOWN_MEMBER_ID, STALE_MEMBER_EPOCH.
 */
import type { MetadataImage } from '../controller/image.ts'
import type { CommittedOffset, GroupOffsets } from '../coordinator/groups/offset-store.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { OffsetFetchRequest, offsetFetchResponse } from '../protocol/messages/09-offset-fetch.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof offsetFetchResponse>

interface AskedTopic {
  readonly name: string
  readonly topicId: string
  readonly partitionIndexes: readonly number[]
  readonly error: ErrorName
}

interface Asked {
  readonly groupId: string
  /** Null and -1 before v9, and from operators. */
  readonly memberId: string | null
  readonly memberEpoch: number
  /** Null: all that the group has. */
  readonly topics: readonly AskedTopic[] | null
}

const firstVersionWithGroups = 8
const firstVersionWithIds = 10
const noId = 'AAAAAAAAAAAAAAAAAAAAAA'

function asked(request: OffsetFetchRequest, apiVersion: number, image: MetadataImage): Asked[] {
  const byName = (topic: { name: string; partitionIndexes: number[] }): AskedTopic => ({
    ...topic,
    topicId: image.topicsByName.get(topic.name)?.id ?? noId,
    error: 'NONE',
  })
  if (apiVersion < firstVersionWithGroups)
    return [{ groupId: request.groupId, memberId: null, memberEpoch: -1, topics: request.topics?.map(byName) ?? null }]
  return request.groups.map(({ groupId, memberId, memberEpoch, topics }) => ({
    groupId,
    memberId,
    memberEpoch,
    topics:
      topics?.map(topic => {
        if (apiVersion < firstVersionWithIds) return byName(topic)
        const name = image.topicsById.get(topic.topicId)?.name
        return { ...topic, name: name ?? '', error: name === undefined ? 'UNKNOWN_TOPIC_ID' : 'NONE' }
      }) ?? null,
  }))
}

interface Found {
  readonly offsets: GroupOffsets
  isUnstable(topic: string, partition: number): boolean
}

function partitionAnswer(partitionIndex: number, committed: CommittedOffset | undefined, error: ErrorName) {
  return {
    partitionIndex,
    committedOffset: committed?.offset ?? -1,
    committedLeaderEpoch: committed?.leaderEpoch ?? -1,
    metadata: committed?.metadata ?? '',
    errorCode: errorCode(error),
  }
}

function topicAnswers(topics: Asked['topics'], found: Found, context: RequestContext, error: ErrorName) {
  const image = context.services.metadata()
  const { offsets } = found
  const answerOf = (name: string, index: number, refusal: ErrorName) => {
    if (refusal !== 'NONE') return partitionAnswer(index, undefined, refusal)
    if (found.isUnstable(name, index)) return partitionAnswer(index, undefined, 'UNSTABLE_OFFSET_COMMIT')
    return partitionAnswer(index, offsets.get(name)?.get(index), 'NONE')
  }
  if (topics === null)
    return [...offsets]
      .filter(([name]) => context.authorize('Describe', 'Topic', name))
      .map(([name, partitions]) => ({
        name,
        topicId: image.topicsByName.get(name)?.id ?? noId,
        partitions: [...partitions.keys()].map(index => answerOf(name, index, 'NONE')),
      }))
  return topics.map(topic => {
    const mayNotSee = topic.error === 'NONE' && !context.authorize('Describe', 'Topic', topic.name)
    const ofTopic = mayNotSee ? 'TOPIC_AUTHORIZATION_FAILED' : topic.error
    const refusal = error === 'NONE' ? ofTopic : error
    const partitions = topic.partitionIndexes.map(index => answerOf(topic.name, index, refusal))
    return { name: topic.name, topicId: topic.topicId, partitions }
  })
}

const nothing: Found = { offsets: new Map(), isUnstable: () => false }

function answer(
  request: OffsetFetchRequest,
  context: RequestContext,
  look: (group: Asked) => Found | ErrorName,
): Response {
  const image = context.services.metadata()
  const groups = asked(request, context.apiVersion, image).map(group => {
    const { groupId, topics } = group
    const found = look(group)
    const error = typeof found === 'string' ? found : 'NONE'
    // From v8 on an error of the group stands alone; before, every partition repeats it.
    const empty = error !== 'NONE' && context.apiVersion >= firstVersionWithGroups
    const offsets = typeof found === 'string' ? nothing : found
    return { groupId, errorCode: errorCode(error), topics: empty ? [] : topicAnswers(topics, offsets, context, error) }
  })
  if (context.apiVersion >= firstVersionWithGroups) return { groups }
  return { topics: groups[0]?.topics ?? [], errorCode: groups[0]?.errorCode ?? 0 }
}

export const offsetFetch = handler<OffsetFetchRequest, Response>({
  apiKey: 9,
  versions: [1, 10],
  listeners: ['broker'],
  authorization: [right('Describe', 'Group'), right('Describe', 'Topic')],
  fail: (request, error, _message, context) => answer(request, context, () => error),
  handle: (request, context) => {
    const { groups } = brokerOf(context)
    return answer(request, context, ({ groupId, memberId, memberEpoch }) => {
      if (!context.authorize('Describe', 'Group', groupId)) return 'GROUP_AUTHORIZATION_FAILED'
      return groups.read<Found | ErrorName>(
        groupId,
        error => error,
        shard => {
          const error = shard.fetchError(groupId, memberId, memberEpoch)
          if (error !== 'NONE') return error
          const { offsets } = shard
          return {
            offsets: offsets.of(groupId),
            isUnstable: (topic, partition) => request.requireStable && offsets.isUnstable(groupId, topic, partition),
          }
        },
      )
    })
  },
})
