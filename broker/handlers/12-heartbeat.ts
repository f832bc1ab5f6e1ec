/**
 * Heartbeat: v0-4. Keeps a classic group member alive and tells it to join again when the group rebalances.
 *
 * Versions: v3 group instance id (KIP-345); v4 flexible.
 * Errors: COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, INVALID_GROUP_ID, UNKNOWN_MEMBER_ID,
 * ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID.
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { HeartbeatRequest, heartbeatResponse } from '../protocol/messages/12-heartbeat.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight } from './handler.ts'

export const heartbeat = handler<HeartbeatRequest, Input<typeof heartbeatResponse>>({
  apiKey: 12,
  versions: [0, 4],
  listeners: ['broker'],
  authorization: [requestRight('Read', 'Group', ({ groupId }) => groupId)],
  fail: (_request, error) => ({ errorCode: errorCode(error) }),
  handle: (request, context) => {
    const error = brokerOf(context).groups.read<ErrorName>(
      request.groupId,
      // A coordinator that still loads counts as heard: the member must not leave for that.
      refusal => (refusal === 'COORDINATOR_LOAD_IN_PROGRESS' ? 'NONE' : refusal),
      (shard, nowMs) => shard.heartbeat(request.groupId, request, request.generationId, nowMs),
    )
    return { errorCode: errorCode(error) }
  },
})
