/**
 * UpdateRaftVoter: v0. A voter tells the leader its endpoints and the kraft.version levels it supports; Apache Kafka's voters do so every
 * fetch timeout.
 *
 * Behavior:
 * - With static voters (kraft.version 0) nothing follows from it: endpoints are those of controller.quorum.voters, and nothing is written.
 * Errors: INCONSISTENT_CLUSTER_ID, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER, VOTER_NOT_FOUND.
 * Not implemented: kraft.version 1, in which the change would go into the log.
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { UpdateRaftVoterRequest, updateRaftVoterResponse } from '../protocol/messages/82-update-raft-voter.ts'
import type { Input } from '../protocol/schema.ts'
import { handler, requestRight, type RequestContext } from './handler.ts'

type UpdateRaftVoterResponseInput = Input<typeof updateRaftVoterResponse>

export const updateRaftVoter = handler<UpdateRaftVoterRequest, UpdateRaftVoterResponseInput>({
  apiKey: 82,
  versions: [0, 0],
  listeners: ['controller'],
  authorization: [requestRight('ClusterAction')],
  fail: (_request, error, _message, context) => answer(error, context),
  handle: (request, context) => answer(judge(request, context), context),
})

function judge(request: UpdateRaftVoterRequest, { services }: RequestContext): ErrorName {
  const { quorum, clusterId, nodeId } = services
  if (request.clusterId !== null && request.clusterId !== clusterId) return 'INCONSISTENT_CLUSTER_ID'
  if (request.currentLeaderEpoch < quorum.leader.epoch) return 'FENCED_LEADER_EPOCH'
  if (request.currentLeaderEpoch > quorum.leader.epoch) return 'UNKNOWN_LEADER_EPOCH'
  if (quorum.leader.leaderId !== nodeId) return 'NOT_LEADER_OR_FOLLOWER'
  return quorum.voterIds.includes(request.voterId) ? 'NONE' : 'VOTER_NOT_FOUND'
}

function answer(error: ErrorName, { services }: RequestContext): UpdateRaftVoterResponseInput {
  const { leaderId, epoch } = services.quorum.leader
  const address = services.quorum.leaderAddress()
  if (leaderId === undefined || address === undefined) return { errorCode: errorCode(error) }
  return { errorCode: errorCode(error), currentLeader: { leaderId, leaderEpoch: epoch, ...address } }
}
