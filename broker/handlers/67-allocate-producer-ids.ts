/**
 * AllocateProducerIds: v0, between brokers and the controller. A block of producer ids for one broker (KIP-730).
 *
 * Errors: STALE_BROKER_EPOCH, NOT_CONTROLLER.
 */
import { allocateProducerIds as operation } from '../controller/producer-ids.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  AllocateProducerIdsRequest,
  allocateProducerIdsResponse,
} from '../protocol/messages/67-allocate-producer-ids.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof allocateProducerIdsResponse>

const refused = (error: ErrorName): Response => ({
  errorCode: errorCode(error),
  producerIdStart: -1n,
  producerIdLen: 0,
})

export const allocateProducerIds = handler<AllocateProducerIdsRequest, Response>({
  apiKey: 67,
  versions: [0, 0],
  listeners: ['controller'],
  authorization: [requestRight('ClusterAction')],
  fail: (_request, error) => refused(error),
  handle: (request, context) => submit(context, operation, request, { reply: (reply): Response => reply, refused }),
})
