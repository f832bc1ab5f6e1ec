/**
 * FindCoordinator: v0-6. Which broker coordinates a group: the leader of its partition of `__consumer_offsets`.
 *
 * Behavior:
 * - The topic is created when it does not exist; until it has a leader the answer is COORDINATOR_NOT_AVAILABLE.
 * - Transactions (key type 1) have no coordinator here: UNSUPPORTED_VERSION, which clients take as final. With the retriable
 *   COORDINATOR_NOT_AVAILABLE they would look for one until their own patience ends, a minute later, and name no reason.
 * - Share groups (key type 2): INVALID_REQUEST.
 * Versions: v1 key type; v3 flexible; v4 several keys (KIP-699); v5, v6 as v4.
 * Errors: COORDINATOR_NOT_AVAILABLE, INVALID_GROUP_ID, INVALID_REQUEST, UNSUPPORTED_VERSION.
 * Not implemented: transactions, share groups.
 */
import { offsetsTopic } from '../coordinator/groups/groups.ts'
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'
import type { FindCoordinatorRequest, findCoordinatorResponse } from '../protocol/messages/10-find-coordinator.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof findCoordinatorResponse>

interface Found {
  readonly error: ErrorName
  readonly nodeId: number
  readonly host: string
  readonly port: number
  /** More than the error's own text. */
  readonly message?: string
}

const groupKeyType = 0
const transactionKeyType = 1
const firstVersionWithKeys = 4
const noTransactions = 'This broker does not coordinate transactions: use a producer without transactional.id.'

function refuse(error: ErrorName, message = errorMessage(error)): Found {
  return { error, nodeId: -1, host: '', port: -1, message }
}

function find(key: string, keyType: number, context: RequestContext): Found {
  if (keyType === groupKeyType && !context.authorize('Describe', 'Group', key))
    return refuse('GROUP_AUTHORIZATION_FAILED')
  if (keyType === transactionKeyType && !context.authorize('Describe', 'TransactionalId', key))
    return refuse('TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
  if (keyType === transactionKeyType) return refuse('UNSUPPORTED_VERSION', noTransactions)
  if (keyType !== groupKeyType) return refuse('INVALID_REQUEST')
  if (key === '') return refuse('INVALID_GROUP_ID')
  const { groups, autoTopics } = brokerOf(context)
  const index = groups.partitionFor(key)
  if (index === undefined) {
    autoTopics.request([offsetsTopic])
    return refuse('COORDINATOR_NOT_AVAILABLE')
  }
  const image = context.services.metadata()
  const leader = image.topicsByName.get(offsetsTopic)?.partitions.get(index)?.leader ?? -1
  const endpoint = image.brokers.get(leader)?.endpoints.find(({ name }) => name === context.connection.listenerName)
  if (endpoint === undefined) return refuse('COORDINATOR_NOT_AVAILABLE')
  return { error: 'NONE', nodeId: leader, host: endpoint.host, port: endpoint.port }
}

function answer(request: FindCoordinatorRequest, apiVersion: number, look: (key: string) => Found): Response {
  const one = (key: string) => {
    const { error, message = null, ...node } = look(key)
    return { ...node, errorCode: errorCode(error), errorMessage: message }
  }
  if (apiVersion < firstVersionWithKeys) return one(request.key)
  return { coordinators: request.coordinatorKeys.map(key => ({ key, ...one(key) })) }
}

export const findCoordinator = handler<FindCoordinatorRequest, Response>({
  apiKey: 10,
  versions: [0, 6],
  listeners: ['broker'],
  authorization: [right('Describe', 'Group'), right('Describe', 'TransactionalId'), right('ClusterAction', 'Cluster')],
  fail: (request, error, _message, { apiVersion }) => answer(request, apiVersion, () => refuse(error)),
  handle: (request, context) => answer(request, context.apiVersion, key => find(key, request.keyType, context)),
})
