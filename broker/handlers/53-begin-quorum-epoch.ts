/**
 * BeginQuorumEpoch: v0-1. The leader of an epoch makes itself known to a voter that does not fetch from it yet.
 *
 * Versions: v1 voter key and leader endpoints (KIP-853); with static voters the endpoints are those of controller.quorum.voters.
 * Errors: INCONSISTENT_CLUSTER_ID, INVALID_REQUEST, BROKER_NOT_AVAILABLE for the whole; FENCED_LEADER_EPOCH, INVALID_REQUEST,
 * INVALID_VOTER_KEY, INCONSISTENT_VOTER_SET (the leader is no voter) for the partition.
 */
import { errorCode } from '../protocol/errors.ts'
import type { BeginQuorumEpochRequest } from '../protocol/messages/53-begin-quorum-epoch.ts'
import { answerElectionRequest } from '../raft/election-handler.ts'
import { beginQuorumEpochFromWire } from '../raft/quorum-wire.ts'
import { handler, requestRight } from './handler.ts'

export const beginQuorumEpoch = handler<BeginQuorumEpochRequest, object>({
  apiKey: 53,
  versions: [0, 1],
  listeners: ['controller'],
  authorization: [requestRight('ClusterAction')],
  fail: (_request, error) => ({ errorCode: errorCode(error), topics: [] }),
  handle: (request, context) => answerElectionRequest(beginQuorumEpochFromWire(request), context),
})
