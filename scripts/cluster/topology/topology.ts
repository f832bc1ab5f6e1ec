/**
 * What a topology file says: `./faultline up --topology FILE`. JSON, or a module whose default export it is, in TypeScript or JavaScript:
 *
 *   import type { Topology } from 'faultline'
 *   export default { brokers: [{ rack: 'a' }, { rack: 'b' }, { rack: 'c' }], controllers: 3 } satisfies Topology
 *
 * Imports nothing: it is part of the package's types as it is. `check.ts` holds every file to it.
 */

/** All of it may be left out; options of the command line win. */
export interface Topology {
  /** What it is, for people: the first lines of a Compose file that is made of it. */
  readonly summary?: string
  /** Of the cluster, unless --name says another. */
  readonly name?: string
  readonly runtime?: 'process' | 'compose' | 'simulated'
  /** `faultline`, `apache-kafka` or one of its versions: `apache-kafka:3.9.1`. Default: faultline. */
  readonly engine?: string
  /** Nodes that hold topics, with the ids 1, 2, 3 …: how many, or what each of them has of its own. Default: 3. */
  readonly brokers?: number | readonly NodeTopology[]
  /** Controllers of their own, with the ids 101, 102 …; 0: brokers are controllers as well. Default: 0. */
  readonly controllers?: number | readonly NodeTopology[]
  /** Client port of broker 1; 0 picks free ones. Default: 9092. */
  readonly port?: number
  /** The folder for the data. Default: in `.faultline/NAME`. */
  readonly data?: string
  /** Of all listeners. Default: none. */
  readonly security?: 'none' | 'sasl' | 'tls' | 'mtls' | 'sasl-tls'
  /** A fault proxy in front of every listener. Default: true where there are `links`, else false. */
  readonly proxy?: boolean
  /** Nodes take orders for faults inside themselves (docs/faults.md). Default: false. */
  readonly faults?: boolean
  /** Prometheus finds the nodes: a configuration for it beside the cluster's state, with alert rules. Not of Apache Kafka's nodes. Default: false. */
  readonly metrics?: boolean
  /** Settings of all nodes by Kafka's names. */
  readonly settings?: TopologySettings
  /** Log directories of each node. On processes; default: 1. */
  readonly logDirs?: number
  /** Faults of links that are at work before the nodes start. On processes. */
  readonly links?: readonly LinkTopology[]
}

/** What one node has of its own. */
export interface NodeTopology {
  /** `broker.rack`. */
  readonly rack?: string
  /** Settings of this node; they win over those of all nodes. */
  readonly settings?: TopologySettings
  /** Log directories of this node. On processes. */
  readonly logDirs?: number
  /** What runs this node, as in `engine` of the cluster, which is the default. On processes. */
  readonly engine?: string
}

export type TopologySettings = Readonly<Record<string, string | number | boolean>>

/** A fault of `./faultline fault add`, with nodes also by their rack. */
export interface LinkTopology {
  /** `latency`, `bandwidth`, `loss` …: `./faultline fault list --kinds` names them. */
  readonly kind: string
  /** Who opens the connections. */
  readonly from: LinkEnd | readonly LinkEnd[]
  readonly to: LinkEnd | readonly LinkEnd[]
  /** True: the connections that are opened the other way as well. Default: false. */
  readonly bothWays?: boolean
  /** Default: all listeners that the source uses. */
  readonly listener?: 'client' | 'broker' | 'controller'
  /** Of that kind: `{ "delay": 20, "jitter": 2 }`. */
  readonly parameters?: Readonly<Record<string, string | number | boolean>>
}

export type LinkEnd = number | 'client' | 'all' | { readonly rack: string }
