/**
 * CreateTopics: v2-7. Creates topics with partitions placed by the controller or assigned by the client.
 *
 * Behavior:
 * - A broker forwards it to the active controller (KIP-590); the answer comes when the topics are committed to the metadata log.
 * - Each topic succeeds or fails by itself; validateOnly answers the same without creating.
 * Versions: v4 partitions and replication factor -1 mean the defaults (KIP-464); v5 settings in the response (KIP-525), flexible; v7 topic id.
 * Errors: TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR, INVALID_REPLICA_ASSIGNMENT,
 * INVALID_CONFIG, INVALID_REQUEST, POLICY_VIOLATION, NOT_CONTROLLER, REQUEST_TIMED_OUT.
 * Not implemented: the quota on mutations (KIP-599).
 */
import { createTopics as operation, type CreateTopicsInput } from '../controller/create-topics.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { CreateTopicsRequest, createTopicsResponse } from '../protocol/messages/19-create-topics.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { clusterName } from '../security/authorization/acl.ts'
import { handler, right, type RequestContext } from './handler.ts'
import { mutationQuota } from './throttling.ts'

type Response = Input<typeof createTopicsResponse>

function refused({ topics }: CreateTopicsRequest, error: ErrorName, errorMessage: string): Response {
  return { topics: topics.map(({ name }) => ({ name, errorCode: errorCode(error), errorMessage, configs: null })) }
}

const quotaStrictSince = 6

type Topic = CreateTopicsRequest['topics'][number]
type Result = Response['topics'][number]

/** Who may create in the cluster may create every topic. A name given twice is refused for that, whatever the rights. */
function sortByCreateRight(topics: readonly Topic[], context: RequestContext) {
  if (context.authorize('Create', 'Cluster', clusterName, 'filter')) return { allowed: [...topics], forbidden: [] }
  const names = topics.map(({ name }) => name)
  const isTwice = (name: string) => names.indexOf(name) !== names.lastIndexOf(name)
  const isAllowed = ({ name }: Topic) => isTwice(name) || context.authorize('Create', 'Topic', name)
  const allowed = topics.filter(isAllowed)
  return { allowed, forbidden: topics.filter(topic => !allowed.includes(topic)).map(({ name }) => name) }
}

function notAuthorized(name: string): Result {
  return {
    name,
    errorCode: errorCode('TOPIC_AUTHORIZATION_FAILED'),
    errorMessage: 'Authorization failed.',
    configs: null,
  }
}

/** What the new topic is like is told only to those who may see settings (KIP-525). */
function withoutSettings(topic: Result, context: RequestContext): Result {
  if (topic.errorCode !== 0 || context.authorize('DescribeConfigs', 'Topic', topic.name, 'filter')) return topic
  const topicConfigErrorCode = errorCode('TOPIC_AUTHORIZATION_FAILED')
  return { ...topic, topicConfigErrorCode, numPartitions: -1, replicationFactor: -1, configs: [] }
}

export const createTopics = handler<CreateTopicsRequest, Response>({
  apiKey: 19,
  versions: [2, 7],
  listeners: ['broker', 'controller'],
  authorization: [right('Create', 'Cluster'), right('Create', 'Topic'), right('DescribeConfigs', 'Topic')],
  forwardToController: true,
  fail: refused,
  handle: (request, context) => {
    const { allowed, forbidden } = sortByCreateRight(request.topics, context)
    const quota = mutationQuota(context, quotaStrictSince)
    type Reply = { topics: Response['topics'] }
    return submit<CreateTopicsInput, Reply, Response>(
      context,
      operation,
      { ...request, topics: allowed, quota },
      {
        timeoutMs: request.timeoutMs,
        reply: ({ topics }) => {
          context.throttle(quota.throttleMs())
          const visible = topics.map(topic => withoutSettings(topic, context))
          return { topics: [...visible, ...forbidden.map(name => notAuthorized(name))] }
        },
        refused: (error, message) => refused(request, error, message),
      },
    )
  },
})
