/**
 * RequestClient over the environment's network: connections are made on first use, versions agreed by ApiVersions, requests pipelined. With
 * security, over TLS and after this node has said who it is.
 */
import type { Address, Environment, NetworkError as NetworkFault, Socket, Timer } from '../environment/environment.ts'
import { NetworkError } from '../environment/environment.ts'
import { apiByKey, type Api } from '../protocol/apis.ts'
import { messagesOf, type Exchange } from '../protocol/messages/index.ts'
import { codec } from '../protocol/codec.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { decodeResponseHeader, encodeRequestFrame } from '../protocol/headers.ts'
import { Reader } from '../protocol/reader.ts'
import type { RequestClient, SendOptions } from './client.ts'
import { LoginError, logIn } from './peer-login.ts'
import type { PeerSecurity } from './peer-security.ts'
import { Framer } from './framer.ts'

interface Pending {
  readonly api: Api
  readonly version: number
  readonly timer: Timer
  readonly resolve: (result: { response: never; version: number }) => void
  readonly reject: (error: Error) => void
}

interface Queued {
  readonly api: Api
  readonly body: object
  readonly maxVersion: number
  /** Runs from the moment of `send`, so that connecting counts too. */
  readonly timer: Timer
  readonly resolve: (result: { response: never; version: number }) => void
  readonly reject: (error: Error) => void
}

interface ApiVersionsReply {
  readonly errorCode: number
  readonly apiKeys: readonly { apiKey: number; minVersion: number; maxVersion: number }[]
}

const apiVersionsKey = 18
const fetchKey = 1
const maxResponseBytes = 2 ** 31 - 1
/** A peer is a node of this cluster; what a follower fetches has mostly a MiB. */
const trustedResponseBytes = 2 * 1024 * 1024
const negotiationTimeoutMs = 30_000
/** Of a session that the other side limits, the part after which another connection takes over. */
const sessionPart = 0.85

function exchangeOf(api: Api): Exchange {
  const exchange = messagesOf(api.key)
  if (exchange === undefined) throw new Error(`${api.name} has no messages`)
  return exchange
}

/** One connection to one peer. Ends with the first error; the owner makes a new one when it is needed. */
class PeerConnection {
  readonly #environment: Environment
  readonly #clientId: string
  readonly #address: Address
  readonly #socket: Socket
  readonly #pending = new Map<number, Pending>()
  readonly #ended: () => void
  #queued: Queued[] = []
  #versions: Map<number, { min: number; max: number }> | undefined
  /** Versions agreed, and logged in where that is asked for. */
  #isReady = false
  #nextCorrelationId = 0
  #open = true
  #sessionTimer: Timer | undefined
  /** New requests go to another connection; this one ends with its last answer. */
  #retired = false

  constructor(
    environment: Environment,
    clientId: string,
    address: Address,
    security: PeerSecurity,
    /** No more requests should come here. */
    ended: () => void,
  ) {
    this.#environment = environment
    this.#clientId = clientId
    this.#address = address
    this.#ended = ended
    const framer = new Framer(maxResponseBytes, trustedResponseBytes)
    this.#socket = environment.network.connect(
      address,
      {
        opened: () => undefined,
        data: chunk => {
          try {
            framer.push(chunk, response => this.#receive(response))
          } catch (error) {
            if (!(error instanceof ProtocolError)) throw error
            this.#end(error)
          }
        },
        closed: error => this.#end(error),
      },
      security.tls?.(),
    )
    this.#negotiate(security)
  }

  send(api: Api, body: object, options: SendOptions, resolve: Queued['resolve'], reject: Queued['reject']): void {
    if (!this.#open) {
      reject(this.#error('connection closed'))
      return
    }
    const maxVersion = Math.min(options.maxVersion ?? Infinity, api.latestStable)
    const request: Queued = { api, body, maxVersion, timer: this.#deadline(api, options.timeoutMs), resolve, reject }
    if (!this.#isReady) this.#queued.push(request)
    else this.#write(request)
  }

  close(): void {
    this.#end(undefined)
  }

  #negotiate(security: PeerSecurity): void {
    const api = apiByKey(apiVersionsKey)
    if (api === undefined) throw new Error('ApiVersions is missing from the API table')
    const body = { clientSoftwareName: 'faultline', clientSoftwareVersion: '1' }
    const done = ({ response }: { response: ApiVersionsReply }) => {
      this.#versions = new Map(
        response.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, { min: minVersion, max: maxVersion }]),
      )
      const exchange = security.sasl?.()
      if (exchange === undefined) return this.#release()
      logIn(exchange, (apiKey, body) => this.#ask(apiKey, body)).then(
        lifetimeMs => {
          this.#renewIn(lifetimeMs)
          this.#release()
        },
        (error: unknown) => this.#loginFailed(error),
      )
    }
    const timer = this.#deadline(api, negotiationTimeoutMs)
    const resolve = done as Queued['resolve']
    this.#transmit({ api, body, maxVersion: 3, timer, resolve, reject: () => undefined }, 3)
  }

  /** Whatever waited for the connection to be ready. */
  #release(): void {
    this.#isReady = true
    const queued = this.#queued
    this.#queued = []
    for (const request of queued) this.#write(request)
  }

  /** A request of the login, before all others. */
  #ask<Response>(apiKey: number, body: object): Promise<Response> {
    const api = apiByKey(apiKey)
    if (api === undefined) throw new Error(`API key ${apiKey} is missing from the API table`)
    return new Promise((resolve, reject) => {
      if (!this.#open) return reject(this.#error('connection closed'))
      const timer = this.#deadline(api, negotiationTimeoutMs)
      this.#write({ api, body, maxVersion: api.latestStable, timer, resolve: done => resolve(done.response), reject })
    })
  }

  #loginFailed(error: unknown): void {
    if (!(error instanceof Error)) throw error
    // A lost connection has told whoever waits already.
    if (!this.#open) return
    const reason = error instanceof LoginError ? error.message : `the login failed: ${error.message}`
    this.#environment.log.warn('could not log in to another node', { node: this.#name, reason })
    this.#end(new NetworkError('SASL_AUTHENTICATION_FAILED', `${this.#name}: ${reason}`, error))
  }

  #renewIn(lifetimeMs: number): void {
    if (lifetimeMs <= 0 || !this.#open) return
    this.#sessionTimer = this.#environment.timers.after(Math.floor(lifetimeMs * sessionPart), () => {
      this.#retired = true
      this.#ended()
      this.#endIfIdle()
    })
  }

  #endIfIdle(): void {
    if (this.#retired && this.#pending.size === 0) this.#end(undefined)
  }

  #deadline(api: Api, timeoutMs: number): Timer {
    return this.#environment.timers.after(timeoutMs, () =>
      this.#end(new NetworkError('REQUEST_TIMED_OUT', `${api.name} to ${this.#name} got no answer in ${timeoutMs} ms`)),
    )
  }

  #write(request: Queued): void {
    const theirs = this.#versions?.get(request.api.key)
    const wanted = Math.min(theirs?.max ?? -1, request.maxVersion)
    if (theirs === undefined || wanted < Math.max(theirs.min, request.api.minVersion)) {
      const range = theirs === undefined ? 'not at all' : `in versions ${theirs.min} to ${theirs.max}`
      request.timer.cancel()
      request.reject(this.#error(`peer serves ${request.api.name} ${range}; we have up to ${request.api.latestStable}`))
      return
    }
    this.#transmit(request, wanted)
  }

  #transmit(request: Queued, version: number): void {
    const { api, body, timer, resolve, reject } = request
    const correlationId = this.#nextCorrelationId++
    this.#pending.set(correlationId, { api, version, timer, resolve, reject })
    this.#socket.write(
      encodeRequestFrame({ version, correlationId, clientId: this.#clientId }, exchangeOf(api).request, body as never),
    )
  }

  #receive(bytes: Buffer): void {
    const correlationId = bytes.length >= 4 ? bytes.readInt32BE(0) : -1
    const pending = this.#pending.get(correlationId)
    if (pending === undefined)
      throw new ProtocolError(`response to an unknown correlation id ${correlationId} from ${this.#name}`)
    this.#pending.delete(correlationId)
    pending.timer.cancel()
    try {
      const reader = new Reader(bytes)
      decodeResponseHeader(reader, { key: pending.api.key, version: pending.version })
      const response = codec(exchangeOf(pending.api).response, pending.version).decode(reader) as never
      pending.resolve({ response, version: pending.version })
      this.#endIfIdle()
    } catch (error) {
      // Whoever asked cannot know what became of the request, as after a lost connection.
      pending.reject(this.#error(`sent an answer that cannot be read: ${(error as Error).message}`))
      throw error
    }
  }

  get #name(): string {
    return `${this.#address.host}:${this.#address.port}`
  }

  #error(reason: string, cause?: Error): NetworkError {
    return cause instanceof NetworkError
      ? cause
      : new NetworkError('CONNECTION_CLOSED', `${this.#name}: ${reason}`, cause)
  }

  #end(cause: NetworkFault | ProtocolError | undefined): void {
    if (!this.#open) return
    this.#open = false
    this.#sessionTimer?.cancel()
    this.#socket.destroy()
    this.#ended()
    const error = this.#error(cause?.message ?? 'connection closed', cause)
    for (const { timer, reject } of this.#pending.values()) {
      timer.cancel()
      reject(error)
    }
    this.#pending.clear()
    for (const { timer, reject } of this.#queued.splice(0)) {
      timer.cancel()
      reject(error)
    }
  }
}

export class NetworkRequestClient implements RequestClient {
  readonly #environment: Environment
  readonly #clientId: string
  readonly #security: PeerSecurity
  /** Fetch has a connection of its own per peer: replies come in order, and a long poll must not hold back a vote. */
  readonly #connections = new Map<string, PeerConnection>()
  #closed = false

  constructor(environment: Environment, clientId: string, security: PeerSecurity = {}) {
    this.#environment = environment
    this.#clientId = clientId
    this.#security = security
  }

  send<Response>(
    to: Address,
    apiKey: number,
    body: object,
    options: SendOptions,
  ): Promise<{ response: Response; version: number }> {
    const api = apiByKey(apiKey)
    if (api === undefined) throw new Error(`unknown API key ${apiKey}`)
    if (this.#closed) return Promise.reject(new NetworkError('CONNECTION_CLOSED', 'this client is closed'))
    return new Promise((resolve, reject) => {
      this.#connection(to, apiKey).send(api, body, options, resolve, reject)
    })
  }

  close(): void {
    this.#closed = true
    for (const connection of this.#connections.values()) connection.close()
  }

  #connection(to: Address, apiKey: number): PeerConnection {
    const key = `${to.host}:${to.port}${apiKey === fetchKey ? ' fetch' : ''}`
    let connection = this.#connections.get(key)
    if (connection === undefined) {
      const made = new PeerConnection(this.#environment, this.#clientId, to, this.#security, () => {
        if (this.#connections.get(key) === made) this.#connections.delete(key)
      })
      connection = made
      this.#connections.set(key, made)
    }
    return connection
  }
}
