/**
 * How commands speak with the process that hosts a simulated cluster: POST a `HostRequest` as JSON to its control port on the loopback
 * address, get a `HostAnswer`.
 */
import type { AddedNodeFault, NodeFaultOrder, NodeFaultState } from '#broker/environment/faulty/fault-desk.ts'
import type { NodeStatus } from '../cluster.ts'
import type { ProcessHandle } from '../process/liveness.ts'
import { stateEntry } from '../state.ts'

export const nodeActions = ['kill', 'stop', 'start', 'pause', 'resume', 'wipe'] as const
export type NodeAction = (typeof nodeActions)[number]

export type HostRequest =
  | { readonly do: NodeAction; readonly id: number }
  | { readonly do: 'states' }
  | { readonly do: 'partition'; readonly groups: readonly (readonly number[])[] }
  | { readonly do: 'cut-one-way'; readonly from: readonly number[]; readonly to: readonly number[] }
  | { readonly do: 'heal-partition' }
  | { readonly do: 'grow'; readonly by: number }
  /** Brokers that came and are not to stay, with all that was theirs; those that are not there are none. */
  | { readonly do: 'remove'; readonly ids: readonly number[] }
  | { readonly do: 'power-failure'; readonly ids: readonly number[] }
  | { readonly do: 'fault-add'; readonly id: number; readonly order: NodeFaultOrder }
  | { readonly do: 'fault-list'; readonly id: number }
  | { readonly do: 'fault-heal'; readonly id: number; readonly ids: readonly string[] | 'all' }

export type HostAnswer =
  | HostStates
  | { readonly fault: AddedNodeFault }
  | { readonly faults: readonly NodeFaultState[] }
  | { readonly error: string; readonly remedy?: string | undefined; readonly exitCode: number }

export interface HostStates {
  readonly states: readonly { readonly id: number; readonly state: NodeStatus }[]
}

/** What the host writes when it serves, into its cluster's state directory. */
export interface HostFile {
  readonly process: ProcessHandle
  readonly controlPort: number
}

export const hostFilePath = (name: string): string => stateEntry(name, 'simulation.json')
export const hostLogPath = (name: string): string => stateEntry(name, 'simulation.log')
