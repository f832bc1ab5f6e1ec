/**
 * StreamsGroupDescribe: v0. State, topology and members of streams groups, with the tasks each has and is to have (KIP-1071).
 *
 * Behavior:
 * - A group that reads a topic which the asker may not see is not shown: TOPIC_AUTHORIZATION_FAILED.
 * Errors: GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE,
 * COORDINATOR_LOAD_IN_PROGRESS, INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, UNSUPPORTED_VERSION.
 */
import { noGroup } from '../coordinator/groups/group-not-found.ts'
import type { StreamsGroup } from '../coordinator/groups/streams/streams-group.ts'
import type { StreamsMember } from '../coordinator/groups/streams/streams-member.ts'
import { tasksOf } from '../coordinator/groups/streams/tasks.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  StreamsGroupDescribeRequest,
  streamsGroupDescribeResponse,
} from '../protocol/messages/89-streams-group-describe.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right, type RequestContext } from './handler.ts'

type Response = Input<typeof streamsGroupDescribeResponse>
type Described = Response['groups'][number]

function refuse(groupId: string, error: ErrorName, message: string | null = null): Described {
  return {
    errorCode: errorCode(error),
    errorMessage: message,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    topology: null,
    members: [],
  }
}

function tasksIn(assignment: ReadonlyMap<string, Iterable<number>>) {
  const { active, standby, warmup } = tasksOf(assignment)
  return { activeTasks: active, standbyTasks: standby, warmupTasks: warmup }
}

function describeMember(group: StreamsGroup, member: StreamsMember): Described['members'][number] {
  const { memberId, memberEpoch, instanceId, rackId, clientId, clientHost, topologyEpoch, processId } = member
  return {
    memberId,
    memberEpoch,
    instanceId,
    rackId,
    clientId,
    clientHost,
    topologyEpoch,
    processId,
    userEndpoint: member.userEndpoint,
    clientTags: member.clientTags.map(({ key, value }) => ({ key, value })),
    taskOffsets: [],
    taskEndOffsets: [],
    assignment: tasksIn(new Map([...member.assigned].map(([key, partitions]) => [key, partitions.keys()]))),
    targetAssignment: tasksIn(group.targetOf(memberId)),
    isClassic: false,
  }
}

function describe(group: StreamsGroup): Described {
  const { topology } = group
  return {
    errorCode: 0,
    groupId: group.groupId,
    groupState: group.state,
    groupEpoch: group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch,
    topology:
      topology === undefined
        ? null
        : {
            epoch: topology.epoch,
            subtopologies: topology.subtopologies.map(each => ({
              subtopologyId: each.subtopologyId,
              sourceTopics: each.sourceTopics,
              repartitionSinkTopics: each.repartitionSinkTopics,
              stateChangelogTopics: each.stateChangelogTopics,
              repartitionSourceTopics: each.repartitionSourceTopics,
            })),
          },
    members: [...group.members.values()].map(member => describeMember(group, member)),
  }
}

function describeOne(groupId: string, context: RequestContext): Described {
  if (!context.authorize('Describe', 'Group', groupId)) return refuse(groupId, 'GROUP_AUTHORIZATION_FAILED')
  return brokerOf(context).groups.read<Described>(
    groupId,
    error => refuse(groupId, error),
    shard => {
      const group = shard.streamsGroup(groupId)
      if (group === undefined)
        return refuse(groupId, 'GROUP_ID_NOT_FOUND', noGroup('streams', groupId, shard.has(groupId)))
      const isHidden = [...group.subscribedTopicNames()].some(name => !context.authorize('Describe', 'Topic', name))
      if (isHidden)
        return refuse(
          groupId,
          'TOPIC_AUTHORIZATION_FAILED',
          'The described group uses topics that the client is not authorized to describe.',
        )
      return describe(group)
    },
  )
}

export const streamsGroupDescribe = handler<StreamsGroupDescribeRequest, Response>({
  apiKey: 89,
  versions: [0, 0],
  listeners: ['broker'],
  authorization: [right('Describe', 'Group'), right('Describe', 'Topic')],
  fail: (request, error) => ({ groups: request.groupIds.map(groupId => refuse(groupId, error)) }),
  handle: (request, context) => {
    if (!brokerOf(context).groups.offers('streams'))
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
