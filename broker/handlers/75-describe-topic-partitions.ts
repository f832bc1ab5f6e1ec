/**
 * DescribeTopicPartitions: v0. Topics by name with all their partitions, a page at a time (KIP-966).
 *
 * Behavior: topics in alphabetical order from the cursor on; an empty list means all. At most 2,000 partitions a page, or fewer if asked;
 * nextCursor says where the next page begins.
 * Errors: INVALID_REQUEST for a cursor outside of the topics asked for; per topic UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION.
 */
import type { MetadataImage, TopicImage } from '../controller/image.ts'
import { zeroUuid } from '../controller/metadata-record.ts'
import { internalTopics, invalidTopicName } from '../controller/topic-names.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  DescribeTopicPartitionsRequest,
  describeTopicPartitionsResponse,
} from '../protocol/messages/75-describe-topic-partitions.ts'
import type { Input } from '../protocol/schema.ts'
import { handler, right, type RequestContext } from './handler.ts'
import { viewPartition } from './topic-metadata.ts'

type Response = Input<typeof describeTopicPartitionsResponse>
type ResponseTopic = Response['topics'][number]

/** Kafka's default of max.request.partition.size.limit. */
const mostPartitions = 2_000

function failed(name: string, error: ErrorName): ResponseTopic {
  const isInternal = internalTopics.has(name)
  return { errorCode: errorCode(error), name, topicId: zeroUuid, isInternal, partitions: [] }
}

function describe(
  image: MetadataImage,
  topic: TopicImage,
  page: { readonly from: number; readonly limit: number; readonly listenerName: string },
): Omit<ResponseTopic, 'topicAuthorizedOperations'> {
  const options = { listenerName: page.listenerName, onlyAliveReplicas: false, reportMissingListener: false }
  const partitions = []
  for (let index = page.from; index < topic.partitions.size && partitions.length < page.limit; index++) {
    const partition = topic.partitions.get(index)
    if (partition === undefined) continue
    const { error: _leaderError, ...view } = viewPartition(image, partition, options)
    const elr = { eligibleLeaderReplicas: partition.elr, lastKnownElr: partition.lastKnownElr }
    partitions.push({ errorCode: 0, partitionIndex: index, ...view, ...elr })
  }
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: internalTopics.has(topic.name),
    partitions,
  }
}

/** Names from the cursor on, sorted; undefined when the cursor is none of them. */
function namesFrom(image: MetadataImage, { topics, cursor }: DescribeTopicPartitionsRequest): string[] | undefined {
  const everything = topics.length === 0
  const asked = everything ? [...image.topicsByName.keys()] : topics.map(({ name }) => name)
  const names = [...new Set(asked)].filter(name => cursor === null || name >= cursor.topicName).sort()
  return cursor === null || everything || names.includes(cursor.topicName) ? names : undefined
}

/** Topics that the sender may see, and those it named but may not: whether these exist is not even looked up. */
function sortOut(names: readonly string[], request: DescribeTopicPartitionsRequest, context: RequestContext) {
  const everything = request.topics.length === 0
  const may = new Set(
    names.filter(name => context.authorize('Describe', 'Topic', name, everything ? 'filter' : 'access')),
  )
  return {
    visible: names.filter(name => may.has(name)),
    hidden: everything ? [] : names.filter(name => !may.has(name)),
  }
}

export const describeTopicPartitions = handler<DescribeTopicPartitionsRequest, Response>({
  apiKey: 75,
  versions: [0, 0],
  listeners: ['broker'],
  authorization: [right('Describe', 'Topic')],
  fail: (request, error) => ({ topics: request.topics.map(({ name }) => failed(name, error)) }),
  handle: (request, context) => {
    const image = context.services.metadata()
    const names = namesFrom(image, request)
    const { cursor } = request
    if (names === undefined || (cursor !== null && cursor.partitionIndex < 0)) {
      return { topics: request.topics.map(({ name }) => failed(name, 'INVALID_REQUEST')) }
    }
    let left = Math.max(1, Math.min(mostPartitions, request.responsePartitionLimit))
    const { visible, hidden } = sortOut(names, request, context)
    const unauthorized = hidden.map(name => ({ ...failed(name, 'TOPIC_AUTHORIZATION_FAILED'), isInternal: false }))
    const topics: ResponseTopic[] = []
    const page = (nextCursor: Response['nextCursor']) => ({ topics: [...topics, ...unauthorized], nextCursor })
    for (const name of visible) {
      const from = cursor?.topicName === name ? cursor.partitionIndex : 0
      if (left === 0) return page({ topicName: name, partitionIndex: from })
      const topic = image.topicsByName.get(name)
      if (topic === undefined) {
        const invalid = invalidTopicName(name) !== undefined
        topics.push(failed(name, invalid ? 'INVALID_TOPIC_EXCEPTION' : 'UNKNOWN_TOPIC_OR_PARTITION'))
        continue
      }
      const described = describe(image, topic, { from, limit: left, listenerName: context.connection.listenerName })
      topics.push({ ...described, topicAuthorizedOperations: context.authorizedOperations('Topic', name) })
      left -= described.partitions.length
      const next = from + described.partitions.length
      if (next < topic.partitions.size) return page({ topicName: name, partitionIndex: next })
    }
    return page(null)
  },
})
