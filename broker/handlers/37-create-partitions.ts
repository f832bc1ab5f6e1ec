/**
 * CreatePartitions: v0-3. Adds partitions to topics; existing ones stay as they are.
 *
 * Behavior: forwarded to the active controller (KIP-590).
 * Versions: v2 flexible; v3 as v2.
 * Errors: UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS, INVALID_REPLICA_ASSIGNMENT, INVALID_REPLICATION_FACTOR, INVALID_REQUEST,
 * POLICY_VIOLATION, NOT_CONTROLLER, REQUEST_TIMED_OUT.
 * Not implemented: the quota on mutations (KIP-599).
 */
import { createPartitions as operation } from '../controller/change-topics.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { CreatePartitionsRequest, createPartitionsResponse } from '../protocol/messages/37-create-partitions.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, right } from './handler.ts'
import { mutationQuota } from './throttling.ts'

const quotaStrictSince = 3

type Response = Input<typeof createPartitionsResponse>

function refused({ topics }: CreatePartitionsRequest, error: ErrorName, errorMessage: string | null): Response {
  return { results: topics.map(({ name }) => ({ name, errorCode: errorCode(error), errorMessage })) }
}

export const createPartitions = handler<CreatePartitionsRequest, Response>({
  apiKey: 37,
  versions: [0, 3],
  listeners: ['broker', 'controller'],
  authorization: [right('Alter', 'Topic')],
  forwardToController: true,
  fail: refused,
  handle: (request, context) => {
    const names = request.topics.map(({ name }) => name)
    // A name given twice is refused for that, whatever the rights.
    const isTwice = (name: string) => names.indexOf(name) !== names.lastIndexOf(name)
    const allowed = request.topics.filter(({ name }) => isTwice(name) || context.authorize('Alter', 'Topic', name))
    const forbidden = request.topics.filter(topic => !allowed.includes(topic))
    const quota = mutationQuota(context, quotaStrictSince)
    return submit(
      context,
      operation,
      { ...request, topics: allowed, quota },
      {
        timeoutMs: request.timeoutMs,
        reply: ({ results }): Response => {
          context.throttle(quota.throttleMs())
          const notAllowed = refused({ ...request, topics: forbidden }, 'TOPIC_AUTHORIZATION_FAILED', null)
          return { results: [...results, ...notAllowed.results] }
        },
        refused: (error, message) => refused(request, error, message),
      },
    )
  },
})
