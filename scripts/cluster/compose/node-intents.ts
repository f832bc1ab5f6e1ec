/** What is known of a node that is a container beside what its container tells: `node-ID/intent.json` in the state of the cluster. */
import { join } from 'node:path'
import type { PowerFailureOptions } from '../cluster.ts'
import { nodeDirectory, readJson, writeJson } from '../state.ts'

export interface Intent {
  /** Its end is what we wanted. */
  readonly down: boolean
  /** Start of the container that was found serving. */
  readonly servedSince?: string
  /** Its power was cut, or is about to be, and what that takes is not all gone yet. */
  readonly cut?: PowerFailureOptions
}

export class NodeIntents {
  readonly #cluster: string

  constructor(cluster: string) {
    this.#cluster = cluster
  }

  of(id: number): Intent | undefined {
    return readJson(this.#file(id)) as Intent | undefined
  }

  /** In place of all that was known. */
  set(id: number, intent: Intent): void {
    writeJson(this.#file(id), intent)
  }

  /** Of a node that is about to be ended. A power failure that is under way goes on: it is what ends it, or another command was faster. */
  wantEnd(id: number): void {
    const { cut } = this.of(id) ?? {}
    this.set(id, { down: true, ...(cut === undefined ? {} : { cut }) })
  }

  /** Unless another command has come to want its end, which is more than that it served. */
  noteServing(id: number, startedAt: string): void {
    const { down, cut } = this.of(id) ?? {}
    if (down !== true && cut === undefined) this.set(id, { down: false, servedSince: startedAt })
  }

  #file(id: number): string {
    return join(nodeDirectory(this.#cluster, id), 'intent.json')
  }
}
