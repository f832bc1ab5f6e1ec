/**
 * AddOffsetsToTxn: v0-4. Adds the offsets of a group to a transaction: the group's partition of `__consumer_offsets`.
 *
 * Versions: v2 PRODUCER_FENCED; v3 flexible; v4 TRANSACTION_ABORTABLE (KIP-890). Clients of transactions v2 do not send it.
 * Errors: as AddPartitionsToTxn; COORDINATOR_NOT_AVAILABLE while `__consumer_offsets` does not exist; it is created.
 */
import { offsetsTopic } from '../coordinator/groups/groups.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { AddOffsetsToTxnRequest, addOffsetsToTxnResponse } from '../protocol/messages/25-add-offsets-to-txn.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight, right, type RequestContext } from './handler.ts'
import { fencedError } from './transaction-requests.ts'

const firstVersionWithFenced = 2

function add(request: AddOffsetsToTxnRequest, context: RequestContext): ErrorName | Promise<ErrorName> {
  const { transactionalId, producerId, producerEpoch, groupId } = request
  if (!context.authorize('Read', 'Group', groupId)) return 'GROUP_AUTHORIZATION_FAILED'
  const { groups, transactions, autoTopics } = brokerOf(context)
  const partition = groups.partitionFor(groupId)
  if (partition === undefined) {
    autoTopics.request([offsetsTopic])
    return 'COORDINATOR_NOT_AVAILABLE'
  }
  const partitions = new Map([[offsetsTopic, new Set([partition])]])
  const added = { transactionalId, producerId, producerEpoch, partitions, clientTransactionVersion: 0 }
  return transactions.ask<ErrorName>(
    transactionalId,
    error => error,
    (shard, ticket) => shard.addPartitions(added, ticket),
  )
}

export const addOffsetsToTxn = handler<AddOffsetsToTxnRequest, Input<typeof addOffsetsToTxnResponse>>({
  apiKey: 25,
  versions: [0, 4],
  listeners: ['broker'],
  authorization: [requestRight('Write', 'TransactionalId', request => request.transactionalId), right('Read', 'Group')],
  fail: (_request, error) => ({ errorCode: errorCode(error) }),
  handle: async (request, context) => {
    const error = await add(request, context)
    return { errorCode: errorCode(fencedError(error, context.apiVersion >= firstVersionWithFenced)) }
  },
})
