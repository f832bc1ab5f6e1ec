/**
 * BrokerRegistration: v0-4, between brokers and the controller. A starting broker makes itself known and gets its epoch.
 *
 * Behavior: see controller/register-broker.ts. The broker is fenced until a heartbeat shows that it has read its own registration.
 * Versions: v2 log directories (KIP-858); v3 epoch before the clean shutdown (KIP-966); v4 features whose lowest level is 0 (KIP-1022).
 * Errors: INCONSISTENT_CLUSTER_ID, DUPLICATE_BROKER_REGISTRATION, INVALID_REGISTRATION, UNSUPPORTED_VERSION, BROKER_ID_NOT_REGISTERED,
 * NOT_CONTROLLER.
 * Not implemented: the previous epoch is not used, since ELR is off.
 */
import { registerBroker } from '../controller/register-broker.ts'
import { errorCode } from '../protocol/errors.ts'
import type {
  BrokerRegistrationRequest,
  brokerRegistrationResponse,
} from '../protocol/messages/62-broker-registration.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof brokerRegistrationResponse>

export const brokerRegistration = handler<BrokerRegistrationRequest, Response>({
  apiKey: 62,
  versions: [0, 4],
  listeners: ['controller'],
  authorization: [requestRight('ClusterAction')],
  fail: (_request, error) => ({ errorCode: errorCode(error) }),
  handle: (request, context) =>
    submit(context, registerBroker, request, {
      reply: ({ brokerEpoch }): Response => ({ errorCode: 0, brokerEpoch }),
      refused: (error, message): Response => {
        const fields = { brokerId: request.brokerId, error, message }
        if (error !== 'NOT_CONTROLLER') context.environment.log.warn('A broker was not registered.', fields)
        return { errorCode: errorCode(error) }
      },
    }),
})
