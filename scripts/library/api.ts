/** What users of the library see, but for `startCluster` itself. Imports types alone, since it becomes the package's types as it is. */
import type { LinkTopology, NodeTopology } from '../cluster/topology/topology.ts'
import type { Observation, Watch } from '../observe/model.ts'
import type { Predicate } from '../observe/predicates.ts'
import type {
  FaultAtWork,
  LinkAtWork,
  LinkFaultName,
  LinkFaultOptions,
  NodeFaultName,
  NodeFaultOptions,
  TestFault,
} from './fault-api.ts'

/** What a test can say about its cluster; left out: three brokers, ports of their own, nothing to remember. */
export interface StartOptions {
  /** Nodes that hold topics, with the ids 1, 2, 3 …: how many, or what each has of its own: `[{ rack: 'a' }, { rack: 'b' }]`. Default: 3. */
  readonly brokers?: number | readonly NodeTopology[]
  /** Controllers of their own, with the ids 101, 102 … Default: 0, brokers are controllers as well. */
  readonly controllers?: number | readonly NodeTopology[]
  /** Faultline's own broker, or Apache Kafka from its jars (needs Java and Maven): `apache-kafka`, `apache-kafka:3.9.1`. Default: faultline. */
  readonly engine?: string
  /** Of all listeners. `clientOptions()` then has what kafkajs needs to connect. Default: none. */
  readonly security?: 'none' | 'sasl' | 'tls' | 'mtls' | 'sasl-tls'
  /** Broker settings by Kafka's names, for all nodes: `{ 'log.retention.ms': 60_000 }`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
  /** Topics that are there when `startCluster` resolves. */
  readonly topics?: Readonly<Record<string, TopicOptions>>
  /** True: a proxy stands in front of every listener, and links and requests can be broken: `partition`, `fault('latency', …)`. Default: false. */
  readonly proxy?: boolean
  /** True: nodes take orders for faults inside them, of disks, clocks and power: `fault('slow-disk', …)`. Default: false. */
  readonly faults?: boolean
  /** Links that are broken from the start, as in a topology file; there is a proxy then. */
  readonly links?: readonly LinkTopology[]
  /** Shown in messages, and part of the folder's name. Lower-case letters, digits, dashes; at most 20 characters. Default: test. */
  readonly name?: string
  /** Where the folder with data and logs is made. Default: the system's folder for temporary files. */
  readonly directory?: string
  /** How long the start may take, ms. Left out: 60 000, and 180 000 for Apache Kafka, from when all its nodes have been started. */
  readonly timeoutMs?: number
  /** Aborting gives the start up and takes away what was begun. */
  readonly signal?: AbortSignal
}

export interface TopicOptions {
  /** Default: the setting num.partitions, which is 1 unless you say otherwise. */
  readonly partitions?: number
  /** Default: 3, or the number of brokers where that is less. */
  readonly replicationFactor?: number
  /** Topic settings by Kafka's names. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
}

/**
 * - starting: the process runs but is not known to serve yet
 * - running, paused: as it says
 * - stopped: ended because the test said so
 * - dead: ended by itself
 */
export type NodeStatus = 'starting' | 'running' | 'paused' | 'stopped' | 'dead'

export interface NodeState {
  readonly id: number
  readonly roles: readonly ('broker' | 'controller')[]
  readonly host: string
  readonly port: number
  readonly state: NodeStatus
  /** Of the node's own process, while there is one. */
  readonly pid?: number
  /** The folder that holds its `meta.properties`. */
  readonly dataDir: string
  /** Its log file. */
  readonly log: string
}

/** Options of kafkajs: `new Kafka({ ...cluster.clientOptions(), clientId: 'my-test' })`. */
export interface ClientOptions {
  readonly brokers: string[]
  readonly ssl?: { readonly ca: string[]; readonly key?: string; readonly cert?: string }
  readonly sasl?: { readonly mechanism: 'plain'; readonly username: string; readonly password: string }
}

export interface WaitOptions {
  /** False: do not wait until every broker that should be up serves. Default: true. */
  readonly wait?: boolean
}

export interface LookOptions extends Watch {
  /** How long a broker may take for one answer, ms. One that takes longer is unknown. Default: 1000. */
  readonly answerMs?: number
  readonly signal?: AbortSignal
}

export interface ObserveOptions extends LookOptions {
  /** From the beginning of one look to the beginning of the next, ms. Default: 1000, and 100 for `when`. */
  readonly intervalMs?: number
}

export interface WhenOptions extends ObserveOptions {
  readonly timeoutMs: number
  /** In place of a name, for a condition that is a function: "waited until …". */
  readonly what?: string
}

/**
 * A cluster of real processes on 127.0.0.1 that ends with the process that started it. Methods that take a node reject with a FaultlineError when
 * the node is not in a state for it, and resolve when it has taken effect.
 */
export interface TestCluster {
  readonly name: string
  /** As Kafka's bootstrap.servers: `127.0.0.1:10000,127.0.0.1:10001`. */
  readonly bootstrap: string
  /** The same as a list, in the order of the ids; each time a new one. */
  readonly brokers: string[]
  /** Its data and logs, gone after `down`. */
  readonly directory: string
  clientOptions(): ClientOptions
  /** Fresh state of all nodes: brokers by id, then controllers by id. */
  nodes(): Promise<readonly NodeState[]>
  /** The id of the active controller; undefined while nobody leads the quorum. */
  controller(): Promise<number | undefined>

  /** SIGKILL. */
  kill(id: number): Promise<void>
  /** Controlled shutdown: leaders move away first. */
  stop(id: number): Promise<void>
  /** Starts a node that is down, on the data that it has. */
  start(id: number, options?: WaitOptions): Promise<void>
  /** `stop`, then `start`. */
  restart(id: number, options?: WaitOptions): Promise<void>
  /** SIGSTOP: it does nothing more, its connections stay open. */
  pause(id: number): Promise<void>
  /** SIGCONT. */
  resume(id: number, options?: WaitOptions): Promise<void>
  /** Empties the disk of a node that is down. */
  wipe(id: number): Promise<void>

  /** Cuts the connections between nodes of different groups. With the option `proxy`. */
  partition(groups: readonly (readonly number[])[]): Promise<void>
  /** Nothing that a node of `from` sends reaches one of `to`. With the option `proxy`. */
  cutOneWay(from: readonly number[], to: readonly number[]): Promise<void>
  /** Undoes `partition` and `cutOneWay`. */
  healLinks(): Promise<void>

  /** Breaks links, or requests on them, until it is healed. Resolves when it was seen to work. With the option `proxy`. */
  fault(kind: LinkFaultName, options: LinkFaultOptions): Promise<TestFault>
  /** Breaks nodes, until it is healed. Resolves when it was seen to work. Those inside nodes need the option `faults`. */
  fault(kind: NodeFaultName, options: NodeFaultOptions): Promise<TestFault>
  /** What is at work now, whoever began it. */
  faults(): Promise<readonly FaultAtWork[]>
  /** Undoes faults by their ids, or all of them, also nodes that are down or frozen, and waits until every broker serves. Default: all. */
  heal(ids?: readonly string[] | 'all'): Promise<void>
  /** Every link, with what came over it. With the option `proxy`. */
  links(): Promise<readonly LinkAtWork[]>

  /** Asks every broker over the wire, again and again, until you stop iterating: what each says, and what changed. */
  observe(options?: ObserveOptions): AsyncGenerator<Observation, void, undefined>
  /** One such look. */
  observeOnce(options?: LookOptions): Promise<Observation>
  /**
   * Resolves with the first observation for which a condition holds: one of `conditions`, which knows what it has to watch, or a function, for
   * which the options say it. Rejects after `timeoutMs`, and says what was seen last.
   */
  when(
    condition: Predicate | ((observation: Observation) => boolean | undefined),
    options: WhenOptions,
  ): Promise<Observation>

  /** Resolves when every broker that is up knows it and it has a leader for each partition. Rejects when it exists. */
  createTopic(name: string, options?: TopicOptions): Promise<void>
  /** Resolves when every broker that should be up serves. Default of `timeoutMs`: as at the start. */
  waitReady(options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>
  /** The newest lines of a node's log. Default: 200. */
  logs(id: number, options?: { readonly lines?: number }): Promise<string>
  /** Ends everything and removes it. A second call does nothing. */
  down(): Promise<void>
  /** `down`, for `await using cluster = await startCluster()`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** What was asked for cannot be done: the message says what was expected, what came, and the way out. */
export class FaultlineError extends Error {
  override readonly name: string = 'FaultlineError'
}
