/**
 * The way to the states of share partitions, wherever their coordinator is: on this broker, or on another one, to which requests for
 * several partitions of a group go together. Tries again while the coordinator is loading, moving, or not reachable, and gives up after a while
 * with the reason. What is asked bears being done twice. Source: KIP-932; Kafka's DefaultStatePersister.
 */
import type { MetadataImage } from '../../controller/image.ts'
import { NetworkError, type Address, type Environment } from '../../environment/environment.ts'
import type { RequestClient } from '../../net/client.ts'
import { errorName, ProtocolError, type ErrorName } from '../../protocol/errors.ts'
import { partitionOf } from '../runtime/java-hash.ts'
import { shareStateTopic, type ShareCoordinator } from './share-coordinator.ts'
import { coordinatorKey, type ShareKey } from './share-records.ts'
import type { Refused, ShareState, ShareStateUpdate, ShareSummary } from './share-shard.ts'

export interface PersisterOptions {
  readonly environment: Environment
  readonly nodeId: number
  readonly interBrokerListener: string
  readonly client: RequestClient
  readonly coordinator: Pick<ShareCoordinator, 'initialize' | 'read' | 'write' | 'remove' | 'summary'>
  readonly metadata: () => MetadataImage
  /** Called when `__share_group_state` does not exist yet. */
  readonly createTopic: () => void
}

const apiKeys = { initialize: 83, read: 84, write: 85, remove: 86, summary: 87 } as const
type Operation = keyof typeof apiKeys

interface PartitionResult {
  readonly partition: number
  readonly errorCode: number
  readonly errorMessage: string | null
}

interface Results {
  readonly results: readonly { readonly topicId: string; readonly partitions: readonly PartitionResult[] }[]
}

interface Waiting {
  readonly key: ShareKey
  readonly body: object
  readonly resolve: (result: PartitionResult | Refused) => void
  /** With what should not have happened. */
  readonly reject: (error: unknown) => void
}

interface Lane {
  readonly waiting: Waiting[]
  isBusy: boolean
}

const retriable: ReadonlySet<ErrorName> = new Set([
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR',
])
const firstBackoffMs = 50
const longestBackoffMs = 1000
const patienceMs = 30_000
const requestTimeoutMs = 10_000

export class SharePersister {
  readonly #options: PersisterOptions
  /** Requests of one kind, for one group, to one broker: one at a time, and what comes meanwhile goes together in the next. */
  readonly #lanes = new Map<string, Lane>()
  /** The newest write of each share partition that is not over. */
  readonly #writes = new Map<string, Promise<Refused>>()
  #stopped = false

  constructor(options: PersisterOptions) {
    this.#options = options
  }

  stop(): void {
    this.#stopped = true
  }

  initialize(key: ShareKey, state: { stateEpoch: number; startOffset: number }): Promise<Refused> {
    const body = { partition: key.partition, ...state }
    return this.#ask<Refused>('initialize', key, body, () => this.#options.coordinator.initialize(key, state))
  }

  read(key: ShareKey, leaderEpoch: number): Promise<Refused | ShareState> {
    const body = { partition: key.partition, leaderEpoch }
    return this.#ask<ShareState>('read', key, body, () => this.#options.coordinator.read(key, leaderEpoch))
  }

  /** Writes of a share partition take effect in the order of the calls: one that has to be tried again must not undo what came after it. */
  write(key: ShareKey, update: ShareStateUpdate): Promise<Refused> {
    const body = { partition: key.partition, ...update }
    const deadlineMs = this.#patientUntilMs()
    const write = () =>
      this.#ask<Refused>('write', key, body, () => this.#options.coordinator.write(key, update), deadlineMs)
    const name = coordinatorKey(key)
    const former = this.#writes.get(name)
    // Whatever became of the former one: who asked for it is told.
    const written = former === undefined ? write() : former.then(write, write)
    this.#writes.set(name, written)
    return written.finally(() => {
      if (this.#writes.get(name) === written) this.#writes.delete(name)
    })
  }

  remove(key: ShareKey): Promise<Refused> {
    const body = { partition: key.partition }
    return this.#ask<Refused>('remove', key, body, () => this.#options.coordinator.remove(key))
  }

  summary(key: ShareKey): Promise<Refused | ShareSummary> {
    const body = { partition: key.partition, leaderEpoch: -1 }
    return this.#ask<ShareSummary>('summary', key, body, () => this.#options.coordinator.summary(key))
  }

  // ------------------------------------------------------------------------------------------------- one answer

  async #ask<Answer extends object>(
    operation: Operation,
    key: ShareKey,
    body: object,
    locally: () => Promise<Refused | Answer> | Refused | Answer,
    deadlineMs = this.#patientUntilMs(),
  ): Promise<Refused | Answer> {
    const { clock, timers } = this.#options.environment
    for (let backoffMs = firstBackoffMs; ; backoffMs = Math.min(2 * backoffMs, longestBackoffMs)) {
      const where = this.#coordinatorOf(key)
      const answer: Refused | Answer =
        where === 'here'
          ? await locally()
          : typeof where === 'string'
            ? { error: where }
            : await this.#remotely<Answer>(operation, key, body, where)
      const isFinal = !('error' in answer) || !retriable.has(answer.error)
      if (isFinal || this.#stopped || clock.monotonicMs() + backoffMs >= deadlineMs) return answer
      await new Promise<void>(resolve => {
        timers.after(backoffMs, resolve)
      })
    }
  }

  #patientUntilMs(): number {
    return this.#options.environment.clock.monotonicMs() + patienceMs
  }

  #coordinatorOf(key: ShareKey): 'here' | Address | ErrorName {
    const { metadata, nodeId, interBrokerListener, createTopic } = this.#options
    const image = metadata()
    const topic = image.topicsByName.get(shareStateTopic)
    if (topic === undefined || topic.partitions.size === 0) {
      createTopic()
      return 'COORDINATOR_NOT_AVAILABLE'
    }
    const leader = topic.partitions.get(partitionOf(coordinatorKey(key), topic.partitions.size))?.leader ?? -1
    if (leader === nodeId) return 'here'
    const endpoint = image.brokers.get(leader)?.endpoints.find(({ name }) => name === interBrokerListener)
    return endpoint ?? 'COORDINATOR_NOT_AVAILABLE'
  }

  // --------------------------------------------------------------------------------------------- other brokers

  async #remotely<Answer extends object>(
    operation: Operation,
    key: ShareKey,
    body: object,
    to: Address,
  ): Promise<Refused | Answer> {
    const result = await new Promise<PartitionResult | Refused>((resolve, reject) => {
      const name = `${operation} ${to.host}:${to.port} ${key.groupId}`
      let lane = this.#lanes.get(name)
      if (lane === undefined) {
        lane = { waiting: [], isBusy: false }
        this.#lanes.set(name, lane)
      }
      lane.waiting.push({ key, body, resolve, reject })
      // What else this turn asks for goes along.
      if (!lane.isBusy) {
        lane.isBusy = true
        this.#options.environment.timers.soon(() => void this.#drain(name, operation, to))
      }
    })
    if ('error' in result) return result
    const { partition: _partition, errorCode, errorMessage, ...answer } = result
    const error = errorName(errorCode)
    if (error !== 'NONE') return errorMessage === null ? { error } : { error, message: errorMessage }
    // Answers without content say so, like those of the coordinator on this broker.
    return Object.keys(answer).length === 0 ? { error: 'NONE' } : (answer as Answer)
  }

  async #drain(name: string, operation: Operation, to: Address): Promise<void> {
    const { waiting } = this.#lanes.get(name) ?? { waiting: [] }
    while (waiting.length > 0) await this.#send(operation, to, takeDistinct(waiting))
    this.#lanes.delete(name)
  }

  /** Never rejects: everyone who waits is answered, be it with what went wrong. */
  async #send(operation: Operation, to: Address, together: readonly Waiting[]): Promise<void> {
    const groupId = together[0]?.key.groupId ?? ''
    const byTopic = Map.groupBy(together, ({ key }) => key.topicId)
    const topics = [...byTopic].map(([topicId, waiting]) => ({ topicId, partitions: waiting.map(({ body }) => body) }))
    try {
      const request = { groupId, topics }
      const options = { timeoutMs: requestTimeoutMs }
      const { response } = await this.#options.client.send<Results>(to, apiKeys[operation], request, options)
      for (const { key, resolve } of together) {
        const results = response.results.find(({ topicId }) => topicId === key.topicId)?.partitions
        const result = results?.find(({ partition }) => partition === key.partition)
        resolve(result ?? { error: 'UNKNOWN_SERVER_ERROR', message: 'The share coordinator left out a partition.' })
      }
    } catch (error) {
      for (const { resolve, reject } of together) {
        if (error instanceof NetworkError) resolve({ error: 'COORDINATOR_NOT_AVAILABLE', message: error.message })
        else if (error instanceof ProtocolError) resolve({ error: error.errorName, message: error.message })
        else reject(error)
      }
    }
  }
}

/** All that wait, but of each partition only the first: a request names a partition once. */
function takeDistinct(waiting: Waiting[]): Waiting[] {
  const taken = new Map<string, Waiting>()
  const later: Waiting[] = []
  for (const each of waiting.splice(0)) {
    const name = coordinatorKey(each.key)
    if (taken.has(name)) later.push(each)
    else taken.set(name, each)
  }
  waiting.push(...later)
  return [...taken.values()]
}
