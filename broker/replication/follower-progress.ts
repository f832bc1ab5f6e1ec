/**
 * What a leader knows of one follower of a partition: how far it fetched, when it was last caught up, and which registration (broker epoch)
 * of that broker is fetching. It must never let a request of an older registration move the state (KIP-903).
 * Sources: KIP-16 (lag by time), KIP-903 (broker epoch in Fetch).
 */

export const unknownOffset = -1

export class FollowerProgress {
  readonly brokerId: number
  /** The follower holds every record below it; -1 until its first fetch in this leadership. */
  logEndOffset = unknownOffset
  logStartOffset = unknownOffset
  /** Broker epoch of the last fetch; -1 when the request carried none, undefined before the first fetch. */
  brokerEpoch: number | undefined = undefined
  /** Largest time t such that the follower held by now all that the leader had at t; monotonic ms. */
  lastCaughtUpMs = Number.NEGATIVE_INFINITY
  private lastFetchMs = Number.NEGATIVE_INFINITY
  private leaderEndOffsetAtLastFetch = unknownOffset

  constructor(brokerId: number) {
    this.brokerId = brokerId
  }

  /**
   * A new leadership begins. A member of the in-sync set counts as caught up now, so that it has replica.lag.time.max.ms to show itself.
   * What an earlier leadership of this broker learned stays when the broker led all the time.
   */
  reset(start: { isNewLeader: boolean; isInSync: boolean; leaderEndOffset: number }, nowMs: number): void {
    this.lastCaughtUpMs = start.isInSync ? nowMs : Number.NEGATIVE_INFINITY
    if (start.isNewLeader) {
      this.logEndOffset = unknownOffset
      this.logStartOffset = unknownOffset
      this.brokerEpoch = undefined
      this.lastFetchMs = Number.NEGATIVE_INFINITY
      this.leaderEndOffsetAtLastFetch = unknownOffset
    } else {
      this.lastFetchMs = start.isInSync ? nowMs : Number.NEGATIVE_INFINITY
      this.leaderEndOffsetAtLastFetch = start.leaderEndOffset
    }
  }

  /**
   * Notes a fetch. A follower that reads up to where the leader ended at its *previous* fetch was caught up at that time: so it stays in sync
   * although, with a steady stream of small appends, it never reads up to the very end.
   */
  fetched(
    fetch: { fetchOffset: number; logStartOffset: number; leaderEndOffset: number; brokerEpoch: number },
    nowMs: number,
  ): void {
    if (fetch.fetchOffset >= fetch.leaderEndOffset) {
      this.lastCaughtUpMs = Math.max(this.lastCaughtUpMs, nowMs)
    } else if (fetch.fetchOffset >= this.leaderEndOffsetAtLastFetch) {
      this.lastCaughtUpMs = Math.max(this.lastCaughtUpMs, this.lastFetchMs)
    }
    this.logEndOffset = fetch.fetchOffset
    this.logStartOffset = fetch.logStartOffset
    this.leaderEndOffsetAtLastFetch = Math.max(fetch.leaderEndOffset, this.leaderEndOffsetAtLastFetch)
    this.lastFetchMs = nowMs
    this.brokerEpoch = fetch.brokerEpoch
  }

  isCaughtUp(leaderEndOffset: number, nowMs: number, lagTimeMaxMs: number): boolean {
    return leaderEndOffset === this.logEndOffset || nowMs - this.lastCaughtUpMs <= lagTimeMaxMs
  }
}
