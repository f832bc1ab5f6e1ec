/** Faults as tests see them. Imports nothing, since it becomes the package's types as it is. */

/** Kinds of faults of nodes: of their processes, and with the option `faults` of their disks, clocks, memory and connections. */
export const nodeFaultNames = [
  ...(['kill', 'stop', 'pause', 'wipe', 'power-failure'] as const),
  ...(['restart', 'rolling-restart', 'upgrade', 'rolling-upgrade'] as const),
  ...(['slow-disk', 'full-disk', 'disk-error', 'crash-at', 'torn-write', 'bit-flip'] as const),
  ...(['clock-jump', 'clock-drift', 'clock-strobe', 'dropped-links'] as const),
  ...(['stall', 'cpu-limit', 'memory-pressure'] as const),
] as const

/** Kinds of faults of links and of the requests on them, with the option `proxy`. */
export const linkFaultNames = [
  ...(['partition', 'black-hole', 'cut', 'reset', 'latency', 'bandwidth', 'loss', 'slice', 'slow-close'] as const),
  ...(['drop', 'delay', 'duplicate', 'hold', 'error'] as const),
] as const

export type NodeFaultName = (typeof nodeFaultNames)[number]
export type LinkFaultName = (typeof linkFaultNames)[number]
export type FaultName = NodeFaultName | LinkFaultName

/** A node by its id, or by what it is at that moment: `leader:orders-0`, `follower:orders-0`, `coordinator:readers`, the active controller. */
export type FaultNode =
  number | 'controller' | 'all' | `leader:${string}` | `follower:${string}` | `coordinator:${string}`

/** Parameters by the names that they have in docs/faults.md and docs/fault-proxy.md, without the dashes: `{ delay: 200, 'client-id': 'shop' }`. */
export type FaultParameters = Readonly<Record<string, string | number | boolean>>

interface AnyFaultOptions {
  readonly parameters?: FaultParameters
  /** False: do not look whether it works. Default: a fault that cannot be seen to work is taken back, and the promise rejects. */
  readonly proof?: boolean
}

export interface NodeFaultOptions extends AnyFaultOptions {
  readonly nodes: FaultNode | readonly FaultNode[]
}

/** An end of a link: a node, clients, or all of them. */
export type FaultEnd = number | 'client' | 'all'

export interface LinkFaultOptions extends AnyFaultOptions {
  /** Who opens the connections. */
  readonly from: FaultEnd | readonly FaultEnd[]
  readonly to: FaultEnd | readonly FaultEnd[]
  /** Left out: every listener. */
  readonly listener?: 'client' | 'broker' | 'controller'
}

/** How a fault was seen to work. */
export interface ShownFault {
  /** Undefined: it could not be looked at, and `text` says why. */
  readonly shown: boolean | undefined
  readonly text: string
  readonly link?: string
  readonly node?: number
}

/** One that is at work, as the nodes and the proxy tell. */
export interface FaultAtWork {
  readonly id: string
  /** Its kind; `down` for a node that does not run, whoever ended it. */
  readonly name: string
  /** One English line. */
  readonly summary: string
  /** Undefined: a fault of links. */
  readonly node?: number
  readonly links?: readonly string[]
  readonly parameters?: FaultParameters
  /** How often it took effect. */
  readonly hits?: number
  /** Requests or responses that wait for `release`. */
  readonly held?: number
  /** Matched, but could not be carried out. */
  readonly missed?: number
}

/** A fault of a test, which is healed at the end of its scope: `await using fault = await cluster.fault('slow-disk', …)`. */
export interface TestFault {
  readonly kind: FaultName
  /** One for each node, one for all links; what `faults()` lists while it is at work. */
  readonly ids: readonly string[]
  readonly summary: string
  readonly proofs: readonly ShownFault[]
  /** As it is now; empty when it is over. */
  state(): Promise<readonly FaultAtWork[]>
  /** Of the kind `hold`: lets go what is held at this moment; the fault stays. Resolves with how many. */
  release(): Promise<number>
  /** Undoes what is left of it, and waits until every broker serves where no other fault is left. A second call does nothing. */
  heal(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A link of a cluster with the option `proxy`. */
export interface LinkAtWork {
  /** `2->1`, `client->1`, `2->1/controller`: who opens the connections, and to whom. */
  readonly name: string
  readonly from: number | 'client'
  readonly to: number
  readonly listener: 'client' | 'broker' | 'controller'
  readonly connections: number
  /** Connections that were accepted since the start. */
  readonly accepted: number
  readonly bytes: { readonly request: number; readonly response: number }
  /** Requests that came in, by name of the API; empty on TLS. */
  readonly requests: Readonly<Record<string, number>>
  readonly clientIds: readonly string[]
}
