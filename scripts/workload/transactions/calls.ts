/**
 * Requests of one client that a script plays, in whatever version both sides know and the script allows: the version decides which transactions
 * a client has. It finds leaders and coordinators, and asks again where Kafka's own clients would.
 */
import { codec } from '#broker/protocol/codec.ts'
import { errorName, errorTable, type ErrorName } from '#broker/protocol/errors.ts'
import { requestHeaderVersion } from '#broker/protocol/headers.ts'
import { findCoordinatorRequest, findCoordinatorResponse } from '#broker/protocol/messages/10-find-coordinator.ts'
import { apiVersionsResponse } from '#broker/protocol/messages/18-api-versions.ts'
import type { DecodedFields, EncodableFields, Fields } from '#broker/protocol/schema.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { Writer } from '../../cluster/wire-format.ts'
import type { WireClient } from '../../cluster/wire.ts'
import { messageOf } from '../../errors.ts'
import type { Question } from '../../observe/lines.ts'
import { Links } from '../links.ts'
import { topicMetadata } from '../observe-requests.ts'

/** A broker's last word: asking again changes nothing. */
export class RefusedError extends Error {
  readonly what: string
  readonly code: ErrorName
  /** True: an attempt before it had no answer, or one that leaves it open, and may have been carried out. */
  readonly mayHaveHappened: boolean
  constructor(what: string, code: ErrorName, mayHaveHappened: boolean) {
    super(`${what} was refused with ${code}`)
    this.what = what
    this.code = code
    this.mayHaveHappened = mayHaveHappened
  }
}

const find = { request: findCoordinatorRequest, response: findCoordinatorResponse, newest: 3 }
const keyTypes = { group: 0, transaction: 1 } as const
export type KeyType = keyof typeof keyTypes

/**
 * Whether the request may have been carried out. A coordinator gives these answers also after it has appended what was asked: too few replicas had
 * it, or too late (COORDINATOR_NOT_AVAILABLE), or another one leads by now (NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS). What comes while another
 * request is carried out is not.
 *
 * Source: Kafka's TransactionStateManager, appendTransactionToLog.
 */
function leavesOpen(error: ErrorName): boolean {
  if (error === 'CONCURRENT_TRANSACTIONS') return false
  return error === 'COORDINATOR_LOAD_IN_PROGRESS' || !errorTable[error].definite
}

/** Longer than any answer of a broker that lives. */
const answerMs = 20_000
const retryMs = 50
const patienceMs = 60_000

export class Calls {
  readonly cluster: Cluster
  readonly #links: Links
  /** API key → the newest version that a broker knows. */
  #versions: ReadonlyMap<number, number> | undefined

  constructor(cluster: Cluster) {
    this.cluster = cluster
    this.#links = new Links(cluster, answerMs)
  }

  /** Newest version of a request that the brokers know; 0 for one that they do not know. */
  async newestOf(apiKey: number): Promise<number> {
    this.#versions ??= await this.#anyBroker('ApiVersions', async broker => {
      const { apiKeys } = await this.#links.ask(broker, async client =>
        codec(apiVersionsResponse, 0).decode((await client.request(18, 0, new Writer())).rest()),
      )
      return new Map(apiKeys.map(key => [key.apiKey, key.maxVersion]))
    })
    return this.#versions.get(apiKey) ?? 0
  }

  /** A question on the connection to one broker, in whatever version it is put. */
  async on<T>(broker: number, question: (client: WireClient) => Promise<T>): Promise<T> {
    return await this.#links.ask(broker, question)
  }

  /** The same, to whichever broker answers. */
  async onAny<T>(question: (client: WireClient) => Promise<T>): Promise<T> {
    return await this.#anyBroker('an answer', async broker => await this.on(broker, question))
  }

  get brokers(): readonly number[] {
    return this.#links.brokers
  }

  /** One request to one broker, once. */
  async ask<Q extends Fields, A extends Fields>(
    broker: number,
    { request, response, newest = Infinity }: Question<Q, A>,
    body: EncodableFields<Q>,
  ): Promise<DecodedFields<A>> {
    const version = Math.min(request.latestStable, newest, await this.newestOf(request.key))
    const bytes = new Writer().bytes(codec(request, version).encodeToBuffer(body))
    const flexible = requestHeaderVersion(request.key, version) === 2
    return await this.#links.ask(broker, async client => {
      const answer = await client.request(request.key, version, bytes, { flexible })
      return codec(response, version).decode(answer.rest())
    })
  }

  /**
   * Asks until the answer is none of those after which a client tries again: nobody answered, the coordinator moved, and the like.
   *
   * @throws RefusedError when it is refused for good
   */
  async patiently<T>(what: string, ask: () => Promise<T>, errorOf: (answer: T) => number): Promise<T> {
    const { clock } = this.cluster
    const endMs = clock.nowMs() + patienceMs
    let mayHaveHappened = false
    for (;;) {
      let last: string
      try {
        const answer = await ask()
        const error = errorName(errorOf(answer))
        if (error === 'NONE') return answer
        if (!errorTable[error].retriable) throw new RefusedError(what, error, mayHaveHappened)
        mayHaveHappened ||= leavesOpen(error)
        last = error
      } catch (error) {
        // Without an answer nobody knows: the question is one that may be asked twice.
        if (error instanceof RefusedError) throw error
        mayHaveHappened = true
        last = messageOf(error)
      }
      if (clock.nowMs() >= endMs) throw new Error(`${what}: not within ${patienceMs} ms, at last ${last}`)
      await clock.sleep(retryMs)
    }
  }

  /** One request to whichever broker answers. */
  async anyBroker<Q extends Fields, A extends Fields>(
    question: Question<Q, A>,
    body: EncodableFields<Q>,
  ): Promise<DecodedFields<A>> {
    return await this.#anyBroker('an answer', async broker => await this.ask(broker, question, body))
  }

  /** Who leads a partition, as the first broker that answers knows; waits until somebody does. */
  async leader(topic: string, partition: number): Promise<number> {
    return await this.#anyBroker(`a leader of ${topic}-${partition}`, async broker => {
      const { partitions } = await this.#links.ask(broker, client => topicMetadata(client, topic))
      const leader = partitions.find(({ index }) => index === partition)?.leader ?? -1
      return leader < 0 ? undefined : leader
    })
  }

  /** Who coordinates a group or a transactional id; asking also makes the topic of the coordinators. */
  async coordinator(type: KeyType, key: string): Promise<number> {
    return await this.#anyBroker(`a coordinator of ${key}`, async broker => {
      const { errorCode, nodeId } = await this.ask(broker, find, { key, keyType: keyTypes[type] })
      return errorCode === 0 ? nodeId : undefined
    })
  }

  close(): void {
    this.#links.close()
  }

  /** Asks one broker after the other, again and again, until one knows. */
  async #anyBroker<T>(what: string, ask: (broker: number) => Promise<T | undefined>): Promise<T> {
    const { clock } = this.cluster
    const endMs = clock.nowMs() + patienceMs
    let last = 'nobody knows'
    for (;;) {
      for (const broker of this.#links.brokers) {
        try {
          const answer = await ask(broker)
          if (answer !== undefined) return answer
        } catch (error) {
          // It may be down: the next one is asked.
          last = messageOf(error)
        }
      }
      if (clock.nowMs() >= endMs) throw new Error(`${what}: not within ${patienceMs} ms, at last: ${last}`)
      await clock.sleep(retryMs)
    }
  }
}
