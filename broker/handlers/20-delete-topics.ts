/**
 * DeleteTopics: v1-6. Removes topics by name or id, with all their records.
 *
 * Behavior: forwarded to the active controller (KIP-590); brokers drop their replicas when they read the record.
 * Versions: v4 flexible; v5 error message; v6 topics by id (KIP-516).
 * Errors: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, TOPIC_DELETION_DISABLED, INVALID_REQUEST, NOT_CONTROLLER, REQUEST_TIMED_OUT.
 * Not implemented: the quota on mutations (KIP-599).
 */
import { deleteTopics as operation } from '../controller/change-topics.ts'
import { zeroUuid } from '../controller/metadata-record.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { DeleteTopicsRequest, deleteTopicsResponse } from '../protocol/messages/20-delete-topics.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { clusterName } from '../security/authorization/acl.ts'
import { handler, right, type RequestContext } from './handler.ts'
import { mutationQuota } from './throttling.ts'

type Response = Input<typeof deleteTopicsResponse>
const firstVersionWithIds = 6
const firstVersionWithDisabled = 3
const quotaStrictSince = 5

function wanted(request: DeleteTopicsRequest, apiVersion: number) {
  if (apiVersion >= firstVersionWithIds) return request.topics
  return request.topicNames.map(name => ({ name, topicId: zeroUuid }))
}

function refused(request: DeleteTopicsRequest, apiVersion: number, error: ErrorName, message: string): Response {
  const failure = { errorCode: errorCode(error), errorMessage: message }
  return { responses: wanted(request, apiVersion).map(({ name, topicId }) => ({ name, topicId, ...failure })) }
}

type Wanted = ReturnType<typeof wanted>[number]

/** By name a topic the sender may not see does not even exist; by id it is named in the answer only to those who may see it. */
function sortByDeleteRight(topics: readonly Wanted[], context: RequestContext) {
  if (context.authorize('Delete', 'Cluster', clusterName, 'filter')) return { allowed: [...topics], forbidden: [] }
  const image = context.services.controller?.image ?? context.services.metadata()
  const failure = { errorCode: errorCode('TOPIC_AUTHORIZATION_FAILED'), errorMessage: null }
  const allowed: Wanted[] = []
  const forbidden: Response['responses'][number][] = []
  for (const topic of topics) {
    const byId = topic.name === null
    const name = topic.name ?? image.topicsById.get(topic.topicId)?.name
    const maySee = name !== undefined && context.authorize('Describe', 'Topic', name)
    const mayDelete = name !== undefined && context.authorize('Delete', 'Topic', name)
    // What no topic has is the operation's to refuse.
    const isAllowed = byId ? name === undefined || mayDelete : maySee && (mayDelete || !image.topicsByName.has(name))
    if (isAllowed) allowed.push(topic)
    else forbidden.push({ name: maySee ? name : topic.name, topicId: topic.topicId, ...failure })
  }
  return { allowed, forbidden }
}

export const deleteTopics = handler<DeleteTopicsRequest, Response>({
  apiKey: 20,
  versions: [1, 6],
  listeners: ['broker', 'controller'],
  authorization: [right('Delete', 'Cluster'), right('Describe', 'Topic'), right('Delete', 'Topic')],
  forwardToController: true,
  fail: (request, error, message, { apiVersion }) => refused(request, apiVersion, error, message),
  handle: (request, context) => {
    const { allowed, forbidden } = sortByDeleteRight(wanted(request, context.apiVersion), context)
    const quota = mutationQuota(context, quotaStrictSince)
    return submit(
      context,
      operation,
      { topics: allowed, quota },
      {
        timeoutMs: request.timeoutMs,
        reply: ({ responses }): Response => {
          context.throttle(quota.throttleMs())
          return { responses: [...responses, ...forbidden] }
        },
        refused: (error, message) => {
          // Clients of those versions do not know the error.
          const isNew = error === 'TOPIC_DELETION_DISABLED' && context.apiVersion < firstVersionWithDisabled
          return refused(request, context.apiVersion, isNew ? 'INVALID_REQUEST' : error, message)
        },
      },
    )
  },
})
