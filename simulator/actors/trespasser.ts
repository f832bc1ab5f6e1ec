/**
 * A client without rights, which tries what it may not: to read, write, create, delete, alter, give itself rights, join in, see. And a
 * stranger with a wrong password. Promised: nothing of it ever gets through, whatever state the cluster is in.
 */
import type { Address } from '#broker/environment/environment.ts'
import { NetworkRequestClient } from '#broker/net/request-client.ts'
import { errorName } from '#broker/protocol/errors.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { PlainClient } from '#broker/security/authentication/sasl-client.ts'
import { until, type Actor, type Stage } from './actor.ts'
import { intruder } from './access.ts'
import { requestTimeoutMs } from './wire.ts'

/** Of what the workload writes to. */
const coveted = 'events'

interface Attempt {
  readonly name: string
  readonly key: number
  readonly version: number
  readonly body: object
}

const records = buildBatch([{ value: 'intruder' }], { timestamp: 1 })
const entry = { resourceType: 2, resourceName: '*', principal: `User:${intruder.username}`, host: '*' }
const topic = { name: 'of-the-intruder', numPartitions: 1, replicationFactor: 3, assignments: [], configs: [] }
const partition = { partitionIndex: 0, committedOffset: 1, committedMetadata: '' }
const timeoutMs = requestTimeoutMs

const attempts: readonly Attempt[] = [
  {
    name: 'Produce',
    key: 0,
    version: 11,
    body: {
      transactionalId: null,
      acks: -1,
      timeoutMs,
      topicData: [{ name: coveted, partitionData: [{ index: 0, records }] }],
    },
  },
  {
    name: 'Fetch',
    key: 1,
    version: 12,
    body: {
      maxWaitMs: 0,
      minBytes: 0,
      topics: [{ topic: coveted, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }] }],
    },
  },
  { name: 'CreateTopics', key: 19, version: 7, body: { topics: [topic], timeoutMs, validateOnly: false } },
  { name: 'DeleteTopics', key: 20, version: 5, body: { topics: [], topicNames: [coveted], timeoutMs } },
  {
    name: 'DeleteRecords',
    key: 21,
    version: 2,
    body: { topics: [{ name: coveted, partitions: [{ partitionIndex: 0, offset: -1 }] }], timeoutMs },
  },
  { name: 'CreateAcls', key: 30, version: 3, body: { creations: [{ ...entry, operation: 2, permissionType: 3 }] } },
  {
    name: 'IncrementalAlterConfigs',
    key: 44,
    version: 1,
    body: {
      resources: [
        { resourceType: 2, resourceName: coveted, configs: [{ name: 'retention.ms', configOperation: 0, value: '1' }] },
      ],
      validateOnly: false,
    },
  },
  {
    name: 'OffsetCommit',
    key: 8,
    version: 9,
    body: {
      groupId: `${coveted}-readers`,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: [{ name: coveted, partitions: [partition] }],
    },
  },
  { name: 'InitProducerId', key: 22, version: 5, body: { transactionalId: 'tx0', transactionTimeoutMs: 60_000 } },
  {
    name: 'ConsumerGroupHeartbeat',
    key: 68,
    version: 1,
    body: {
      groupId: 'job-workers',
      memberId: 'intruder',
      memberEpoch: 0,
      rebalanceTimeoutMs: 1_000,
      subscribedTopicNames: [coveted],
      topicPartitions: [],
    },
  },
  { name: 'Metadata', key: 3, version: 12, body: { topics: [{ name: coveted }], allowAutoTopicCreation: false } },
]

const pauseMs = [50, 800] as const

export class Trespasser implements Actor {
  readonly name = 'trespasser'
  readonly #stage: Stage
  readonly #known: NetworkRequestClient
  readonly #stranger: NetworkRequestClient
  readonly #brokers: readonly Address[]
  #running = true
  deeds = 0

  constructor(stage: Stage) {
    const { environment } = stage.cluster.world.node('client')
    const as = (password: string) =>
      new NetworkRequestClient(environment, 'intruder', { sasl: () => new PlainClient(intruder.username, password) })
    this.#stage = stage
    this.#known = as(intruder.password)
    this.#stranger = as('guessed')
    this.#brokers = stage.cluster.bootstrap.map(address => {
      const [host = '', port = ''] = address.split(':')
      return { host, port: Number(port) }
    })
  }

  prepare(): Promise<void> {
    return Promise.resolve()
  }

  async run(): Promise<void> {
    const { world, random } = this.#stage
    while (this.#running) {
      await world.sleep(random.between(...pauseMs))
      await this.#try(random.pick(attempts), random.chance(1, 5))
    }
  }

  stop(): void {
    this.#running = false
  }

  /** In a whole cluster every attempt is answered, and refused. */
  async conclude(deadlineMs: number): Promise<void> {
    for (const attempt of attempts) {
      await until(this.#stage.world, deadlineMs, async () => {
        // The first one may meet a connection that ended long ago.
        const refusals = (await this.#try(attempt, false)) ?? ['no answer']
        if (refusals.some(refusal => refusal.endsWith('AUTHORIZATION_FAILED'))) return undefined
        return `${attempt.name}: a whole cluster told an intruder ${refusals.join(', ')}`
      })
    }
    this.#known.close()
    this.#stranger.close()
  }

  /** @returns how it was refused; undefined: no answer */
  async #try(attempt: Attempt, asStranger: boolean): Promise<readonly string[] | undefined> {
    const to = this.#stage.random.pick(this.#brokers)
    const client = asStranger ? this.#stranger : this.#known
    let response: object
    try {
      const options = { timeoutMs: requestTimeoutMs, maxVersion: attempt.version }
      response = (await client.send<object>(to, attempt.key, attempt.body, options)).response
    } catch (error) {
      // The broker is down, or has thrown the stranger out.
      this.#stage.world.trace.add('actor', 'debug', 'an intruder got no answer', { error: String(error) })
      return undefined
    }
    this.deeds++
    if (asStranger) throw new Error(`${attempt.name}: ${to.host} answered somebody with a wrong password`)
    const errors = errorsOf(response).map(code => errorName(code))
    const leaks = leaksOf(response)
    if (leaks.length > 0)
      throw new Error(`${attempt.name}: ${to.host} told an intruder ${leaks.join(', ')}: ${textOf(response)}`)
    // Refusals that come before rights are looked at say nothing of what there is.
    if (errors.some(error => error !== 'NONE')) return errors
    throw new Error(`${attempt.name}: ${to.host} let an intruder through: ${textOf(response)}`)
  }
}

const refusedNumbers = new Set(['baseOffset', 'highWatermark', 'lowWatermark', 'producerId'])

/** Names of what only who is let in may be told, beside a refusal or not: records, and offsets and ids that are not -1. */
export function leaksOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(leaksOf)
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return []
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) => {
    const isNumber = typeof inner === 'number' || typeof inner === 'bigint'
    if (refusedNumbers.has(name) && isNumber) return inner >= 0 ? [name] : []
    if (name === 'records' && Buffer.isBuffer(inner)) return inner.length > 0 ? [name] : []
    return leaksOf(inner)
  })
}

/** Every error code in an answer, whatever its form. */
function errorsOf(value: unknown): number[] {
  if (Array.isArray(value)) return value.flatMap(errorsOf)
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return []
  return Object.entries(value).flatMap(([name, inner]) =>
    name === 'errorCode' && typeof inner === 'number' ? [inner] : errorsOf(inner),
  )
}

function textOf(response: object): string {
  return JSON.stringify(response, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}
