/**
 * A Kafka client of a few requests, for the toolkit's own questions: is every broker there, can a record be written and read, who leads
 * the quorum. Written by hand against the protocol guide and not on top of the broker's codecs, so that an error in those cannot hide
 * from it; and kafkajs has no DescribeQuorum, takes 100 ms to load and waits in steps of 300 ms.
 *
 * Old, non-flexible versions are used wherever Kafka 4.3 still has them: they are the shortest to write down.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { ISocketFactory } from 'kafkajs'
import { failure } from '../errors.ts'
import { Reader, Writer } from './wire-format.ts'

export interface Endpoint {
  readonly host: string
  readonly port: number
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
  #received: Buffer = Buffer.alloc(0)
  readonly #waiting = new Map<number, Waiting>()
  #closed: Error | undefined
  #nextCorrelationId = 1

  private constructor(socket: Socket, endpoint: Endpoint) {
    this.#socket = socket
    this.#endpoint = endpoint
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', error => this.#end(error))
    socket.on('close', () => this.#end(new Error('connection closed')))
  }

  /** Rejects when the endpoint refuses. */
  static open(endpoint: Endpoint, socketFactory?: ISocketFactory): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      let client: WireClient | undefined
      const onConnect = () => {
        if (client !== undefined) resolve(client)
      }
      // A socket factory of kafkajs has no use for `ssl` here and lets it be absent at run time.
      const socket: Socket =
        socketFactory === undefined
          ? connect({ ...endpoint, noDelay: true }, onConnect)
          : socketFactory({ ...endpoint, ssl: undefined as never, onConnect })
      client = new WireClient(socket, endpoint)
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('connection closed before it was open')))
    })
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
    const header = new Writer().int16(apiKey).int16(apiVersion).int32(correlationId).string('faultline-toolkit')
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
