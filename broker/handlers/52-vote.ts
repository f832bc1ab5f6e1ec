/**
 * Vote: v0-2. A voter asks for this node's vote in a new epoch, or (v2) whether it would get it.
 *
 * Behavior:
 * - The vote is on disk before the reply leaves.
 * Versions: v1 voter key and leader endpoint (KIP-853); v2 pre-vote (KIP-996).
 * Errors: INCONSISTENT_CLUSTER_ID, INVALID_REQUEST, BROKER_NOT_AVAILABLE for the whole; FENCED_LEADER_EPOCH, INVALID_REQUEST,
 * INVALID_VOTER_KEY for the partition.
 */
import { errorCode } from '../protocol/errors.ts'
import type { VoteRequest } from '../protocol/messages/52-vote.ts'
import { answerElectionRequest } from '../raft/election-handler.ts'
import { voteFromWire } from '../raft/quorum-wire.ts'
import { handler, requestRight } from './handler.ts'

export const vote = handler<VoteRequest, object>({
  apiKey: 52,
  versions: [0, 2],
  listeners: ['controller'],
  authorization: [requestRight('ClusterAction')],
  fail: (_request, error) => ({ errorCode: errorCode(error), topics: [] }),
  handle: (request, context) => answerElectionRequest(voteFromWire(request), context),
})
