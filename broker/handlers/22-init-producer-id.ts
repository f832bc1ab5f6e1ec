/**
 * InitProducerId: v0-5. Gives a producer its id and epoch.
 *
 * Behavior:
 * - Without a transactional id the answer is always a new id with epoch 0; which id the producer had before does not matter (KIP-360).
 * - With one, the id stays and its epoch rises, so that producers with an older epoch are fenced; an open transaction is aborted first
 *   (CONCURRENT_TRANSACTIONS until that is done). A producer that says who it is only gets on if nobody has fenced it.
 * Versions: v2 flexible; v3 producer id and epoch (KIP-360); v4 PRODUCER_FENCED; v5 TRANSACTION_ABORTABLE (KIP-890). v6 (KIP-939) is
 * unstable and not offered.
 * Errors: INVALID_REQUEST, COORDINATOR_LOAD_IN_PROGRESS (also while no controller hands out ids), NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE,
 * INVALID_TRANSACTION_TIMEOUT, CONCURRENT_TRANSACTIONS, PRODUCER_FENCED (INVALID_PRODUCER_EPOCH before v4).
 */
import { refusedProducer, type ProducerAnswer } from '../coordinator/transactions/requests.ts'
import { errorCode } from '../protocol/errors.ts'
import type { InitProducerIdRequest, initProducerIdResponse } from '../protocol/messages/22-init-producer-id.ts'
import type { Input } from '../protocol/schema.ts'
import { clusterName } from '../security/authorization/acl.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight, right, type RequestContext } from './handler.ts'
import { fencedError } from './transaction-requests.ts'

type Response = Input<typeof initProducerIdResponse>

const firstVersionWithFenced = 4

function answer({ error, producerId, producerEpoch }: ProducerAnswer, { apiVersion }: RequestContext): Response {
  return { errorCode: errorCode(fencedError(error, apiVersion >= firstVersionWithFenced)), producerId, producerEpoch }
}

async function idempotent(context: RequestContext): Promise<ProducerAnswer> {
  const isAllowed =
    context.authorize('IdempotentWrite', 'Cluster', clusterName, 'filter') ||
    context.authorizeByResourceType('Write', 'Topic')
  if (!isAllowed) return refusedProducer('CLUSTER_AUTHORIZATION_FAILED')
  const producerId = await brokerOf(context).replicas.producerIds.next()
  return producerId === undefined
    ? refusedProducer('COORDINATOR_LOAD_IN_PROGRESS')
    : { error: 'NONE', producerId, producerEpoch: 0 }
}

function serve(request: InitProducerIdRequest, context: RequestContext): ProducerAnswer | Promise<ProducerAnswer> {
  const { transactionalId, producerId, producerEpoch } = request
  if ((producerId === -1n) !== (producerEpoch === -1)) return refusedProducer('INVALID_REQUEST')
  if (transactionalId === null) return idempotent(context)
  if (transactionalId === '') return refusedProducer('INVALID_REQUEST')
  const init = {
    transactionalId,
    timeoutMs: request.transactionTimeoutMs,
    expected: producerId === -1n ? undefined : { producerId, producerEpoch },
    enableTwoPhaseCommit: request.enable2Pc,
    keepPreparedTransaction: request.keepPreparedTxn,
  }
  return brokerOf(context).transactions.ask<ProducerAnswer>(transactionalId, refusedProducer, (shard, ticket) =>
    shard.initProducerId(init, ticket),
  )
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
  fail: (_request, error, _message, context) => answer(refusedProducer(error), context),
  handle: async (request, context) => answer(await serve(request, context), context),
})
