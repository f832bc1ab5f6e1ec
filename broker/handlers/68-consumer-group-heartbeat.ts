/**
 * ConsumerGroupHeartbeat: v0-1. A member of the consumer protocol joins, stays, learns its partitions and leaves (KIP-848).
 *
 * Behavior:
 * - Offered while group.version is at least 1 and group.coordinator.rebalance.protocols has `consumer`; else UNSUPPORTED_VERSION.
 * - The answer leaves when all records that it follows from are committed.
 * Versions: v1 subscribedTopicRegex; members name themselves.
 * Errors: GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
 * INVALID_REQUEST, UNKNOWN_MEMBER_ID, GROUP_ID_NOT_FOUND, FENCED_MEMBER_EPOCH, UNSUPPORTED_ASSIGNOR, UNRELEASED_INSTANCE_ID,
 * FENCED_INSTANCE_ID, GROUP_MAX_SIZE_REACHED, INVALID_REGULAR_EXPRESSION, UNSUPPORTED_VERSION.
 */
import { assignmentOf, topicPartitionsOf } from '../coordinator/groups/modern/assignment.ts'
import { refuseHeartbeat, type HeartbeatAnswer } from '../coordinator/groups/modern/consumer-heartbeat.ts'
import { errorCode } from '../protocol/errors.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  consumerGroupHeartbeatResponse,
} from '../protocol/messages/68-consumer-group-heartbeat.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof consumerGroupHeartbeatResponse>

const firstVersionWithOwnIds = 1
const leftForNow = -2

function toResponse(answer: HeartbeatAnswer): Response {
  return {
    errorCode: errorCode(answer.error),
    errorMessage: answer.message,
    memberId: answer.memberId === '' ? null : answer.memberId,
    memberEpoch: answer.memberEpoch,
    heartbeatIntervalMs: answer.heartbeatIntervalMs,
    assignment: answer.assignment === undefined ? null : { topicPartitions: topicPartitionsOf(answer.assignment) },
  }
}

const isBlank = (text: string | null): boolean => text?.trim() === ''

/** What is wrong with the request in itself. */
function invalid(request: ConsumerGroupHeartbeatRequest, apiVersion: number): string | undefined {
  const { memberEpoch, topicPartitions } = request
  const needsId = apiVersion >= firstVersionWithOwnIds || memberEpoch > 0 || memberEpoch === -1
  if (needsId && isBlank(request.memberId)) return 'The member id is empty.'
  if (isBlank(request.groupId)) return 'The group id is empty.'
  if (isBlank(request.instanceId)) return 'The instance id is empty.'
  if (isBlank(request.rackId)) return 'The rack id is empty.'
  if (memberEpoch < leftForNow) return `There is no member epoch ${memberEpoch}.`
  if (memberEpoch === leftForNow && request.instanceId === null)
    return 'Only a static member, one with an instance id, can leave for a while.'
  if (memberEpoch !== 0) return undefined
  if (request.rebalanceTimeoutMs === -1) return 'A member that joins must say its rebalance timeout.'
  if (topicPartitions === null || topicPartitions.length > 0)
    return 'A member that joins must say that it owns no partitions.'
  if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null)
    return 'A member that joins must subscribe, by names or by a pattern.'
  return undefined
}

function refusalOf(request: ConsumerGroupHeartbeatRequest, context: RequestContext): HeartbeatAnswer | undefined {
  const { groups } = brokerOf(context)
  if (!groups.offers('consumer')) return refuseHeartbeat('UNSUPPORTED_VERSION')
  const names = request.subscribedTopicNames ?? []
  if (names.some(name => !context.authorize('Describe', 'Topic', name)))
    return refuseHeartbeat('TOPIC_AUTHORIZATION_FAILED')
  const reason = invalid(request, context.apiVersion)
  if (reason !== undefined) return refuseHeartbeat('INVALID_REQUEST', reason)
  const assignors = groups.assignorNames()
  if (request.serverAssignor !== null && !assignors.includes(request.serverAssignor))
    return refuseHeartbeat(
      'UNSUPPORTED_ASSIGNOR',
      `There is no assignor ${request.serverAssignor} here, but ${assignors.join(', ')}.`,
    )
  return undefined
}

export const consumerGroupHeartbeat = handler<ConsumerGroupHeartbeatRequest, Response>({
  apiKey: 68,
  versions: [0, 1],
  listeners: ['broker'],
  authorization: [right('Read', 'Group'), right('Describe', 'Topic')],
  fail: (_request, error, message) => toResponse(refuseHeartbeat(error, message)),
  handle: async (request, context) => {
    if (!context.authorize('Read', 'Group', request.groupId))
      return toResponse(refuseHeartbeat('GROUP_AUTHORIZATION_FAILED'))
    const refusal = refusalOf(request, context)
    if (refusal !== undefined) return toResponse(refusal)
    const heartbeat = {
      ...request,
      memberId: request.memberId === '' ? context.environment.random.bytes(16).toString('base64url') : request.memberId,
      clientId: context.clientId ?? '',
      clientHost: `/${context.connection.clientHost}`,
      owned: request.topicPartitions === null ? null : assignmentOf(request.topicPartitions),
    }
    const answer = await brokerOf(context).groups.ask<HeartbeatAnswer>(
      request.groupId,
      error => refuseHeartbeat(error),
      (shard, ticket, nowMs) =>
        shard.consumerHeartbeat(
          heartbeat,
          topic => context.authorize('Describe', 'Topic', topic, 'filter'),
          ticket,
          nowMs,
        ),
    )
    return toResponse(answer)
  },
})
