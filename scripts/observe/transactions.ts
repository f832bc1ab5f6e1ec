/** Transactions: every broker lists the transactional ids that it coordinates and describes them (KIP-664). */
import { errorName } from '#broker/protocol/errors.ts'
import {
  describeTransactionsRequest,
  describeTransactionsResponse,
} from '#broker/protocol/messages/65-describe-transactions.ts'
import { listTransactionsRequest, listTransactionsResponse } from '#broker/protocol/messages/66-list-transactions.ts'
import type { Infer } from '#broker/protocol/schema.ts'
import { type Line, NoAnswer } from './lines.ts'
import { unknown, type Known, type ObservedTransaction } from './model.ts'

const list = { request: listTransactionsRequest, response: listTransactionsResponse }
const describe = { request: describeTransactionsRequest, response: describeTransactionsResponse }

/** In these states a transaction holds the last stable offset of its partitions back. */
export const openStates = ['Ongoing', 'PrepareCommit', 'PrepareAbort', 'PrepareEpochFence'] as const

export function isOpen(state: string): boolean {
  return openStates.some(open => open === state)
}

export async function askTransactions(
  line: Line,
  wanted: readonly string[] | 'all' | 'open',
): Promise<ReadonlyMap<string, Known<ObservedTransaction>>> {
  const { errorCode, transactionStates } = await line.ask(list, {
    stateFilters: wanted === 'open' ? [...openStates] : [],
    producerIdFilters: [],
  })
  if (errorCode !== 0) throw new NoAnswer(`broker ${line.broker} answers ${errorName(errorCode)} to ListTransactions`)
  const ids = transactionStates
    .map(({ transactionalId }) => transactionalId)
    .filter(id => typeof wanted === 'string' || wanted.includes(id))
  if (ids.length === 0) return new Map()
  const answer = await line.ask(describe, { transactionalIds: ids })
  return new Map(
    answer.transactionStates.map((found): [string, Known<ObservedTransaction>] => {
      const { transactionalId: id } = found
      if (found.errorCode !== 0) return [id, unknown(`broker ${line.broker} answers ${errorName(found.errorCode)}`)]
      return [id, observed(line.broker, found)]
    }),
  )
}

type Described = Infer<typeof describeTransactionsResponse>['transactionStates'][number]

function observed(coordinator: number, found: Described): ObservedTransaction {
  return {
    state: found.transactionState,
    coordinator,
    producerId: String(found.producerId),
    producerEpoch: found.producerEpoch,
    timeoutMs: found.transactionTimeoutMs,
    startedAt: isOpen(found.transactionState) ? found.transactionStartTimeMs : null,
    partitions: found.topics.flatMap(({ topic, partitions }) => partitions.map(index => `${topic}-${index}`)).sort(),
  }
}
