/**
 * A cluster under test, as labs, workloads, faults and commands see it: the same interface on every runtime (processes, containers, the
 * simulator) and every engine (Faultline, Apache Kafka).
 *
 * A lab must never look behind it: time comes from `cluster.clock`, chance from `cluster.random`, connections from `cluster.kafkaOptions()`.
 * In the simulator all three are virtual, so a lab that keeps to this replays from its seed.
 */
import type { KafkaConfig } from 'kafkajs'
import type { Random } from '#broker/environment/environment.ts'
import type { AddedNodeFault, NodeFaultOrder, NodeFaultState } from '#broker/environment/faulty/fault-desk.ts'
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import type { ClusterLinks, FaultRequest, FaultState } from '../proxy/model.ts'
import type { SecurityDocument } from './security/clients.ts'
import type { SecurityKind } from './security/kinds.ts'

export const engines = ['faultline', 'apache-kafka', 'redpanda'] as const
export type Engine = (typeof engines)[number]

export const runtimeNames = ['process', 'compose', 'simulated'] as const
/** `external`: somebody else has started it; see `external/`. Not to be chosen by name, it comes with an address. */
export type RuntimeName = (typeof runtimeNames)[number] | 'external'

/** What a runtime can do to a node or its surroundings. A lab lists what it needs and is skipped, loudly, where one is missing. */
export const capabilities = [
  'kill', // SIGKILL: the process ends, what it wrote stays
  'stop', // controlled shutdown
  'pause', // frozen, sockets stay open
  'restart',
  'wipe', // empties the data directory of a node that is down
  'partition', // nodes cannot reach each other, or one way only; clients still reach them
  'node-faults', // disk, clock and event loop of a node can be broken from inside
  'grow', // brokers can join while it runs
  'upgrade', // a node can be started as another version of its engine, on the data that it has
  'power-failure', // ends at once and loses what was not fsynced
  'virtual-time', // the clock runs as fast as the machine allows, and a seed replays the run
  'read-log-directory', // `dataDir` of a node can be read from this machine
] as const
export type Capability = (typeof capabilities)[number]

/** What one node has of its own. */
export interface NodeSpec {
  readonly rack?: string
  /** They win over those of the cluster. */
  readonly settings?: Readonly<Record<string, string>>
  readonly logDirs?: number
  /** Where it is not that of the cluster; then `engineVersion` is of this one. */
  readonly engine?: Engine
  readonly engineVersion?: string
}

export interface ClusterSpec {
  /** Lower-case letters, digits and dashes; names the state directory `.faultline/NAME` and the containers. */
  readonly name: string
  readonly runtime: RuntimeName
  readonly engine: Engine
  /** Release of Apache Kafka; left out: the one that Faultline is compared with. */
  readonly engineVersion?: string
  /** Nodes that hold topics: ids 1 … brokers, on `port`, `port` + 1, … */
  readonly brokers: number
  /** Brokers that joined later, with the ids that follow; they are never controllers. */
  readonly added?: number
  /** 0: brokers are controllers as well (combined roles); else that many nodes of their own, with ids 101, 102, … */
  readonly controllers: number
  /** Client port of broker 1. 0 picks free ports. */
  readonly port: number
  /** Where the nodes keep their data; default: inside the state directory. */
  readonly dataDir?: string
  /** Kafka property names and values, the same for all nodes; they win over what the toolkit sets. */
  readonly settings: Readonly<Record<string, string>>
  /** What single nodes have of their own, by their ids. */
  readonly nodes?: Readonly<Record<string, NodeSpec>>
  /** Log directories of each node; left out: one. */
  readonly logDirs?: number
  /** Faults of links that are at work before the nodes start; with a fault proxy. */
  readonly links?: readonly FaultRequest[]
  /** Of all listeners; left out: none. */
  readonly security?: SecurityKind
  /** The lab that it was made for and ends with. */
  readonly lab?: string
  /** True: a fault proxy stands in front of every listener, so that links and requests can be broken. */
  readonly proxy?: boolean
  /** True: its processes end with the one that started it, however that ends. */
  readonly tied?: boolean
  /** True: nodes take orders for faults inside themselves. */
  readonly faults?: boolean
  /** True: `up` writes a configuration of Prometheus for the nodes. */
  readonly metrics?: boolean
  /** Seeds `cluster.random`, and in the simulator everything. */
  readonly seed: number
}

/**
 * - starting: the process runs but is not known to serve yet
 * - running, paused: as it says
 * - stopped: ended in an orderly way or was told to
 * - dead: gone without having been told to by the toolkit (a crash, an external kill)
 */
export type NodeStatus = 'starting' | 'running' | 'paused' | 'stopped' | 'dead'

export interface NodeState {
  readonly id: number
  readonly roles: readonly ('broker' | 'controller')[]
  /** Where clients reach the broker, or where the quorum reaches a controller-only node. */
  readonly host: string
  readonly port: number
  readonly state: NodeStatus
  /** The node's own process (the JVM or Node.js, never a wrapper), on the runtimes that have one on this machine. */
  readonly pid?: number
  readonly container?: string
  /** `apache-kafka:3.9.1`, of a cluster whose nodes have several. */
  readonly engine?: string
  /** The folder that holds `meta.properties`; a path on this machine, or in the container. */
  readonly dataDir: string
  /** Log file, or the command that shows it. */
  readonly log: string
  /** Base URL of the node's read-only HTTP state, when it has one. */
  readonly inspector?: string
  /** What it is started as, where that is another version than the cluster's: a release, or a program file or an image of our own. */
  readonly version?: string
}

export interface LabClock {
  /** Milliseconds that never go back; start at an arbitrary point. Virtual in the simulator. */
  nowMs(): number
  /** With a signal that is aborted meanwhile it may reject at once, and the process need not stay for it. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The metadata quorum as its leader describes it (DescribeQuorum). */
export interface QuorumView {
  readonly leaderId: number
  readonly leaderEpoch: number
  /** Offset, exclusive. */
  readonly highWatermark: number
  readonly voters: readonly { readonly id: number; readonly logEndOffset: number }[]
}

/** Faults inside nodes: of their disks, clocks, event loops. Every call refuses a node that does not answer. */
export interface NodeFaults {
  /** Resolves when the fault is at work and was seen to be; refuses what cannot be meant, and takes back what did not work. */
  add(id: number, order: NodeFaultOrder): Promise<AddedNodeFault>
  /** Also of a node that is down: what it will have again when it starts. */
  list(id: number): Promise<readonly NodeFaultState[]>
  /** Unknown ids are refused. @returns the ones that were healed */
  heal(id: number, ids: readonly string[] | 'all'): Promise<readonly NodeFaultState[]>
}

/** How a fault was seen to work on a link. */
export interface LinkProof extends NodeFaultProof {
  /** `2->1` */
  readonly link: string
}

export interface ProvedPacketFault extends FaultState {
  readonly proofs: readonly LinkProof[]
}

/** Faults of links without a fault proxy: of packets between nodes. Requests of clients, and what is in packets, are out of their reach. */
export interface PacketFaults {
  /** Kinds of faults of links that there are so. */
  readonly kinds: ReadonlySet<string>
  faults(): Promise<readonly FaultState[]>
  /** With complete parameters. Resolves when it is at work and, with proof, was seen to be; else it is taken back. */
  add(request: FaultRequest, proof: boolean): Promise<ProvedPacketFault>
  /** Unknown ids are refused. @returns the ones that were healed */
  heal(ids: readonly string[] | 'all'): Promise<readonly FaultState[]>
}

export interface PowerFailureOptions {
  /**
   * all: as if nothing had been written back by itself; part: by chance, each page on its own, pages torn at sectors. Default: all; the disks
   * of a simulation always lose a part.
   */
  readonly loss: 'all' | 'part'
  /** Of names of files, where a part is lost: the latest ones, as a journaling file system loses them, or each on its own. */
  readonly names: 'ordered' | 'independent'
  readonly seed: number
}

export interface PowerLossSeen extends NodeFaultProof {
  readonly node: number
}

/** Other versions of the engine for single nodes: a release of Apache Kafka, or for our own broker the file that is started, or the image. */
export interface NodeVersions {
  /** Fetches what that version needs; refuses one that is not there. */
  prepare(version: string, options?: UpOptions): Promise<void>
  /** What a node is from its next start on; undefined: as the cluster. */
  set(id: number, version: string | undefined): Promise<void>
  /** What a node that serves was really started from, in a few words; undefined: that cannot be looked at. Refuses when it is something else. */
  prove(id: number, version: string): Promise<string | undefined>
}

export interface Cluster {
  readonly spec: ClusterSpec
  /** `host:port` of every broker, in the order of the ids, whether it runs or not. */
  readonly bootstrap: readonly string[]
  readonly capabilities: ReadonlySet<Capability>
  /** `host:port` by id, where ids do not count from 1. */
  readonly brokerAddresses?: ReadonlyMap<number, string>
  /** What breaks links and requests, of a cluster behind a fault proxy. Refuses when the proxy does not answer. */
  readonly links?: ClusterLinks | undefined
  /** What loses packets between nodes, of containers without a fault proxy. */
  readonly packets?: PacketFaults | undefined
  /** Faults inside nodes, with capability `node-faults`. */
  readonly nodeFaults?: NodeFaults | undefined
  /** With capability `upgrade`. */
  readonly versions?: NodeVersions | undefined
  /** Where clients find what they need to connect; undefined for a cluster without security. */
  readonly security?: SecurityDocument | undefined
  readonly clock: LabClock
  readonly random: Random
  /** Fresh state of all nodes: brokers by id, then controller-only nodes by id. */
  nodes(): Promise<readonly NodeState[]>

  // Each takes a node id; refuses with a message when the node is not in a state for it; resolves when it has taken effect.
  /** SIGKILL, or pulling the plug of the process only; resolves when the process is gone. */
  kill(id: number): Promise<void>
  /** Controlled shutdown; resolves when the process is gone. Falls back to nothing: a node that does not stop is an error. */
  stop(id: number): Promise<void>
  /** Starts a node that is down on the data it has; resolves when the process runs, not when it serves (see `waitReady`). */
  start(id: number): Promise<void>
  /** stop, then start. */
  restart(id: number): Promise<void>
  pause(id: number): Promise<void>
  resume(id: number): Promise<void>
  /** Empties the data directory of a node that is down, as after the exchange of a disk. */
  wipe(id: number): Promise<void>

  /**
   * More brokers, with the ids that follow; resolves when they serve. With capability `grow`.
   *
   * @returns their ids
   */
  grow?(by: number, options?: UpOptions): Promise<readonly number[]>

  /** Cuts the links between nodes of different groups; nodes in no group keep all links. With capability `partition`. */
  partition?(groups: readonly (readonly number[])[]): Promise<void>
  /** Nothing that a node of `from` sends reaches one of `to`; the way back stays. With capability `partition`. */
  cutOneWay?(from: readonly number[], to: readonly number[]): Promise<void>
  /** Undoes every `partition` and `cutOneWay`. */
  healPartition?(): Promise<void>
  /**
   * All these nodes end at the same instant and lose what they had not fsynced. With capability `power-failure`.
   * @returns what was seen of it at each node, where there is something to be seen
   */
  powerFailure?(ids: readonly number[], options?: PowerFailureOptions): Promise<readonly PowerLossSeen[]>

  /**
   * Resolves when every broker that is not down on purpose (state running or starting) is unfenced, answers its clients, and a record
   * can be produced and read. Rejects after `timeoutMs` (default 60 000) saying what was still missing.
   */
  waitReady(options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>
  /** With capability `virtual-time`, where clients share the clock: time stands still during `work`, which must not need the cluster. */
  hold?<T>(work: () => Promise<T>): Promise<T>
  /** What a kafkajs `new Kafka({...})` needs to reach this cluster; callers add clientId and what else they like. */
  kafkaOptions(): ClientOptions
  /** The active controller, asked on the wire; undefined while the quorum has no leader that a broker knows of. */
  quorum(): Promise<QuorumView | undefined>
  /** The newest lines (default 200) of a node's log. */
  logs(id: number, options?: { readonly lines?: number }): Promise<string>
  /** Stops everything and removes the state; `keepData` leaves the data directories (and what `up` needs to continue on them). */
  down(options?: { readonly keepData?: boolean }): Promise<void>
}

export type ClientOptions = Pick<KafkaConfig, 'brokers'> & Partial<KafkaConfig>

/** Told to people while something takes time: one short English line each. */
export type Progress = (message: string) => void

export interface UpOptions {
  readonly progress?: Progress
  /** Aborting stops the work and takes away all that was started. */
  readonly signal?: AbortSignal
  /** True: return when the processes run; the caller calls `waitReady`. */
  readonly skipReadyCheck?: boolean
  /** Of a cluster in this process: takes an error that none of its nodes threw and nobody handled; false: it is the cluster's end. */
  readonly stray?: (error: unknown) => boolean
}

export type Availability =
  { readonly available: true } | { readonly available: false; readonly missing: string; readonly remedy: string }

/** Capabilities that this machine lacks something for. */
export interface LackHere {
  readonly capabilities: readonly Capability[]
  /** In lower case, without a full stop. */
  readonly missing: string
  readonly remedy: string
}

export interface Runtime {
  readonly name: RuntimeName
  readonly capabilities: ReadonlySet<Capability>
  /** Whether this machine can run it with that engine: what is missing, and how to get it. Cheap. */
  available(engine: Engine, engineVersion?: string): Promise<Availability>
  /** What its clusters of that engine can do, but not on this machine as it is; left out, or undefined: nothing. Cheap. */
  lacksHere?(engine: Engine): Promise<LackHere | undefined>
  /** Starts the cluster and waits until it is ready. Leaves nothing behind when it fails. */
  up(spec: ClusterSpec, options?: UpOptions): Promise<Cluster>
  /** Like `up`, for a cluster that shall outlive the command, where that differs: a simulation then gets a process of its own. */
  upAndStay?(spec: ClusterSpec, options?: UpOptions): Promise<Cluster>
  /** A cluster that an earlier `up` started, from its state directory. */
  attach(name: string): Promise<Cluster>
}

/** What a runtime can do to nodes of an engine. */
export function capabilitiesOf(
  { capabilities }: Pick<Runtime, 'capabilities'>,
  engine: Engine,
): ReadonlySet<Capability> {
  if (engine !== 'redpanda') return capabilities
  // Its volume is emptied by no container of ours, no proxy knows its listeners, and its files are none that we can read.
  const ofRedpanda: readonly Capability[] = [
    ...(['node-faults', 'power-failure', 'wipe', 'grow', 'upgrade', 'partition', 'read-log-directory'] as const),
  ]
  return new Set([...capabilities].filter(each => !ofRedpanda.includes(each)))
}

/** The ids of the nodes that clients talk to. */
export function brokerIds(spec: ClusterSpec): number[] {
  return Array.from({ length: spec.brokers + (spec.added ?? 0) }, (_, index) => index + 1)
}

export const FIRST_CONTROLLER_ID = 101

/**
 * The ids of the voters of the metadata quorum. With combined roles not every broker votes: the largest odd number up to five, since an
 * even voter more adds a node that can fail without adding a failure that is survived.
 */
export function controllerIds(spec: ClusterSpec): number[] {
  if (spec.controllers > 0) return Array.from({ length: spec.controllers }, (_, index) => FIRST_CONTROLLER_ID + index)
  const most = Math.min(spec.brokers, 5)
  return brokerIds(spec).slice(0, most % 2 === 0 ? most - 1 : most)
}

/** Brokers, then controllers that are not brokers. */
export function nodeIds(spec: ClusterSpec): number[] {
  return [...new Set([...brokerIds(spec), ...controllerIds(spec)])]
}
