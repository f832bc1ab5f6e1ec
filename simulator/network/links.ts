/** The wires between hosts: how long a packet takes from one to the other, and whether it gets there at all. Each direction on its own. */
import { Prng } from '../world/prng.ts'
import type { WorldSettings } from '../world/settings.ts'

interface Link {
  readonly baseUs: number
  readonly random: Prng
  /** Added by a fault, µs. */
  extraUs: number
  cuts: number
}

export class Links {
  readonly #seed: number
  readonly #settings: WorldSettings
  readonly #links = new Map<string, Link>()

  constructor(seed: number, settings: WorldSettings) {
    this.#seed = seed
    this.#settings = settings
  }

  /** Time that the next packet takes. Within one host it is short, and never cut. */
  latencyUs(from: string, to: string): number {
    if (from === to) return 20
    const link = this.#link(from, to)
    return link.baseUs + link.extraUs + link.random.below(this.#settings.jitterUsMax + 1)
  }

  /** Whether the next write arrives in two pieces, and where it is cut. */
  sliceAt(from: string, to: string, bytes: number): number | undefined {
    const { sliceOneIn } = this.#settings
    if (sliceOneIn === 0 || bytes < 2) return undefined
    const { random } = this.#link(from, to)
    return random.chance(1, sliceOneIn) ? random.between(1, bytes - 1) : undefined
  }

  isCut(from: string, to: string): boolean {
    return from !== to && (this.#links.get(key(from, to))?.cuts ?? 0) > 0
  }

  /** Cuts one direction; as many heals as cuts open it again. */
  cut(from: string, to: string): void {
    this.#link(from, to).cuts++
  }

  /** @returns true when packets get through again */
  heal(from: string, to: string): boolean {
    const link = this.#link(from, to)
    if (link.cuts === 0) return false
    return --link.cuts === 0
  }

  /** Makes one direction slower, until it is set to 0 again. */
  slow(from: string, to: string, extraUs: number): void {
    this.#link(from, to).extraUs = extraUs
  }

  #link(from: string, to: string): Link {
    const name = key(from, to)
    let link = this.#links.get(name)
    if (link === undefined) {
      const random = new Prng(this.#seed, `link ${name}`)
      const baseUs = random.between(this.#settings.latencyUsMin, this.#settings.latencyUsMax)
      link = { baseUs, random, extraUs: 0, cuts: 0 }
      this.#links.set(name, link)
    }
    return link
  }
}

function key(from: string, to: string): string {
  return `${from}>${to}`
}
