/**
 * AlterShareGroupOffsets: v0. Sets start offsets of a share group that has no members.
 *
 * Errors: UNSUPPORTED_VERSION (share.version 0), GROUP_AUTHORIZATION_FAILED, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, NOT_COORDINATOR,
 *   COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS; per partition UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED.
 * Source: KIP-932.
 */
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'
import type {
  AlterShareGroupOffsetsRequest,
  alterShareGroupOffsetsResponse,
} from '../protocol/messages/91-alter-share-group-offsets.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight, right } from './handler.ts'

type Response = Input<typeof alterShareGroupOffsetsResponse>

const zeroId = 'AAAAAAAAAAAAAAAAAAAAAA'

function refuse(error: ErrorName, message = errorMessage(error)): Response {
  return { errorCode: errorCode(error), errorMessage: message, responses: [] }
}

export const alterShareGroupOffsets = handler<AlterShareGroupOffsetsRequest, Response>({
  apiKey: 91,
  versions: [0, 0],
  listeners: ['broker'],
  authorization: [
    requestRight('Read', 'Group', (request: AlterShareGroupOffsetsRequest) => request.groupId),
    right('Read', 'Topic'),
  ],
  fail: (_request, error, message) => refuse(error, message),
  handle: async (request, context) => {
    const { shares, shareGroups } = brokerOf(context)
    if (!shares.isEnabled) return refuse('UNSUPPORTED_VERSION')
    const image = context.services.metadata()
    const wanted = new Map<{ topicId: string; partition: number }, number>()
    const topics = request.topics.map(({ topicName, partitions }) => {
      const topic = image.topicsByName.get(topicName)
      const isAllowed = context.authorize('Read', 'Topic', topicName)
      const places = partitions.map(({ partitionIndex, startOffset }) => {
        const place = { topicId: topic?.id ?? zeroId, partition: partitionIndex }
        const isThere = topic?.partitions.has(partitionIndex) === true
        if (isAllowed && isThere) wanted.set(place, startOffset)
        const refused: ErrorName = isAllowed ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'TOPIC_AUTHORIZATION_FAILED'
        return { place, refused }
      })
      return { topicName, topicId: isAllowed ? (topic?.id ?? zeroId) : zeroId, places }
    })
    const outcomes = await shareGroups.alter(request.groupId, wanted)
    if (typeof outcomes === 'string') return refuse(outcomes)
    const outcomeOf = new Map([...outcomes].map(([{ topicId, partition }, each]) => [`${topicId}:${partition}`, each]))
    return {
      errorCode: 0,
      errorMessage: null,
      responses: topics.map(({ topicName, topicId, places }) => ({
        topicName,
        topicId,
        partitions: places.map(({ place, refused }) => {
          const outcome = wanted.has(place) ? outcomeOf.get(`${place.topicId}:${place.partition}`) : undefined
          const error = outcome?.error ?? refused
          const message = error === 'NONE' ? null : (outcome?.message ?? errorMessage(error))
          return { partitionIndex: place.partition, errorCode: errorCode(error), errorMessage: message }
        }),
      })),
    }
  },
})
