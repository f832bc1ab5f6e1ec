/**
 * JoinGroup: v0-9. A member enters a classic group, or a rebalance of it, and is answered when the rebalance has its members.
 *
 * Behavior:
 * - The reason that a client gives is logged.
 * Versions: v1 rebalance timeout (KIP-62); v4 a member is told its id first (KIP-394); v5 group instance id (KIP-345); v6 flexible; v7 the
 * protocol type in the answer (KIP-559); v8 reason (KIP-800); v9 skipAssignment (KIP-814).
 * Errors: COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT,
 * INCONSISTENT_GROUP_PROTOCOL, UNKNOWN_MEMBER_ID, MEMBER_ID_REQUIRED, FENCED_INSTANCE_ID, GROUP_MAX_SIZE_REACHED, REBALANCE_IN_PROGRESS.
 */
import type { Random } from '../environment/environment.ts'
import { refuseJoin } from '../coordinator/groups/classic-requests.ts'
import type { JoinAnswer } from '../coordinator/groups/classic-member.ts'
import { errorCode } from '../protocol/errors.ts'
import type { JoinGroupRequest, joinGroupResponse } from '../protocol/messages/11-join-group.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { shownReason } from './group-reasons.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof joinGroupResponse>

const firstVersionWithRebalanceTimeout = 1
const firstVersionWithRequiredId = 4
const firstVersionWithNullProtocol = 7
const firstVersionWithSkipAssignment = 9

function toResponse(answer: JoinAnswer, apiVersion: number): Response {
  return {
    errorCode: errorCode(answer.error),
    generationId: answer.generationId,
    protocolType: answer.protocolType,
    protocolName: answer.protocolName ?? (apiVersion >= firstVersionWithNullProtocol ? null : ''),
    leader: answer.leader,
    ...(apiVersion >= firstVersionWithSkipAssignment ? { skipAssignment: answer.skipAssignment } : {}),
    memberId: answer.memberId,
    members: answer.members.map(({ groupInstanceId, ...member }) =>
      apiVersion >= 5 ? { ...member, groupInstanceId } : member,
    ),
  }
}

/** A client id may be as long as a string can be, and the id made of it has to fit into one: three bytes a character at most. */
const nameCharactersMax = 10_000

/** As Kafka names members: client or instance id, a dash, a random UUID. */
function newMemberId(name: string, random: Random): string {
  const hex = random.bytes(16).toString('hex')
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
  return `${name.slice(0, nameCharactersMax)}-${uuid}`
}

export const joinGroup = handler<JoinGroupRequest, Response>({
  apiKey: 11,
  versions: [0, 9],
  listeners: ['broker'],
  authorization: [requestRight('Read', 'Group', ({ groupId }) => groupId)],
  fail: (request, error, _message, { apiVersion }) => toResponse(refuseJoin(error, request.memberId), apiVersion),
  handle: async (request, context) => {
    const { apiVersion, clientId, connection, environment } = context
    // Copied: the group keeps the metadata, and a view would keep the whole frame.
    const protocols = request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) }))
    const join = {
      memberId: request.memberId,
      groupInstanceId: request.groupInstanceId,
      clientId: clientId ?? '',
      clientHost: `/${connection.clientHost}`,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs:
        apiVersion >= firstVersionWithRebalanceTimeout ? request.rebalanceTimeoutMs : request.sessionTimeoutMs,
      protocolType: request.protocolType,
      protocols,
      memberIdRequired: apiVersion >= firstVersionWithRequiredId,
      skipAssignmentSupported: apiVersion >= firstVersionWithSkipAssignment,
      newMemberId: newMemberId(request.groupInstanceId ?? clientId ?? '', environment.random),
    }
    if (request.reason !== null)
      environment.log.info('a member joins a classic group', {
        groupId: request.groupId,
        memberId: request.memberId === '' ? join.newMemberId : request.memberId,
        reason: shownReason(request.reason),
      })
    const answer = await brokerOf(context).groups.ask<JoinAnswer>(
      request.groupId,
      error => refuseJoin(error, request.memberId),
      (shard, ticket, nowMs) => shard.join(request.groupId, join, ticket, nowMs),
    )
    return toResponse(answer, apiVersion)
  },
})
