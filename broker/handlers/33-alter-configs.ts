/**
 * AlterConfigs: v0-2. Replaces all settings of a topic, of a broker, or of all brokers (name ''). Superseded by IncrementalAlterConfigs, but
 * the only way kafkajs and older tools know.
 *
 * Behavior: a broker forwards it to the active controller (KIP-590), all but settings of another broker; each resource is changed as a whole
 * or not at all. Log levels are only for IncrementalAlterConfigs.
 * Versions: v2 flexible.
 * Errors: as IncrementalAlterConfigs.
 */
import { legacyAlterConfigs as operation } from '../controller/legacy-alter-configs.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import {
  alterConfigsRequest,
  alterConfigsResponse,
  type AlterConfigsRequest,
} from '../protocol/messages/33-alter-configs.ts'
import type { Input } from '../protocol/schema.ts'
import { alterByBroker } from './altered-on-broker.ts'
import { sortByAlterRight } from './config-rights.ts'
import { submit } from './controller-services.ts'
import { handler, right } from './handler.ts'

type Response = Input<typeof alterConfigsResponse>

function refused({ resources }: AlterConfigsRequest, error: ErrorName, errorMessage: string): Response {
  const failure = { errorCode: errorCode(error), errorMessage }
  return { responses: resources.map(({ resourceType, resourceName }) => ({ ...failure, resourceType, resourceName })) }
}

export const alterConfigs = handler<AlterConfigsRequest, Response>({
  apiKey: 33,
  versions: [0, 2],
  listeners: ['broker', 'controller'],
  authorization: [right('AlterConfigs', 'Topic'), right('AlterConfigs', 'Cluster'), right('AlterConfigs', 'Group')],
  fail: refused,
  handle: async (request, context) => {
    if (context.connection.listenerKind === 'broker')
      return { responses: await alterByBroker(request, context, [alterConfigsRequest, alterConfigsResponse]) }
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
