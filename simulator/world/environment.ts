/** The Environment of one life of one simulated node. Once that life is over, its calls do nothing or throw NodeCrashed. */
import type { Clock, Disk, Environment, Logger, Network, Timer, Timers } from '#broker/environment/environment.ts'
import type { DiskUser } from '../disk/simulated-disk.ts'
import type { EventKind } from './event-queue.ts'
import { NodeCrashed } from './failure.ts'
import type { SimulatedNode } from './node.ts'
import { Prng } from './prng.ts'
import { TraceLogger } from './trace.ts'

const noTimer: Timer = { cancel: () => {} }

export class SimulatedEnvironment implements Environment {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Prng
  readonly disk: Disk
  readonly network: Network
  readonly log: Logger
  readonly #node: SimulatedNode
  readonly #incarnation: number

  constructor(node: SimulatedNode) {
    const { world } = node
    const bornUs = world.nowUs
    this.#node = node
    this.#incarnation = node.incarnation
    this.random = new Prng(world.seed, `process ${node.name} ${node.incarnation}`)
    // Monotonic time has no relation to anything outside the process: every life begins somewhere else.
    const originMs = this.random.below(1_000_000)
    this.clock = {
      monotonicMs: () => originMs + Math.floor((world.nowUs - bornUs) / 1000),
      wallMs: () => world.wallMs,
    }
    this.timers = { after: (delayMs, run) => this.#after(delayMs, run), soon: run => this.#schedule('soon', 0, run) }
    this.disk = node.disk.for(this.#diskUser())
    this.network = world.network.for(node)
    this.log = new TraceLogger(world.trace, node.name, () => this.clock.wallMs())
  }

  halt(reason: string): never {
    this.#alive()
    this.log.error('Halting: this node can no longer keep its promises', { reason })
    return this.#node.crash(reason)
  }

  #after(delayMs: number, run: () => void): Timer {
    if (!(delayMs >= 0)) throw new RangeError(`Expected a delay of 0 ms or more, got ${delayMs}`)
    if (delayMs === Infinity || !this.#isAlive()) return noTimer
    const { world } = this.#node
    const event = world.schedule('timer', this.#node, Math.ceil(delayMs * 1000), run)
    return { cancel: () => world.cancel(event) }
  }

  #schedule(kind: EventKind, delayUs: number, run: () => void): void {
    if (this.#isAlive()) this.#node.world.schedule(kind, this.#node, delayUs, run)
  }

  #diskUser(): DiskUser {
    const node = this.#node
    const { world } = node
    const { fsyncUsMin, fsyncUsMax } = world.settings
    const fsyncUs = (): number => node.random.between(fsyncUsMin, fsyncUsMax)
    return {
      get nowUs() {
        return world.nowUs
      },
      get wallMs() {
        return world.wallMs
      },
      alive: () => this.#alive(),
      fsyncBlocks: () => node.stall(fsyncUs()),
      fsyncLater: done => this.#schedule('fsync', fsyncUs(), done),
      note: (...values) => world.note(node.index, ...values),
    }
  }

  #isAlive(): boolean {
    return this.#node.state === 'up' && this.#node.incarnation === this.#incarnation
  }

  #alive(): void {
    if (!this.#isAlive()) throw new NodeCrashed(this.#node.name, 'it is no more')
  }
}
