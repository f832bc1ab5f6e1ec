/**
 * How much of this node's memory is held by replies that their clients do not take: what Kafka sends from its files as the socket allows,
 * is read into memory here. One account for the connections of clients and brokers, one for those of the quorum, so that clients cannot hold
 * that up.
 *
 * While an account is full, no request of its connections is begun, whoever sent it; a fetch that waits is answered without records. So no more
 * is held than the bound, the reply that reached it, and what followers are given, which get what they ask for: there are only so many. Clients
 * that take nothing must not stop the others either: when somebody has to wait, the connections that have taken not a byte of what is on its way
 * to them for a second are closed, those that hold most first, until half of the account is free. Who takes a large reply slowly, or waits for
 * the reply to an earlier request, is not one of them.
 *
 * Source: none; Kafka holds no records in memory.
 */
import type { Environment, Timer } from '../environment/environment.ts'

/** Bytes from which on an account is full. */
const fullBytes = 128 << 20
/** A connection that takes something at least so often is not closed. */
const patienceMs = 1000
/** While somebody waits it is looked so often at who takes something. */
const lookEveryMs = 250

/** A connection, as its account sees it. */
export interface ReplyHolder {
  /** Its client, for the log. */
  readonly client: string
  /** Bytes of replies that wait, for the one before them or to be taken by the peer. */
  readonly unsentBytes: number
  /** Of these, bytes that were handed to the socket: what the peer can take. */
  readonly handedBytes: number
  /** Bytes that the peer's side has taken so far: only ever grows, within a write too where the socket can tell. */
  readonly takenBytes: number
  destroy(): void
  /** There may be room again. */
  proceed(): void
}

export class UnsentReplies {
  readonly #environment: Pick<Environment, 'clock' | 'timers' | 'log'>
  readonly #holders = new Set<ReplyHolder>()
  /** Those with a request that cannot be begun, in the order in which they came. */
  readonly #waiting = new Set<ReplyHolder>()
  /** While somebody waits: what each had taken, and since when (monotonic ms) it is that much. */
  #looks = new Map<ReplyHolder, { readonly takenBytes: number; readonly sinceMs: number }>()
  #bytes = 0
  #timer: Timer | undefined

  constructor(environment: Pick<Environment, 'clock' | 'timers' | 'log'>) {
    this.#environment = environment
  }

  get isFull(): boolean {
    return this.#bytes >= fullBytes
  }

  /** What further replies had better stay below; 0 when nothing may be added. */
  get roomBytes(): number {
    return Math.max(0, fullBytes - this.#bytes)
  }

  enter(holder: ReplyHolder): void {
    this.#holders.add(holder)
  }

  /** What it holds is removed as its socket lets go of it. */
  leave(holder: ReplyHolder): void {
    this.#holders.delete(holder)
    this.#waiting.delete(holder)
    this.#looks.delete(holder)
  }

  add(bytes: number): void {
    this.#bytes += bytes
  }

  remove(bytes: number): void {
    this.#bytes -= bytes
    if (this.#waiting.size === 0 || this.isFull) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const holder of waiting) holder.proceed()
  }

  /** The holder has a request that is not begun because there is no room; it is told when there is. */
  await(holder: ReplyHolder): void {
    this.#waiting.add(holder)
    this.#expectRoom()
  }

  #expectRoom(): void {
    if (this.#timer !== undefined) return
    this.#look()
    this.#timer = this.#environment.timers.after(lookEveryMs, () => this.#makeRoom())
  }

  #look(): void {
    const nowMs = this.#environment.clock.monotonicMs()
    const looks = new Map<ReplyHolder, { readonly takenBytes: number; readonly sinceMs: number }>()
    for (const holder of this.#holders) {
      const { handedBytes, takenBytes } = holder
      if (handedBytes === 0) continue
      const before = this.#looks.get(holder)
      looks.set(holder, before?.takenBytes === takenBytes ? before : { takenBytes, sinceMs: nowMs })
    }
    this.#looks = looks
  }

  #makeRoom(): void {
    this.#timer = undefined
    if (!this.isFull || this.#waiting.size === 0) {
      this.#looks.clear()
      return
    }
    this.#look()
    const takenBeforeMs = this.#environment.clock.monotonicMs() - patienceMs
    const stuck = [...this.#looks]
      .filter(([, { sinceMs }]) => sinceMs <= takenBeforeMs)
      .map(([holder]) => holder)
      .sort((a, b) => b.unsentBytes - a.unsentBytes)
    // What a connection holds is given back when it is closed, a little later.
    let excessBytes = this.#bytes - fullBytes / 2
    for (const holder of stuck) {
      if (excessBytes <= 0) break
      excessBytes -= holder.unsentBytes
      this.#environment.log.warn(
        'closed a connection that did not take its replies: too much memory is held by such replies',
        {
          client: holder.client,
          bytes: holder.unsentBytes,
        },
      )
      holder.destroy()
    }
    this.#expectRoom()
  }
}
