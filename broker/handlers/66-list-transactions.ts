/**
 * ListTransactions: v0-2. The transactional ids that this broker coordinates and the client may describe (KIP-664).
 *
 * Versions: v1 filter by duration (KIP-994); v2 filter by pattern (KIP-1152).
 * Errors: COORDINATOR_LOAD_IN_PROGRESS when a partition is still loading, so that nobody takes a part for the whole;
 * INVALID_REGULAR_EXPRESSION. Patterns are those of RE2, whose time is linear in the id, whatever a client asks for.
 */
import { RE2JS, RE2JSSyntaxException } from 're2js'
import type { TransactionDescription } from '../coordinator/transactions/requests.ts'
import { stateNames } from '../coordinator/transactions/transaction-value.ts'
import { errorCode } from '../protocol/errors.ts'
import type { ListTransactionsRequest, listTransactionsResponse } from '../protocol/messages/66-list-transactions.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right } from './handler.ts'

type Response = Input<typeof listTransactionsResponse>

const knownStates: ReadonlySet<string> = new Set(stateNames)

/** Undefined when it is not a regular expression. Without a pattern everything matches. */
function matcherOf(pattern: string | null): ((transactionalId: string) => boolean) | undefined {
  if (pattern === null || pattern === '') return () => true
  try {
    const expression = RE2JS.compile(pattern)
    // The whole id has to match, as in Kafka.
    return transactionalId => expression.matches(transactionalId)
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return undefined
    throw error
  }
}

function isWanted(transaction: TransactionDescription, request: ListTransactionsRequest, nowWallMs: number): boolean {
  const { state, producerId, startWallMs } = transaction
  if (request.producerIdFilters.length > 0 && !request.producerIdFilters.includes(producerId)) return false
  if (request.stateFilters.length > 0 && !request.stateFilters.includes(state)) return false
  return request.durationFilter < 0 || nowWallMs - startWallMs > request.durationFilter
}

export const listTransactions = handler<ListTransactionsRequest, Response>({
  apiKey: 66,
  versions: [0, 2],
  listeners: ['broker'],
  authorization: [right('Describe', 'TransactionalId')],
  fail: (_request, error) => ({ errorCode: errorCode(error), unknownStateFilters: [], transactionStates: [] }),
  handle: (request, context) => {
    const refused = { unknownStateFilters: [], transactionStates: [] }
    const { transactions, loading } = brokerOf(context).transactions.list()
    if (loading) return { errorCode: errorCode('COORDINATOR_LOAD_IN_PROGRESS'), ...refused }
    const matches = matcherOf(request.transactionalIdPattern)
    if (matches === undefined) return { errorCode: errorCode('INVALID_REGULAR_EXPRESSION'), ...refused }
    const nowWallMs = context.environment.clock.wallMs()
    return {
      errorCode: 0,
      unknownStateFilters: request.stateFilters.filter(state => !knownStates.has(state)),
      transactionStates: transactions
        .filter(
          each =>
            isWanted(each, request, nowWallMs) &&
            matches(each.transactionalId) &&
            context.authorize('Describe', 'TransactionalId', each.transactionalId, 'filter'),
        )
        .map(({ transactionalId, producerId, state }) => ({ transactionalId, producerId, transactionState: state })),
    }
  },
})
