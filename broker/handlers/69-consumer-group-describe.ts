/**
 * ConsumerGroupDescribe: v0-1. State, epochs and members of consumer groups, with what each has and is to have (KIP-848).
 *
 * Behavior:
 * - A group with a member that subscribes to a topic which the asker may not see is not shown: TOPIC_AUTHORIZATION_FAILED.
 * Versions: v1 member type.
 * Errors: GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE,
 * COORDINATOR_LOAD_IN_PROGRESS, INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, UNSUPPORTED_VERSION.
 */
import type { MetadataImage } from '../controller/image.ts'
import { noGroup } from '../coordinator/groups/group-not-found.ts'
import { topicPartitionsOf, type Assignment } from '../coordinator/groups/modern/assignment.ts'
import type { ConsumerGroup } from '../coordinator/groups/modern/consumer-group.ts'
import { withoutEpochs, type ConsumerMember } from '../coordinator/groups/modern/consumer-member.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  ConsumerGroupDescribeRequest,
  consumerGroupDescribeResponse,
} from '../protocol/messages/69-consumer-group-describe.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof consumerGroupDescribeResponse>
type Described = Response['groups'][number]

const memberTypes = { classic: 0, consumer: 1 } as const
const nothing = { topicPartitions: [] }

function refuse(groupId: string, error: ErrorName, message: string | null = null): Described {
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

/** Topics that are gone are left out. */
function named(assignment: Assignment, image: MetadataImage) {
  return {
    topicPartitions: topicPartitionsOf(assignment).flatMap(({ topicId, partitions }) => {
      const topicName = image.topicsById.get(topicId)?.name
      return topicName === undefined ? [] : [{ topicId, topicName, partitions }]
    }),
  }
}

function describeMember(
  group: ConsumerGroup,
  member: ConsumerMember,
  image: MetadataImage,
): Described['members'][number] {
  const { memberId, instanceId, rackId, memberEpoch, clientId, clientHost, subscribedTopicRegex, classic } = member
  const held = new Map([...withoutEpochs(member.assigned)].map(([topicId, has]) => [topicId, new Set(has)]))
  for (const [topicId, has] of member.revoking)
    held.set(topicId, new Set([...(held.get(topicId) ?? []), ...has.keys()]))
  return {
    memberId,
    instanceId,
    rackId,
    memberEpoch,
    clientId,
    clientHost,
    subscribedTopicRegex,
    subscribedTopicNames: [...member.subscribedTopicNames].sort(),
    assignment: held.size === 0 ? nothing : named(held, image),
    targetAssignment: named(group.targetOf(memberId), image),
    memberType: classic === null ? memberTypes.consumer : memberTypes.classic,
  }
}

function describe(group: ConsumerGroup, defaultAssignor: string, image: MetadataImage): Described {
  return {
    errorCode: 0,
    groupId: group.groupId,
    groupState: group.state,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: group.preferredAssignor() ?? defaultAssignor,
    members: [...group.members.values()].map(member => describeMember(group, member, image)),
  }
}

function describeOne(groupId: string, context: RequestContext): Described {
  const { groups } = brokerOf(context)
  const image = context.services.metadata()
  if (!context.authorize('Describe', 'Group', groupId)) return refuse(groupId, 'GROUP_AUTHORIZATION_FAILED')
  return groups.read<Described>(
    groupId,
    error => refuse(groupId, error),
    shard => {
      const group = shard.consumerGroup(groupId)
      if (group === undefined)
        return refuse(groupId, 'GROUP_ID_NOT_FOUND', noGroup('consumer', groupId, shard.has(groupId)))
      const hidden = [...group.subscribedTopicNames()].some(name => !context.authorize('Describe', 'Topic', name))
      if (hidden)
        return refuse(
          groupId,
          'TOPIC_AUTHORIZATION_FAILED',
          'The group has described topic(s) that the client is not authorized to describe.',
        )
      return describe(group, groups.assignorNames()[0] ?? '', image)
    },
  )
}

export const consumerGroupDescribe = handler<ConsumerGroupDescribeRequest, Response>({
  apiKey: 69,
  versions: [0, 1],
  listeners: ['broker'],
  authorization: [right('Describe', 'Group'), right('Describe', 'Topic')],
  fail: (request, error) => ({ groups: request.groupIds.map(groupId => refuse(groupId, error)) }),
  handle: (request, context) => {
    if (!brokerOf(context).groups.offers('consumer'))
      return { groups: request.groupIds.map(groupId => refuse(groupId, 'UNSUPPORTED_VERSION')) }
    return {
      groups: request.groupIds.map(groupId => {
        const described = describeOne(groupId, context)
        return request.includeAuthorizedOperations && described.errorCode === 0
          ? { ...described, authorizedOperations: context.authorizedOperations('Group', groupId) }
          : described
      }),
    }
  },
})
