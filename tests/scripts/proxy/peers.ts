/** Both ends of a link, for tests of the proxy between them: a node that answers what it understands, and a client that counts answers. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { codec } from '#broker/protocol/codec.ts'
import {
  decodeRequestHeader,
  decodeResponseHeader,
  encodeRequestFrame,
  encodeResponseFrame,
} from '#broker/protocol/headers.ts'
import { messagesOf } from '#broker/protocol/messages/index.ts'
import { Reader } from '#broker/protocol/reader.ts'
import { poll } from '#scripts/cluster/clock.ts'
import type { LinkDescription } from '#scripts/proxy/model.ts'
import { FaultProxy } from '#scripts/proxy/proxy.ts'

const host = '127.0.0.1'
export const produceKey = 0
export const metadataKey = 3
export const versions: Readonly<Record<number, number>> = { [produceKey]: 9, [metadataKey]: 12 }

export interface Request {
  readonly key: number
  readonly correlationId: number
  readonly clientId: string | null
  readonly body: Readonly<Record<string, unknown>>
}

/** Whole frames in what was received, without their lengths. */
class Frames {
  #chunks: Buffer[] = []
  #bytes = 0

  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    const frames: Buffer[] = []
    for (let bytes = this.#next(); bytes <= this.#bytes; bytes = this.#next()) {
      const whole = Buffer.concat(this.#chunks)
      frames.push(whole.subarray(4, bytes))
      this.#chunks = [whole.subarray(bytes)]
      this.#bytes -= bytes
    }
    return frames
  }

  /** Length of the frame that comes first, its prefix included; it is copied only when it is whole. */
  #next(): number {
    if (this.#bytes < 4) return Infinity
    if (this.#chunks[0]!.length < 4) this.#chunks = [Buffer.concat(this.#chunks)]
    return 4 + this.#chunks[0]!.readInt32BE(0)
  }
}

/** Answers Produce and Metadata at once, in order; acks=0 gets no answer. */
export class FakeNode {
  readonly requests: Request[] = []
  readonly sockets = new Set<Socket>()
  /** False: it hears, and says nothing. */
  answers = true
  #server: Server | undefined
  port = 0

  async listen(port = 0): Promise<number> {
    const server = createServer(socket => {
      this.sockets.add(socket)
      const frames = new Frames()
      socket.on('data', (chunk: Buffer) => {
        for (const frame of frames.push(chunk)) this.#answer(socket, frame)
      })
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.sockets.delete(socket))
    })
    this.#server = server
    server.listen({ host, port })
    await once(server, 'listening')
    this.port = (server.address() as AddressInfo).port
    return this.port
  }

  close(): void {
    this.#server?.close()
    for (const socket of this.sockets) socket.destroy()
  }

  #answer(socket: Socket, frame: Buffer): void {
    const reader = new Reader(frame)
    const { requestApiKey: key, requestApiVersion: version, correlationId, clientId } = decodeRequestHeader(reader)
    const { request, response } = messagesOf(key)!
    const body = codec(request, version).decode(reader) as Record<string, unknown>
    this.requests.push({ key, correlationId, clientId, body })
    if (!this.answers || (key === produceKey && body['acks'] === 0)) return
    socket.write(Buffer.concat(encodeResponseFrame({ version, correlationId }, response, answerTo(key, body) as never)))
  }
}

function answerTo(key: number, body: Readonly<Record<string, unknown>>): object {
  if (key === metadataKey) return { brokers: [], topics: [] }
  const topics = body['topicData'] as { name: string; partitionData: { index: number }[] }[]
  const responses = topics.map(({ name, partitionData }) => ({
    name,
    partitionResponses: partitionData.map(({ index }) => ({ index, errorCode: 0, baseOffset: 5 })),
  }))
  return { responses }
}

export type Answer = { readonly correlationId: number; readonly body: Readonly<Record<string, unknown>> }

export class FakeClient {
  readonly answers: Answer[] = []
  readonly socket: Socket
  readonly closed: Promise<void>
  error: string | undefined
  readonly #keys = new Map<number, number>()
  readonly #clientId: string
  #next = 1

  constructor(port: number, clientId = 'test') {
    this.#clientId = clientId
    this.socket = connect({ host, port, noDelay: true })
    const frames = new Frames()
    this.socket.on('data', (chunk: Buffer) => {
      for (const frame of frames.push(chunk)) this.#received(frame)
    })
    this.socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code))
    this.closed = new Promise(resolve => this.socket.on('close', () => resolve()))
  }

  /** @returns the correlation id */
  produce(
    topic: string,
    options: { readonly acks?: number; readonly bytes?: number; readonly partition?: number } = {},
  ): number {
    const { acks = -1, bytes = 10, partition = 0 } = options
    const partitionData = [{ index: partition, records: Buffer.alloc(bytes, 7) }]
    return this.#send(produceKey, {
      acks,
      timeoutMs: 1,
      transactionalId: null,
      topicData: [{ name: topic, partitionData }],
    })
  }

  metadata(): number {
    return this.#send(metadataKey, { topics: [] })
  }

  #send(key: number, body: object): number {
    const correlationId = this.#next++
    this.#keys.set(correlationId, key)
    const header = { version: versions[key]!, correlationId, clientId: this.#clientId }
    this.socket.write(Buffer.concat(encodeRequestFrame(header, messagesOf(key)!.request, body as never)))
    return correlationId
  }

  #received(frame: Buffer): void {
    const key = this.#keys.get(frame.readInt32BE(0))
    if (key === undefined) throw new Error(`an answer to ${frame.readInt32BE(0)}, which was never asked`)
    const reader = new Reader(frame)
    const { correlationId } = decodeResponseHeader(reader, { key, version: versions[key]! })
    const body = codec(messagesOf(key)!.response, versions[key]!).decode(reader) as Answer['body']
    this.answers.push({ correlationId, body })
  }

  get ids(): number[] {
    return this.answers.map(({ correlationId }) => correlationId)
  }

  /** The correlation ids of the answers, once there are so many. */
  async answered(count: number): Promise<number[]> {
    await until(() => this.answers.length >= count, `${count} answers`)
    return this.ids
  }
}

/** For what never comes. */
export const patienceMs = 120_000

export async function until(holds: () => boolean, what: string): Promise<void> {
  const seen = await poll(() => (holds() ? true : undefined), { everyMs: 2, timeoutMs: patienceMs })
  if (seen === undefined) throw new Error(`not seen within ${patienceMs} ms: ${what}`)
}

/** A node, a proxy with the link `client->1` in front of it, and clients of that. */
export class Stage {
  readonly node = new FakeNode()
  readonly clients: FakeClient[] = []
  readonly #protocol: LinkDescription['protocol']
  #proxy: FaultProxy | undefined

  constructor(protocol: LinkDescription['protocol'] = 'kafka') {
    this.#protocol = protocol
  }

  get proxy(): FaultProxy {
    return this.#proxy!
  }

  async open(): Promise<void> {
    const target = { host, port: await this.node.listen() }
    const listen = { host, port: 0 }
    const link = { from: 'client', to: 1, listener: 'client', listen, target, protocol: this.#protocol } as const
    this.#proxy = new FaultProxy({ links: [link] })
    await this.#proxy.listen()
  }

  async port(): Promise<number> {
    return (await this.proxy.links())[0]!.listen.port
  }

  async client(clientId?: string): Promise<FakeClient> {
    const client = new FakeClient(await this.port(), clientId)
    this.clients.push(client)
    return client
  }

  /** A fault on the only link. */
  async fault(kind: string, parameters: Readonly<Record<string, string | number | boolean>> = {}) {
    return await this.proxy.add({ kind, from: ['client'], to: [1], parameters })
  }

  async state(id: string) {
    return (await this.proxy.faults()).find(fault => fault.id === id)!
  }

  async close(): Promise<void> {
    for (const { socket } of this.clients) socket.destroy()
    await this.#proxy?.close()
    this.node.close()
  }
}
