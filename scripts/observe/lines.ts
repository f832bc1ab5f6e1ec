/**
 * Connections for observers: one for each broker and purpose, so that a question that hangs (who leads the quorum, while nobody does) holds
 * up no other. Each question has a time limit. A broker that let one pass is asked the same again on the side, and whoever asks meanwhile
 * is told at once that it is silent: it slows nobody down.
 */
import { codec } from '#broker/protocol/codec.ts'
import { requestHeaderVersion } from '#broker/protocol/headers.ts'
import { apiVersionsResponse } from '#broker/protocol/messages/18-api-versions.ts'
import type { DecodedFields, EncodableFields, Fields, Message } from '#broker/protocol/schema.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { Writer } from '../cluster/wire-format.ts'
import { endpointOf, WireClient, type Endpoint } from '../cluster/wire.ts'
import { messageOf } from '../errors.ts'
import { isUnknown, unknown, type Known } from './model.ts'

/** What an observer needs of a cluster. */
export type ObservableCluster = Pick<Cluster, 'bootstrap' | 'brokerAddresses' | 'clock' | 'kafkaOptions'>

/** A request with its response, and the versions of it that the asker can fill in and read. */
export interface Question<Q extends Fields, A extends Fields> {
  readonly request: Message<Q>
  readonly response: Message<A>
  readonly oldest?: number
  readonly newest?: number
}

/** Why a broker did not tell; the message names the broker. */
export class NoAnswer extends Error {}

/** The broker has no such request, or none in a version that the asker can fill in and read. */
export class NotOffered extends NoAnswer {
  /** Kafka's name of the request, e.g. `Metadata`. */
  readonly api: string

  constructor(broker: number, api: string, offer: string) {
    super(`broker ${broker} offers ${api} ${offer}`)
    this.api = api
  }
}

class TooLate extends Error {}

interface Connection {
  readonly client: WireClient
  readonly versions: ReadonlyMap<number, { readonly min: number; readonly max: number }>
}

const apiVersionsKey = 18

export class Line {
  readonly broker: number
  readonly #endpoint: Endpoint
  readonly #cluster: ObservableCluster
  readonly #answerMs: number
  #connecting: Promise<Connection> | undefined
  /** Ends the connection, however far it is open. */
  #hangUp = new AbortController()
  #silent: { readonly reason: string; readonly again: () => Promise<unknown> } | undefined
  #isProbing = false
  #isClosed = false

  constructor(cluster: ObservableCluster, broker: number, endpoint: Endpoint, answerMs: number) {
    this.#cluster = cluster
    this.broker = broker
    this.#endpoint = endpoint
    this.#answerMs = answerMs
  }

  /**
   * One question; `body` may depend on the version that both sides know.
   *
   * @throws NoAnswer when there is no answer within the limit, no connection, or no common version
   */
  async ask<Q extends Fields, A extends Fields>(
    question: Question<Q, A>,
    body: EncodableFields<Q> | ((version: number) => EncodableFields<Q>),
  ): Promise<DecodedFields<A>> {
    if (this.#silent !== undefined) {
      this.#probe(this.#silent.again)
      throw new NoAnswer(this.#silent.reason)
    }
    const send = async () => await this.#send(question, body)
    try {
      return await this.#within(send())
    } catch (error) {
      if (error instanceof NoAnswer) throw error
      this.#drop()
      const reason = `broker ${this.broker}: ${messageOf(error)}`
      if (!(error instanceof TooLate)) throw new NoAnswer(reason, { cause: error })
      const late = `broker ${this.broker} gave no answer within ${this.#answerMs} ms`
      this.#silent = { reason: late, again: send }
      throw new NoAnswer(late, { cause: error })
    }
  }

  close(): void {
    this.#isClosed = true
    this.#drop()
  }

  /** Asks what was not answered once more, without anybody waiting. */
  #probe(again: () => Promise<unknown>): void {
    if (this.#isProbing) return
    this.#isProbing = true
    this.#within(again()).then(
      () => {
        this.#isProbing = false
        this.#silent = undefined
      },
      error => {
        this.#isProbing = false
        if (!(error instanceof NoAnswer)) this.#drop()
        // A refused connection comes in time: the next question is asked as usual, and says so.
        if (!(error instanceof TooLate)) this.#silent = undefined
      },
    )
  }

  async #send<Q extends Fields, A extends Fields>(
    { request, response, oldest = 0, newest = Infinity }: Question<Q, A>,
    body: EncodableFields<Q> | ((version: number) => EncodableFields<Q>),
  ): Promise<DecodedFields<A>> {
    const { client, versions } = await this.#connection()
    const theirs = versions.get(request.key)
    const version = Math.min(request.latestStable, newest, theirs?.max ?? -1)
    if (theirs === undefined || version < Math.max(request.minVersion, oldest, theirs.min)) {
      const offer = theirs === undefined ? 'not at all' : `in versions ${theirs.min} to ${theirs.max}`
      throw new NotOffered(this.broker, request.name.replace(/Request$/, ''), offer)
    }
    const value = typeof body === 'function' ? body(version) : body
    const bytes = new Writer().bytes(codec(request, version).encodeToBuffer(value))
    const flexible = requestHeaderVersion(request.key, version) === 2
    const answer = await client.request(request.key, version, bytes, { flexible })
    return codec(response, version).decode(answer.rest())
  }

  /** The open connection; a new one when the broker has ended it meanwhile. */
  async #connection(): Promise<Connection> {
    this.#connecting ??= this.#connect()
    const open = await this.#connecting
    if (open.client.isOpen) return open
    this.#connecting = this.#connect()
    return await this.#connecting
  }

  /** Version 0 of ApiVersions is understood by everybody. */
  async #connect(): Promise<Connection> {
    if (this.#isClosed) throw new NoAnswer(`nobody listens to broker ${this.broker} any more`)
    this.#hangUp = new AbortController()
    const client = await WireClient.open(this.#endpoint, this.#cluster.kafkaOptions(), this.#hangUp.signal)
    try {
      const answer = await client.request(apiVersionsKey, 0, new Writer())
      const { apiKeys } = codec(apiVersionsResponse, 0).decode(answer.rest())
      const versions = new Map(apiKeys.map(({ apiKey, minVersion: min, maxVersion: max }) => [apiKey, { min, max }]))
      return { client, versions }
    } catch (error) {
      client.close()
      throw error
    }
  }

  /** Also a connection on which the broker has not even said what it understands, and may never do so. */
  #drop(): void {
    // Whoever asked over it waits for it as well, and is told why by `ask`.
    this.#connecting?.catch(() => undefined)
    this.#connecting = undefined
    this.#hangUp.abort(new Error('connection closed'))
  }

  #within<T>(answer: Promise<T>): Promise<T> {
    const late = this.#cluster.clock.sleep(this.#answerMs).then(() => {
      throw new TooLate()
    })
    return Promise.race([answer, late])
  }
}

export type Purpose = 'state' | 'quorum' | 'groups' | 'transactions'

/** The lines to all brokers: those that the cluster has by name, and those that joined since. */
export class Lines {
  readonly #cluster: ObservableCluster
  readonly #answerMs: number
  readonly #endpoints = new Map<number, Endpoint>()
  readonly #lines = new Map<string, Line>()

  constructor(cluster: ObservableCluster, answerMs: number) {
    this.#cluster = cluster
    this.#answerMs = answerMs
    const addresses =
      cluster.brokerAddresses ?? cluster.bootstrap.map((address, index) => [index + 1, address] as const)
    for (const [broker, address] of addresses) this.#endpoints.set(broker, endpointOf(address))
  }

  /** In the order of their ids. */
  get brokers(): readonly number[] {
    return [...this.#endpoints.keys()].sort((a, b) => a - b)
  }

  endpointOf(broker: number): Endpoint | undefined {
    return this.#endpoints.get(broker)
  }

  /** A broker that is not in the bootstrap list, where the others say it is. */
  learn(broker: number, endpoint: Endpoint): void {
    if (!this.#endpoints.has(broker)) this.#endpoints.set(broker, endpoint)
  }

  of(broker: number, purpose: Purpose): Line {
    const key = `${broker} ${purpose}`
    let line = this.#lines.get(key)
    if (line === undefined) {
      const endpoint = this.#endpoints.get(broker)
      if (endpoint === undefined) throw new Error(`nobody told the address of broker ${broker}`)
      line = new Line(this.#cluster, broker, endpoint, this.#answerMs)
      this.#lines.set(key, line)
    }
    return line
  }

  /** Asks every broker at the same time. */
  async each<T>(purpose: Purpose, ask: (line: Line) => Promise<T>): Promise<Map<number, Known<T>>> {
    const answers = this.brokers.map(
      async broker => [broker, await attempt(async () => await ask(this.of(broker, purpose)))] as const,
    )
    return new Map(await Promise.all(answers))
  }

  close(): void {
    for (const line of this.#lines.values()) line.close()
  }
}

/** The result, or why there is none; only a missing answer is one, everything else is an error of ours. */
export async function attempt<T>(work: () => Promise<T>): Promise<Known<T>> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof NoAnswer) return unknown(error.message)
    throw error
  }
}

/** The values that are known, by broker. */
export function answered<T>(answers: ReadonlyMap<number, Known<T>>): Map<number, T> {
  const found = new Map<number, T>()
  for (const [broker, answer] of answers) if (!isUnknown(answer)) found.set(broker, answer)
  return found
}

/** Why those who did not answer did not: one text. */
export function reasonsOf(answers: ReadonlyMap<number, Known<unknown>>): string {
  return [...new Set([...answers.values()].filter(isUnknown).map(answer => answer.unknown))].join('; ')
}
