/**
 * EndTxn: v0-5. Commits or aborts a transaction; answered once the outcome is in the log. The markers follow.
 *
 * Behavior:
 * - v5 is for clients of transactions v2 (KIP-890): the epoch rises, or the producer id is replaced, and the answer says so. Such a client may
 *   abort what has not begun.
 * - A repeated request gets the answer of the first.
 * Versions: v2 PRODUCER_FENCED; v3 flexible; v4 TRANSACTION_ABORTABLE; v5 producer id and epoch.
 * Errors: INVALID_REQUEST, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, INVALID_PRODUCER_ID_MAPPING,
 * PRODUCER_FENCED (INVALID_PRODUCER_EPOCH before v2), CONCURRENT_TRANSACTIONS, INVALID_TXN_STATE.
 */
import { refusedProducer, type ProducerAnswer } from '../coordinator/transactions/requests.ts'
import { epochBumpVersion } from '../coordinator/transactions/transaction-value.ts'
import { errorCode } from '../protocol/errors.ts'
import type { EndTxnRequest, endTxnResponse } from '../protocol/messages/26-end-txn.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight, type RequestContext } from './handler.ts'
import { fencedError } from './transaction-requests.ts'

type Response = Input<typeof endTxnResponse>

const firstVersionWithFenced = 2
const firstVersionWithEpoch = 5

function answer({ error, producerId, producerEpoch }: ProducerAnswer, { apiVersion }: RequestContext): Response {
  return {
    errorCode: errorCode(fencedError(error, apiVersion >= firstVersionWithFenced)),
    producerId,
    producerEpoch,
  }
}

export const endTxn = handler<EndTxnRequest, Response>({
  apiKey: 26,
  versions: [0, 5],
  listeners: ['broker'],
  authorization: [requestRight('Write', 'TransactionalId', request => request.transactionalId)],
  fail: (_request, error, _message, context) => answer(refusedProducer(error), context),
  handle: async (request, context) => {
    const { transactionalId } = request
    const clientTransactionVersion = context.apiVersion >= firstVersionWithEpoch ? epochBumpVersion : 0
    const ended = await brokerOf(context).transactions.ask<ProducerAnswer>(
      transactionalId,
      refusedProducer,
      (shard, ticket) => shard.end({ ...request, clientTransactionVersion }, ticket),
    )
    return answer(ended, context)
  },
})
