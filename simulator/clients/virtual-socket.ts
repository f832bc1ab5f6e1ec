/**
 * A connection of a simulated host that looks like a net.Socket, as far as client libraries use one: kafkajs takes it from its
 * `socketFactory`.
 */
import { EventEmitter } from 'node:events'
import type { NetworkError, Socket } from '#broker/environment/environment.ts'
import type { SimulatedNode } from '../world/node.ts'

export interface SocketRequest {
  readonly host: string
  readonly port: number
  readonly onConnect: () => void
}

/** What kafkajs wants as `socketFactory`: connections that start at that host. */
export function socketFactory(host: SimulatedNode): (request: SocketRequest) => VirtualSocket {
  return request => new VirtualSocket(host, request)
}

export class VirtualSocket extends EventEmitter {
  readonly #socket: Socket
  #destroyed = false
  #connecting = true

  constructor(host: SimulatedNode, request: SocketRequest) {
    super()
    this.#socket = host.environment.network.connect(
      { host: request.host, port: request.port },
      {
        opened: () => {
          this.#connecting = false
          request.onConnect()
          this.emit('connect')
        },
        data: chunk => this.emit('data', chunk),
        drain: () => this.emit('drain'),
        closed: error => this.#closed(error),
      },
    )
  }

  get destroyed(): boolean {
    return this.#destroyed
  }

  get connecting(): boolean {
    return this.#connecting
  }

  get remoteAddress(): string {
    return this.#socket.remote.host
  }

  get remotePort(): number {
    return this.#socket.remote.port
  }

  /** `encoding` matters for strings only, as with net.Socket. */
  write(data: Uint8Array | string, encoding?: BufferEncoding): boolean {
    return this.#socket.write([typeof data === 'string' ? Buffer.from(data, encoding) : data])
  }

  end(data?: Uint8Array | string): this {
    if (data !== undefined) this.write(data)
    this.#socket.end()
    return this
  }

  destroy(): this {
    this.#socket.destroy()
    return this
  }

  pause(): this {
    this.#socket.pause()
    return this
  }

  resume(): this {
    this.#socket.resume()
    return this
  }

  setKeepAlive(): this {
    return this
  }

  setNoDelay(): this {
    return this
  }

  setTimeout(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  #closed(error: NetworkError | undefined): void {
    this.#destroyed = true
    this.#connecting = false
    if (error === undefined) this.emit('end')
    else this.emit('error', error)
    this.emit('close', error !== undefined)
  }
}
