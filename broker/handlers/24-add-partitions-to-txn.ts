/**
 * AddPartitionsToTxn: v0-5. Adds partitions to a transaction, or asks whether they belong to it.
 *
 * Behavior:
 * - v0-3 come from producers, for one transaction. From v4 on partition leaders ask for their producers, for many transactions at once
 *   (KIP-890): `verifyOnly` to check, else to add for a client of transactions v2.
 * - When one partition is refused (unknown, not authorized), none is added: the others are told OPERATION_NOT_ATTEMPTED.
 * Versions: v2 PRODUCER_FENCED; v3 flexible; v4 batches; v5 TRANSACTION_ABORTABLE.
 * Errors: INVALID_REQUEST, NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, INVALID_PRODUCER_ID_MAPPING,
 * PRODUCER_FENCED (INVALID_PRODUCER_EPOCH before v2), CONCURRENT_TRANSACTIONS, TRANSACTION_ABORTABLE, UNKNOWN_TOPIC_OR_PARTITION,
 * OPERATION_NOT_ATTEMPTED.
 */
import { internalTopics } from '../controller/topic-names.ts'
import { epochBumpVersion } from '../coordinator/transactions/transaction-value.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  AddPartitionsToTxnRequest,
  addPartitionsToTxnResponse,
} from '../protocol/messages/24-add-partitions-to-txn.ts'
import type { Input } from '../protocol/schema.ts'
import { clusterName } from '../security/authorization/acl.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight, right, type RequestContext } from './handler.ts'
import { fencedError } from './transaction-requests.ts'

type Response = Input<typeof addPartitionsToTxnResponse>
type Transaction = AddPartitionsToTxnRequest['transactions'][number]
type ErrorOf = (topic: string, partition: number) => ErrorName

const firstBatchedVersion = 4
const firstVersionWithFenced = 2

/** The one transaction of an old request in the form of the new ones. */
function transactionsOf(request: AddPartitionsToTxnRequest, apiVersion: number): readonly Transaction[] {
  if (apiVersion >= firstBatchedVersion) return request.transactions
  return [
    {
      transactionalId: request.v3AndBelowTransactionalId,
      producerId: request.v3AndBelowProducerId,
      producerEpoch: request.v3AndBelowProducerEpoch,
      verifyOnly: false,
      topics: request.v3AndBelowTopics,
    },
  ]
}

function resultsOf({ topics }: Transaction, errorOf: ErrorOf) {
  return topics.map(({ name, partitions }) => ({
    name,
    resultsByPartition: partitions.map(partitionIndex => ({
      partitionIndex,
      partitionErrorCode: errorCode(errorOf(name, partitionIndex)),
    })),
  }))
}

function answer(
  transactions: readonly Transaction[],
  errors: readonly ErrorOf[],
  { apiVersion }: RequestContext,
): Response {
  const results = transactions.map((transaction, index) => ({
    transactionalId: transaction.transactionalId,
    topicResults: resultsOf(transaction, errors[index] ?? (() => 'UNKNOWN_SERVER_ERROR')),
  }))
  if (apiVersion >= firstBatchedVersion) return { resultsByTransaction: results }
  return { resultsByTopicV3AndBelow: results.flatMap(({ topicResults }) => topicResults) }
}

/** What each partition is refused for, if one is. */
function refuse(transaction: Transaction, context: RequestContext): ErrorOf | undefined {
  const isFromClient = context.apiVersion < firstBatchedVersion
  const image = context.services.metadata()
  const refusals = new Map<string, ErrorName>()
  for (const { name, partitions } of transaction.topics) {
    const isAllowed = !isFromClient || (!internalTopics.has(name) && context.authorize('Write', 'Topic', name))
    for (const partition of partitions) {
      if (!isAllowed) refusals.set(`${name}/${partition}`, 'TOPIC_AUTHORIZATION_FAILED')
      else if (image.partition(name, partition) === undefined)
        refusals.set(`${name}/${partition}`, 'UNKNOWN_TOPIC_OR_PARTITION')
    }
  }
  if (refusals.size === 0) return undefined
  return (topic, partition) => refusals.get(`${topic}/${partition}`) ?? 'OPERATION_NOT_ATTEMPTED'
}

async function serve(transaction: Transaction, context: RequestContext): Promise<ErrorOf> {
  const refused = refuse(transaction, context)
  if (refused !== undefined) return refused
  const { transactions } = brokerOf(context)
  const { transactionalId, producerId, producerEpoch, topics } = transaction
  const clientTransactionVersion = context.apiVersion >= firstBatchedVersion ? epochBumpVersion : 0
  const request = { transactionalId, producerId, producerEpoch, clientTransactionVersion }
  if (transaction.verifyOnly)
    return transactions.read<ErrorOf>(
      transactionalId,
      error => () => error,
      shard => shard.verifyPartitions(request),
    )
  const partitions = new Map(topics.map(({ name, partitions: indexes }) => [name, new Set(indexes)]))
  const error = await transactions.ask<ErrorName>(
    transactionalId,
    refusal => refusal,
    (shard, ticket) => shard.addPartitions({ ...request, partitions }, ticket),
  )
  const toldError = fencedError(error, context.apiVersion >= firstVersionWithFenced)
  return () => toldError
}

export const addPartitionsToTxn = handler<AddPartitionsToTxnRequest, Response>({
  apiKey: 24,
  versions: [0, 5],
  listeners: ['broker'],
  authorization: [
    requestRight('Write', 'TransactionalId', (request, { apiVersion }) =>
      apiVersion < firstBatchedVersion ? request.v3AndBelowTransactionalId : undefined,
    ),
    right('Write', 'Topic'),
    requestRight('ClusterAction', 'Cluster', (_request, { apiVersion }) =>
      apiVersion < firstBatchedVersion ? undefined : clusterName,
    ),
  ],
  fail: (request, error, _message, context) => {
    if (context.apiVersion >= firstBatchedVersion) return { errorCode: errorCode(error), resultsByTransaction: [] }
    return answer(transactionsOf(request, context.apiVersion), [() => error], context)
  },
  handle: async (request, context) => {
    const transactions = transactionsOf(request, context.apiVersion)
    const errors = await Promise.all(transactions.map(transaction => serve(transaction, context)))
    return answer(transactions, errors, context)
  },
})
