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
import { createTopics as operation } from '../controller/create-topics.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { CreateTopicsRequest, createTopicsResponse } from '../protocol/messages/19-create-topics.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, right } from './handler.ts'

type Response = Input<typeof createTopicsResponse>

function refused({ topics }: CreateTopicsRequest, error: ErrorName, errorMessage: string): Response {
  return { topics: topics.map(({ name }) => ({ name, errorCode: errorCode(error), errorMessage, configs: null })) }
}

export const createTopics = handler<CreateTopicsRequest, Response>({
  apiKey: 19,
  versions: [2, 7],
  listeners: ['broker', 'controller'],
  authorization: [right('Create', 'Cluster'), right('Create', 'Topic'), right('DescribeConfigs', 'Topic')],
  forwardToController: true,
  fail: refused,
  handle: (request, context) =>
    submit<CreateTopicsRequest, { topics: Response['topics'] }, Response>(context, operation, request, {
      timeoutMs: request.timeoutMs,
      reply: ({ topics }) => ({ topics }),
      refused: (error, message) => refused(request, error, message),
    }),
})
