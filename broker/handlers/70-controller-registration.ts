/**
 * ControllerRegistration: v0, among controllers. Endpoints and features of a controller node (KIP-919).
 *
 * Errors: NOT_CONTROLLER.
 */
import { registerController } from '../controller/register-broker.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  ControllerRegistrationRequest,
  controllerRegistrationResponse,
} from '../protocol/messages/70-controller-registration.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof controllerRegistrationResponse>

const refused = (error: ErrorName, errorMessage: string): Response => ({ errorCode: errorCode(error), errorMessage })

export const controllerRegistration = handler<ControllerRegistrationRequest, Response>({
  apiKey: 70,
  versions: [0, 0],
  listeners: ['controller'],
  authorization: [requestRight('ClusterAction')],
  fail: (_request, error, message) => refused(error, message),
  handle: (request, context) =>
    submit(context, registerController, request, {
      reply: (): Response => ({ errorCode: 0, errorMessage: null }),
      refused,
    }),
})
