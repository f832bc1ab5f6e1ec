/**
 * A client of the fuzzer that remembers: one connection that it opens again when it was cut off, requests made of what earlier responses
 * gave. Now and then a request is spoiled: one of its values is another that is known, or the bytes of its frame are damaged.
 */
import { connect, type Socket } from 'node:net'
import type { Random } from '#broker/environment/environment.ts'
import { handlers } from '#broker/handlers/registry.ts'
import { Framer } from '#broker/net/framer.ts'
import { apiByName } from '#broker/protocol/apis.ts'
import { codec } from '#broker/protocol/codec.ts'
import { ProtocolError } from '#broker/protocol/errors.ts'
import { decodeResponseHeader, encodeRequestFrame } from '#broker/protocol/headers.ts'
import { messagesOf, type ApiName } from '#broker/protocol/messages/index.ts'
import { Reader } from '#broker/protocol/reader.ts'
import { shapeOf, type Shape, type ShapeType } from '#broker/protocol/shape.ts'
import { damaged } from './cases.ts'
import { distorted, type Memory } from './distort.ts'
import { unknownServerError } from './session.ts'
import { chance } from './values.ts'

/** A message, loosely: stories build and read hundreds of shapes. */
export type Body = Readonly<Record<string, unknown>>

/** 'distorted': another value somewhere, still well-formed. 'damaged': who knows. */
export type Spoil = 'none' | 'distorted' | 'damaged'

export interface Answer {
  readonly version: number
  readonly spoil: Spoil
  /** Undefined when there was none: the connection ended, or the answer to damage could not be read. */
  readonly body: Body | undefined
}

export interface Ask {
  readonly min?: number
  readonly max?: number
  /** Never spoiled. */
  readonly intact?: boolean
  /** Never distorted, though it may be damaged. */
  readonly isAsMeant?: boolean
}

/** What all actors of a run share. */
export interface Stage {
  readonly port: number
  /** Of the story that plays, so that the broker's log names it. */
  readonly clientId: string
  readonly random: Random
  readonly memory: Memory
  /** One request in so many (at most 2^48) is distorted, and one is damaged. */
  readonly oneDistortedIn: number
  readonly oneDamagedIn: number
  readonly tally: Tally
}

export interface Tally {
  requests: number
  spoiled: number
  closed: number
  readonly findings: string[]
  readonly kinds: Set<string>
  /** How often a story came to where it wanted to be: a fuzzer that is always refused at the door finds nothing. */
  readonly depth: Map<string, number>
}

const answerWithinMs = 120_000
/** A damaged request may ask for a wait of weeks. */
const damagedWithinMs = 300
/** Where Kafka, too, closes the connection of a well-formed request: Produce with acks=0 has no other way to say no. */
const mayBeClosed = (api: ApiName, body: Body): boolean => api === 'Produce' && body['acks'] === 0

export function reached(tally: Tally, what: string): void {
  tally.depth.set(what, (tally.depth.get(what) ?? 0) + 1)
}

export function versionsOf(api: ApiName): readonly [number, number] {
  const key = apiByName(api)?.key
  const handler = handlers.find(each => each.apiKey === key)
  if (handler === undefined) throw new Error(`no handler serves ${api}`)
  return handler.versions
}

/** What of a message this version has room for. */
function fitting({ fields }: Shape, body: Body): Body {
  const inside = (type: ShapeType, value: unknown): unknown => {
    if (type.kind === 'array' && Array.isArray(value)) return value.map(each => inside(type.element, each))
    return type.kind === 'struct' && value !== null ? fitting(type.shape, value as Body) : value
  }
  const present = fields.filter(field => field.present && body[field.name] !== undefined)
  return Object.fromEntries(present.map(({ name, type }) => [name, inside(type, body[name])]))
}

const toldMost = 600

/** A buffer, which tells itself as JSON before anyone is asked. */
function isBytes(value: unknown): value is { readonly data: readonly number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer'
}

function told(body: Body): string {
  const text = JSON.stringify(body, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : isBytes(value) ? `${value.data.length} bytes` : value,
  )
  return text.slice(0, toldMost)
}

export class Actor {
  readonly #stage: Stage
  /** What was asked and answered so far, to be printed with a finding. */
  readonly trace: string[] = []
  #socket: Socket | undefined
  #framer = new Framer(100 << 20)
  #correlationId = 0
  #waiting: ((frame: Buffer | undefined) => void) | undefined

  constructor(stage: Stage) {
    this.#stage = stage
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = undefined
  }

  async ask(
    api: ApiName,
    input: Body,
    { min = 0, max = Infinity, intact = false, isAsMeant = intact }: Ask = {},
  ): Promise<Answer> {
    const { random, memory, tally } = this.#stage
    const [lowest, highest] = versionsOf(api)
    const from = Math.max(min, lowest)
    const version = from + random.below(Math.min(max, highest) - from + 1)
    const wants = !isAsMeant && chance(random, this.#stage.oneDistortedIn)
    const other = wants ? this.#distorted(api, version, input, memory) : undefined
    const { body, frame } = other ?? { body: input, frame: this.#frame(api, version, input) }
    const isDistorted = other !== undefined
    const isDamaged = !intact && chance(random, this.#stage.oneDamagedIn)
    const spoil = isDamaged ? 'damaged' : isDistorted ? 'distorted' : 'none'
    tally.requests++
    if (spoil !== 'none') tally.spoiled++
    const response = await this.#exchange(isDamaged ? damaged(frame, random) : frame, isDamaged)
    this.trace.push(`${api} v${version} ${spoil} ${told(body)}`)
    if (response === undefined) {
      this.trace.push('  closed')
      tally.closed++
      this.close()
      if (!isDamaged && !mayBeClosed(api, body)) this.#report(api, version, 'the connection was closed', body)
      return { version, spoil, body: undefined }
    }
    const answer = isDamaged ? undefined : this.#read(api, version, response, body)
    this.trace.push(`  ${answer === undefined ? 'answered' : told(answer)}`)
    return { version, spoil, body: answer }
  }

  /** Undefined when the other value does not fit into its field. */
  #distorted(api: ApiName, version: number, input: Body, memory: Memory): { body: Body; frame: Buffer } | undefined {
    const body = distorted(input, this.#stage.random, memory)
    try {
      return { body, frame: this.#frame(api, version, body) }
    } catch (error) {
      if (error instanceof ProtocolError) return undefined
      throw error
    }
  }

  #frame(api: ApiName, version: number, body: Body): Buffer {
    const request = messagesOf(apiByName(api)?.key ?? -1)?.request
    if (request === undefined) throw new Error(`${api} has no messages`)
    const value = fitting(shapeOf(request, version), body)
    const header = { version, correlationId: ++this.#correlationId, clientId: this.#stage.clientId }
    return Buffer.concat(encodeRequestFrame(header, request, value as never))
  }

  #read(api: ApiName, version: number, response: Buffer, request: Body): Body | undefined {
    const key = apiByName(api)?.key ?? -1
    try {
      const reader = new Reader(response)
      const { correlationId } = decodeResponseHeader(reader, { key, version })
      if (correlationId !== this.#correlationId)
        this.#report(api, version, `answer ${correlationId} to request ${this.#correlationId}`, request)
      const exchange = messagesOf(key)
      if (exchange === undefined) throw new Error(`${api} has no messages`)
      const body = codec(exchange.response, version).decode(reader) as Body
      reader.expectEnd()
      const unknown = unknownServerError(body, '')
      if (unknown !== undefined) this.#report(api, version, unknown, request)
      this.#stage.memory.remember(body)
      return body
    } catch (error) {
      this.#report(api, version, (error as Error).message, request)
      return undefined
    }
  }

  /** Each kind of finding once. */
  #report(api: ApiName, version: number, what: string, request: Body): void {
    const kind = `${api}: ${what}`.replaceAll(/\d+/g, '#')
    if (this.#stage.tally.kinds.has(kind)) return
    this.#stage.tally.kinds.add(kind)
    const asked = told(request)
    this.#stage.tally.findings.push(`${this.#stage.clientId}: ${api} v${version}: ${what}; asked ${asked}`)
  }

  /** The answer without its size; undefined when the connection ended. After damage the connection is given up. */
  async #exchange(frame: Buffer, isDamaged: boolean): Promise<Buffer | undefined> {
    const socket = await this.#connected()
    const answer = new Promise<Buffer | undefined>(resolve => (this.#waiting = resolve))
    const timer = setTimeout(() => socket.destroy(), isDamaged ? damagedWithinMs : answerWithinMs)
    socket.write(frame)
    const response = await answer
    clearTimeout(timer)
    if (isDamaged) this.close()
    return response
  }

  async #connected(): Promise<Socket> {
    if (this.#socket !== undefined && !this.#socket.destroyed) return this.#socket
    const socket = connect({ host: '127.0.0.1', port: this.#stage.port, noDelay: true })
    const framer = new Framer(100 << 20)
    this.#framer = framer
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => framer.push(chunk, each => this.#answer(Buffer.from(each))))
    socket.on('close', () => {
      if (this.#framer === framer) this.#answer(undefined)
    })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    // A broker that cuts us off may do so with a reset; that it closed is all that counts.
    socket.on('error', () => undefined)
    return socket
  }

  #answer(frame: Buffer | undefined): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.(frame)
  }
}
