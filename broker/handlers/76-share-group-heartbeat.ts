/**
 * ShareGroupHeartbeat: v1. Joins a share group (epoch 0), stays in it, leaves it (epoch -1); brings the assignment.
 *
 * Errors: UNSUPPORTED_VERSION (share.version 0), INVALID_REQUEST, GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED, GROUP_ID_NOT_FOUND,
 *   UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH, GROUP_MAX_SIZE_REACHED, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS.
 * Source: KIP-932.
 */
import { topicPartitionsOf } from '../coordinator/groups/modern/assignment.ts'
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'
import type {
  ShareGroupHeartbeatRequest,
  shareGroupHeartbeatResponse,
} from '../protocol/messages/76-share-group-heartbeat.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight, right } from './handler.ts'

type Response = Input<typeof shareGroupHeartbeatResponse>

const leftEpoch = -1

function refuse(error: ErrorName, message = errorMessage(error)): Response {
  return { errorCode: errorCode(error), errorMessage: message, memberId: null, memberEpoch: 0, heartbeatIntervalMs: 0 }
}

function invalid({
  groupId,
  memberId,
  memberEpoch,
  rackId,
  subscribedTopicNames,
}: ShareGroupHeartbeatRequest): string | undefined {
  if (memberId.trim() === '') return 'The member id is empty.'
  if (groupId.trim() === '') return 'The group id is empty.'
  if (rackId?.trim() === '') return 'The rack id is empty.'
  if (memberEpoch < leftEpoch) return `There is no member epoch ${memberEpoch}.`
  const names = subscribedTopicNames ?? []
  return memberEpoch === 0 && names.length === 0 ? 'A member that joins must subscribe to topics.' : undefined
}

export const shareGroupHeartbeat = handler<ShareGroupHeartbeatRequest, Response>({
  apiKey: 76,
  versions: [1, 1],
  listeners: ['broker'],
  authorization: [
    requestRight('Read', 'Group', (request: ShareGroupHeartbeatRequest) => request.groupId),
    right('Describe', 'Topic'),
  ],
  fail: (_request, error, message) => refuse(error, message),
  handle: async (request, context) => {
    const { shares, shareGroups } = brokerOf(context)
    if (!shares.isEnabled) return refuse('UNSUPPORTED_VERSION')
    const wrong = invalid(request)
    if (wrong !== undefined) return refuse('INVALID_REQUEST', wrong)
    const { subscribedTopicNames } = request
    if (subscribedTopicNames?.some(name => !context.authorize('Describe', 'Topic', name)) === true)
      return refuse('TOPIC_AUTHORIZATION_FAILED')
    const { groupId, memberId, memberEpoch, rackId } = request
    const answer = await shareGroups.heartbeat({
      groupId,
      memberId,
      memberEpoch,
      rackId,
      subscribedTopicNames,
      clientId: context.clientId ?? '',
      clientHost: `/${context.connection.clientHost}`,
    })
    if (answer.error !== 'NONE') return refuse(answer.error, answer.message ?? errorMessage(answer.error))
    const { assignment } = answer
    return {
      errorCode: 0,
      errorMessage: null,
      memberId: answer.memberId,
      memberEpoch: answer.memberEpoch,
      heartbeatIntervalMs: answer.heartbeatIntervalMs,
      assignment: assignment === undefined ? null : { topicPartitions: topicPartitionsOf(assignment) },
    }
  },
})
