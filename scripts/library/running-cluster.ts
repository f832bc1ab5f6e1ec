/** A cluster as a test holds it. */
import { errorName } from '#broker/protocol/errors.ts'
import { poll } from '../cluster/clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { stateDirectory } from '../cluster/state.ts'
import { createTopic, errorCodes, metadata } from '../cluster/wire-requests.ts'
import { WireClient } from '../cluster/wire.ts'
import { failure } from '../errors.ts'
import { activeFaults } from '../faults/active.ts'
import { addFault, ClusterIsDown, healAll } from './cluster-faults.ts'
import { asFaultlineError } from './errors.ts'
import { checkedGroups, checkedIds, checkLook } from './options.ts'
import type { FaultAtWork, FaultName, LinkAtWork, LinkFaultOptions, NodeFaultOptions, TestFault } from './fault-api.ts'
import type { Observation } from '../observe/model.ts'
import { observe, observeOnce } from '../observe/observe.ts'
import { when } from '../observe/when.ts'
import type {
  ClientOptions,
  LookOptions,
  NodeState,
  ObserveOptions,
  TestCluster,
  TopicOptions,
  WaitOptions,
  WhenOptions,
} from './api.ts'

/** For a topic to be made, and for every broker to know it. */
const topicTimeoutMs = 30_000
/** How long a controller may take for one request. */
const requestTimeoutMs = 10_000

export class RunningCluster implements TestCluster {
  readonly name: string
  readonly bootstrap: string
  readonly directory: string
  readonly #cluster: Cluster
  readonly #leave: () => void
  #ending: Promise<void> | undefined

  /** @param leave  removes what the cluster itself does not know of */
  constructor(cluster: Cluster, leave: () => void) {
    this.#cluster = cluster
    this.#leave = leave
    this.name = cluster.spec.name
    this.bootstrap = cluster.bootstrap.join(',')
    this.directory = stateDirectory(this.name)
  }

  get brokers(): string[] {
    return [...this.#cluster.bootstrap]
  }

  clientOptions(): ClientOptions {
    // The toolkit's kafkajs options say no more than these.
    return this.#cluster.kafkaOptions() as ClientOptions
  }

  async nodes(): Promise<readonly NodeState[]> {
    return await this.#do(async cluster => await cluster.nodes())
  }

  async controller(): Promise<number | undefined> {
    return await this.#do(async cluster => (await cluster.quorum())?.leaderId)
  }

  async kill(id: number): Promise<void> {
    await this.#do(cluster => cluster.kill(id))
  }

  async stop(id: number): Promise<void> {
    await this.#do(cluster => cluster.stop(id))
  }

  async start(id: number, { wait = true }: WaitOptions = {}): Promise<void> {
    await this.#do(async cluster => {
      await cluster.start(id)
      if (wait) await cluster.waitReady()
    })
  }

  async restart(id: number, options: WaitOptions = {}): Promise<void> {
    await this.stop(id)
    await this.start(id, options)
  }

  async pause(id: number): Promise<void> {
    await this.#do(cluster => cluster.pause(id))
  }

  async resume(id: number, { wait = true }: WaitOptions = {}): Promise<void> {
    await this.#do(async cluster => {
      await cluster.resume(id)
      if (wait) await cluster.waitReady()
    })
  }

  async wipe(id: number): Promise<void> {
    await this.#do(cluster => cluster.wipe(id))
  }

  async partition(groups: readonly (readonly number[])[]): Promise<void> {
    await this.#do(cluster => withProxy(cluster, 'partition')(checkedGroups(groups)))
  }

  async cutOneWay(from: readonly number[], to: readonly number[]): Promise<void> {
    await this.#do(cluster =>
      withProxy(cluster, 'cutOneWay')(checkedIds('cutOneWay, from', from), checkedIds('cutOneWay, to', to)),
    )
  }

  async healLinks(): Promise<void> {
    await this.#do(cluster => withProxy(cluster, 'healPartition')())
  }

  async fault(kind: FaultName, options: NodeFaultOptions | LinkFaultOptions): Promise<TestFault> {
    return await addFault(work => this.#do(work), kind, options)
  }

  async faults(): Promise<readonly FaultAtWork[]> {
    return await this.#do(activeFaults)
  }

  async heal(ids: readonly string[] | 'all' = 'all'): Promise<void> {
    await this.#do(cluster => healAll(cluster, ids))
  }

  async links(): Promise<readonly LinkAtWork[]> {
    return await this.#do(async cluster => {
      if (cluster.links === undefined) throw noProxy()
      return (await cluster.links.links()).map(
        ({ name, from, to, listener, connections, accepted, bytes, requests, clientIds }) => ({
          name,
          from,
          to,
          listener,
          connections,
          accepted,
          bytes,
          requests,
          clientIds,
        }),
      )
    })
  }

  async *observe(options: ObserveOptions = {}): AsyncGenerator<Observation, void, undefined> {
    yield* observe(
      await this.#do(cluster => {
        checkLook('observe', options)
        return Promise.resolve(cluster)
      }),
      options,
    )
  }

  async observeOnce(options: LookOptions = {}): Promise<Observation> {
    return await this.#do(cluster => {
      checkLook('observeOnce', options)
      return observeOnce(cluster, options)
    })
  }

  async when(condition: Parameters<typeof when>[1], options: WhenOptions): Promise<Observation> {
    return await this.#do(cluster => {
      checkLook('when', options)
      return when(cluster, condition, options)
    })
  }

  async createTopic(name: string, options: TopicOptions = {}): Promise<void> {
    await this.#do(async cluster => {
      const [first] = (await poll(() => anyRunning(cluster), { timeoutMs: topicTimeoutMs })) ?? []
      if (first === undefined) throw failure(`The topic ${name} cannot be created: no broker is running.`)
      const settings = Object.entries(options.settings ?? {}).map(([key, value]) => [key, String(value)] as const)
      const answer = await asked(cluster, first, client =>
        createTopic(
          client,
          {
            name,
            placement: { partitions: options.partitions ?? -1, replicas: options.replicationFactor ?? -1 },
            settings: Object.fromEntries(settings),
          },
          requestTimeoutMs,
        ),
      )
      if (answer.errorCode !== errorCodes.none)
        throw failure(`The topic ${name} cannot be created: ${errorName(answer.errorCode)}, ${answer.message}`)
      await Promise.all((await running(cluster)).map(node => knows(cluster, node, name)))
    })
  }

  async waitReady(options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#do(cluster => cluster.waitReady(options))
  }

  async logs(id: number, options: { readonly lines?: number } = {}): Promise<string> {
    return await this.#do(cluster => cluster.logs(id, options))
  }

  async down(): Promise<void> {
    this.#ending ??= this.#cluster.down().finally(this.#leave)
    await this.#ending
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down()
  }

  async #do<T>(work: (cluster: Cluster) => Promise<T>): Promise<T> {
    try {
      if (this.#ending !== undefined) throw new ClusterIsDown(`The cluster ${this.name} is down.`)
      return await work(this.#cluster)
    } catch (error) {
      throw asFaultlineError(error)
    }
  }
}

/** What breaks links, bound to its cluster; refuses where there is no proxy. */
function withProxy<K extends 'partition' | 'cutOneWay' | 'healPartition'>(
  cluster: Cluster,
  method: K,
): NonNullable<Cluster[K]> {
  const found = cluster.capabilities.has('partition') ? cluster[method] : undefined
  if (found === undefined) throw noProxy()
  return found.bind(cluster) as NonNullable<Cluster[K]>
}

function noProxy(): Error {
  return failure(
    'The links of this cluster cannot be broken: no fault proxy stands in front of its nodes.',
    'Start it with { proxy: true }.',
  )
}

/** Brokers that listen. One that is just starting reads of every topic before it serves. */
async function running(cluster: Cluster): Promise<NodeState[]> {
  const nodes = await cluster.nodes()
  return nodes.filter(({ roles, state }) => roles.includes('broker') && state === 'running')
}

/** Undefined while one is still coming; empty when none is. */
async function anyRunning(cluster: Cluster): Promise<NodeState[] | undefined> {
  const nodes = (await cluster.nodes()).filter(({ roles }) => roles.includes('broker'))
  const found = nodes.filter(({ state }) => state === 'running')
  return found.length === 0 && nodes.some(({ state }) => state === 'starting') ? undefined : found
}

async function asked<T>(cluster: Cluster, node: NodeState, ask: (client: WireClient) => Promise<T>): Promise<T> {
  const client = await WireClient.open(node, cluster.kafkaOptions())
  try {
    return await ask(client)
  } finally {
    client.close()
  }
}

/** Resolves when this broker knows the topic, with a leader for each partition. */
async function knows(cluster: Cluster, node: NodeState, topic: string): Promise<void> {
  const known = await asked(cluster, node, client =>
    poll(
      async () => {
        const [found] = (await metadata(client, [topic])).topics
        const complete = found?.partitions.length !== 0 && found?.partitions.every(({ leader }) => leader >= 0) === true
        return found?.errorCode === errorCodes.none && complete ? true : undefined
      },
      { timeoutMs: topicTimeoutMs, everyMs: 5 },
    ),
  )
  if (known !== true)
    throw failure(`Broker ${node.id} does not know the topic ${topic} after ${topicTimeoutMs / 1000} s.`)
}
