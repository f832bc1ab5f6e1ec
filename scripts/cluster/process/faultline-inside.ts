/** Nodes of ours as processes that can be broken from inside: each has a socket, and a journal of what it has not fsynced, in its own folder. */
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import type { ClusterSpec, PowerFailureOptions } from '../cluster.ts'
import { nodeDirectory } from '../state.ts'
import type { InsideNodes } from './inside.ts'
import { ProcessNodeFaults, requireSocketPaths } from './node-faults.ts'
import type { NodeProcess } from './node-process.ts'
import { continueUnsynced, forgetUnsynced, keepsJournal, loseUnsynced, requireJournal } from './power.ts'

export class FaultlineInside implements InsideNodes {
  readonly faults: ProcessNodeFaults
  readonly #name: string

  constructor({ name }: ClusterSpec, nodeOf: (id: number) => NodeProcess) {
    this.#name = name
    this.faults = new ProcessNodeFaults(name, async id => (await nodeOf(id).status()).state)
  }

  directoryOf(id: number): string {
    return nodeDirectory(this.#name, id)
  }

  prepare(ids: readonly number[]): Promise<void> {
    requireSocketPaths(this.#name, ids)
    return Promise.resolve()
  }

  beforeStart(id: number, version: string | undefined): Promise<void> {
    continueUnsynced(this.directoryOf(id), version)
    return Promise.resolve()
  }

  /** Its socket appears a little later, and who asks it waits for that. */
  afterStart(): Promise<void> {
    return Promise.resolve()
  }

  requirePower(id: number): void {
    requireJournal(id, this.directoryOf(id))
  }

  knowsLoss(id: number): boolean {
    return keepsJournal(this.directoryOf(id))
  }

  losePower(id: number, options: PowerFailureOptions): NodeFaultProof {
    return loseUnsynced(this.directoryOf(id), options)
  }

  forgetDisk(id: number): Promise<void> {
    forgetUnsynced(this.directoryOf(id))
    return Promise.resolve()
  }
}
