/**
 * ElectLeaders: v0-2. Gives partitions back to their preferred leaders, or (unclean) any live leader, losing records.
 *
 * Behavior: forwarded to the active controller (KIP-590). With topicPartitions null, all partitions that need an election.
 * Versions: v1 unclean elections (KIP-460); v2 flexible.
 * Errors: ELECTION_NOT_NEEDED, PREFERRED_LEADER_NOT_AVAILABLE, ELIGIBLE_LEADERS_NOT_AVAILABLE, UNKNOWN_TOPIC_OR_PARTITION, INVALID_REQUEST,
 * NOT_CONTROLLER, REQUEST_TIMED_OUT.
 */
import { electLeaders as operation } from '../controller/change-topics.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { ElectLeadersRequest, electLeadersResponse } from '../protocol/messages/43-elect-leaders.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof electLeadersResponse>

/** v0 has no error of the whole: each partition gets it. */
function refused(request: ElectLeadersRequest, apiVersion: number, error: ErrorName, errorMessage: string): Response {
  const code = errorCode(error)
  const replicaElectionResults = (request.topicPartitions ?? []).map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map(partitionId => ({ partitionId, errorCode: code, errorMessage })),
  }))
  return apiVersion === 0 ? { replicaElectionResults } : { errorCode: code, replicaElectionResults }
}

export const electLeaders = handler<ElectLeadersRequest, Response>({
  apiKey: 43,
  versions: [0, 2],
  listeners: ['broker', 'controller'],
  authorization: [requestRight('Alter')],
  forwardToController: true,
  fail: (request, error, message, { apiVersion }) => refused(request, apiVersion, error, message),
  handle: (request, context) =>
    submit(context, operation, request, {
      timeoutMs: request.timeoutMs,
      reply: (reply): Response => reply,
      refused: (error, message) => refused(request, context.apiVersion, error, message),
    }),
})
