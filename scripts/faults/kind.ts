/**
 * What a kind of fault is, whatever it breaks: a process, what is inside a node, or a link. One shape, so that lists, options, checks, proofs
 * and healing treat all alike.
 */
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import type { Parameter, Parameters, ParameterValue } from '#broker/environment/faulty/parameters.ts'
import type { Capability, Cluster, Engine, RuntimeName } from '../cluster/cluster.ts'
import type { LinkSource, ListenerKind } from '../proxy/model.ts'

/** Links as somebody names them. */
export interface LinkChoice {
  readonly from: readonly (LinkSource | 'all')[]
  readonly to: readonly (LinkSource | 'all')[]
  readonly listener?: ListenerKind | undefined
}

export interface FaultOrder {
  readonly cluster: Cluster
  /** For kinds that are about nodes. */
  readonly nodes: readonly number[]
  /** For kinds that are about links. */
  readonly links?: LinkChoice | undefined
  /** As given: unchecked, without defaults. */
  readonly parameters: Parameters
  /** False: do not look whether it works. */
  readonly proof: boolean
  /** Aborted: what has not begun does not begin, and what has is taken back or brought to its end. */
  readonly signal?: AbortSignal | undefined
}

/** How a fault was seen to work: on a link, or at a node. */
export interface FaultProof extends NodeFaultProof {
  readonly link?: string
  readonly node?: number
}

/** A fault at work. */
export interface ActiveFault {
  /** What heals it. */
  readonly id: string
  /** Its kind; `down` for a node that does not run, whoever ended it. */
  readonly name: string
  /** One English line with targets and parameters. */
  readonly summary: string
  /** Undefined: a fault of links. */
  readonly node?: number
  readonly links?: readonly string[]
  readonly parameters?: Readonly<Record<string, ParameterValue>>
  /** How often it took effect. */
  readonly hits?: number
  readonly held?: number
  readonly missed?: number
}

export interface AppliedFault extends ActiveFault {
  readonly proofs: readonly FaultProof[]
}

/** One of the combinations that clusters can have. */
export interface Place {
  readonly runtime: RuntimeName
  readonly engine: Engine
}

export interface FaultKind {
  readonly name: string
  readonly summary: string
  /** What healing does, and what it leaves. */
  readonly heals: string
  /** What a user of the cluster should see. */
  readonly expect: string
  readonly targets: 'nodes' | 'links'
  readonly parameters: readonly Parameter[]
  /** True: it is over when `apply` has resolved, and nothing is left to heal. */
  readonly isMomentary?: boolean
  /** True: a node that is down afterwards may be so because of it. */
  readonly endsNodes?: boolean
  /** Refuses parameters that cannot be meant, beyond what each of them says of itself. */
  readonly check?: (given: Parameters) => void
  /** What the cluster must be able to do. */
  readonly needs: readonly Capability[]
  /** The operation whose possible targets `all` means; left out: nodes that run. */
  readonly verb?: 'kill' | 'stop' | 'pause' | 'restart'
  /** Why it is not there, in a few words; undefined where it is. */
  impossible(place: Place): string | undefined
  /** Resolves when it is at work, and was seen to be; leaves nothing behind when it refuses. */
  apply(order: FaultOrder): Promise<readonly AppliedFault[]>
}
