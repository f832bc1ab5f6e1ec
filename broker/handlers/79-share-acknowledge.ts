/**
 * ShareAcknowledge: v1-2. A member of a share group says what became of records it acquired, without fetching more.
 *
 * Behavior:
 * - Belongs to a share session and is counted in its epochs; the final epoch (-1) closes it and releases what it still holds.
 * - All acknowledgements of a partition count or none; answered when they are written to the share coordinator.
 * Versions: v2 renewal of locks (KIP-1222), lock timeout in the response.
 * Errors: UNSUPPORTED_VERSION (share.version 0), INVALID_REQUEST, GROUP_AUTHORIZATION_FAILED, SHARE_SESSION_NOT_FOUND,
 *   INVALID_SHARE_SESSION_EPOCH; per partition UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED,
 *   NOT_LEADER_OR_FOLLOWER, INVALID_RECORD_STATE, INVALID_REQUEST, COORDINATOR_NOT_AVAILABLE.
 * Source: KIP-932.
 */
import { finalSessionEpoch, firstSessionEpoch } from '../coordinator/share-partitions/share-sessions.ts'
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'
import type { ShareAcknowledgeRequest, shareAcknowledgeResponse } from '../protocol/messages/79-share-acknowledge.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight, right, type RequestContext } from './handler.ts'
import { LeaderHints } from './leader-hints.ts'
import { acknowledgeAll, idRefusal, type Acknowledged } from './share-acknowledgements.ts'

type Response = Input<typeof shareAcknowledgeResponse>

function refuse(error: ErrorName, message = errorMessage(error)): Response {
  return {
    errorCode: errorCode(error),
    errorMessage: message,
    acquisitionLockTimeoutMs: 0,
    responses: [],
    nodeEndpoints: [],
  }
}

export const shareAcknowledge = handler<ShareAcknowledgeRequest, Response>({
  apiKey: 79,
  versions: [1, 2],
  listeners: ['broker'],
  authorization: [
    requestRight('Read', 'Group', (request: ShareAcknowledgeRequest) => request.groupId ?? undefined),
    right('Read', 'Topic'),
  ],
  fail: (_request, error, message) => refuse(error, message),
  handle: async (request, context) => {
    const { shares } = brokerOf(context)
    if (!shares.isEnabled) return refuse('UNSUPPORTED_VERSION')
    const { shareSessionEpoch: epoch } = request
    const invalid = idRefusal(request.groupId, request.memberId)
    if (invalid !== undefined) return refuse('INVALID_REQUEST', invalid)
    const member = { groupId: request.groupId ?? '', memberId: request.memberId ?? '' }
    if (epoch === firstSessionEpoch) return refuse('INVALID_SHARE_SESSION_EPOCH')
    if (epoch === finalSessionEpoch) {
      if (!shares.sessions.has(member.groupId, member.memberId)) return refuse('SHARE_SESSION_NOT_FOUND')
    } else {
      const session = shares.sessions.next({ ...member, epoch }, [], [])
      if (typeof session === 'string') return refuse(session)
    }
    const asked = request.topics.flatMap(({ topicId, partitions }) =>
      partitions.map(({ partitionIndex, acknowledgementBatches: batches }) => ({
        place: { topicId, partition: partitionIndex },
        batches,
      })),
    )
    const acknowledged = await acknowledgeAll(member, asked, context, request.isRenewAck)
    if (epoch === finalSessionEpoch) {
      const places = shares.sessions.close(member.groupId, member.memberId)
      if (typeof places !== 'string') await shares.release(member, places)
      shares.sessions.closed(member.groupId)
    }
    return respond(acknowledged, shares.partitions.settings(member.groupId).lockDurationMs, context)
  },
})

function respond(acknowledged: readonly Acknowledged[], lockDurationMs: number, context: RequestContext): Response {
  const image = context.services.metadata()
  const hints = new LeaderHints(image, context.connection.listenerName)
  const byTopic = Map.groupBy(acknowledged, ({ place }) => place.topicId)
  return {
    errorCode: 0,
    errorMessage: null,
    acquisitionLockTimeoutMs: lockDurationMs,
    responses: [...byTopic].map(([topicId, places]) => ({
      topicId,
      partitions: places.map(({ place: { partition }, outcome: { error, message } }) => ({
        partitionIndex: partition,
        errorCode: errorCode(error),
        errorMessage: error === 'NONE' ? null : (message ?? errorMessage(error)),
        currentLeader:
          error === 'NOT_LEADER_OR_FOLLOWER'
            ? hints.of(image.topicsById.get(topicId)?.name ?? '', partition)
            : { leaderId: 0, leaderEpoch: 0 },
      })),
    })),
    nodeEndpoints: hints.endpoints(),
  }
}
