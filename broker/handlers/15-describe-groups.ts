/**
 * DescribeGroups: v0-6. State and members of classic groups.
 *
 * Behavior:
 * - A group that does not exist is answered as Dead, from v6 on with GROUP_ID_NOT_FOUND (KIP-1043).
 * - Subscriptions and assignments are shown once the group has settled on a protocol.
 * Versions: v3 authorized operations; v4 group instance id; v5 flexible; v6 error message.
 * Errors: COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, INVALID_GROUP_ID, GROUP_ID_NOT_FOUND.
 */
import type { ClassicGroup } from '../coordinator/groups/classic-group.ts'
import { metadataFor } from '../coordinator/groups/classic-member.ts'
import { noGroup } from '../coordinator/groups/group-not-found.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { DescribeGroupsRequest, describeGroupsResponse } from '../protocol/messages/15-describe-groups.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right } from './handler.ts'

type Response = Input<typeof describeGroupsResponse>
type Described = Response['groups'][number]

const firstVersionWithNotFound = 6
const noBytes = Buffer.alloc(0)

function refuse(groupId: string, error: ErrorName, state = ''): Described {
  return { errorCode: errorCode(error), groupId, groupState: state, protocolType: '', protocolData: '', members: [] }
}

function describe(group: ClassicGroup): Described {
  const { protocolName } = group
  const settled = group.state === 'Stable' && protocolName !== null
  return {
    errorCode: 0,
    groupId: group.groupId,
    groupState: group.state,
    protocolType: group.protocolType ?? '',
    protocolData: settled ? protocolName : '',
    members: [...group.members.values()].map(member => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: settled ? metadataFor(member, protocolName) : noBytes,
      memberAssignment: settled ? member.assignment : noBytes,
    })),
  }
}

export const describeGroups = handler<DescribeGroupsRequest, Response>({
  apiKey: 15,
  versions: [0, 6],
  listeners: ['broker'],
  authorization: [right('Describe', 'Group')],
  fail: (request, error) => ({ groups: request.groups.map(groupId => refuse(groupId, error)) }),
  handle: (request, context) => {
    const notFound = context.apiVersion >= firstVersionWithNotFound ? 'GROUP_ID_NOT_FOUND' : 'NONE'
    const { groups } = brokerOf(context)
    return {
      groups: request.groups.map(groupId => {
        if (!context.authorize('Describe', 'Group', groupId)) return refuse(groupId, 'GROUP_AUTHORIZATION_FAILED')
        const described = groups.read<Described>(
          groupId,
          error => refuse(groupId, error),
          shard => {
            const group = shard.group(groupId)
            if (group === undefined || group.state === 'Dead')
              return {
                ...refuse(groupId, notFound, 'Dead'),
                ...(notFound === 'NONE'
                  ? {}
                  : { errorMessage: noGroup('classic', groupId, group === undefined && shard.has(groupId)) }),
              }
            return describe(group)
          },
        )
        return request.includeAuthorizedOperations && described.errorCode === 0
          ? { ...described, authorizedOperations: context.authorizedOperations('Group', groupId) }
          : described
      }),
    }
  },
})
