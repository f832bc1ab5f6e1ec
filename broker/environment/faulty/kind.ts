/** What a kind of fault inside a node is: its words for lists and options, how one is made, and how it is seen to work. */
import type { Fault } from './fault.ts'
import type { FaultRuntime } from './faulty-environment.ts'
import type { Parameter, Parameters } from './parameters.ts'
import type { ProofBench } from './proof-bench.ts'

export interface NodeFaultProof {
  /** Undefined: it could not be looked at, and `text` says why. */
  readonly shown: boolean | undefined
  readonly text: string
}

export interface NodeFaultKind {
  readonly name: string
  /** What happens. */
  readonly summary: string
  /** What healing does, and what it leaves. */
  readonly heals: string
  /** What a user of the cluster should see. */
  readonly expect: string
  readonly parameters: readonly Parameter[]
  /**
   * - machine: until it is healed, whatever becomes of the process: a disk is as broken after a restart
   * - process: until it is healed or the process ends
   * - once: until it has struck
   * - moment: it is over when the request for it is answered
   */
  readonly lasts: 'machine' | 'process' | 'once' | 'moment'
  /** True: the process of the node may end of it. Those that strike once always do. */
  readonly mayEndNode?: true
  /** True: only where the node is a process of its own. */
  readonly onlyRealProcess?: true
  /** What contradicts itself in complete parameters, if anything. */
  readonly problem?: (parameters: Parameters) => string | undefined
  /** Throws FaultRefused where the machine could not bear it. */
  make(parameters: Parameters, runtime: FaultRuntime): Fault
  /** Looks whether such a fault works. Absent: whoever asked for it looks from outside. */
  readonly prove?: (bench: ProofBench, parameters: Parameters) => Promise<NodeFaultProof>
  /** True: proved by looking at the node once the fault is there; else with a twin, before. */
  readonly provedInPlace?: true
}
