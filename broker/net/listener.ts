/** Binds the addresses of this node's listeners and owns the connections that come in. */
import type { Environment, Listener, Socket, Timer, TlsServer } from '../environment/environment.ts'
import type { ListenerConfig } from '../config/listeners.ts'
import type { ClientSoftware, ConnectionInfo, ListenerKind } from '../handlers/handler.ts'
import { Connection, type Reply } from './connection.ts'
import type { Authenticate, RequestServer } from './connection-authentication.ts'
import { anonymous } from './principal.ts'
import type { ErrorName } from '../protocol/errors.ts'
import { UnsentReplies } from './unsent-replies.ts'

export interface ServerSecurity {
  /** What a TLS listener needs; undefined for the others. */
  readonly tls: (listener: ListenerConfig) => TlsServer | undefined
  readonly authenticate: Authenticate
  readonly refuse: (frame: Buffer, connection: ConnectionInfo, error: ErrorName, message: string) => Reply
}

/** Begins after a wait, or is let go after one. */
export type Admission = { readonly waitMs: number } | { readonly refused: string; readonly afterMs: number }

/** Quotas on connections; asked for broker listeners only, so that the quorum stays reachable. */
export interface Admissions {
  /** Counts the connection, unless it is refused. */
  admit(ip: string, nowMs: number): Admission
  /** Of an admitted connection that is gone. */
  left(ip: string): void
}

export interface ServerOptions {
  readonly maxFrameBytes: number
  readonly maxQueued: number
  /** As it is now: it may be changed while connections are open. */
  readonly maxConnections: () => number
  readonly idleMs: number
  readonly serve: (frame: Buffer, connection: ConnectionInfo) => Reply | Promise<Reply>
  readonly admissions?: Admissions
  /** Without it all listeners are PLAINTEXT. */
  readonly security?: ServerSecurity
}

const unknownSoftware: ClientSoftware = { name: 'unknown', version: 'unknown' }

export class Server {
  readonly #environment: Environment
  readonly #options: ServerOptions
  readonly #connections = new Set<Connection>()
  readonly #unsent = new UnsentReplies()
  readonly #listeners: { readonly config: ListenerConfig; readonly bound: Listener }[] = []
  #nextId = 1

  constructor(environment: Environment, options: ServerOptions) {
    this.#environment = environment
    this.#options = options
  }

  get connectionsCount(): number {
    return this.#connections.size
  }

  /** Resolves with the port bound. Rejects with NetworkError when the address is taken. */
  async listen(listener: ListenerConfig, kind: ListenerKind): Promise<number> {
    const host = listener.host === '' ? '0.0.0.0' : listener.host
    const bound = await this.#environment.network.listen(
      { host, port: listener.port },
      socket => this.#accept(socket, listener, kind),
      this.#options.security?.tls(listener),
    )
    this.#listeners.push({ config: listener, bound })
    return bound.address.port
  }

  /** Handshakes on this listener use these keys from now on. Throws NetworkError TLS when they cannot be used. */
  renewTls(name: string, tls: TlsServer): void {
    for (const { config, bound } of this.#listeners) if (config.name === name) bound.renewTls?.(tls)
  }

  /** Stops accepting, then closes every connection. */
  async close(): Promise<void> {
    const closing = this.#listeners.splice(0).map(({ bound }) => bound.close())
    for (const connection of this.#connections) connection.destroy()
    await Promise.all(closing)
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  #accept(socket: Socket, listener: ListenerConfig, listenerKind: ListenerKind): void {
    // Clients that use up what there is do not cut off the quorum.
    if (listenerKind === 'broker' && this.#connections.size >= this.#options.maxConnections()) {
      this.#letGo(socket, 'max.connections reached', 0)
      return
    }
    const admissions = listenerKind === 'broker' ? this.#options.admissions : undefined
    const admission = admissions?.admit(socket.remote.host, this.#environment.clock.monotonicMs())
    if (admission !== undefined && 'refused' in admission) {
      this.#letGo(socket, admission.refused, admission.afterMs)
      return
    }
    let software = unknownSoftware
    const gone = new Set<() => void>()
    const info: ConnectionInfo = {
      id: this.#nextId++,
      listenerName: listener.name,
      listenerKind,
      securityProtocol: listener.securityProtocol,
      clientHost: socket.remote.host,
      clientPort: socket.remote.port,
      get principal() {
        return authentication?.principal ?? anonymous
      },
      get clientSoftware() {
        return software
      },
      toldClientSoftware: told => {
        software = told
      },
      mute: durationMs => connection.mute(durationMs),
      replyRoomBytes: () => this.#unsent.roomBytes,
      onClose: run => {
        if (connection.isOpen) gone.add(run)
        else run()
        return () => gone.delete(run)
      },
      isOpen: () => connection.isOpen,
    }
    const connection = new Connection(this.#environment, socket, {
      ...this.#options,
      unsent: this.#unsent,
      serve: request =>
        authentication === undefined ? requests.serve(request) : authentication.serve(request, requests),
      closed: () => {
        this.#connections.delete(connection)
        admissions?.left(socket.remote.host)
        for (const run of gone) run()
      },
    })
    const requests: RequestServer = {
      serve: request => this.#options.serve(request, info),
      refuse: (request, error, message) => this.#options.security?.refuse(request, info, error, message),
    }
    const authentication = this.#options.security?.authenticate(listener, {
      remote: socket.remote,
      peerCertificate: socket.peerCertificate,
      limitFrames: maxBytes => connection.limitFrames(maxBytes),
      closeAfterReplies: () => connection.closeAfterReplies(),
    })
    this.#connections.add(connection)
    if (admission !== undefined) connection.mute(admission.waitMs)
  }

  /** The wait keeps a client that connects again at once from doing so at once. */
  #letGo(socket: Socket, reason: string, afterMs: number): void {
    this.#environment.log.warn(`refused a connection: ${reason}`, { client: socket.remote.host })
    let timer: Timer | undefined
    socket.handle({ data: () => undefined, closed: () => timer?.cancel() })
    if (afterMs === 0) socket.destroy()
    else timer = this.#environment.timers.after(afterMs, () => socket.destroy())
  }
}
