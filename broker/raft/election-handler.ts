/** What the handlers of Vote, BeginQuorumEpoch and EndQuorumEpoch have in common: they differ only in their request. */
import type { RequestContext } from '../handlers/handler.ts'
import { errorCode } from '../protocol/errors.ts'
import type { voteResponse } from '../protocol/messages/52-vote.ts'
import type { Input } from '../protocol/schema.ts'
import type { QuorumRequest } from './quorum-messages.ts'
import { electionResponseToWire } from './quorum-wire.ts'

/** `asked` is undefined when the request is about another partition than ours, which is a malformed request. */
export async function answerElectionRequest(
  asked: QuorumRequest | undefined,
  context: RequestContext,
): Promise<Input<typeof voteResponse>> {
  const { quorum } = context.services
  if (asked === undefined) return { errorCode: errorCode('INVALID_REQUEST'), topics: [] }
  if (!quorum.isRunning) return { errorCode: errorCode('BROKER_NOT_AVAILABLE'), topics: [] }
  const { response } = await quorum.answer(asked)
  const addressOf = (nodeId: number) => quorum.addressOf(nodeId)
  return electionResponseToWire(response, { apiVersion: context.apiVersion, addressOf })
}
