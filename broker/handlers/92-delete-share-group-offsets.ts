/**
 * DeleteShareGroupOffsets: v0. Forgets what a share group without members knows of topics.
 *
 * Errors: UNSUPPORTED_VERSION (share.version 0), GROUP_AUTHORIZATION_FAILED, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, NOT_COORDINATOR,
 *   COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS; per topic UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED.
 * Source: KIP-932.
 */
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'
import type {
  DeleteShareGroupOffsetsRequest,
  deleteShareGroupOffsetsResponse,
} from '../protocol/messages/92-delete-share-group-offsets.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight, right } from './handler.ts'

type Response = Input<typeof deleteShareGroupOffsetsResponse>

const zeroId = 'AAAAAAAAAAAAAAAAAAAAAA'

function refuse(error: ErrorName, message = errorMessage(error)): Response {
  return { errorCode: errorCode(error), errorMessage: message, responses: [] }
}

export const deleteShareGroupOffsets = handler<DeleteShareGroupOffsetsRequest, Response>({
  apiKey: 92,
  versions: [0, 0],
  listeners: ['broker'],
  authorization: [
    requestRight('Delete', 'Group', (request: DeleteShareGroupOffsetsRequest) => request.groupId),
    right('Read', 'Topic'),
  ],
  fail: (_request, error, message) => refuse(error, message),
  handle: async (request, context) => {
    const { shares, shareGroups } = brokerOf(context)
    if (!shares.isEnabled) return refuse('UNSUPPORTED_VERSION')
    const image = context.services.metadata()
    const asked = request.topics.map(({ topicName }) => ({
      topicName,
      topicId: image.topicsByName.get(topicName)?.id,
      isAllowed: context.authorize('Read', 'Topic', topicName),
    }))
    const topicIds = asked.flatMap(({ topicId, isAllowed }) => (topicId !== undefined && isAllowed ? [topicId] : []))
    const outcomes = await shareGroups.deleteOffsets(request.groupId, topicIds)
    if (typeof outcomes === 'string') return refuse(outcomes)
    return {
      errorCode: 0,
      errorMessage: null,
      responses: asked.map(({ topicName, topicId, isAllowed }) => {
        const outcome = topicId === undefined || !isAllowed ? undefined : outcomes.get(topicId)
        const refused: ErrorName = isAllowed ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'TOPIC_AUTHORIZATION_FAILED'
        const { error, message } = outcome ?? {
          error: refused,
          message: isAllowed && topicId !== undefined ? 'There is no offset information to delete.' : undefined,
        }
        return {
          topicName,
          topicId: isAllowed ? (topicId ?? zeroId) : zeroId,
          errorCode: errorCode(error),
          errorMessage: error === 'NONE' ? null : (message ?? errorMessage(error)),
        }
      }),
    }
  },
})
