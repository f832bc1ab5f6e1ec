/**
 * SyncGroup: v0-5. The leader of a classic group brings the assignment, every member takes its part of it.
 *
 * Versions: v3 group instance id (KIP-345); v4 flexible; v5 protocol type and name (KIP-559).
 * Errors: COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, INVALID_GROUP_ID, UNKNOWN_MEMBER_ID,
 * ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS, INCONSISTENT_GROUP_PROTOCOL, FENCED_INSTANCE_ID.
 */
import { refuseSync } from '../coordinator/groups/classic-requests.ts'
import type { SyncAnswer } from '../coordinator/groups/classic-member.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { SyncGroupRequest, syncGroupResponse } from '../protocol/messages/14-sync-group.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof syncGroupResponse>

const firstVersionWithProtocol = 5

function toResponse({ error, protocolType, protocolName, assignment }: SyncAnswer): Response {
  return { errorCode: errorCode(error), protocolType, protocolName, assignment }
}

/** The member must not see the new assignment before the coordinator is loaded; it syncs again after a rejoin. */
const orRebalance = (error: ErrorName): ErrorName =>
  error === 'COORDINATOR_LOAD_IN_PROGRESS' ? 'REBALANCE_IN_PROGRESS' : error

export const syncGroup = handler<SyncGroupRequest, Response>({
  apiKey: 14,
  versions: [0, 5],
  listeners: ['broker'],
  authorization: [requestRight('Read', 'Group', ({ groupId }) => groupId)],
  fail: (_request, error) => toResponse(refuseSync(error)),
  handle: async (request, context) => {
    if (
      context.apiVersion >= firstVersionWithProtocol &&
      (request.protocolType === null || request.protocolName === null)
    )
      return toResponse(refuseSync('INCONSISTENT_GROUP_PROTOCOL'))
    const sync = {
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      generationId: request.generationId,
      protocolType: request.protocolType,
      protocolName: request.protocolName,
      // Copied: the group keeps them, and a view would keep the whole frame.
      assignments: new Map(request.assignments.map(each => [each.memberId, Buffer.from(each.assignment)])),
    }
    const answer = await brokerOf(context).groups.ask<SyncAnswer>(
      request.groupId,
      error => refuseSync(orRebalance(error)),
      (shard, ticket, nowMs) => shard.sync(request.groupId, sync, ticket, nowMs),
    )
    return toResponse(answer)
  },
})
