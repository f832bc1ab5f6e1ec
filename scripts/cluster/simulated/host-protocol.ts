/**
 * How commands speak with the process that hosts a simulated cluster: POST a `HostRequest` as JSON to its control port on the loopback
 * address, get a `HostAnswer`.
 */
import { join } from 'node:path'
import type { NodeStatus } from '../cluster.ts'
import type { ProcessHandle } from '../process/liveness.ts'
import { stateDirectory } from '../state.ts'

export const nodeActions = ['kill', 'stop', 'start', 'pause', 'resume', 'wipe'] as const
export type NodeAction = (typeof nodeActions)[number]

export type HostRequest =
  | { readonly do: NodeAction; readonly id: number }
  | { readonly do: 'states' }
  | { readonly do: 'partition'; readonly groups: readonly (readonly number[])[] }
  | { readonly do: 'cut-one-way'; readonly from: readonly number[]; readonly to: readonly number[] }
  | { readonly do: 'heal-partition' }
  | { readonly do: 'power-failure'; readonly ids: readonly number[] }

export type HostAnswer =
  | { readonly states: readonly { readonly id: number; readonly state: NodeStatus }[] }
  | { readonly error: string; readonly remedy?: string | undefined }

/** What the host writes when it serves, into its cluster's state directory. */
export interface HostFile {
  readonly process: ProcessHandle
  readonly controlPort: number
}

export const hostFilePath = (name: string): string => join(stateDirectory(name), 'simulation.json')
export const hostLogPath = (name: string): string => join(stateDirectory(name), 'simulation.log')
