/** The faults that are active on one node. It may change at any time; an empty plan costs one comparison per call. */
import type { Random } from '../environment.ts'
import type { Fault } from './fault.ts'

export interface ActiveFault {
  readonly id: number
  readonly fault: Fault
  /** How often it took effect. */
  readonly hits: number
}

interface Entry extends ActiveFault {
  hits: number
}

export class FaultPlan {
  /** Chance of the faults themselves, apart from the node's. */
  readonly random: Random
  #entries: Entry[] = []
  #nextId = 1
  readonly #listeners = new Set<() => void>()

  constructor(random: Random) {
    this.random = random
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  /** In the order in which they were added, which is the order in which they act. */
  list(): readonly ActiveFault[] {
    return this.#entries
  }

  /** @returns the id to heal it with */
  add(fault: Fault): number {
    const id = this.#nextId++
    this.#entries = [...this.#entries, { id, fault, hits: 0 }]
    this.#changed()
    return id
  }

  /** No error when the fault is not there any more. */
  heal(id: number): void {
    const healed = this.#entries.filter(entry => entry.id === id)
    this.#entries = this.#entries.filter(entry => entry.id !== id)
    for (const { fault } of healed) fault.healed?.()
    this.#changed()
  }

  healAll(): void {
    const healed = this.#entries
    this.#entries = []
    for (const { fault } of healed) fault.healed?.()
    this.#changed()
  }

  hit(active: ActiveFault): void {
    ;(active as Entry).hits++
  }

  /** Told after each change. @returns how to stop that */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}
