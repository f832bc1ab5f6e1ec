/**
 * The client's side of an incremental fetch session (KIP-227): remembers what the leader was told, so that a request names only partitions
 * whose position changed. It never drops a change: after any doubt the next request is a full one.
 */

const maximumEpoch = 2_147_483_647

export interface SessionPosition {
  readonly topicId: string
  readonly partition: number
  readonly currentLeaderEpoch: number
  readonly fetchOffset: number
  readonly lastFetchedEpoch: number
  readonly logStartOffset: number
}

export interface SessionRequest<Position> {
  readonly sessionId: number
  readonly sessionEpoch: number
  /** What the request must name. */
  readonly send: readonly Position[]
  readonly forget: readonly Position[]
}

function isSame(a: SessionPosition, b: SessionPosition): boolean {
  return (
    a.fetchOffset === b.fetchOffset &&
    a.currentLeaderEpoch === b.currentLeaderEpoch &&
    a.lastFetchedEpoch === b.lastFetchedEpoch &&
    a.logStartOffset === b.logStartOffset
  )
}

export class FetchSessionClient<Position extends SessionPosition> {
  private sessionId = 0
  private epoch = 0
  private told = new Map<string, Position>()

  /** @param wanted by key; a key must change when the topic id does */
  next(wanted: ReadonlyMap<string, Position>): SessionRequest<Position> {
    const { sessionId, epoch } = this
    if (epoch === 0) {
      this.told = new Map(wanted)
      return { sessionId, sessionEpoch: 0, send: [...wanted.values()], forget: [] }
    }
    const send: Position[] = []
    for (const [key, position] of wanted) {
      const before = this.told.get(key)
      if (before !== undefined && isSame(before, position)) continue
      send.push(position)
      this.told.set(key, position)
    }
    const forget: Position[] = []
    for (const [key, position] of this.told) {
      if (wanted.has(key)) continue
      forget.push(position)
      this.told.delete(key)
    }
    return { sessionId, sessionEpoch: epoch, send, forget }
  }

  /** The response came; `error` is its top-level error. Returns false when its partitions must not be used. */
  responded(sessionId: number, error: string): boolean {
    if (error !== 'NONE') {
      // The session is unknown there, or out of step: begin a new one, and close the old one if there is one.
      if (error === 'FETCH_SESSION_ID_NOT_FOUND') this.sessionId = 0
      this.epoch = 0
      return false
    }
    if (this.epoch === 0) {
      this.sessionId = sessionId
      this.epoch = sessionId === 0 ? 0 : 1
    } else if (sessionId !== this.sessionId) {
      // The leader closed the session along with its last partition.
      this.sessionId = 0
      this.epoch = 0
    } else {
      this.epoch = this.epoch === maximumEpoch ? 1 : this.epoch + 1
    }
    return true
  }

  /** The request failed on the way: nobody knows whether the leader saw it. */
  failed(): void {
    this.epoch = 0
  }
}
