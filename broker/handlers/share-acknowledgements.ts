/** Acknowledgements in ShareFetch and ShareAcknowledge: batches of offsets with one type for all, or one per offset. Sources: KIP-932, KIP-1222. */
import type { Acknowledgement } from '../coordinator/share-partitions/acknowledge.ts'
import type { AcknowledgeOutcome } from '../coordinator/share-partitions/share-partition.ts'
import type { SharePlace } from '../coordinator/share-partitions/share-sessions.ts'
import type { RequestContext } from './handler.ts'
import { brokerOf } from './broker-services.ts'

export interface AcknowledgementBatch {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly acknowledgeTypes: readonly number[]
}

export interface AcknowledgedPlace {
  readonly place: SharePlace
  readonly batches: readonly AcknowledgementBatch[]
}

export interface Acknowledged {
  readonly place: SharePlace
  readonly outcome: AcknowledgeOutcome
}

const renew = 4
const longestMemberId = 36

/** Undefined when the ids can be used. */
export function idRefusal(groupId: string | null, memberId: string | null): string | undefined {
  if (groupId === null) return 'Invalid group id in the request.'
  return memberId === null || memberId === '' || memberId.length > longestMemberId
    ? 'Invalid member id in the request.'
    : undefined
}

/** Acknowledges what can be, partition by partition. */
export function acknowledgeAll(
  member: { readonly groupId: string; readonly memberId: string },
  asked: readonly AcknowledgedPlace[],
  context: RequestContext,
  isRenewal: boolean,
): Promise<Acknowledged[]> {
  const { partitions } = brokerOf(context).shares
  const image = context.services.metadata()
  const acknowledge = (place: SharePlace, batches: readonly AcknowledgementBatch[]): Promise<AcknowledgeOutcome> => {
    const topic = image.topicsById.get(place.topicId)
    if (topic === undefined) return Promise.resolve({ error: 'UNKNOWN_TOPIC_ID' })
    if (!context.authorize('Read', 'Topic', topic.name)) return Promise.resolve({ error: 'TOPIC_AUTHORIZATION_FAILED' })
    if (!topic.partitions.has(place.partition)) return Promise.resolve({ error: 'UNKNOWN_TOPIC_OR_PARTITION' })
    const read = expand(batches, context.apiVersion, isRenewal)
    return 'error' in read ? Promise.resolve(read) : partitions.acknowledge(member, place, read)
  }
  return Promise.all(asked.map(async ({ place, batches }) => ({ place, outcome: await acknowledge(place, batches) })))
}

/** One acknowledgement per range of offsets with the same type. */
function expand(
  batches: readonly AcknowledgementBatch[],
  apiVersion: number,
  isRenewal: boolean,
): Acknowledgement[] | AcknowledgeOutcome {
  const invalid = (message: string): AcknowledgeOutcome => ({ error: 'INVALID_REQUEST', message })
  const largestType = apiVersion >= 2 ? renew : renew - 1
  const expanded: Acknowledgement[] = []
  for (const { firstOffset, lastOffset, acknowledgeTypes: types } of batches) {
    const count = lastOffset - firstOffset + 1
    if (count < 1) return invalid('The last offset of an acknowledgement batch is before its first.')
    if (types.length === 0) return invalid('An acknowledgement batch has no types.')
    if (types.length > 1 && types.length !== count)
      return invalid('An acknowledgement batch needs one type per offset.')
    if (types.some(type => type < 0 || type > largestType)) return invalid('An acknowledgement type is not known.')
    if (!isRenewal && types.includes(renew)) return invalid('Renewals are not announced in the request.')
    let begin = 0
    for (let index = 1; index <= types.length; index++) {
      if (index < types.length && types[index] === types[begin]) continue
      const last = types.length === 1 ? lastOffset : firstOffset + index - 1
      expanded.push({ firstOffset: firstOffset + begin, lastOffset: last, type: types[begin] ?? 0 })
      begin = index
    }
  }
  return expanded
}
