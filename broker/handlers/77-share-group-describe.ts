/**
 * ShareGroupDescribe: v1. State, epochs and members of share groups.
 *
 * Errors: UNSUPPORTED_VERSION (share.version 0), GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED, INVALID_GROUP_ID,
 *   GROUP_ID_NOT_FOUND, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS.
 * Source: KIP-932.
 */
import { noGroup } from '../coordinator/groups/group-not-found.ts'
import type { ShareGroupView } from '../coordinator/groups/share/share-groups.ts'
import { topicPartitionsOf } from '../coordinator/groups/modern/assignment.ts'
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'
import type {
  ShareGroupDescribeRequest,
  shareGroupDescribeResponse,
} from '../protocol/messages/77-share-group-describe.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof shareGroupDescribeResponse>
type DescribedGroup = Response['groups'][number]

const assignorName = 'simple'

function refused(groupId: string, error: ErrorName, message = errorMessage(error)): DescribedGroup {
  return {
    errorCode: errorCode(error),
    errorMessage: message,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
  }
}

function described(group: ShareGroupView, context: RequestContext): DescribedGroup {
  const image = context.services.metadata()
  return {
    errorCode: 0,
    errorMessage: null,
    groupId: group.groupId,
    groupState: group.state,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName,
    members: group.members.map(({ memberId, rackId, memberEpoch, clientId, clientHost, ...member }) => ({
      memberId,
      rackId,
      memberEpoch,
      clientId,
      clientHost,
      subscribedTopicNames: [...member.subscribedTopicNames],
      assignment: {
        topicPartitions: topicPartitionsOf(member.assigned).flatMap(({ topicId, partitions }) => {
          const topicName = image.topicsById.get(topicId)?.name
          return topicName === undefined ? [] : [{ topicId, topicName, partitions }]
        }),
      },
    })),
  }
}

function describe(groupId: string, context: RequestContext): DescribedGroup {
  if (!context.authorize('Describe', 'Group', groupId)) return refused(groupId, 'GROUP_AUTHORIZATION_FAILED')
  const found = brokerOf(context).groups.read<ShareGroupView | DescribedGroup>(
    groupId,
    error => refused(groupId, error),
    shard =>
      shard.shares.view(groupId) ??
      refused(groupId, 'GROUP_ID_NOT_FOUND', noGroup('share', groupId, shard.has(groupId))),
  )
  if ('errorCode' in found) return found
  const topics = new Set(found.members.flatMap(member => member.subscribedTopicNames))
  return [...topics].every(topic => context.authorize('Describe', 'Topic', topic))
    ? described(found, context)
    : refused(groupId, 'TOPIC_AUTHORIZATION_FAILED')
}

export const shareGroupDescribe = handler<ShareGroupDescribeRequest, Response>({
  apiKey: 77,
  versions: [1, 1],
  listeners: ['broker'],
  authorization: [right('Describe', 'Group'), right('Describe', 'Topic')],
  fail: (request, error) => ({ groups: request.groupIds.map(groupId => refused(groupId, error)) }),
  handle: (request, context) => {
    if (!brokerOf(context).shares.isEnabled)
      return { groups: request.groupIds.map(groupId => refused(groupId, 'UNSUPPORTED_VERSION')) }
    return {
      groups: request.groupIds.map(groupId => {
        const group = describe(groupId, context)
        return request.includeAuthorizedOperations && group.errorCode === 0
          ? { ...group, authorizedOperations: context.authorizedOperations('Group', groupId) }
          : group
      }),
    }
  },
})
