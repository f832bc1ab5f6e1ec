/**
 * LeaveGroup: v0-5. Members leave a classic group at once instead of by session timeout.
 *
 * Behavior:
 * - The reason that a client gives is logged.
 * Versions: v3 several members, static ones by instance id (KIP-345); v4 flexible; v5 reason (KIP-800).
 * Errors: COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, INVALID_GROUP_ID, UNKNOWN_MEMBER_ID,
 * FENCED_INSTANCE_ID.
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { LeaveGroupRequest, leaveGroupResponse } from '../protocol/messages/13-leave-group.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { shownReason } from './group-reasons.ts'
import { handler, requestRight, type RequestContext } from './handler.ts'

const firstVersionWithMembers = 3

function logReasons(
  { groupId, members }: LeaveGroupRequest,
  outcome: readonly ErrorName[],
  { environment }: RequestContext,
): void {
  for (const [index, { memberId, groupInstanceId, reason }] of members.entries())
    if (reason !== null && outcome[index] === 'NONE')
      environment.log.info('a member left a group', {
        groupId,
        memberId,
        ...(groupInstanceId === null ? {} : { groupInstanceId }),
        reason: shownReason(reason),
      })
}

export const leaveGroup = handler<LeaveGroupRequest, Input<typeof leaveGroupResponse>>({
  apiKey: 13,
  versions: [0, 5],
  listeners: ['broker'],
  authorization: [requestRight('Read', 'Group', ({ groupId }) => groupId)],
  fail: (_request, error) => ({ errorCode: errorCode(error), members: [] }),
  handle: (request, context) => {
    const several = context.apiVersion >= firstVersionWithMembers
    const leaving = several ? request.members : [{ memberId: request.memberId, groupInstanceId: null }]
    const outcome = brokerOf(context).groups.read<ErrorName | readonly ErrorName[]>(
      request.groupId,
      error => error,
      (shard, nowMs) => shard.leave(request.groupId, leaving, nowMs),
    )
    if (typeof outcome === 'string') return { errorCode: errorCode(outcome), members: [] }
    if (several) logReasons(request, outcome, context)
    if (!several) return { errorCode: errorCode(outcome[0] ?? 'NONE'), members: [] }
    return {
      errorCode: 0,
      members: leaving.map(({ memberId, groupInstanceId }, index) => ({
        memberId,
        groupInstanceId,
        errorCode: errorCode(outcome[index] ?? 'NONE'),
      })),
    }
  },
})
