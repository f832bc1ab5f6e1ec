/**
 * Where the connections of some listeners come in: each is asked of the quotas on connections, begins, waits for another one to end, or is let go.
 * One that waits is not read from; Kafka leaves it in the system's queue, which looks the same to its client.
 */
import type { Environment, Socket, Timer } from '../environment/environment.ts'
import type { Connection } from './connection.ts'

/** A connection that comes in. */
export interface Arrival {
  readonly listener: string
  readonly ip: string
}

/**
 * Begins after a wait; is let go after one; or waits for another to end. `costsAnother`: there are more connections now than there may be, and
 * one of another listener has to go.
 */
export type Admission =
  | { readonly waitMs: number; readonly costsAnother: boolean }
  | { readonly refused: string; readonly afterMs: number }
  | 'full'

/** Quotas on connections. */
export interface Admissions {
  /** Counts the connection if it begins. */
  admit(arrival: Arrival, nowMs: number): Admission
  /** Of an admitted connection that is gone. */
  left(arrival: Arrival): void
}

interface Guest {
  readonly arrival: Arrival
  readonly connection: Connection
  state: 'waiting' | 'inside' | 'leaving'
  /** Of one that waited and was then refused. */
  endTimer?: Timer
}

const always: Admissions = { admit: () => ({ waitMs: 0, costsAnother: false }), left: () => undefined }

export class Door {
  readonly #environment: Environment
  readonly #admissions: Admissions
  readonly #backlog: number
  readonly #inside = new Set<Guest>()
  #waiting: Guest[] = []
  /** Connections that are refused and have to wait for their end. */
  readonly #refused = new Map<{ destroy(): void }, Arrival>()

  /** @param backlog  connections of a listener that may wait for others to end */
  constructor(environment: Environment, admissions: Admissions = always, backlog = Infinity) {
    this.#environment = environment
    this.#admissions = admissions
    this.#backlog = backlog
  }

  /** Those that have begun. */
  get connectionsCount(): number {
    return this.#inside.size
  }

  /** @param open  makes the connection; calls `closed` once when it is gone, in a later turn */
  enter(socket: Socket, arrival: Arrival, open: (closed: () => void) => Connection): void {
    const before = this.#waiting.filter(({ arrival: { listener } }) => listener === arrival.listener).length
    const admission = before > 0 ? 'full' : this.#ask(arrival)
    if (admission === 'full' && before >= this.#backlog)
      return this.#letGo(socket, arrival, { refused: 'too many wait for others to end (max.connections)', afterMs: 0 })
    if (admission !== 'full' && 'refused' in admission) return this.#letGo(socket, arrival, admission)
    const connection = open(() => this.#left(guest))
    const guest: Guest = { arrival, connection, state: 'waiting' }
    if (admission !== 'full') return this.#begin(guest, admission)
    connection.hold()
    this.#waiting.push(guest)
    const { listener, ip } = arrival
    this.#environment.log.warn('a connection waits for another to end: max.connections reached', {
      listener,
      client: ip,
    })
  }

  /** There may be room now for some that wait. */
  admitWaiting(): void {
    const full = new Set<string>()
    for (const guest of [...this.#waiting]) {
      if (full.has(guest.arrival.listener)) continue
      const admission = this.#ask(guest.arrival)
      if (admission === 'full') {
        full.add(guest.arrival.listener)
        continue
      }
      this.#waiting = this.#waiting.filter(each => each !== guest)
      if ('refused' in admission) {
        this.#refused.set(guest.connection, guest.arrival)
        guest.endTimer = this.#environment.timers.after(admission.afterMs, () => guest.connection.destroy())
        continue
      }
      this.#begin(guest, admission)
      guest.connection.release()
    }
  }

  /** @param listener  only its connections */
  close(listener?: string): void {
    const goes = (arrival: Arrival): boolean => listener === undefined || arrival.listener === listener
    const guests = [...this.#inside, ...this.#waiting].filter(({ arrival }) => goes(arrival))
    this.#waiting = this.#waiting.filter(({ arrival }) => !goes(arrival))
    for (const { connection } of guests) connection.destroy()
    for (const [refused, arrival] of this.#refused) if (goes(arrival)) refused.destroy()
  }

  #ask(arrival: Arrival): Admission {
    return this.#admissions.admit(arrival, this.#environment.clock.monotonicMs())
  }

  #begin(guest: Guest, { waitMs, costsAnother }: Exclude<Admission, 'full' | { refused: string }>): void {
    guest.state = 'inside'
    this.#inside.add(guest)
    guest.connection.mute(waitMs)
    if (costsAnother) this.#closeIdlest(guest.arrival.listener)
  }

  /** Of the other listeners, the connection that has been silent for longest. */
  #closeIdlest(listener: string): void {
    let idlest: Guest | undefined
    for (const guest of this.#inside) {
      if (guest.arrival.listener === listener || guest.state === 'leaving') continue
      if (idlest === undefined || guest.connection.lastActiveMs < idlest.connection.lastActiveMs) idlest = guest
    }
    if (idlest === undefined) return
    idlest.state = 'leaving'
    this.#environment.log.warn('closed a connection to let a broker in: max.connections reached', {
      client: idlest.arrival.ip,
    })
    idlest.connection.destroy()
  }

  #left(guest: Guest): void {
    if (!this.#inside.delete(guest)) {
      guest.endTimer?.cancel()
      this.#refused.delete(guest.connection)
      this.#waiting = this.#waiting.filter(each => each !== guest)
      return
    }
    this.#admissions.left(guest.arrival)
    this.admitWaiting()
  }

  /** The wait keeps a client that connects again at once from doing so at once. */
  #letGo(socket: Socket, arrival: Arrival, { refused, afterMs }: Extract<Admission, { refused: string }>): void {
    this.#environment.log.warn(`refused a connection: ${refused}`, { client: socket.remote.host })
    let timer: Timer | undefined
    socket.handle({
      data: () => undefined,
      closed: () => {
        timer?.cancel()
        this.#refused.delete(socket)
      },
    })
    if (afterMs === 0) return socket.destroy()
    this.#refused.set(socket, arrival)
    timer = this.#environment.timers.after(afterMs, () => socket.destroy())
  }
}
