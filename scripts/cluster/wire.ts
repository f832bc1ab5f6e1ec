/**
 * A Kafka client of a few requests, for the toolkit's own questions: is every broker there, can a record be written and read, who leads
 * the quorum. Written by hand against the protocol guide and not on top of the broker's codecs, so that an error in those cannot hide
 * from it; and kafkajs has no DescribeQuorum, takes 100 ms to load and waits in steps of 300 ms.
 *
 * Old, non-flexible versions are used wherever Kafka 4.3 still has them: they are the shortest to write down.
 */
import type { Socket } from 'node:net'
import type { ISocketFactoryArgs, KafkaConfig } from 'kafkajs'
import { failure } from '../errors.ts'
import { Reader, Writer } from './wire-format.ts'
import { directSocket } from './wire-socket.ts'

/** Those of kafkajs: `Cluster.kafkaOptions()` holds them. */
export type ConnectionOptions = Pick<KafkaConfig, 'socketFactory' | 'ssl' | 'sasl' | 'clientId'>

const defaultClientId = 'faultline-toolkit'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Of an entry of `Cluster.bootstrap`, `host:port`. */
export function endpointOf(address: string): Endpoint {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

interface Waiting {
  resolve(body: Reader): void
  reject(error: Error): void
  readonly flexible: boolean
}

/** One connection; requests may overlap, their answers come in order. */
export class WireClient {
  readonly #socket: Socket
  readonly #endpoint: Endpoint
  /** What quotas and logs of brokers know the client by. */
  readonly #clientId: string
  #received: Buffer = Buffer.alloc(0)
  readonly #waiting = new Map<number, Waiting>()
  #closed: Error | undefined
  #nextCorrelationId = 1

  private constructor(socket: Socket, endpoint: Endpoint, clientId: string) {
    this.#socket = socket
    this.#endpoint = endpoint
    this.#clientId = clientId
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', error => this.#end(error))
    socket.on('close', () => this.#end(new Error('connection closed')))
  }

  /**
   * Resolves when the client is logged in, where that is asked for. Rejects when the endpoint refuses. Aborting the signal closes the
   * connection, however far it is open.
   */
  static async open(endpoint: Endpoint, options: ConnectionOptions = {}, signal?: AbortSignal): Promise<WireClient> {
    const client = await WireClient.#connect(endpoint, options, signal)
    const { sasl } = options
    if (sasl === undefined) return client
    try {
      if (sasl.mechanism !== 'plain' || !('username' in sasl))
        throw new Error(`the toolkit logs in with plain, not with ${sasl.mechanism}`)
      await client.#logIn(sasl.username, sasl.password)
    } catch (error) {
      client.close()
      throw error
    }
    return client
  }

  static #connect(
    endpoint: Endpoint,
    options: ConnectionOptions,
    signal: AbortSignal | undefined,
  ): Promise<WireClient> {
    const { socketFactory = directSocket, ssl, clientId = defaultClientId } = options
    // A socket factory of kafkajs lets `ssl` be absent at run time.
    const tls = (ssl === true ? {} : ssl === false ? undefined : ssl) as ISocketFactoryArgs['ssl']
    return new Promise((resolve, reject) => {
      let client: WireClient | undefined
      const onConnect = () => {
        if (client !== undefined) resolve(client)
      }
      const socket: Socket = socketFactory({ host: endpoint.host, port: endpoint.port, ssl: tls, onConnect })
      const opened = new WireClient(socket, endpoint, clientId)
      client = opened
      signal?.addEventListener('abort', () => opened.close(), { once: true })
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('connection closed before it was open')))
    })
  }

  /** SaslHandshake v1, SaslAuthenticate v0 with PLAIN (RFC 4616). */
  async #logIn(user: string, password: string): Promise<void> {
    const handshake = await this.request(17, 1, new Writer().string('PLAIN'))
    const refused = handshake.int16()
    if (refused !== 0) throw new Error(`PLAIN is not taken: error ${refused}`)
    const token = Buffer.from(`\0${user}\0${password}`)
    const answer = await this.request(36, 0, new Writer().int32(token.length).bytes(token))
    const errorCode = answer.int16()
    if (errorCode !== 0) throw new Error(`login as ${user} refused: error ${errorCode} ${answer.string()}`)
  }

  /** Sends a request and resolves with the body of its response. Flexible requests have header v2, their responses v1. */
  request(
    apiKey: number,
    apiVersion: number,
    body: Writer,
    options: { readonly flexible?: boolean } = {},
  ): Promise<Reader> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    const flexible = options.flexible ?? false
    const correlationId = this.#nextCorrelationId++
    const header = new Writer().int16(apiKey).int16(apiVersion).int32(correlationId).string(this.#clientId)
    if (flexible) header.noTags()
    const payload = Buffer.concat([header.toBuffer(), body.toBuffer()])
    const frame = Buffer.allocUnsafe(4 + payload.length)
    frame.writeInt32BE(payload.length)
    payload.copy(frame, 4)
    return new Promise((resolve, reject) => {
      this.#waiting.set(correlationId, { resolve, reject, flexible })
      this.#socket.write(frame)
    })
  }

  get isOpen(): boolean {
    return this.#closed === undefined
  }

  close(): void {
    this.#end(new Error('connection closed'))
    this.#socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    while (this.#received.length >= 4) {
      const length = this.#received.readInt32BE(0)
      if (this.#received.length < 4 + length) return
      this.#answer(this.#received.subarray(4, 4 + length))
      this.#received = this.#received.subarray(4 + length)
    }
  }

  #answer(frame: Buffer): void {
    const reader = new Reader(frame)
    const correlationId = reader.int32()
    const waiting = this.#waiting.get(correlationId)
    if (waiting === undefined) return this.#end(new Error(`a response came that nobody asked for: ${correlationId}`))
    this.#waiting.delete(correlationId)
    if (waiting.flexible) reader.tags()
    waiting.resolve(reader)
  }

  #end(error: Error): void {
    this.#closed ??= failure(`${this.#endpoint.host}:${this.#endpoint.port}: ${error.message}`)
    for (const waiting of this.#waiting.values()) waiting.reject(this.#closed)
    this.#waiting.clear()
  }
}
