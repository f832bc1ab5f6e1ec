/**
 * AlterClientQuotas: v0-1. Sets and removes quotas of users, client ids and addresses (KIP-546).
 *
 * Behavior: forwarded to the active controller (KIP-590). Each entity is changed as a whole or not at all.
 * Versions: v1 flexible.
 * Errors: CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER; per entity INVALID_REQUEST.
 */
import { alterClientQuotas as operation } from '../controller/alter-client-quotas.ts'
import { errorFields } from '../controller/operation.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  AlterClientQuotasRequest,
  alterClientQuotasResponse,
} from '../protocol/messages/49-alter-client-quotas.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof alterClientQuotasResponse>

function refused({ entries }: AlterClientQuotasRequest, error: ErrorName, errorMessage: string): Response {
  return { entries: entries.map(({ entity }) => ({ errorCode: errorCode(error), errorMessage, entity })) }
}

export const alterClientQuotas = handler<AlterClientQuotasRequest, Response>({
  apiKey: 49,
  versions: [0, 1],
  listeners: ['broker', 'controller'],
  authorization: [requestRight('AlterConfigs')],
  forwardToController: true,
  fail: refused,
  handle: (request, context) =>
    submit(context, operation, request, {
      reply: ({ failures }): Response => ({
        entries: request.entries.map(({ entity }, index) => ({ ...errorFields(failures[index]), entity })),
      }),
      refused: (error, message) => refused(request, error, message),
    }),
})
