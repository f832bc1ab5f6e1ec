/**
 * Metadata: v0-13. Brokers, topics and leaders, from the metadata image of this broker.
 *
 * Behavior:
 * - Addresses are those of the listener the client came in on. The "controller" is any live broker: brokers forward (KIP-590).
 * - An unknown topic is created when auto.create.topics.enable and the client both say so; it is answered with an error meanwhile.
 * - Topics the client may not describe are left out of "all", and are TOPIC_AUTHORIZATION_FAILED when asked for, whether they exist or not. So
 *   are those that would be created by one who may not create them.
 * - topics null means all (v0: empty); v1+ empty means none.
 * Versions: v1 rack, controller, internal; v4 auto creation is the client's choice (KIP-204); v5 offline replicas; v7 leader epoch;
 * v8 authorized operations (KIP-430, of the cluster until v10); v9 flexible; v10 topic ids (KIP-516), by id from v12; v13 top-level error.
 * Errors: per topic TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_TOPIC_EXCEPTION; per partition LEADER_NOT_AVAILABLE,
 * LISTENER_NOT_FOUND, REPLICA_NOT_AVAILABLE (v0).
 */
import type { MetadataImage, TopicImage } from '../controller/image.ts'
import { zeroUuid } from '../controller/metadata-record.ts'
import { internalTopics, invalidTopicName } from '../controller/topic-names.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { MetadataRequest, metadataResponse } from '../protocol/messages/03-metadata.ts'
import type { Input } from '../protocol/schema.ts'
import { clusterName } from '../security/authorization/acl.ts'
import { handler, right, type RequestContext } from './handler.ts'
import {
  aliveNodes,
  clusterOperations,
  controllerForClients,
  operationsNotAsked,
  viewPartition,
} from './topic-metadata.ts'

type Response = Input<typeof metadataResponse>
type ResponseTopic = Response['topics'][number]

const firstVersionWithNull = 1
const firstVersionWithListenerError = 6
const firstVersionByTopicId = 12

function failedTopic(error: ErrorName, name: string | null, topicId = zeroUuid): ResponseTopic {
  const isInternal = name !== null && internalTopics.has(name)
  return { errorCode: errorCode(error), name, topicId, isInternal, partitions: [] }
}

function describeTopic(image: MetadataImage, topic: TopicImage, request: MetadataRequest, context: RequestContext) {
  const options = {
    listenerName: context.connection.listenerName,
    onlyAliveReplicas: context.apiVersion === 0,
    reportMissingListener: context.apiVersion >= firstVersionWithListenerError,
  }
  const partitions = [...topic.partitions].map(([partitionIndex, partition]) => {
    const { error, ...view } = viewPartition(image, partition, options)
    return { errorCode: errorCode(error), partitionIndex, ...view }
  })
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: internalTopics.has(topic.name),
    partitions,
    topicAuthorizedOperations: request.includeTopicAuthorizedOperations
      ? context.authorizedOperations('Topic', topic.name)
      : operationsNotAsked,
  }
}

function missingTopics(names: readonly string[], request: MetadataRequest, context: RequestContext): ResponseTopic[] {
  if (names.length === 0) return []
  const create = request.allowAutoTopicCreation && context.config['auto.create.topics.enable']
  const mayCreateAll = create && context.authorize('Create', 'Cluster', clusterName, 'filter')
  const forbidden = new Set(
    create && !mayCreateAll ? names.filter(name => !context.authorize('Create', 'Topic', name)) : [],
  )
  const wanted = names.filter(name => !forbidden.has(name))
  const answers = create && wanted.length > 0 ? context.services.broker?.autoTopics.request(wanted) : undefined
  return names.map(name => {
    if (forbidden.has(name)) return failedTopic('TOPIC_AUTHORIZATION_FAILED', name)
    const invalid = invalidTopicName(name) !== undefined
    return failedTopic(answers?.get(name) ?? (invalid ? 'INVALID_TOPIC_EXCEPTION' : 'UNKNOWN_TOPIC_OR_PARTITION'), name)
  })
}

function describeTopics(image: MetadataImage, request: MetadataRequest, context: RequestContext): ResponseTopic[] {
  const describe = (topic: TopicImage) => describeTopic(image, topic, request, context)
  const everything =
    request.topics === null || (context.apiVersion < firstVersionWithNull && request.topics.length === 0)
  if (everything) {
    const visible = [...image.topicsByName.values()].filter(({ name }) =>
      context.authorize('Describe', 'Topic', name, 'filter'),
    )
    return visible.map(describe)
  }
  const asked = request.topics ?? []
  const ids = new Set(asked.map(({ topicId }) => topicId).filter(id => id !== zeroUuid))
  if (ids.size > 0) {
    return [...ids].map(id => {
      const topic = image.topicsById.get(id)
      if (topic === undefined) return failedTopic('UNKNOWN_TOPIC_ID', null, id)
      return context.authorize('Describe', 'Topic', topic.name)
        ? describe(topic)
        : failedTopic('TOPIC_AUTHORIZATION_FAILED', null, id)
    })
  }
  const allNames = [...new Set(asked.map(({ name }) => name ?? ''))]
  const visible = new Set(allNames.filter(name => context.authorize('Describe', 'Topic', name)))
  const names = allNames.filter(name => visible.has(name))
  const hidden = allNames.filter(name => !visible.has(name))
  const known = names.map(name => image.topicsByName.get(name)).filter(topic => topic !== undefined)
  const missing = names.filter(name => !image.topicsByName.has(name))
  return [
    ...known.map(describe),
    ...missingTopics(missing, request, context),
    ...hidden.map(name => ({ ...failedTopic('TOPIC_AUTHORIZATION_FAILED', name), isInternal: false })),
  ]
}

/** Before v12 topics have names, and only names. */
function isMalformed(request: MetadataRequest, apiVersion: number): boolean {
  if (apiVersion >= firstVersionByTopicId || request.topics === null) return false
  return request.topics.some(({ name, topicId }) => name === null || topicId !== zeroUuid)
}

function refused(request: MetadataRequest, error: ErrorName): Response {
  const topics = (request.topics ?? []).map(({ name, topicId }) => failedTopic(error, name ?? '', topicId))
  return { brokers: [], topics, errorCode: errorCode(error) }
}

export const metadata = handler<MetadataRequest, Response>({
  apiKey: 3,
  versions: [0, 13],
  listeners: ['broker'],
  authorization: [right('Describe', 'Topic'), right('Create', 'Topic'), right('Create', 'Cluster')],
  fail: refused,
  handle: (request, context) => {
    if (isMalformed(request, context.apiVersion)) return refused(request, 'INVALID_REQUEST')
    const image = context.services.metadata()
    const brokers = aliveNodes(image, context.connection.listenerName)
    const withOperations = request.includeClusterAuthorizedOperations ? clusterOperations(context) : operationsNotAsked
    return {
      brokers,
      clusterId: context.services.clusterId,
      controllerId: controllerForClients(brokers, context.services.nodeId),
      topics: describeTopics(image, request, context),
      clusterAuthorizedOperations: withOperations,
    }
  },
})
