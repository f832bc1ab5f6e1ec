/**
 * A cluster that somebody else has started, by its bootstrap addresses: labs may use its clients' side and nothing else. What a run makes bears
 * a prefix of its own and is removed at the end; a guard in every connection refuses what touches anything else.
 */
import { randomBytes } from 'node:crypto'
import type { KafkaConfig } from 'kafkajs'
import { failure, messageOf, usageError } from '../../errors.ts'
import { realClock } from '../clock.ts'
import type {
  Availability,
  Capability,
  ClientOptions,
  Cluster,
  ClusterSpec,
  NodeState,
  QuorumView,
  Runtime,
  UpOptions,
} from '../cluster.ts'
import { seededRandom } from '../random.ts'
import { directSocket } from '../wire-socket.ts'
import { allTopics, deleteTopic, metadata } from '../wire-requests.ts'
import { WireClient, type Endpoint } from '../wire.ts'
import { askQuorum } from '../ready.ts'
import { guardedSocketFactory, type GuardOptions } from './guard.ts'

export interface ExternalOptions {
  /** `host:port` of some brokers. */
  readonly bootstrap: readonly string[]
  readonly client: Pick<KafkaConfig, 'ssl' | 'sasl'>
  readonly allowsClusterChanges: boolean
  /** A lab wanted what it may not; its run is worth nothing. */
  readonly refused: (what: string) => void
}

const capabilities: ReadonlySet<Capability> = new Set()
const answerMs = 10_000
const goneMs = 30_000

export interface ExternalRuntime extends Runtime {
  /** Of everything that the next run makes. */
  readonly prefix: string
}

export function externalRuntime(options: ExternalOptions): ExternalRuntime {
  const prefix = `faultline-lab-${randomBytes(4).toString('hex')}-`
  return {
    name: 'external',
    prefix,
    capabilities,
    available: (): Promise<Availability> => Promise.resolve({ available: true }),
    up: async (spec: ClusterSpec, { signal }: UpOptions = {}) =>
      await ExternalCluster.find(spec, options, prefix, signal),
    attach: () =>
      Promise.reject(usageError('A cluster that somebody else has started cannot be attached to by a name.')),
  }
}

/** @throws ToolkitError that says what was expected */
export function parseBootstrap(text: string): string[] {
  const addresses = text.split(',').map(each => each.trim())
  for (const address of addresses) endpointOf(address)
  return addresses
}

function endpointOf(address: string): Endpoint {
  const [, host = '', port = ''] = /^\[?([^\s,]+?)\]?:(\d{1,5})$/.exec(address) ?? []
  if (host === '' || Number(port) < 1 || Number(port) > 65_535)
    throw usageError(`--bootstrap: expected host:port, several with commas, got ${JSON.stringify(address)}.`)
  return { host, port: Number(port) }
}

interface Broker extends Endpoint {
  readonly id: number
}

export class ExternalCluster implements Cluster {
  readonly spec: ClusterSpec
  readonly bootstrap: readonly string[]
  readonly capabilities = capabilities
  readonly clock = realClock
  readonly random
  readonly brokerAddresses: ReadonlyMap<number, string>
  readonly #client: ClientOptions
  readonly #brokers: readonly Broker[]
  readonly #prefix: string

  private constructor(spec: ClusterSpec, client: ClientOptions, brokers: readonly Broker[], prefix: string) {
    this.spec = spec
    this.random = seededRandom(spec.seed)
    this.#brokers = brokers
    this.#prefix = prefix
    this.bootstrap = brokers.map(({ host, port }) => `${host}:${port}`)
    this.brokerAddresses = new Map(brokers.map(({ id, host, port }) => [id, `${host}:${port}`]))
    this.#client = { ...client, brokers: [...this.bootstrap] }
  }

  /** Asks the addresses one after the other who is there. */
  static async find(
    spec: ClusterSpec,
    { bootstrap, client, allowsClusterChanges, refused }: ExternalOptions,
    prefix: string,
    signal?: AbortSignal,
  ): Promise<ExternalCluster> {
    const guard: GuardOptions = { prefix, allowsClusterChanges, refused }
    const options = { ...client, brokers: [...bootstrap], socketFactory: guardedSocketFactory(directSocket, guard) }
    const problems: string[] = []
    for (const address of bootstrap) {
      signal?.throwIfAborted()
      try {
        const { brokers } = await asked(endpointOf(address), options, async wire => await metadata(wire))
        if (brokers.length >= spec.brokers)
          return new ExternalCluster(
            { ...spec, brokers: brokers.length },
            options,
            brokers.toSorted((a, b) => a.id - b.id),
            prefix,
          )
        throw failure(`The lab needs ${spec.brokers} brokers, and the cluster at ${address} has ${brokers.length}.`)
      } catch (error) {
        problems.push(`${address}: ${messageOf(error)}`)
      }
    }
    throw failure(
      `No broker answered as expected:\n  ${problems.join('\n  ')}`,
      'Are address and --command-config right?',
    )
  }

  async nodes(): Promise<readonly NodeState[]> {
    return this.#brokers.map(({ id, host, port }) => ({
      id,
      roles: ['broker'],
      host,
      port,
      state: 'running',
      dataDir: 'unknown: the cluster is not ours',
      log: 'unknown: the cluster is not ours',
    }))
  }

  async waitReady(): Promise<void> {
    for (const broker of this.#brokers) await this.#ask(broker, async wire => await metadata(wire))
  }

  kafkaOptions(): ClientOptions {
    return this.#client
  }

  async quorum(): Promise<QuorumView | undefined> {
    return await askQuorum(await this.nodes(), this.clock, this.#client)
  }

  kill = notOurs
  stop = notOurs
  start = notOurs
  restart = notOurs
  pause = notOurs
  resume = notOurs
  wipe = notOurs
  logs = notOurs

  /** Removes what the run has made, and waits until it is gone: topics, then groups. Nothing else is touched. */
  async down(): Promise<void> {
    const [first] = this.#brokers
    if (first === undefined) return
    const endMs = this.clock.nowMs() + goneMs
    for (;;) {
      const left = await this.#ask(first, async wire => {
        const { topics } = await allTopics(wire)
        const ours = topics.map(({ name }) => name).filter(name => name.startsWith(this.#prefix))
        for (const name of ours) await deleteTopic(wire, name, answerMs)
        return ours
      })
      if (left.length === 0) break
      if (this.clock.nowMs() > endMs)
        throw failure(`These topics could not be removed: ${left.join(', ')}`, 'Remove them by hand.')
      await this.clock.sleep(200)
    }
    await this.#removeGroups()
  }

  async #removeGroups(): Promise<void> {
    const { kafkaClient } = await import('../../workload/kafkajs-client.ts')
    const admin = kafkaClient(this, 'lab-admin').admin()
    await admin.connect()
    try {
      const { groups } = await admin.listGroups()
      const ours = groups.map(({ groupId }) => groupId).filter(id => id.startsWith(this.#prefix))
      if (ours.length > 0) await admin.deleteGroups(ours)
    } finally {
      await admin.disconnect()
    }
  }

  async #ask<T>(broker: Endpoint, question: (wire: WireClient) => Promise<T>): Promise<T> {
    return await asked(broker, this.#client, question)
  }
}

async function asked<T>(
  endpoint: Endpoint,
  client: ClientOptions,
  question: (wire: WireClient) => Promise<T>,
): Promise<T> {
  const waiting = new AbortController()
  const late = realClock.sleep(answerMs, waiting.signal).then(() => {
    throw new Error(`no answer within ${answerMs} ms`)
  })
  // The race below throws it; all that comes after an answer is that this sleep was cut short.
  late.catch(() => undefined)
  const connecting = WireClient.open(endpoint, client)
  try {
    return await Promise.race([connecting.then(question), late])
  } finally {
    waiting.abort()
    // A connection that never opened has nothing to close, and whoever asked has been told.
    connecting.then(
      wire => wire.close(),
      () => undefined,
    )
  }
}

function notOurs(): Promise<never> {
  return Promise.reject(
    usageError(
      'This cluster was started by somebody else: its nodes are not touched.',
      'Labs that break nodes need one of their own.',
    ),
  )
}
