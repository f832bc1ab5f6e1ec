/**
 * UnregisterBroker: v0. Forgets a broker that will not come back.
 *
 * Behavior: forwarded to the active controller (KIP-590). The broker leaves all in-sync sets; a running one registers again.
 * Errors: BROKER_ID_NOT_REGISTERED, NOT_CONTROLLER.
 */
import { unregisterBroker as operation } from '../controller/register-broker.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { UnregisterBrokerRequest, unregisterBrokerResponse } from '../protocol/messages/64-unregister-broker.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof unregisterBrokerResponse>

const refused = (error: ErrorName, errorMessage: string): Response => ({ errorCode: errorCode(error), errorMessage })

export const unregisterBroker = handler<UnregisterBrokerRequest, Response>({
  apiKey: 64,
  versions: [0, 0],
  listeners: ['broker', 'controller'],
  authorization: [requestRight('Alter')],
  forwardToController: true,
  fail: (_request, error, message) => refused(error, message),
  handle: (request, context) =>
    submit(context, operation, request, {
      reply: (): Response => ({ errorCode: 0, errorMessage: null }),
      refused,
    }),
})
