/**
 * BrokerHeartbeat: v0-2, between brokers and the controller. Keeps a broker's session alive, and unfences, fences and releases it.
 *
 * Behavior: see controller/broker-heartbeat.ts.
 * Versions: v1 failed log directories (KIP-858); v2 cordoned log directories.
 * Errors: STALE_BROKER_EPOCH, NOT_CONTROLLER.
 * Not implemented: nothing.
 */
import { brokerHeartbeat as operation } from '../controller/broker-heartbeat.ts'
import { errorCode } from '../protocol/errors.ts'
import type { BrokerHeartbeatRequest, brokerHeartbeatResponse } from '../protocol/messages/63-broker-heartbeat.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof brokerHeartbeatResponse>

export const brokerHeartbeat = handler<BrokerHeartbeatRequest, Response>({
  apiKey: 63,
  versions: [0, 2],
  listeners: ['controller'],
  authorization: [requestRight('ClusterAction')],
  fail: (_request, error) => ({ errorCode: errorCode(error), shouldShutDown: false }),
  handle: (request, context) =>
    submit(context, operation, request, {
      reply: (reply): Response => ({ errorCode: 0, ...reply }),
      refused: (error): Response => ({ errorCode: errorCode(error), shouldShutDown: false }),
    }),
})
