/** Binds the addresses of this node's listeners and owns the connections that come in. */
import type { Environment, Listener, Socket, TlsServer } from '../environment/environment.ts'
import type { ListenerConfig } from '../config/listeners.ts'
import type { ClientSoftware, ConnectionInfo, ListenerKind } from '../handlers/handler.ts'
import { Connection, type Reply } from './connection.ts'
import type { Authenticate, RequestServer } from './connection-authentication.ts'
import { Door, type Admissions } from './door.ts'
import { hostAddress } from './ip-address.ts'
import { anonymous } from './principal.ts'
import type { ErrorName } from '../protocol/errors.ts'
import { UnsentReplies } from './unsent-replies.ts'

export interface ServerSecurity {
  /** What a TLS listener needs; undefined for the others. */
  readonly tls: (listener: ListenerConfig) => TlsServer | undefined
  readonly authenticate: Authenticate
  readonly refuse: (frame: Buffer, connection: ConnectionInfo, error: ErrorName, message: string) => Reply
  readonly answered: (apiKey: number, apiVersion: number, connection: ConnectionInfo) => void
}

export interface ServerOptions {
  readonly maxFrameBytes: number
  readonly maxQueued: number
  readonly idleMs: number
  readonly serve: (frame: Buffer, connection: ConnectionInfo) => Reply | Promise<Reply>
  /** Of clients and brokers, and of the quorum: counted apart, so that clients who use up what there is do not cut that off. */
  readonly admissions?: Readonly<Record<ListenerKind, Admissions>>
  /** Connections of a listener that may wait for others to end (socket.listen.backlog.size). */
  readonly backlog?: number
  /** Without it all listeners are PLAINTEXT. */
  readonly security?: ServerSecurity
}

const unknownSoftware: ClientSoftware = { name: 'unknown', version: 'unknown' }

export class Server {
  readonly #environment: Environment
  readonly #options: ServerOptions
  readonly #doors: Readonly<Record<ListenerKind, Door>>
  readonly #unsent: Readonly<Record<ListenerKind, UnsentReplies>>
  #listeners: { readonly config: ListenerConfig; readonly bound: Listener }[] = []
  #isClosed = false
  #nextId = 1

  constructor(environment: Environment, options: ServerOptions) {
    this.#environment = environment
    this.#options = options
    const door = (kind: ListenerKind) => new Door(environment, options.admissions?.[kind], options.backlog)
    this.#unsent = { broker: new UnsentReplies(environment), controller: new UnsentReplies(environment) }
    this.#doors = { broker: door('broker'), controller: door('controller') }
  }

  get connectionsCount(): number {
    return this.#doors.broker.connectionsCount + this.#doors.controller.connectionsCount
  }

  /** Quotas on connections may have changed. */
  admitWaiting(): void {
    this.#doors.broker.admitWaiting()
    this.#doors.controller.admitWaiting()
  }

  /** Resolves with the port bound. Rejects with NetworkError when the address is taken. */
  async listen(listener: ListenerConfig, kind: ListenerKind): Promise<number> {
    const host = listener.host === '' ? '0.0.0.0' : listener.host
    const bound = await this.#environment.network.listen(
      { host, port: listener.port },
      socket => this.#accept(socket, listener, kind),
      this.#options.security?.tls(listener),
    )
    const { port } = bound.address
    if (this.#isClosed) await bound.close()
    else this.#listeners.push({ config: listener, bound })
    return port
  }

  /** Stops accepting on the listener and closes its connections; resolves when its address is free. */
  async closeListener(name: string): Promise<void> {
    const closing = this.#listeners.filter(({ config }) => config.name === name).map(({ bound }) => bound.close())
    this.#listeners = this.#listeners.filter(({ config }) => config.name !== name)
    for (const door of Object.values(this.#doors)) door.close(name)
    await Promise.all(closing)
  }

  /** Handshakes on this listener use these keys from now on. Throws NetworkError TLS when they cannot be used. */
  renewTls(name: string, tls: TlsServer): void {
    for (const { config, bound } of this.#listeners) if (config.name === name) bound.renewTls?.(tls)
  }

  /** Stops accepting, then closes every connection. */
  async close(): Promise<void> {
    this.#isClosed = true
    const closing = this.#listeners.splice(0).map(({ bound }) => bound.close())
    this.#doors.broker.close()
    this.#doors.controller.close()
    await Promise.all(closing)
  }

  #accept(socket: Socket, listener: ListenerConfig, kind: ListenerKind): void {
    const arrival = { listener: listener.name, ip: hostAddress(socket.remote.host) }
    this.#doors[kind].enter(socket, arrival, closed => this.#open(socket, listener, { kind, ip: arrival.ip, closed }))
  }

  #open(
    socket: Socket,
    listener: ListenerConfig,
    { kind: listenerKind, ip: clientHost, closed }: { kind: ListenerKind; ip: string; closed: () => void },
  ): Connection {
    let software = unknownSoftware
    const unsent = this.#unsent[listenerKind]
    const gone = new Set<() => void>()
    const info: ConnectionInfo = {
      id: this.#nextId++,
      listenerName: listener.name,
      listenerKind,
      securityProtocol: listener.securityProtocol,
      clientHost,
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
      replyRoomBytes: () => unsent.roomBytes,
      onClose: run => {
        if (connection.isOpen) gone.add(run)
        else run()
        return () => gone.delete(run)
      },
      isOpen: () => connection.isOpen,
    }
    const connection = new Connection(this.#environment, socket, {
      ...this.#options,
      unsent,
      serve: request =>
        authentication === undefined ? requests.serve(request) : authentication.serve(request, requests),
      closed: () => {
        closed()
        for (const run of gone) run()
      },
    })
    const requests: RequestServer = {
      serve: request => this.#options.serve(request, info),
      refuse: (request, error, message) => this.#options.security?.refuse(request, info, error, message),
      answered: (apiKey, apiVersion) => this.#options.security?.answered(apiKey, apiVersion, info),
    }
    const authentication = this.#options.security?.authenticate(listener, {
      remote: socket.remote,
      peerCertificate: socket.peerCertificate,
      limitFrames: maxBytes => connection.limitFrames(maxBytes),
      closeAfterReplies: () => connection.closeAfterReplies(),
    })
    return connection
  }
}
