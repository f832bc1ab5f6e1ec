/**
 * The broker's side of incremental fetch sessions (KIP-227): what a client wants, so that its requests name only what changed, and what it
 * was told, so that responses name only what is new. A session is a cache: losing one costs a full request, never a record.
 *
 *   request (id, epoch)   session            answer
 *   any, -1 (final)       closed if any      full, no session
 *   any, 0 (initial)      closed if any      full; a new session when there is room, id 0 otherwise
 *   id, e                 unknown            FETCH_SESSION_ID_NOT_FOUND
 *   id, e                 at another epoch   INVALID_FETCH_SESSION_EPOCH
 *   id, e                 other naming       FETCH_SESSION_TOPIC_ID_ERROR (topic names before v13, ids since)
 *   id, e                 at e               incremental; closed when nothing is left in it
 *
 * When the cache is full: a session unused for two minutes goes, else one that is smaller or less privileged than the new one (followers are
 * privileged), and that has lived for two minutes or is not privileged.
 */
import type { Random } from '../environment/environment.ts'
import type { ErrorName } from '../protocol/errors.ts'

export const initialEpoch = 0
export const finalEpoch = -1
const maximumEpoch = 2_147_483_647
const evictionMs = 120_000

/** What a client wants of one partition. */
export interface WantedPartition {
  /** Empty with topic ids while the id is unknown here. */
  topic: string
  /** The zero id with topic names. */
  readonly topicId: string
  readonly partition: number
  maxBytes: number
  fetchOffset: number
  currentLeaderEpoch: number
  lastFetchedEpoch: number
  logStartOffset: number
}

/** What was found, as far as a session has to remember it. */
export interface PartitionAnswer {
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly hasRecords: boolean
  readonly isDiverging: boolean
  /** The client is sent to another replica. */
  readonly isElsewhere: boolean
}

interface CachedPartition {
  readonly wanted: WantedPartition
  toldHighWatermark: number
  toldLogStartOffset: number
}

interface Session {
  readonly id: number
  readonly isPrivileged: boolean
  readonly usesTopicIds: boolean
  readonly createdMs: number
  readonly partitions: Map<string, CachedPartition>
  lastUsedMs: number
  epoch: number
}

export interface SessionQuery {
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly usesTopicIds: boolean
  readonly isFollower: boolean
  readonly wanted: readonly WantedPartition[]
  readonly forgotten: readonly { readonly topic: string; readonly topicId: string; readonly partition: number }[]
}

/** One request within, or without, a session. */
export interface FetchContext {
  /** All partitions to read, in order. */
  readonly wanted: readonly WantedPartition[]
  /**
   * Notes the answers, one for each of `wanted`: which of them the response must name, and the session id and error of the response. In steps:
   * there may be very many.
   */
  finish(answers: readonly PartitionAnswer[], nowMs: number): Generator<void, FetchEnd, void>
}

export interface FetchEnd {
  readonly sessionId: number
  readonly error: ErrorName
  readonly isNamed: readonly boolean[] | 'all'
}

/** So many partitions are one step: a few milliseconds. A request that names fewer is worked on at once. */
export const stepSize = 4_000

function keyOf(partition: { topic: string; topicId: string; partition: number }, usesTopicIds: boolean): string {
  return `${usesTopicIds ? partition.topicId : partition.topic}/${partition.partition}`
}

function nextEpoch(epoch: number): number {
  return epoch === maximumEpoch ? 1 : epoch + 1
}

/** Whether the response must name the partition; notes what it says. */
function isNews(cached: CachedPartition, answer: PartitionAnswer): boolean {
  let isNew = answer.hasRecords || answer.isDiverging || answer.isElsewhere || answer.errorCode !== 0
  if (cached.toldHighWatermark !== answer.highWatermark) {
    cached.toldHighWatermark = answer.highWatermark
    isNew = true
  }
  if (cached.toldLogStartOffset !== answer.logStartOffset) {
    cached.toldLogStartOffset = answer.logStartOffset
    isNew = true
  }
  // When the error goes away the partition is named again, whatever its high watermark is then.
  if (answer.errorCode !== 0) cached.toldHighWatermark = -1
  return isNew
}

export class FetchSessions {
  private readonly sessions = new Map<number, Session>()
  private readonly slots: number
  private readonly random: Random
  evictions = 0

  constructor(settings: { slots: number; random: Random }) {
    this.slots = settings.slots
    this.random = settings.random
  }

  get size(): number {
    return this.sessions.size
  }

  /** In steps, as `finish`. */
  *begin(query: SessionQuery, nowMs: number): Generator<void, FetchContext | { error: ErrorName }, void> {
    const { sessionId, sessionEpoch } = query
    if (sessionEpoch === initialEpoch || sessionEpoch === finalEpoch) {
      this.sessions.delete(sessionId)
      return sessionEpoch === finalEpoch ? sessionless(query.wanted) : this.full(query)
    }
    const session = this.sessions.get(sessionId)
    if (session === undefined) return { error: 'FETCH_SESSION_ID_NOT_FOUND' }
    if (session.epoch !== sessionEpoch) return { error: 'INVALID_FETCH_SESSION_EPOCH' }
    if (session.usesTopicIds !== query.usesTopicIds) return { error: 'FETCH_SESSION_TOPIC_ID_ERROR' }
    return yield* this.incremental(session, query, nowMs)
  }

  private full(query: SessionQuery): FetchContext {
    const { wanted } = query
    return { wanted, finish: (answers, nowMs) => this.finishFull(query, answers, nowMs) }
  }

  private *finishFull(
    query: SessionQuery,
    answers: readonly PartitionAnswer[],
    nowMs: number,
  ): Generator<void, FetchEnd, void> {
    return { sessionId: yield* this.create(query, answers, nowMs), error: 'NONE', isNamed: 'all' }
  }

  private *create(
    query: SessionQuery,
    answers: readonly PartitionAnswer[],
    nowMs: number,
  ): Generator<void, number, void> {
    const size = query.wanted.length
    if (size === 0 || this.slots === 0) return 0
    if (this.sessions.size >= this.slots && !this.evictFor({ isPrivileged: query.isFollower, size }, nowMs)) return 0
    let id = 0
    do id = 1 + this.random.below(maximumEpoch - 1)
    while (this.sessions.has(id))
    const partitions = new Map<string, CachedPartition>()
    // Nobody asks for it before its id is told.
    this.sessions.set(id, {
      id,
      isPrivileged: query.isFollower,
      usesTopicIds: query.usesTopicIds,
      createdMs: nowMs,
      partitions,
      lastUsedMs: nowMs,
      epoch: 1,
    })
    for (const [index, wanted] of query.wanted.entries()) {
      if (index % stepSize === stepSize - 1) yield
      const answer = answers[index]
      partitions.set(keyOf(wanted, query.usesTopicIds), {
        wanted,
        toldHighWatermark: answer?.errorCode === 0 ? answer.highWatermark : -1,
        toldLogStartOffset: answer?.logStartOffset ?? -1,
      })
    }
    return id
  }

  private *incremental(session: Session, query: SessionQuery, nowMs: number): Generator<void, FetchContext, void> {
    const { partitions, usesTopicIds } = session
    session.lastUsedMs = nowMs
    // First: a request that comes between the steps is another one.
    session.epoch = nextEpoch(session.epoch)
    const { epoch } = session
    let looked = 0
    for (const wanted of query.wanted) {
      if (++looked % stepSize === 0) yield
      const cached = partitions.get(keyOf(wanted, usesTopicIds))
      if (cached === undefined) {
        partitions.set(keyOf(wanted, usesTopicIds), { wanted, toldHighWatermark: -1, toldLogStartOffset: -1 })
      } else Object.assign(cached.wanted, wanted)
    }
    for (const forgotten of query.forgotten) {
      if (++looked % stepSize === 0) yield
      partitions.delete(keyOf(forgotten, usesTopicIds))
    }
    if (partitions.size === 0) {
      this.sessions.delete(session.id)
      return sessionless([])
    }
    const cached = Array.from(partitions.values())
    return {
      wanted: cached.map(each => each.wanted),
      finish: answers => this.finishIncremental(session, epoch, cached, answers),
    }
  }

  private *finishIncremental(
    session: Session,
    epoch: number,
    cached: readonly CachedPartition[],
    answers: readonly PartitionAnswer[],
  ): Generator<void, FetchEnd, void> {
    // The client asked again while this request waited: this answer is one too many.
    if (session.epoch !== epoch) return { sessionId: session.id, error: 'INVALID_FETCH_SESSION_EPOCH', isNamed: [] }
    const isNamed: boolean[] = []
    for (const [index, each] of cached.entries()) {
      if (index % stepSize === stepSize - 1) yield
      const answer = answers[index]
      if (answer?.hasRecords === true) {
        // To the end of the queue, so that a busy partition does not starve the others of a full response.
        const key = keyOf(each.wanted, session.usesTopicIds)
        if (session.partitions.delete(key)) session.partitions.set(key, each)
      }
      isNamed.push(answer !== undefined && isNews(each, answer))
    }
    return { sessionId: session.id, error: 'NONE', isNamed }
  }

  /** Makes room for a session of this worth, if there is one worth less. */
  private evictFor(newcomer: { isPrivileged: boolean; size: number }, nowMs: number): boolean {
    let stalest: Session | undefined
    let cheapest: Session | undefined
    for (const session of this.sessions.values()) {
      if (stalest === undefined || session.lastUsedMs < stalest.lastUsedMs) stalest = session
      const isOld = nowMs - session.createdMs > evictionMs
      const isEvictable = isOld || (newcomer.isPrivileged && !session.isPrivileged)
      if (isEvictable && (cheapest === undefined || isWorthLess(session, worth(cheapest)))) cheapest = session
    }
    const isStale = stalest !== undefined && nowMs - stalest.lastUsedMs > evictionMs
    const victim = isStale ? stalest : cheapest
    if (victim === undefined || (!isStale && !isWorthLess(victim, newcomer))) return false
    this.sessions.delete(victim.id)
    this.evictions += 1
    return true
  }
}

function worth(session: Session): { isPrivileged: boolean; size: number } {
  return { isPrivileged: session.isPrivileged, size: session.partitions.size }
}

function isWorthLess(session: Session, other: { isPrivileged: boolean; size: number }): boolean {
  if (session.isPrivileged !== other.isPrivileged) return !session.isPrivileged
  return session.partitions.size < other.size
}

function sessionless(wanted: readonly WantedPartition[]): FetchContext {
  return { wanted, finish: endWithout }
}

function* endWithout(): Generator<void, FetchEnd, void> {
  // Nothing to note: no step.
  yield* []
  return { sessionId: 0, error: 'NONE', isNamed: 'all' }
}
