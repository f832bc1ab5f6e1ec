/**
 * One TCP connection of the real machine.
 * `closed` is called exactly once and never inside a call of the broker; after it the socket delivers nothing and takes nothing.
 */
import { Socket as RawSocket, type SocketConstructorOpts } from 'node:net'
import {
  type Address,
  type NetworkError,
  type ReceiveMemory,
  type Socket,
  type SocketHandlers,
} from '../environment.ts'
import { connectionError } from './network-errors.ts'

/** Bytes queued in this process before `write` answers false. Several replies of a pipelining client fit. */
export const writeQueueBytes = 1 << 20

/** A peer that neither reads nor closes may hold a closing connection, and its memory, no longer than this. */
const lingerMs = 10_000

export class NodeSocket implements Socket {
  readonly remote: Address
  readonly peerCertificate: Buffer | undefined
  #raw: RawSocket
  #handlers: SocketHandlers | undefined
  #closed = false
  #ending = false

  constructor(raw: RawSocket, remote: Address, peerCertificate?: Buffer) {
    this.#raw = raw
    this.peerCertificate = peerCertificate
    this.remote = remote
  }

  get local(): Address {
    return { host: plainAddress(this.#raw.localAddress), port: this.#raw.localPort ?? 0 }
  }

  get isClosed(): boolean {
    return this.#closed
  }

  handle(handlers: SocketHandlers): void {
    this.#handlers = handlers
    const direct =
      handlers.into === undefined || isTls(this.#raw)
        ? undefined
        : receivingInto(this.#raw, handlers.into, () => !this.#closed && !this.#ending)
    if (direct !== undefined) this.#raw = direct
    const raw = this.#raw
    if (direct === undefined)
      raw.on('data', (chunk: Buffer) => {
        if (!this.#closed && !this.#ending) handlers.data(chunk)
      })
    raw.on('drain', () => {
      if (!this.#closed) handlers.drain?.()
    })
    raw.on('end', () => this.#peerEnded())
    raw.on('error', error => this.#close(connectionError(error, this.remote)))
    raw.on('close', () => this.#close(undefined))
    // Accepted sockets come paused, so that nothing is read before somebody listens.
    raw.resume()
  }

  write(chunks: readonly Uint8Array[], written?: () => void): boolean {
    const last = chunks.at(-1)
    if (this.#closed || this.#ending || last === undefined) {
      written?.()
      return true
    }
    const raw = this.#raw
    // They go out in order: who is told of the last one is told of all. Told of an error too, when nothing more is sent.
    if (chunks.length === 1) return raw.write(last, written)
    raw.cork()
    for (let at = 0; at < chunks.length - 1; at++) raw.write(chunks[at]!)
    const belowMark = raw.write(last, written)
    raw.uncork()
    return belowMark
  }

  /**
   * What was handed to libuv, but for what waits there: Node looks at the same two numbers to tell whether a socket is idle. With TLS that is the
   * handle below: what is encrypted waits there, and the one above knows only of whole writes.
   */
  get takenBytes(): number | undefined {
    const handle = (this.#raw as unknown as { _handle?: WriteHandle | null })._handle
    const { bytesWritten, writeQueueSize } = handle?._parent ?? handle ?? {}
    return bytesWritten === undefined || writeQueueSize === undefined ? undefined : bytesWritten - writeQueueSize
  }

  pause(): void {
    this.#raw.pause()
  }

  resume(): void {
    this.#raw.resume()
  }

  end(): void {
    if (this.#closed || this.#ending) return
    this.#ending = true
    this.#raw.end()
    this.#raw.resume()
    this.#limitLinger()
  }

  destroy(): void {
    this.#ending = true
    this.#raw.destroy()
  }

  /** The peer will send no more. What was already written still goes out; nobody may write more, so the connection is over. */
  #peerEnded(): void {
    this.#raw.end()
    this.#limitLinger()
    this.#close(undefined)
  }

  #limitLinger(): void {
    this.#raw.setTimeout(lingerMs, () => this.#raw.destroy())
  }

  #close(error: NetworkError | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#handlers?.closed(error)
  }
}

/** Asked so and not by the class, whose module a node without TLS need not load. */
function isTls(socket: RawSocket): boolean {
  return 'encrypted' in socket
}

interface WriteHandle {
  readonly _parent?: WriteHandle | null
  readonly bytesWritten?: number
  readonly writeQueueSize?: number
}

interface UserBufferHandle {
  readonly useUserBuffer?: unknown
}

/**
 * The same connection as a socket that reads into memory of ours. Node offers that for sockets it opens (`onread`), not for those it
 * accepts, so the handle moves to a new socket. It halves the cost of receiving large batches: no allocation per read, nothing to collect.
 * Undefined where this Node's handles cannot do it.
 */
function receivingInto(accepted: RawSocket, memory: ReceiveMemory, isOpen: () => boolean): RawSocket | undefined {
  const owner = accepted as unknown as { _handle: UserBufferHandle | null }
  const handle = owner._handle
  if (typeof handle?.useUserBuffer !== 'function') return undefined
  owner._handle = null
  const options = {
    handle,
    allowHalfOpen: true,
    highWaterMark: writeQueueBytes,
    onread: {
      buffer: () => memory.space(),
      callback: (count: number) => {
        if (isOpen()) memory.filled(count)
        return true
      },
    },
  }
  return new RawSocket(options as unknown as SocketConstructorOpts)
}

/** IPv4 peers of a dual-stack listener show up as `::ffff:1.2.3.4`; people and ACLs know them as `1.2.3.4`. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return ''
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
}
