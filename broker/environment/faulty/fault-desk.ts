/**
 * Takes orders for faults inside one node: adds them with a proof, lists them, heals them. Machine-independent; what brings orders here (a
 * socket of the process, the simulator) and what remembers them across a restart is given from outside.
 */
import type { Environment } from '../environment.ts'
import type { ActiveFault, FaultPlan } from './fault-plan.ts'
import type { Fault, FaultEffects } from './fault.ts'
import type { FaultRuntime } from './faulty-environment.ts'
import type { NodeFaultKind, NodeFaultProof } from './kind.ts'
import { nodeFaultKind } from './node-kinds.ts'
import { checkParameters, FaultRefused, type Parameters } from './parameters.ts'
import { ProofBench } from './proof-bench.ts'

export interface NodeFaultOrder {
  readonly kind: string
  /** What is left out has the default of the kind. */
  readonly parameters: Parameters
  /** False: do not look whether it works. */
  readonly proof: boolean
}

/** A fault at work in a node. */
export interface NodeFaultState {
  /** `slow-disk-2-1`: the first fault of node 2. */
  readonly id: string
  readonly name: string
  readonly summary: string
  readonly parameters: Parameters
  /** How often it took effect; since the last start of the process. */
  readonly hits: number
}

export interface AddedNodeFault extends NodeFaultState {
  readonly proof?: NodeFaultProof
}

/** What outlives the process: faults of its machine. */
export interface KeptFaults {
  /** So many faults were added so far; ids are not used again. */
  readonly added: number
  readonly faults: readonly { readonly id: string; readonly kind: string; readonly parameters: Parameters }[]
}

export interface FaultDeskParts {
  readonly nodeId: number
  /** The machine as it is, and as the node that runs now sees it. */
  readonly base: () => Environment
  readonly decorated: () => Environment
  readonly plan: FaultPlan
  readonly runtime: FaultRuntime
  /** Path of a file for proofs, in a directory that is there; nobody else uses it. */
  readonly scratch: string
  /** What was kept by an earlier life. */
  readonly kept?: KeptFaults | undefined
  /** Remembers; returns when that is safe. */
  readonly keep?: (faults: KeptFaults) => void
  /** A fault that strikes once is about to end the process. */
  readonly ending?: () => void
  /** Not a process of its own: kinds that need one are refused. */
  readonly isSimulated?: boolean
}

interface Entry {
  readonly id: string
  readonly kind: NodeFaultKind
  readonly parameters: Parameters
  readonly planId: number
}

export class FaultDesk {
  readonly #parts: FaultDeskParts
  #entries: readonly Entry[] = []
  #added: number
  #adding: Promise<unknown> = Promise.resolve()

  constructor(parts: FaultDeskParts) {
    this.#parts = parts
    this.#added = parts.kept?.added ?? 0
    for (const { id, kind, parameters } of parts.kept?.faults ?? []) this.#put(id, nodeFaultKind(kind), parameters)
  }

  /**
   * Resolves when the fault is at work and was seen to be; rejects (FaultRefused) what cannot be meant, or did not work. One after the
   * other: two proofs at the same time would see each other's.
   */
  add(order: NodeFaultOrder): Promise<AddedNodeFault> {
    const begin = () => this.#add(order)
    // Whether the one before worked is for whoever gave that order.
    const added = this.#adding.then(begin, begin)
    this.#adding = added
    return added
  }

  async #add({ kind: name, parameters: given, proof }: NodeFaultOrder): Promise<AddedNodeFault> {
    const kind = nodeFaultKind(name)
    const parameters = checkParameters(name, kind.parameters, given)
    const problem = kind.problem?.(parameters)
    if (problem !== undefined) throw new FaultRefused(`The fault ${name}: ${problem}.`)
    if (kind.onlyRealProcess === true && this.#parts.isSimulated === true)
      throw new FaultRefused(`The fault ${name} is not there in a simulation, whose nodes are no processes.`)
    const id = `${name}-${this.#parts.nodeId}-${++this.#added}`
    if (kind.lasts === 'moment') return await this.#strike(id, kind, parameters)
    const looked = proof && kind.provedInPlace !== true ? await this.#prove(kind, parameters) : undefined
    const residentBytesBefore = this.#parts.runtime.memory?.().residentBytes
    const { planId, summary } = this.#put(id, kind, parameters)
    this.#keep()
    try {
      const shown =
        looked ??
        (proof && kind.provedInPlace === true
          ? await this.#prove(kind, parameters, { planId, residentBytesBefore })
          : undefined)
      const state = this.list().find(each => each.id === id)
      // A fault that strikes once may have done so meanwhile, in a process that only plays being ended; any may have been healed.
      const last = state ?? { id, name: kind.name, summary, parameters, hits: 0 }
      return { ...last, ...(shown === undefined ? {} : { proof: shown }) }
    } catch (error) {
      // It may have been healed meanwhile.
      this.#remove(id)
      this.#keep()
      throw error
    }
  }

  list(): readonly NodeFaultState[] {
    const active = new Map(this.#parts.plan.list().map(each => [each.id, each]))
    return this.#entries.flatMap(entry => {
      const found = active.get(entry.planId)
      return found === undefined ? [] : [stateOf(entry, found)]
    })
  }

  /** Unknown ids are refused. @returns the ones that were healed */
  heal(ids: readonly string[] | 'all'): readonly NodeFaultState[] {
    const faults = this.list()
    const unknown = ids === 'all' ? undefined : ids.find(id => !faults.some(fault => fault.id === id))
    if (unknown !== undefined) throw new FaultRefused(`There is no fault ${unknown} in node ${this.#parts.nodeId}.`)
    const healed = faults.filter(({ id }) => ids === 'all' || ids.includes(id))
    for (const { id } of healed) this.#remove(id)
    this.#keep()
    return healed
  }

  async #strike(id: string, kind: NodeFaultKind, parameters: Parameters): Promise<AddedNodeFault> {
    const proof = await this.#prove(kind, parameters)
    const summary = this.#named(kind.make(parameters, this.#parts.runtime).summary)
    return { id, name: kind.name, summary, parameters, hits: 1, ...(proof === undefined ? {} : { proof }) }
  }

  /** @param there of a fault that is there already */
  async #prove(
    kind: NodeFaultKind,
    parameters: Parameters,
    there: { readonly planId?: number; readonly residentBytesBefore?: number | undefined } = {},
  ): Promise<NodeFaultProof | undefined> {
    const { base, decorated, runtime, scratch, plan } = this.#parts
    const make = (other: Parameters): Fault => kind.make(checkParameters(kind.name, kind.parameters, other), runtime)
    const otherOffsetMs = (nowMs: number): number =>
      plan
        .list()
        .reduce((sum, { id, fault }) => sum + (id === there.planId ? 0 : (fault.wallOffsetMs?.(nowMs) ?? 0)), 0)
    const bench = new ProofBench({
      base: base(),
      decorated: decorated(),
      runtime,
      scratch,
      make,
      otherOffsetMs,
      residentBytesBefore: there.residentBytesBefore,
    })
    const proof = await kind.prove?.(bench, parameters)
    if (proof?.shown === false)
      throw new FaultRefused(
        `The fault ${kind.name} did not take effect on node ${this.#parts.nodeId}, and was taken back: ${proof.text}.`,
        '--no-proof adds it without looking.',
      )
    return proof
  }

  /** From here on the fault is at work: some begin when they are made. */
  #put(id: string, kind: NodeFaultKind, parameters: Parameters): { readonly planId: number; readonly summary: string } {
    const made = kind.make(parameters, this.#parts.runtime)
    const summary = this.#named(made.summary)
    const fault = kind.lasts === 'once' ? beforeCrash(made, () => this.#spent(id)) : made
    const planId = this.#parts.plan.add({ ...fault, kind: kind.name, summary })
    this.#entries = [...this.#entries, { id, kind, parameters, planId }]
    return { planId, summary }
  }

  #named(summary: string): string {
    return `node ${this.#parts.nodeId}: ${summary}`
  }

  /** It is about to end the process: the next one does not have it any more. */
  #spent(id: string): void {
    this.#remove(id)
    this.#keep()
    this.#parts.ending?.()
  }

  #remove(id: string): void {
    for (const entry of this.#entries) if (entry.id === id) this.#parts.plan.heal(entry.planId)
    this.#entries = this.#entries.filter(entry => entry.id !== id)
  }

  #keep(): void {
    const lasting = this.#entries.filter(({ kind }) => kind.lasts === 'machine' || kind.lasts === 'once')
    this.#parts.keep?.({
      added: this.#added,
      faults: lasting.map(({ id, kind, parameters }) => ({ id, kind: kind.name, parameters })),
    })
  }
}

function stateOf({ id, kind, parameters }: Entry, { fault, hits }: ActiveFault): NodeFaultState {
  return { id, name: kind.name, summary: fault.summary, parameters, hits: fault.counted?.() ?? hits }
}

/** The same fault, which tells before it ends the process. */
function beforeCrash(fault: Fault, tell: () => void): Fault {
  const telling = (effects: FaultEffects): FaultEffects => ({
    ...effects,
    crash(reason) {
      tell()
      return effects.crash(reason)
    },
  })
  return {
    ...fault,
    ...(fault.beforeCall && { beforeCall: (call, effects) => fault.beforeCall?.(call, telling(effects)) }),
    ...(fault.afterCall && { afterCall: (call, effects) => fault.afterCall?.(call, telling(effects)) }),
    ...(fault.changeWrite && {
      changeWrite: (call, chunks, effects) => fault.changeWrite?.(call, chunks, telling(effects)),
    }),
  }
}
