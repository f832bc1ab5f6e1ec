/**
 * OffsetDelete: v0. Forgets committed offsets of a group for some partitions (KIP-496).
 *
 * Behavior:
 * - Offsets of topics that the group is subscribed to stay: GROUP_SUBSCRIBED_TO_TOPIC. What is not there counts as deleted.
 * Errors: COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, INVALID_GROUP_ID, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP,
 * GROUP_SUBSCRIBED_TO_TOPIC, UNKNOWN_TOPIC_OR_PARTITION, GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED.
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { OffsetDeleteRequest, offsetDeleteResponse } from '../protocol/messages/47-offset-delete.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, right } from './handler.ts'

type Response = Input<typeof offsetDeleteResponse>

const refuse = (error: ErrorName): Response => ({ errorCode: errorCode(error), topics: [] })

export const offsetDelete = handler<OffsetDeleteRequest, Response>({
  apiKey: 47,
  versions: [0, 0],
  listeners: ['broker'],
  authorization: [right('Delete', 'Group'), right('Read', 'Topic')],
  fail: (_request, error) => refuse(error),
  handle: async (request, context) => {
    if (!context.authorize('Delete', 'Group', request.groupId)) return refuse('GROUP_AUTHORIZATION_FAILED')
    const image = context.services.metadata()
    const refusalOf = (topic: string, partition: number): ErrorName | undefined => {
      if (!context.authorize('Read', 'Topic', topic)) return 'TOPIC_AUTHORIZATION_FAILED'
      return image.partition(topic, partition) === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : undefined
    }
    const asked = request.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
    )
    const refusals = asked.map(({ topic, partition }) => refusalOf(topic, partition))
    const wanted = asked.filter((_each, index) => refusals[index] === undefined)
    const outcome =
      asked.length > 0 && wanted.length === 0
        ? []
        : await brokerOf(context).groups.ask<ErrorName | readonly ErrorName[]>(
            request.groupId,
            error => error,
            (shard, ticket) => shard.deleteOffsets(request.groupId, wanted, ticket),
          )
    if (typeof outcome === 'string') return refuse(outcome)
    let next = 0
    const errors = refusals.map(refusal => refusal ?? outcome[next++] ?? 'NONE')
    let at = 0
    return {
      errorCode: 0,
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          errorCode: errorCode(errors[at++] ?? 'NONE'),
        })),
      })),
    }
  },
})
