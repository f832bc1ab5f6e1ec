/**
 * Fetch: v4-18. Reads record batches, for consumers and for the followers of partitions led here; on the controller listener the metadata log.
 *
 * Behavior:
 * - Consumers read up to the high watermark (isolation 1: the last stable offset), followers up to the log end. A follower's fetch offset says
 *   what it holds, and so moves the high watermark and the in-sync set.
 * - Waits up to maxWaitMs until minBytes are there; any error or divergence answers at once. At least one whole batch is returned, whatever
 *   its size (KIP-74).
 * - A partition that is named several times is read and answered once, as it was named last.
 * - Incremental sessions (KIP-227) name only partitions with news.
 * - A reader whose last epoch is not on our log gets the epoch at which its log parts from ours (KIP-595).
 * - Since v11 followers answer consumers too, and with replica.selector.class RackAwareReplicaSelector the leader sends consumers to a replica
 *   in their rack (KIP-392).
 * Versions: v5 log start offset; v7 sessions; v9 leader epoch (KIP-320); v10 zstd; v11 rack; v12 flexible, last fetched epoch; v13 topic ids;
 *   v15 replica state with broker epoch (KIP-903); v16 leader hints (KIP-951); v17 directory id, v18 high watermark (metadata log only).
 * Errors: OFFSET_OUT_OF_RANGE, NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID,
 *   FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, KAFKA_STORAGE_ERROR, FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH,
 *   FETCH_SESSION_TOPIC_ID_ERROR, UNSUPPORTED_COMPRESSION_TYPE.
 * Not implemented: other replica selectors than Kafka's own two.
 */
import type { MetadataImage } from '../controller/image.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { FetchRequest, fetchResponse } from '../protocol/messages/01-fetch.ts'
import type { Input } from '../protocol/schema.ts'
import { handleMetadataFetch, isMetadataFetch } from '../raft/metadata-fetch.ts'
import {
  stepSize,
  type FetchContext,
  type PartitionAnswer,
  type SessionQuery,
  type WantedPartition,
} from '../replication/fetch-sessions.ts'
import type { FetchEntry, FetchOptions } from '../replication/fetches.ts'
import { failedRead, type ReadOutcome } from '../replication/local-replica.ts'
import { clusterName } from '../security/authorization/acl.ts'
import { preferredReadReplica, rackAwareSelector } from '../replication/preferred-replica.ts'
import { brokerOf } from './broker-services.ts'
import { handler, requestRight, right, type RequestContext } from './handler.ts'
import { inSteps } from './in-steps.ts'
import { LeaderHints } from './leader-hints.ts'
import type { BrokerServices } from './services.ts'
import { fetchLimitBytes, mayFetch } from './throttling.ts'

type Response = Input<typeof fetchResponse>
type TopicResponse = Response['responses'][number]
type PartitionResponse = TopicResponse['partitions'][number]

const storageErrorSince = 6
const sessionsSince = 7
const zstdSince = 10
const anyReplicaSince = 11
const topicIdsSince = 13
const replicaStateSince = 15
const hintsSince = 16
const readCommitted = 1
const zeroId = 'AAAAAAAAAAAAAAAAAAAAAA'
const noRecords = Buffer.alloc(0)

/** Each partition once, where it is named first, and as it is named last: Kafka keeps them in a LinkedHashMap. */
function* wantedOf(
  request: FetchRequest,
  usesTopicIds: boolean,
  image: MetadataImage,
): Generator<void, WantedPartition[], void> {
  const wanted: WantedPartition[] = []
  const indexes = new Map<string, Map<number, number>>()
  let looked = 0
  for (const each of request.topics) {
    const topic = usesTopicIds ? (image.topicsById.get(each.topicId)?.name ?? '') : each.topic
    const topicId = usesTopicIds ? each.topicId : zeroId
    const key = usesTopicIds ? topicId : topic
    const known = indexes.get(key) ?? new Map<number, number>()
    indexes.set(key, known)
    for (const asked of each.partitions) {
      if (++looked % stepSize === 0) yield
      const index = known.get(asked.partition) ?? wanted.length
      known.set(asked.partition, index)
      wanted[index] = {
        topic,
        topicId,
        partition: asked.partition,
        maxBytes: asked.partitionMaxBytes,
        fetchOffset: asked.fetchOffset,
        currentLeaderEpoch: asked.currentLeaderEpoch,
        lastFetchedEpoch: asked.lastFetchedEpoch,
        logStartOffset: asked.logStartOffset,
      }
    }
  }
  return wanted
}

function* forgottenOf(request: FetchRequest, usesTopicIds: boolean): Generator<void, SessionQuery['forgotten'], void> {
  const forgotten: { topic: string; topicId: string; partition: number }[] = []
  for (const { topic, topicId, partitions } of request.forgottenTopicsData)
    for (const partition of partitions) {
      forgotten.push({ topic, topicId: usesTopicIds ? topicId : zeroId, partition })
      if (forgotten.length % stepSize === 0) yield
    }
  return forgotten
}

/** What to read, and at which index of the wanted partitions; the others are refused already. */
interface Plan {
  readonly entries: FetchEntry[]
  readonly indexes: number[]
  readonly outcomes: ReadOutcome[]
}

/**
 * Partitions that no metadata knows are left out of the read, so that they do not end the wait of the others: a client that asks for a deleted
 * topic would ask again and again without a pause.
 */
function* planOf(
  wanted: readonly WantedPartition[],
  context: { apiVersion: number; image: MetadataImage; broker: BrokerServices; mayRead: (topic: string) => boolean },
): Generator<void, Plan, void> {
  const plan: Plan = { entries: [], indexes: [], outcomes: [] }
  const usesTopicIds = context.apiVersion >= topicIdsSince
  for (const [index, each] of wanted.entries()) {
    if (index % stepSize === stepSize - 1) yield
    // The topic may have become known since the session began.
    if (usesTopicIds && each.topic === '') each.topic = context.image.topicsById.get(each.topicId)?.name ?? ''
    const error = refusal(each, context)
    plan.outcomes.push(failedRead(error ?? 'UNKNOWN_SERVER_ERROR'))
    if (error !== undefined) continue
    const target = context.broker.replicas.find(each.topic, each.partition, usesTopicIds ? each.topicId : undefined)
    if (target === 'UNKNOWN_TOPIC_OR_PARTITION') {
      plan.outcomes[index] = failedRead(target)
      continue
    }
    plan.entries.push({
      target,
      fetchOffset: each.fetchOffset,
      currentLeaderEpoch: each.currentLeaderEpoch,
      lastFetchedEpoch: each.lastFetchedEpoch,
      maxBytes: each.maxBytes,
      logStartOffset: each.logStartOffset,
    })
    plan.indexes.push(index)
  }
  return plan
}

function refusal(
  each: WantedPartition,
  context: { apiVersion: number; image: MetadataImage; mayRead: (topic: string) => boolean },
): ErrorName | undefined {
  if (each.topic === '') return 'UNKNOWN_TOPIC_ID'
  if (!context.mayRead(each.topic)) return 'TOPIC_AUTHORIZATION_FAILED'
  if (context.apiVersion >= zstdSince) return undefined
  const isZstd = context.image.config('topic', each.topic).get('compression.type') === 'zstd'
  return isZstd ? 'UNSUPPORTED_COMPRESSION_TYPE' : undefined
}

function partitionResponse(
  each: WantedPartition,
  outcome: ReadOutcome,
  options: { apiVersion: number; isReadCommitted: boolean; hints: LeaderHints },
): PartitionResponse {
  const { apiVersion, hints } = options
  const isOldStorageError = outcome.error === 'KAFKA_STORAGE_ERROR' && apiVersion < storageErrorSince
  const error = isOldStorageError ? 'NOT_LEADER_OR_FOLLOWER' : outcome.error
  const isElsewhere =
    apiVersion >= hintsSince && (error === 'NOT_LEADER_OR_FOLLOWER' || error === 'FENCED_LEADER_EPOCH')
  const diverging = outcome.divergingEpoch
  return {
    partitionIndex: each.partition,
    errorCode: errorCode(error),
    highWatermark: outcome.highWatermark,
    lastStableOffset: outcome.lastStableOffset,
    logStartOffset: outcome.logStartOffset,
    abortedTransactions: options.isReadCommitted && error === 'NONE' ? (outcome.abortedTransactions ?? []) : null,
    records: outcome.records,
    preferredReadReplica: outcome.preferredReadReplica ?? -1,
    ...(diverging === undefined
      ? {}
      : { divergingEpoch: { epoch: diverging.leaderEpoch, endOffset: diverging.endOffset } }),
    ...(isElsewhere ? { currentLeader: hints.of(each.topic, each.partition) } : {}),
  }
}

function answerOf(outcome: ReadOutcome): PartitionAnswer {
  return {
    errorCode: errorCode(outcome.error),
    highWatermark: outcome.highWatermark,
    logStartOffset: outcome.logStartOffset,
    hasRecords: outcome.records.length > 0,
    isDiverging: outcome.divergingEpoch !== undefined,
    isElsewhere: outcome.preferredReadReplica !== undefined,
  }
}

/** Partitions of a topic that follow each other share a topic entry: the order of the partitions is the order of service. */
function byTopic(
  wanted: readonly WantedPartition[],
  partitions: readonly (PartitionResponse | undefined)[],
): TopicResponse[] {
  const topics: { topic: string; topicId: string; partitions: PartitionResponse[] }[] = []
  wanted.forEach(({ topic, topicId }, index) => {
    const partition = partitions[index]
    if (partition === undefined) return
    const last = topics.at(-1)
    if (last !== undefined && last.topicId === topicId && last.topic === topic) last.partitions.push(partition)
    else topics.push({ topic, topicId, partitions: [partition] })
  })
  return topics
}

export const fetch = handler<FetchRequest, Response>({
  apiKey: 1,
  versions: [4, 18],
  listeners: ['broker', 'controller'],
  authorization: [
    requestRight('ClusterAction', 'Cluster', (_request, { connection }) =>
      connection.listenerKind === 'controller' ? clusterName : undefined,
    ),
    right('Read', 'Topic'),
    right('ClusterAction', 'Cluster'),
  ],
  fail: (request, error, _message, { apiVersion }) => ({
    errorCode: errorCode(error),
    // Before v7 there is no error for the whole response.
    responses:
      apiVersion >= sessionsSince
        ? []
        : request.topics.map(({ topic, topicId, partitions }) => ({
            topic,
            topicId,
            partitions: partitions.map(({ partition }) => ({
              partitionIndex: partition,
              errorCode: errorCode(error),
              highWatermark: -1,
              abortedTransactions: null,
              records: noRecords,
            })),
          })),
  }),
  handle: (request, context) => {
    if (context.connection.listenerKind === 'controller' || isMetadataFetch(request)) {
      return handleMetadataFetch(request, context)
    }
    return fetchRecords(request, context, brokerOf(context))
  },
})

/** Followers need one right for all topics, everyone else one per topic. */
function readRights(context: RequestContext, isFollower: boolean): (topic: string) => boolean {
  if (!isFollower) return topic => context.authorize('Read', 'Topic', topic)
  const mayReplicate = context.authorize('ClusterAction', 'Cluster', clusterName)
  return () => mayReplicate
}

/** Bytes on the wire, nearly: the fields of a partition around its records. */
const partitionFieldsBytes = 40

function sizeOf(found: readonly ReadOutcome[]): number {
  return found.reduce((sum, { records }) => sum + records.length + partitionFieldsBytes, 0)
}

/** How to choose a better replica for a consumer that has told its rack; nothing where that is not wanted. */
function preference(
  { rackId }: FetchRequest,
  { apiVersion, config, connection, services }: RequestContext,
  isFollower: boolean,
): Pick<FetchOptions, 'preferredReplica'> {
  const isWanted = config['replica.selector.class'] === rackAwareSelector
  if (!isWanted || isFollower || apiVersion < anyReplicaSince || rackId === '') return {}
  const client = { rackId, listenerName: connection.listenerName }
  const ownId = services.nodeId
  return {
    preferredReplica: (leader, fetchOffset) =>
      preferredReadReplica(leader, fetchOffset, client, { image: services.metadata(), ownId }),
  }
}

/** What is read for a request, and what its session makes of it. */
interface Asked {
  readonly plan: Plan
  readonly session: FetchContext
}

function fetchRecords(
  request: FetchRequest,
  context: RequestContext,
  broker: BrokerServices,
): Response | Promise<Response> {
  const { apiVersion, connection, config } = context
  const replicaId = apiVersion >= replicaStateSince ? request.replicaState.replicaId : request.replicaId
  const isFollower = replicaId >= 0
  const isReadCommitted = !isFollower && request.isolationLevel === readCommitted
  const read = ({ plan }: Asked): readonly ReadOutcome[] | Promise<readonly ReadOutcome[]> => {
    const quotaBytes = isFollower ? Infinity : fetchLimitBytes(context)
    const maxBytes = Math.min(request.maxBytes, config['fetch.max.bytes'], quotaBytes)
    return broker.replicas.fetch(plan.entries, {
      maxWaitMs: request.maxWaitMs,
      minBytes: Math.min(request.minBytes, Math.max(1, maxBytes)),
      maxBytes,
      // As with quotas, consumers that take nothing hold no follower back: there are only so many of those.
      ...(isFollower ? {} : { room: () => connection.replyRoomBytes() }),
      isolation: isFollower ? 'log-end' : isReadCommitted ? 'last-stable' : 'high-watermark',
      onlyLeader: isFollower || apiVersion < anyReplicaSince,
      connection,
      memory: context.memory,
      ...preference(request, context, isFollower),
      ...(isFollower
        ? {
            follower: {
              replicaId,
              brokerEpoch: apiVersion >= replicaStateSince ? request.replicaState.replicaEpoch : -1,
            },
          }
        : {}),
    })
  }
  function* respond(asked: Asked, found: readonly ReadOutcome[]): Generator<void, Response, void> {
    if (!isFollower && !mayFetch(sizeOf(found), context)) {
      // The session stays as it is, so that what is not told now is told later.
      return { errorCode: 0, sessionId: request.sessionEpoch > 0 ? request.sessionId : 0, responses: [] }
    }
    return yield* responseTo(asked, found, { context, isReadCommitted })
  }
  // To read is a part of a step: the quota on the time of requests counts it however late it comes.
  function* serve(): Generator<void, Response | Promise<Response>, void> {
    const asked = yield* askedBy(request, context, { broker, isFollower })
    if ('error' in asked) return { errorCode: errorCode(asked.error), responses: [] }
    const found = read(asked)
    if (found instanceof Promise) return found.then(later => inSteps(context, respond(asked, later)))
    return yield* respond(asked, found)
  }
  return inSteps(context, serve())
}

function* askedBy(
  request: FetchRequest,
  context: RequestContext,
  { broker, isFollower }: { readonly broker: BrokerServices; readonly isFollower: boolean },
): Generator<void, Asked | { error: ErrorName }, void> {
  const { apiVersion, environment } = context
  const usesTopicIds = apiVersion >= topicIdsSince
  const wanted = yield* wantedOf(request, usesTopicIds, context.services.metadata())
  const forgotten = yield* forgottenOf(request, usesTopicIds)
  const session = yield* broker.replicas.sessions.begin(
    {
      sessionId: request.sessionId,
      sessionEpoch: request.sessionEpoch,
      usesTopicIds,
      isFollower,
      wanted,
      forgotten,
    },
    environment.clock.monotonicMs(),
  )
  if ('error' in session) return session
  const image = context.services.metadata()
  const mayRead = readRights(context, isFollower)
  return { session, plan: yield* planOf(session.wanted, { apiVersion, image, broker, mayRead }) }
}

function* responseTo(
  { plan, session }: Asked,
  found: readonly ReadOutcome[],
  { context, isReadCommitted }: { readonly context: RequestContext; readonly isReadCommitted: boolean },
): Generator<void, Response, void> {
  const { apiVersion, connection, environment } = context
  found.forEach((outcome, index) => {
    plan.outcomes[plan.indexes[index] ?? -1] = outcome
  })
  const answers: PartitionAnswer[] = []
  for (const outcome of plan.outcomes) {
    if (answers.length % stepSize === stepSize - 1) yield
    answers.push(answerOf(outcome))
  }
  const { isNamed, error, sessionId } = yield* session.finish(answers, environment.clock.monotonicMs())
  const hints = new LeaderHints(context.services.metadata(), connection.listenerName)
  const partitions: (PartitionResponse | undefined)[] = []
  for (const [index, each] of session.wanted.entries()) {
    if (index % stepSize === stepSize - 1) yield
    const outcome = plan.outcomes[index]
    const isLeftOut = outcome === undefined || (isNamed !== 'all' && isNamed[index] !== true)
    partitions.push(isLeftOut ? undefined : partitionResponse(each, outcome, { apiVersion, isReadCommitted, hints }))
  }
  return {
    errorCode: errorCode(error),
    sessionId,
    responses: byTopic(session.wanted, partitions),
    ...(apiVersion >= hintsSince ? { nodeEndpoints: hints.endpoints() } : {}),
  }
}
