/**
 * Share sessions: which partitions a member fetches from this broker, so that its requests name only what changes. A session belongs to the
 * connection it was opened on and ends with it. Source: KIP-932, "Share sessions".
 */
import type { ErrorName } from '../../protocol/errors.ts'
import type { Parker } from '../../replication/purgatory.ts'

export interface SharePlace {
  readonly topicId: string
  readonly partition: number
}

interface Session {
  readonly groupId: string
  readonly memberId: string
  epoch: number
  readonly places: Map<string, SharePlace>
  readonly forget: () => void
}

export const firstSessionEpoch = 0
/** Closes the session. */
export const finalSessionEpoch = -1
const largestEpoch = 0x7fff_ffff

const sessionKey = (groupId: string, memberId: string): string => `${groupId}\0${memberId}`
const placeKey = ({ topicId, partition }: SharePlace): string => `${topicId}:${partition}`
const nextEpoch = (epoch: number): number => (epoch === largestEpoch ? 1 : epoch + 1)

export interface ShareSessionsOptions {
  readonly maxSessions: number
  /** A session ended with its connection. */
  lost(session: { readonly groupId: string; readonly memberId: string; readonly places: readonly SharePlace[] }): void
  /** The last session of a group is gone. */
  groupIdle(groupId: string): void
}

export class ShareSessions {
  readonly #options: ShareSessionsOptions
  readonly #sessions = new Map<string, Session>()

  constructor(options: ShareSessionsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#sessions.size
  }

  /** A new session instead of the one that the member may have. */
  open(
    member: { readonly groupId: string; readonly memberId: string },
    places: readonly SharePlace[],
    connection: Parker,
  ): readonly SharePlace[] | ErrorName {
    const { groupId, memberId } = member
    const key = sessionKey(groupId, memberId)
    this.#remove(key)
    if (this.#sessions.size >= this.#options.maxSessions) return 'SHARE_SESSION_LIMIT_REACHED'
    const session: Session = {
      groupId,
      memberId,
      epoch: nextEpoch(firstSessionEpoch),
      places: new Map(places.map(place => [placeKey(place), place])),
      forget: connection.onClose(() => {
        if (this.#sessions.get(key) !== session) return
        this.#sessions.delete(key)
        this.#options.lost({ groupId, memberId, places: [...session.places.values()] })
        this.#tellIdle(groupId)
      }),
    }
    this.#sessions.set(key, session)
    return [...session.places.values()]
  }

  /** The next request of a session: all its partitions, or why it is refused. */
  next(
    member: { readonly groupId: string; readonly memberId: string; readonly epoch: number },
    added: readonly SharePlace[],
    forgotten: readonly SharePlace[],
  ): readonly SharePlace[] | ErrorName {
    const session = this.#sessions.get(sessionKey(member.groupId, member.memberId))
    if (session === undefined) return 'SHARE_SESSION_NOT_FOUND'
    if (session.epoch !== member.epoch) return 'INVALID_SHARE_SESSION_EPOCH'
    session.epoch = nextEpoch(session.epoch)
    for (const place of added) session.places.set(placeKey(place), place)
    for (const place of forgotten) session.places.delete(placeKey(place))
    return [...session.places.values()]
  }

  has(groupId: string, memberId: string): boolean {
    return this.#sessions.has(sessionKey(groupId, memberId))
  }

  /** Ends a session; its partitions, whose records the caller releases. */
  close(groupId: string, memberId: string): readonly SharePlace[] | ErrorName {
    const session = this.#remove(sessionKey(groupId, memberId))
    if (session === undefined) return 'SHARE_SESSION_NOT_FOUND'
    return [...session.places.values()]
  }

  /** After the records of a closed session were released. */
  closed(groupId: string): void {
    this.#tellIdle(groupId)
  }

  #remove(key: string): Session | undefined {
    const session = this.#sessions.get(key)
    this.#sessions.delete(key)
    session?.forget()
    return session
  }

  #tellIdle(groupId: string): void {
    for (const session of this.#sessions.values()) if (session.groupId === groupId) return
    this.#options.groupIdle(groupId)
  }
}
