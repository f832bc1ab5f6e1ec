/**
 * IncrementalAlterConfigs: v0-1. Sets, deletes, appends to and subtracts from settings of topics, groups, client metrics
 * subscriptions, of a broker, or of all brokers (name ''), and log levels.
 *
 * Behavior: each resource is changed as a whole or not at all. A broker changes its log levels itself, now and until it stops; the rest it
 * forwards to the active controller (KIP-590).
 * Versions: v1 flexible.
 * Errors: INVALID_CONFIG, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION, BROKER_ID_NOT_REGISTERED, INVALID_TOPIC_EXCEPTION, POLICY_VIOLATION,
 * NOT_CONTROLLER.
 */
import { incrementalAlterConfigs as operation } from '../controller/alter-configs.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
  type IncrementalAlterConfigsRequest,
} from '../protocol/messages/44-incremental-alter-configs.ts'
import type { Input } from '../protocol/schema.ts'
import { alterByBroker } from './altered-on-broker.ts'
import { sortByAlterRight } from './config-rights.ts'
import { submit } from './controller-services.ts'
import { handler, right } from './handler.ts'

type Response = Input<typeof incrementalAlterConfigsResponse>

function refused({ resources }: IncrementalAlterConfigsRequest, error: ErrorName, errorMessage: string): Response {
  const failure = { errorCode: errorCode(error), errorMessage }
  return { responses: resources.map(({ resourceType, resourceName }) => ({ ...failure, resourceType, resourceName })) }
}

export const incrementalAlterConfigs = handler<IncrementalAlterConfigsRequest, Response>({
  apiKey: 44,
  versions: [0, 1],
  listeners: ['broker', 'controller'],
  authorization: [right('AlterConfigs', 'Topic'), right('AlterConfigs', 'Cluster'), right('AlterConfigs', 'Group')],
  fail: refused,
  handle: async (request, context) => {
    if (context.connection.listenerKind === 'broker')
      return {
        responses: await alterByBroker(request, context, [
          incrementalAlterConfigsRequest,
          incrementalAlterConfigsResponse,
        ]),
      }
    const { allowed, refused: forbidden } = sortByAlterRight(request.resources, context)
    return submit(
      context,
      operation,
      { ...request, resources: allowed, isForwarded: context.connection.isForwarded },
      {
        reply: ({ responses }): Response => ({ responses: [...responses, ...forbidden] }),
        refused: (error, message) => refused(request, error, message),
      },
    )
  },
})
