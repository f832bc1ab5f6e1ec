/**
 * ShareFetch: v1-2. A member of a share group acquires records, and says what became of earlier ones.
 *
 * Behavior:
 * - Belongs to a share session: epoch 0 opens it, the following ones name only partitions that are added or forgotten, the final epoch (-1)
 *   closes it and releases what the member still holds. A session ends with its connection.
 * - Acknowledgements that come along count before anything is acquired.
 * - Waits up to maxWaitMs until minBytes can be acquired. Records come as the log has them, in whole batches; which of them the member may
 *   use is said in the acquired ranges.
 * Versions: v1 limit on records; v2 acquire mode (KIP-1206), renewal of locks (KIP-1222).
 * Errors: UNSUPPORTED_VERSION (share.version 0), INVALID_REQUEST, GROUP_AUTHORIZATION_FAILED, SHARE_SESSION_NOT_FOUND,
 *   INVALID_SHARE_SESSION_EPOCH, SHARE_SESSION_LIMIT_REACHED; per partition UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION,
 *   TOPIC_AUTHORIZATION_FAILED, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR, COORDINATOR_NOT_AVAILABLE; for acknowledgements as
 *   ShareAcknowledge.
 * Source: KIP-932.
 */
import { shareFetch as fetchShare, type ShareFetched } from '../coordinator/share-partitions/share-fetch.ts'
import {
  finalSessionEpoch,
  firstSessionEpoch,
  type SharePlace,
} from '../coordinator/share-partitions/share-sessions.ts'
import type { Shares } from '../coordinator/share-partitions/shares.ts'
import { errorCode, errorMessage, type ErrorName } from '../protocol/errors.ts'
import type { ShareFetchRequest, shareFetchResponse } from '../protocol/messages/78-share-fetch.ts'
import type { Input } from '../protocol/schema.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight, right, type RequestContext } from './handler.ts'
import { LeaderHints } from './leader-hints.ts'
import { acknowledgeAll, idRefusal, type Acknowledged, type AcknowledgedPlace } from './share-acknowledgements.ts'

type Response = Input<typeof shareFetchResponse>
type Member = { readonly groupId: string; readonly memberId: string }

const noRecords = Buffer.alloc(0)

function refuse(error: ErrorName, message = errorMessage(error)): Response {
  return {
    errorCode: errorCode(error),
    errorMessage: message,
    acquisitionLockTimeoutMs: 0,
    responses: [],
    nodeEndpoints: [],
  }
}

export const shareFetch = handler<ShareFetchRequest, Response>({
  apiKey: 78,
  versions: [1, 2],
  listeners: ['broker'],
  authorization: [
    requestRight('Read', 'Group', (request: ShareFetchRequest) => request.groupId ?? undefined),
    right('Read', 'Topic'),
  ],
  fail: (_request, error, message) => refuse(error, message),
  handle: async (request, context) => {
    const { shares } = brokerOf(context)
    if (!shares.isEnabled) return refuse('UNSUPPORTED_VERSION')
    const invalid = idRefusal(request.groupId, request.memberId) ?? renewalRefusal(request)
    if (invalid !== undefined) return refuse('INVALID_REQUEST', invalid)
    const member = { groupId: request.groupId ?? '', memberId: request.memberId ?? '' }
    const acknowledgements = acknowledgementsOf(request)
    const places = beginSession(member, request, acknowledgements, shares, context)
    if (typeof places === 'string') return refuseSession(places, request.maxWaitMs, context)
    const acknowledged = await acknowledgeAll(member, acknowledgements, context, request.isRenewAck)
    if (request.shareSessionEpoch === finalSessionEpoch) {
      await shares.release(member, places)
      shares.sessions.closed(member.groupId)
      return respond(acknowledged, [], member, context)
    }
    const fetched = request.isRenewAck ? [] : await fetchRecords(member, places, request, context)
    return respond(acknowledged, fetched, member, context)
  },
})

/** A request that renews locks fetches nothing. */
function renewalRefusal({
  isRenewAck,
  maxBytes,
  minBytes,
  maxRecords,
  maxWaitMs,
}: ShareFetchRequest): string | undefined {
  const fetches = maxBytes !== 0 || minBytes !== 0 || maxRecords !== 0 || maxWaitMs !== 0
  return isRenewAck && fetches ? 'A request with renewals must not fetch.' : undefined
}

function acknowledgementsOf(request: ShareFetchRequest): AcknowledgedPlace[] {
  return request.topics.flatMap(({ topicId, partitions }) =>
    partitions
      .filter(({ acknowledgementBatches }) => acknowledgementBatches.length > 0)
      .map(({ partitionIndex, acknowledgementBatches: batches }) => ({
        place: { topicId, partition: partitionIndex },
        batches,
      })),
  )
}

/** The partitions to fetch from, or, of a session that ends, to release. */
function beginSession(
  member: Member,
  request: ShareFetchRequest,
  acknowledgements: readonly AcknowledgedPlace[],
  { sessions }: Shares,
  context: RequestContext,
): readonly SharePlace[] | ErrorName {
  const { shareSessionEpoch: epoch } = request
  const named = request.topics.flatMap(({ topicId, partitions }) =>
    partitions.map(({ partitionIndex }) => ({ topicId, partition: partitionIndex })),
  )
  if (epoch === finalSessionEpoch) return sessions.close(member.groupId, member.memberId)
  if (epoch === firstSessionEpoch)
    return acknowledgements.length > 0 ? 'INVALID_REQUEST' : sessions.open(member, named, context.connection)
  const forgotten = request.forgottenTopicsData.flatMap(({ topicId, partitions }) =>
    partitions.map(partition => ({ topicId, partition })),
  )
  return sessions.next({ ...member, epoch }, named, forgotten)
}

/** Who finds no room for a session would ask again at once. */
function refuseSession(
  error: ErrorName,
  maxWaitMs: number,
  { environment }: RequestContext,
): Response | Promise<Response> {
  if (error !== 'SHARE_SESSION_LIMIT_REACHED') return refuse(error)
  return new Promise(resolve => {
    environment.timers.after(maxWaitMs, () => resolve(refuse(error)))
  })
}

async function fetchRecords(
  member: Member,
  places: readonly SharePlace[],
  request: ShareFetchRequest,
  context: RequestContext,
): Promise<readonly ShareFetched[]> {
  const image = context.services.metadata()
  const refused: ShareFetched[] = []
  const allowed: SharePlace[] = []
  for (const place of rotated(places, request.shareSessionEpoch)) {
    const topic = image.topicsById.get(place.topicId)?.name
    if (topic === undefined || context.authorize('Read', 'Topic', topic)) allowed.push(place)
    else refused.push({ place, error: 'TOPIC_AUTHORIZATION_FAILED', records: noRecords, acquired: [] })
  }
  const { maxWaitMs, minBytes, maxBytes, maxRecords, batchSize } = request
  const fetch = {
    ...member,
    maxWaitMs: refused.length > 0 ? 0 : maxWaitMs,
    minBytes,
    maxBytes: Math.min(maxBytes, context.config['fetch.max.bytes']),
    room: () => context.connection.replyRoomBytes(),
    maxRecords,
    batchSize,
    mode: request.shareAcquireMode,
    places: allowed,
    connection: context.connection,
  }
  return [...refused, ...(await fetchShare(fetch, brokerOf(context).shares.partitions))]
}

/** Every request begins with another partition, so that none is always last. */
function rotated(places: readonly SharePlace[], epoch: number): SharePlace[] {
  const from = places.length === 0 ? 0 : epoch % places.length
  return [...places.slice(from), ...places.slice(0, from)]
}

function respond(
  acknowledged: readonly Acknowledged[],
  fetched: readonly ShareFetched[],
  { groupId }: Member,
  context: RequestContext,
): Response {
  const image = context.services.metadata()
  const hints = new LeaderHints(image, context.connection.listenerName)
  const keyOf = ({ topicId, partition }: SharePlace): string => `${topicId}:${partition}`
  const acknowledgedBy = new Map(acknowledged.map(each => [keyOf(each.place), each]))
  const fetchedBy = new Map(fetched.map(each => [keyOf(each.place), each]))
  const places = new Map([...fetched, ...acknowledged].map(({ place }) => [keyOf(place), place]))
  const partitionOf = (key: string, { topicId, partition }: SharePlace) => {
    const records = fetchedBy.get(key)
    const error = records?.error ?? 'NONE'
    const { error: acknowledgeError, message } = acknowledgedBy.get(key)?.outcome ?? { error: 'NONE' as const }
    const isElsewhere = error === 'NOT_LEADER_OR_FOLLOWER' || acknowledgeError === 'NOT_LEADER_OR_FOLLOWER'
    return {
      partitionIndex: partition,
      errorCode: errorCode(error),
      errorMessage: error === 'NONE' ? null : (records?.message ?? errorMessage(error)),
      acknowledgeErrorCode: errorCode(acknowledgeError),
      acknowledgeErrorMessage: acknowledgeError === 'NONE' ? null : (message ?? errorMessage(acknowledgeError)),
      currentLeader: isElsewhere
        ? hints.of(image.topicsById.get(topicId)?.name ?? '', partition)
        : { leaderId: 0, leaderEpoch: 0 },
      records: records?.records ?? noRecords,
      acquiredRecords: records?.acquired.map(each => ({ ...each })) ?? [],
    }
  }
  const byTopic = Map.groupBy(places, ([, { topicId }]) => topicId)
  return {
    errorCode: 0,
    errorMessage: null,
    acquisitionLockTimeoutMs: brokerOf(context).shares.partitions.settings(groupId).lockDurationMs,
    responses: [...byTopic].map(([topicId, each]) => ({
      topicId,
      partitions: each.map(([key, place]) => partitionOf(key, place)),
    })),
    nodeEndpoints: hints.endpoints(),
  }
}
