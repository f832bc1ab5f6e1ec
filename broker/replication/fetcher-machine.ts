/**
 * Follows one leader broker: which partitions to ask for, from where, and what each answer means. Decides only; replica-fetcher.ts sends,
 * appends and truncates, and reports back. One request at a time.
 *
 *   partition state  event                                            next
 *   fetching         records                                          fetching   append, then `moved`
 *   fetching         diverging epoch                                  fetching   truncate, then `moved` (KIP-595: truncation on fetch)
 *   fetching         OFFSET_OUT_OF_RANGE                              resetting  ask for the leader's offsets, then `moved` or `delayed`
 *   fetching         FENCED_LEADER_EPOCH for our own epoch            (removed)  the metadata will bring a newer epoch
 *   fetching         UNKNOWN_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER,
 *                    UNKNOWN_TOPIC_OR_PARTITION, any other error      delayed    again after the backoff
 *   any              request lost                                     delayed    again after the backoff
 *   fetching         held back by the throttle, and behind the leader  fetching   not asked for until the throttle lets it
 *   any              added with a newer leader epoch                  fetching
 *   any              removed                                          (gone)     late answers for it are ignored
 *
 * Sources: KIP-73 (throttle), KIP-101, KIP-279, KIP-320, KIP-595 (diverging epoch), KIP-227 (sessions), KIP-903 (broker epoch).
 */
import type { EpochEndOffset } from '../log/log.ts'
import { FetchSessionClient, type SessionRequest } from './fetch-session-client.ts'

export interface FetchPosition {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly currentLeaderEpoch: number
  readonly fetchOffset: number
  /** -1: nothing in the log. */
  readonly lastFetchedEpoch: number
  readonly logStartOffset: number
}

export interface FetchedPartition {
  readonly key: string
  readonly error: string
  readonly records: Buffer
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly divergingEpoch: EpochEndOffset | undefined
}

export type FetcherAction =
  | { readonly kind: 'append'; readonly key: string; readonly fetched: FetchedPartition }
  | { readonly kind: 'truncate'; readonly key: string; readonly divergingEpoch: EpochEndOffset }
  | { readonly kind: 'reset'; readonly key: string; readonly position: FetchPosition }
  | { readonly kind: 'fenced'; readonly key: string; readonly position: FetchPosition }
  | { readonly kind: 'delayed'; readonly key: string; readonly error: string }

interface FollowedPartition {
  position: FetchPosition
  resetting: boolean
  /** Not asked for before this time, monotonic ms. */
  notBeforeMs: number
  /** In a row. */
  failures: number
  /** Held all that was committed when it was last answered: never held back. */
  isCaughtUp: boolean
}

/**
 * First wait after a failure; doubles up to replica.fetch.backoff.ms. A follower often hears of a new partition a moment before its leader does:
 * a whole second of waiting would be paid by every new topic.
 */
const firstBackoffMs = 50

export type FetcherStep =
  | { readonly kind: 'send'; readonly request: SessionRequest<FetchPosition> }
  /** Nothing to ask for now; try again then. */
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'idle' }

export class FetcherMachine {
  private readonly partitions = new Map<string, FollowedPartition>()
  private readonly session = new FetchSessionClient<FetchPosition>()
  private asked = new Map<string, FetchPosition>()
  private readonly backoffMs: number
  private readonly isHeldBack: (position: FetchPosition, nowMs: number) => boolean

  constructor(settings: { backoffMs: number; isHeldBack?: (position: FetchPosition, nowMs: number) => boolean }) {
    this.backoffMs = settings.backoffMs
    this.isHeldBack = settings.isHeldBack ?? (() => false)
  }

  get size(): number {
    return this.partitions.size
  }

  has(key: string): boolean {
    return this.partitions.has(key)
  }

  position(key: string): FetchPosition | undefined {
    return this.partitions.get(key)?.position
  }

  /** Follow this partition from now on, or in a newer leader epoch. */
  add(key: string, position: FetchPosition): void {
    this.partitions.delete(key)
    const notBeforeMs = Number.NEGATIVE_INFINITY
    this.partitions.set(key, { position, resetting: false, notBeforeMs, failures: 0, isCaughtUp: false })
  }

  remove(key: string): void {
    this.partitions.delete(key)
  }

  /** What to do next, when no request is under way. */
  next(nowMs: number): FetcherStep {
    const wanted = new Map<string, FetchPosition>()
    let earliestMs = Number.POSITIVE_INFINITY
    for (const [key, followed] of this.partitions) {
      if (followed.resetting) continue
      if (followed.notBeforeMs > nowMs) earliestMs = Math.min(earliestMs, followed.notBeforeMs)
      else if (!followed.isCaughtUp && this.isHeldBack(followed.position, nowMs))
        earliestMs = Math.min(earliestMs, nowMs + this.backoffMs)
      else wanted.set(key, followed.position)
    }
    if (wanted.size === 0) {
      return Number.isFinite(earliestMs) ? { kind: 'wait', untilMs: earliestMs } : { kind: 'idle' }
    }
    this.asked = wanted
    return { kind: 'send', request: this.session.next(wanted) }
  }

  /** The request failed on the way. */
  requestFailed(nowMs: number): void {
    this.session.failed()
    for (const key of this.asked.keys()) this.delay(key, nowMs)
  }

  /** The response: what to do with each partition, in order. */
  responded(
    response: { sessionId: number; error: string; partitions: readonly FetchedPartition[] },
    nowMs: number,
  ): FetcherAction[] {
    if (!this.session.responded(response.sessionId, response.error)) {
      // Session errors are answered with a full request at once; anything else would come back as fast as we ask.
      const isSessionError = response.error.includes('FETCH_SESSION')
      if (!isSessionError) for (const key of this.asked.keys()) this.delay(key, nowMs)
      return []
    }
    const actions: FetcherAction[] = []
    for (const fetched of response.partitions) {
      const action = this.decide(fetched, nowMs)
      if (action !== undefined) actions.push(action)
    }
    return actions
  }

  private decide(fetched: FetchedPartition, nowMs: number): FetcherAction | undefined {
    const { key } = fetched
    const followed = this.partitions.get(key)
    const asked = this.asked.get(key)
    // Removed, added again, or truncated while the request was under way: the answer is to a question of the past.
    if (followed === undefined || asked === undefined || followed.resetting || followed.position !== asked)
      return undefined
    switch (fetched.error) {
      case 'NONE':
        if (fetched.divergingEpoch !== undefined) {
          return { kind: 'truncate', key, divergingEpoch: fetched.divergingEpoch }
        }
        return { kind: 'append', key, fetched }
      case 'OFFSET_OUT_OF_RANGE':
        followed.resetting = true
        return { kind: 'reset', key, position: followed.position }
      case 'FENCED_LEADER_EPOCH':
        this.partitions.delete(key)
        return { kind: 'fenced', key, position: followed.position }
      default:
        this.delay(key, nowMs)
        return { kind: 'delayed', key, error: fetched.error }
    }
  }

  /** The log of the partition changed as an action asked for: ask from here on. A partition that had data goes to the end of the queue. */
  moved(key: string, to: { fetchOffset: number; lastFetchedEpoch: number; logStartOffset: number }): void {
    const followed = this.partitions.get(key)
    if (followed === undefined) return
    followed.resetting = false
    followed.notBeforeMs = Number.NEGATIVE_INFINITY
    followed.failures = 0
    const { position } = followed
    const isSame =
      position.fetchOffset === to.fetchOffset &&
      position.lastFetchedEpoch === to.lastFetchedEpoch &&
      position.logStartOffset === to.logStartOffset
    if (isSame) return
    followed.position = { ...position, ...to }
    this.partitions.delete(key)
    this.partitions.set(key, followed)
  }

  /** Whether the partition holds all that its leader had committed. */
  caughtUp(key: string, isCaughtUp: boolean): void {
    const followed = this.partitions.get(key)
    if (followed !== undefined) followed.isCaughtUp = isCaughtUp
  }

  /** Leave the partition alone until it has moved, or is delayed: something is asked about it. */
  hold(key: string): void {
    const followed = this.partitions.get(key)
    if (followed !== undefined) followed.resetting = true
  }

  /** Leave the partition alone for a while. */
  delay(key: string, nowMs: number): void {
    const followed = this.partitions.get(key)
    if (followed === undefined) return
    followed.resetting = false
    followed.notBeforeMs = nowMs + Math.min(this.backoffMs, firstBackoffMs * 2 ** Math.min(followed.failures, 16))
    followed.failures += 1
  }
}

/**
 * Where a follower cuts its log when the leader says that `diverging` is the end of the largest epoch, not above the follower's last one, that
 * it knows. Never more than the two logs can differ in, and several rounds may be needed (KIP-279).
 */
export function truncationOffset(
  diverging: EpochEndOffset,
  log: { readonly logEndOffset: number; endOffsetForEpoch(epoch: number): EpochEndOffset },
): number {
  const own = log.endOffsetForEpoch(diverging.leaderEpoch)
  // No epoch of ours is that old: all we have in doubt is above the leader's end of it.
  if (own.leaderEpoch < 0 || own.endOffset < 0) return Math.min(diverging.endOffset, log.logEndOffset)
  // We do not know that epoch: cut after the last older one we have; the next fetch compares again.
  if (own.leaderEpoch !== diverging.leaderEpoch) return Math.min(own.endOffset, log.logEndOffset)
  return Math.min(own.endOffset, diverging.endOffset, log.logEndOffset)
}
