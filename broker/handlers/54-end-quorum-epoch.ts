/**
 * EndQuorumEpoch: v0-1. The leader resigns and names the voters that should stand for election, the furthest first.
 *
 * Versions: v0 preferred successors by id; v1 by voter key, leader endpoints (KIP-853).
 * Errors: INCONSISTENT_CLUSTER_ID, INVALID_REQUEST, BROKER_NOT_AVAILABLE for the whole; FENCED_LEADER_EPOCH, INVALID_REQUEST,
 * INCONSISTENT_VOTER_SET (the leader is no voter) for the partition.
 */
import { errorCode } from '../protocol/errors.ts'
import type { EndQuorumEpochRequest } from '../protocol/messages/54-end-quorum-epoch.ts'
import { answerElectionRequest } from '../raft/election-handler.ts'
import { endQuorumEpochFromWire } from '../raft/quorum-wire.ts'
import { handler, requestRight } from './handler.ts'

export const endQuorumEpoch = handler<EndQuorumEpochRequest, object>({
  apiKey: 54,
  versions: [0, 1],
  listeners: ['controller'],
  authorization: [requestRight('ClusterAction')],
  fail: (_request, error) => ({ errorCode: errorCode(error), topics: [] }),
  handle: (request, context) => answerElectionRequest(endQuorumEpochFromWire(request), context),
})
