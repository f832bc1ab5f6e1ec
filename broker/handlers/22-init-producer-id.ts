/**
 * InitProducerId: v0-5. Gives an idempotent producer its id.
 *
 * Behavior:
 * - Without a transactional id the answer is always a new id with epoch 0; which id the producer had before does not matter (KIP-360).
 * - With a transactional id: UNSUPPORTED_VERSION, which clients take as final. Kafka's retriable errors would have them wait for a coordinator
 *   that never comes, and an authorization error would be a lie.
 * Versions: v2 flexible; v3 producer id and epoch (KIP-360); v4 PRODUCER_FENCED; v5 TRANSACTION_ABORTABLE (KIP-890).
 * Errors: INVALID_REQUEST, UNSUPPORTED_VERSION, COORDINATOR_LOAD_IN_PROGRESS while no controller hands out ids.
 * Not implemented: transactions.
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { InitProducerIdRequest, initProducerIdResponse } from '../protocol/messages/22-init-producer-id.ts'
import type { Input } from '../protocol/schema.ts'
import { clusterName } from '../security/authorization/acl.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight, right } from './handler.ts'

type Response = Input<typeof initProducerIdResponse>

function failed(error: ErrorName): Response {
  return { errorCode: errorCode(error), producerId: -1n, producerEpoch: -1 }
}

export const initProducerId = handler<InitProducerIdRequest, Response>({
  apiKey: 22,
  versions: [0, 5],
  listeners: ['broker'],
  authorization: [
    requestRight('Write', 'TransactionalId', ({ transactionalId }) => transactionalId ?? undefined),
    right('IdempotentWrite', 'Cluster'),
    right('Write', 'Topic'),
  ],
  fail: (_request, error) => failed(error),
  handle: async ({ transactionalId, producerId, producerEpoch }, context) => {
    if (transactionalId === '' || (producerId === -1n) !== (producerEpoch === -1)) return failed('INVALID_REQUEST')
    if (transactionalId !== null) return failed('UNSUPPORTED_VERSION')
    if (
      !context.authorize('IdempotentWrite', 'Cluster', clusterName, 'filter') &&
      !context.authorizeByResourceType('Write', 'Topic')
    )
      return failed('CLUSTER_AUTHORIZATION_FAILED')
    const id = await brokerOf(context).replicas.producerIds.next()
    return id === undefined
      ? failed('COORDINATOR_LOAD_IN_PROGRESS')
      : { errorCode: 0, producerId: id, producerEpoch: 0 }
  },
})
