/**
 * DescribeTransactions: v0. The state of transactional ids (KIP-664).
 *
 * Behavior:
 * - Only topics that the client may describe are shown. Once the outcome is decided, only partitions that still lack their marker.
 * Errors: INVALID_REQUEST, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, TRANSACTIONAL_ID_NOT_FOUND,
 * TRANSACTIONAL_ID_AUTHORIZATION_FAILED, each per id.
 */
import type { TransactionDescription } from '../coordinator/transactions/requests.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  DescribeTransactionsRequest,
  describeTransactionsResponse,
} from '../protocol/messages/65-describe-transactions.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof describeTransactionsResponse>
type State = Response['transactionStates'][number]

function refused(transactionalId: string, error: ErrorName): State {
  return {
    errorCode: errorCode(error),
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0,
    producerId: 0n,
    producerEpoch: 0,
    topics: [],
  }
}

function describe(transactionalId: string, context: RequestContext): State {
  if (!context.authorize('Describe', 'TransactionalId', transactionalId))
    return refused(transactionalId, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
  if (transactionalId === '') return refused(transactionalId, 'INVALID_REQUEST')
  const found = brokerOf(context).transactions.read<TransactionDescription | ErrorName>(
    transactionalId,
    error => error,
    shard => shard.describe(transactionalId) ?? 'TRANSACTIONAL_ID_NOT_FOUND',
  )
  if (typeof found === 'string') return refused(transactionalId, found)
  return {
    errorCode: 0,
    transactionalId,
    transactionState: found.state,
    transactionTimeoutMs: found.timeoutMs,
    transactionStartTimeMs: found.startWallMs,
    producerId: found.producerId,
    producerEpoch: found.producerEpoch,
    topics: [...found.partitions]
      .filter(([topic]) => context.authorize('Describe', 'Topic', topic, 'filter'))
      .map(([topic, partitions]) => ({ topic, partitions: [...partitions] })),
  }
}

export const describeTransactions = handler<DescribeTransactionsRequest, Response>({
  apiKey: 65,
  versions: [0, 0],
  listeners: ['broker'],
  authorization: [right('Describe', 'TransactionalId'), right('Describe', 'Topic')],
  fail: (request, error) => ({ transactionStates: request.transactionalIds.map(id => refused(id, error)) }),
  handle: (request, context) => ({ transactionStates: request.transactionalIds.map(id => describe(id, context)) }),
})
