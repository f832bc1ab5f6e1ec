/**
 * DescribeShareGroupOffsets: v0-1. Start offsets of share groups, from the share coordinators; -1 where a group has read nothing yet.
 *
 * Versions: v1 lag: records between the start offset and the end that are not done with (KIP-1226); -1 when it is not known.
 * Errors: UNSUPPORTED_VERSION (share.version 0), GROUP_AUTHORIZATION_FAILED, GROUP_ID_NOT_FOUND, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE,
 *   COORDINATOR_LOAD_IN_PROGRESS; per partition UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED.
 * Source: KIP-932.
 */
import type { MetadataImage } from '../controller/image.ts'
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'
import type {
  DescribeShareGroupOffsetsRequest,
  describeShareGroupOffsetsResponse,
} from '../protocol/messages/90-describe-share-group-offsets.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof describeShareGroupOffsetsResponse>
type AskedGroup = DescribeShareGroupOffsetsRequest['groups'][number]
type DescribedGroup = Response['groups'][number]
type DescribedTopic = DescribedGroup['topics'][number]
type DescribedPartition = DescribedTopic['partitions'][number]

const zeroId = 'AAAAAAAAAAAAAAAAAAAAAA'

function refused(groupId: string, error: ErrorName, message = errorMessage(error)): DescribedGroup {
  return { groupId, topics: [], errorCode: errorCode(error), errorMessage: message }
}

function failed(partitionIndex: number, error: ErrorName): DescribedPartition {
  const nothing = { startOffset: -1, leaderEpoch: 0, lag: -1 }
  return { partitionIndex, ...nothing, errorCode: errorCode(error), errorMessage: errorMessage(error) }
}

async function describePartition(
  groupId: string,
  place: { readonly topicId: string; readonly partition: number },
  context: RequestContext,
): Promise<DescribedPartition> {
  const { shares } = brokerOf(context)
  const summary = await shares.persister.summary({ groupId, ...place })
  if ('error' in summary) return failed(place.partition, summary.error)
  const { startOffset, leaderEpoch, deliveryCompleteCount } = summary
  const isKnown = startOffset !== -1 && deliveryCompleteCount !== -1
  const endOffset = isKnown ? await shares.endOffset(place) : undefined
  const lag = endOffset === undefined ? -1 : Math.max(0, endOffset - startOffset - deliveryCompleteCount)
  return { partitionIndex: place.partition, startOffset, leaderEpoch, lag, errorCode: 0, errorMessage: null }
}

/** All that the group has a state of. */
function known(places: readonly { topicId: string; partition: number }[], image: MetadataImage) {
  return [...Map.groupBy(places, ({ topicId }) => topicId)].flatMap(([topicId, each]) => {
    const topicName = image.topicsById.get(topicId)?.name
    return topicName === undefined ? [] : [{ topicName, partitions: each.map(({ partition }) => partition) }]
  })
}

async function describe({ groupId, topics }: AskedGroup, context: RequestContext): Promise<DescribedGroup> {
  if (!context.authorize('Describe', 'Group', groupId)) return refused(groupId, 'GROUP_AUTHORIZATION_FAILED')
  const image = context.services.metadata()
  const places = brokerOf(context).groups.read(
    groupId,
    (error): readonly { topicId: string; partition: number }[] | ErrorName => error,
    shard => shard.shares.initializedPartitions(groupId) ?? 'GROUP_ID_NOT_FOUND',
  )
  if (typeof places === 'string')
    return refused(groupId, places, places === 'GROUP_ID_NOT_FOUND' ? `Group ${groupId} not found.` : undefined)
  const asked =
    topics ??
    known(places, image).filter(({ topicName }) => context.authorize('Describe', 'Topic', topicName, 'filter'))
  const described = asked.map(async ({ topicName, partitions }): Promise<DescribedTopic> => {
    const topic = image.topicsByName.get(topicName)
    const error: ErrorName | undefined = !context.authorize('Describe', 'Topic', topicName)
      ? 'TOPIC_AUTHORIZATION_FAILED'
      : topic === undefined
        ? 'UNKNOWN_TOPIC_OR_PARTITION'
        : undefined
    const topicId = error === undefined ? (topic?.id ?? zeroId) : zeroId
    const answer = async (partition: number): Promise<DescribedPartition> =>
      error === undefined ? describePartition(groupId, { topicId, partition }, context) : failed(partition, error)
    return { topicName, topicId, partitions: await Promise.all(partitions.map(answer)) }
  })
  return { groupId, topics: await Promise.all(described), errorCode: 0, errorMessage: null }
}

export const describeShareGroupOffsets = handler<DescribeShareGroupOffsetsRequest, Response>({
  apiKey: 90,
  versions: [0, 1],
  listeners: ['broker'],
  authorization: [right('Describe', 'Group'), right('Describe', 'Topic')],
  fail: (request, error) => ({ groups: request.groups.map(({ groupId }) => refused(groupId, error)) }),
  handle: async (request, context) => {
    if (!brokerOf(context).shares.isEnabled)
      return { groups: request.groups.map(({ groupId }) => refused(groupId, 'UNSUPPORTED_VERSION')) }
    return { groups: await Promise.all(request.groups.map(group => describe(group, context))) }
  },
})
