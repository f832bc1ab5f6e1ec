/**
 * FindCoordinator: v0-6. Which broker coordinates a group or a transactional id: the leader of its partition of `__consumer_offsets` or
 * `__transaction_state`.
 *
 * Behavior:
 * - The topic is created when it does not exist; until it has a leader the answer is COORDINATOR_NOT_AVAILABLE.
 * - Share partitions (key type 2, group:topicId:partition) are for brokers: the leader of the key's partition of `__share_group_state`.
 * Versions: v1 key type; v3 flexible; v4 several keys (KIP-699); v5, v6 as v4.
 * Errors: COORDINATOR_NOT_AVAILABLE, INVALID_GROUP_ID, INVALID_REQUEST.
 */
import { offsetsTopic } from '../coordinator/groups/groups.ts'
import { shareStateTopic } from '../coordinator/share/share-coordinator.ts'
import { transactionTopic } from '../coordinator/transactions/transactions.ts'
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'
import type { FindCoordinatorRequest, findCoordinatorResponse } from '../protocol/messages/10-find-coordinator.ts'
import type { Input } from '../protocol/schema.ts'
import { clusterName } from '../security/authorization/acl.ts'
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
const shareKeyType = 2
const shareKey = /^[^:]+:[A-Za-z0-9_-]{22}:\d+$/
const firstVersionWithKeys = 4

function refuse(error: ErrorName, message = errorMessage(error)): Found {
  return { error, nodeId: -1, host: '', port: -1, message }
}

function find(key: string, keyType: number, context: RequestContext): Found {
  if (keyType === groupKeyType && !context.authorize('Describe', 'Group', key))
    return refuse('GROUP_AUTHORIZATION_FAILED')
  if (keyType === transactionKeyType && !context.authorize('Describe', 'TransactionalId', key))
    return refuse('TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
  if (keyType === shareKeyType) return findShare(key, context)
  const { groups, transactions } = brokerOf(context)
  if (keyType === transactionKeyType) return leaderFor(transactionTopic, transactions.partitionFor(key), context)
  if (keyType !== groupKeyType) return refuse('INVALID_REQUEST')
  if (key === '') return refuse('INVALID_GROUP_ID')
  return leaderFor(offsetsTopic, groups.partitionFor(key), context)
}

function findShare(key: string, context: RequestContext): Found {
  const { shares } = brokerOf(context)
  if (!context.authorize('ClusterAction', 'Cluster', clusterName)) return refuse('CLUSTER_AUTHORIZATION_FAILED')
  if (!shares.isEnabled || !shareKey.test(key)) return refuse('INVALID_REQUEST')
  return leaderFor(shareStateTopic, shares.coordinator.partitionFor(key), context)
}

/** @param index  undefined: the topic does not exist yet, and is created */
function leaderFor(topic: string, index: number | undefined, context: RequestContext): Found {
  if (index === undefined) {
    brokerOf(context).autoTopics.request([topic])
    return refuse('COORDINATOR_NOT_AVAILABLE')
  }
  const image = context.services.metadata()
  const leader = image.topicsByName.get(topic)?.partitions.get(index)?.leader ?? -1
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
