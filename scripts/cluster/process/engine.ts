/** What the process runtime must know of an engine: how to prepare it on this machine, how to format storage, which command is a node. */
import type { Availability, ClusterSpec, Progress } from '../cluster.ts'

export interface PrepareOptions {
  readonly progress: Progress
  readonly signal: AbortSignal | undefined
}

export interface NodeFiles {
  readonly id: number
  readonly propertiesFile: string
  /** The node's first log directory, with the metadata log. */
  readonly dataDir: string
  /** All of them. */
  readonly logDirs: readonly string[]
  /** Where the node takes orders for faults inside itself; left out: it takes none. */
  readonly faultDirectory?: string
}

export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

export interface LaunchOptions {
  /** Its standard input is a pipe that ends with the process that started it: then it has to end, too. */
  readonly tied: boolean
  /** It ends soon, with a lab or a test: how fast it starts matters, not how fast it gets. */
  readonly isShortLived: boolean
}

export interface ProcessEngine {
  /** What one idle node needs, for the check before the start. */
  readonly nodeMemoryBytes: number
  /** How long a node may take until it serves, on a slow machine. */
  readonly readyTimeoutMs: number
  available(): Promise<Availability>
  /** Fetches what is missing. */
  prepare(options: PrepareOptions): Promise<void>
  /** Makes the data directories of nodes that have none, with the users that `bootstrap.scram.credentials` names; leaves the others alone. */
  format(nodes: readonly NodeFiles[], clusterId: string, options: PrepareOptions): Promise<void>
  /** Properties that only this engine takes. */
  properties(spec: ClusterSpec, id: number, clusterId: string): Readonly<Record<string, string>>
  launch(node: NodeFiles, options: LaunchOptions): Launch
  /** The same engine in another version; refuses what cannot be one. */
  inVersion(version: string): ProcessEngine
  /** What the command line of a node of this version holds, and that of others does not. */
  readonly mark: string
}
