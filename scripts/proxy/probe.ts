/**
 * A connection of our own through a link, to see with a client's eyes what a fault does: how long an answer takes, in how many pieces it comes,
 * how a connection ends. The request is ApiVersions v0, which every node answers to everybody, also before a login.
 */
import type { Socket } from 'node:net'
import type { KafkaConfig } from 'kafkajs'
import { directSocket } from '../cluster/wire-socket.ts'
import type { Address } from './model.ts'

export interface ProbeOptions {
  /** Default: one that faults of requests leave alone. */
  readonly clientId: string
  /** So many requests, one behind the other without waiting. */
  readonly requests?: number
  /** Says goodbye after the last answer and waits for the other side to do so too. */
  readonly goodbye?: boolean
  readonly timeoutMs: number
  readonly ssl?: KafkaConfig['ssl'] | undefined
}

export type Ending = 'answered' | 'refused' | 'reset' | 'closed' | 'silent'

export interface Probe {
  readonly ending: Ending
  /** From the first byte sent (or the attempt to connect, when that is where it ended) to the end. */
  readonly tookMs: number
  /** Pieces in which bytes came. */
  readonly pieces: number
  readonly receivedBytes: number
  readonly sentBytes: number
  /** Of the first answer. */
  readonly errorCode?: number
  /** From our goodbye to the end of the connection. */
  readonly closeMs?: number
}

const apiVersionsKey = 18
/** Longest client id that fits a request header, with room to spare. */
export const paddingBytesMax = 30_000

export async function probe(address: Address, options: ProbeOptions): Promise<Probe> {
  const run = new ProbeRun(address, options)
  try {
    return await run.done()
  } finally {
    run.close()
  }
}

class ProbeRun {
  readonly #options: ProbeOptions
  readonly #socket: Socket
  readonly #result = Promise.withResolvers<Probe>()
  readonly #timer: NodeJS.Timeout
  #received: Buffer = Buffer.alloc(0)
  #sinceMs = performance.now()
  #pieces = 0
  #receivedBytes = 0
  #sentBytes = 0
  #answers = 0
  #errorCode: number | undefined
  #goodbyeMs: number | undefined

  constructor(address: Address, options: ProbeOptions) {
    this.#options = options
    this.#timer = setTimeout(() => this.#end('silent'), options.timeoutMs)
    const { ssl } = options
    const socket = directSocket({
      ...address,
      ...(ssl === undefined ? {} : { ssl }),
      onConnect: () => this.#begin(),
    } as never)
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#end(error.code === 'ECONNREFUSED' ? 'refused' : error.code === 'ECONNRESET' ? 'reset' : 'closed'),
    )
    socket.on('close', () => this.#closed())
    this.#socket = socket
  }

  done(): Promise<Probe> {
    return this.#result.promise
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#socket.destroy()
  }

  #begin(): void {
    this.#sinceMs = performance.now()
    for (let index = 0; index < this.#requests; index++) {
      const frame = requestFrame(index, this.#options.clientId)
      this.#sentBytes += frame.length
      this.#socket.write(frame)
    }
  }

  get #requests(): number {
    return this.#options.requests ?? 1
  }

  #receive(chunk: Buffer): void {
    this.#pieces++
    this.#receivedBytes += chunk.length
    this.#received = Buffer.concat([this.#received, chunk])
    while (this.#received.length >= 10) {
      const length = this.#received.readInt32BE(0)
      if (this.#received.length < 4 + length) return
      this.#errorCode = this.#received.readInt16BE(8)
      this.#received = this.#received.subarray(4 + length)
      this.#answers++
    }
    if (this.#answers < this.#requests) return
    if (this.#options.goodbye === true) {
      this.#goodbyeMs = performance.now()
      this.#socket.end()
    } else this.#end('answered')
  }

  #closed(): void {
    this.#end(this.#goodbyeMs === undefined ? 'closed' : 'answered')
  }

  #end(ending: Ending): void {
    const now = performance.now()
    this.#result.resolve({
      ending,
      tookMs: (this.#goodbyeMs ?? now) - this.#sinceMs,
      pieces: this.#pieces,
      receivedBytes: this.#receivedBytes,
      sentBytes: this.#sentBytes,
      ...(this.#errorCode === undefined ? {} : { errorCode: this.#errorCode }),
      ...(this.#goodbyeMs === undefined ? {} : { closeMs: now - this.#goodbyeMs }),
    })
  }
}

/** Written by hand, like all that the toolkit asks for itself: header v1, no body. */
function requestFrame(correlationId: number, clientId: string): Buffer {
  const name = Buffer.from(clientId)
  const frame = Buffer.alloc(14 + name.length)
  frame.writeInt32BE(frame.length - 4, 0)
  frame.writeInt16BE(apiVersionsKey, 4)
  frame.writeInt16BE(0, 6)
  frame.writeInt32BE(correlationId, 8)
  frame.writeInt16BE(name.length, 12)
  name.copy(frame, 14)
  return frame
}
