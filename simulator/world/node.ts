/**
 * One simulated machine and the process that runs on it. The machine stays (name, disk); the process has lives (incarnations). Timers,
 * sockets and callbacks belong to a life: after a kill nothing of it ever runs again.
 *
 *   off ── start ──► up ── kill / halt ──► down ── start ──► up
 *    ▲                └──── powerFailure ────┐        (down: the machine answers, nobody listens)
 *    └───────────────────────────────────────┘        (off: the machine is silent)
 *   up ── pause ──► up, but its events wait ── resume ──► all that waited runs, in order
 */
import type { Environment } from '#broker/environment/environment.ts'
import { FaultPlan } from '#broker/environment/faulty/fault-plan.ts'
import { faultyEnvironment, type FaultRuntime } from '#broker/environment/faulty/faulty-environment.ts'
import { SimulatedDisk } from '../disk/simulated-disk.ts'
import type { WorldEvent } from './event-queue.ts'
import { NodeCrashed } from './failure.ts'
import { SimulatedEnvironment } from './environment.ts'
import type { Prng } from './prng.ts'
import { Prng as Generator } from './prng.ts'
import { TraceLogger } from './trace.ts'
import type { World } from './world.ts'

export type PowerState = 'off' | 'down' | 'up'

export class SimulatedNode {
  readonly world: World
  readonly name: string
  /** Order of creation; the node's name in the fingerprint. */
  readonly index: number
  /** What peers see of its connections: sockets know addresses, not names. */
  readonly ip: string
  readonly disk = new SimulatedDisk()
  /** Faults of this machine, changed at any time; they outlive its processes. */
  readonly faults: FaultPlan
  /** What the world draws for this machine: fsync times, lost pages. The process has generators of its own. */
  readonly random: Prng
  /** How faults act on it. */
  readonly faultRuntime: FaultRuntime = {
    stall: delayMs => this.stall(delayMs * 1000),
    crash: reason => this.crash(reason),
  }
  /** False for the hosts of clients. */
  isServer = true
  #state: PowerState = 'off'
  #incarnation = 0
  #paused = false
  /** Blocking calls that are not over yet. */
  #stalls = 0
  #waiting: WorldEvent[] = []
  #environment: Environment | undefined
  #bare: Environment | undefined
  readonly #lossListeners: ((reason: string) => void)[] = []

  constructor(world: World, name: string, index: number) {
    this.world = world
    this.name = name
    this.index = index
    this.ip = `10.0.${Math.floor(index / 250)}.${(index % 250) + 1}`
    this.random = new Generator(world.seed, `machine ${name}`)
    this.faults = new FaultPlan(new Generator(world.seed, `faults ${name}`))
  }

  get state(): PowerState {
    return this.#state
  }

  get incarnation(): number {
    return this.#incarnation
  }

  /** Frozen from outside; not merely busy in a blocking call. */
  get isPaused(): boolean {
    return this.#paused
  }

  get #isHeld(): boolean {
    return this.#paused || this.#stalls > 0
  }

  /** The effects of the life that runs now. */
  get environment(): Environment {
    if (this.#environment === undefined) throw new Error(`${this.name} is ${this.#state}: start it first`)
    return this.#environment
  }

  /** The same without the faults of this machine. */
  get bareEnvironment(): Environment {
    if (this.#bare === undefined) throw new Error(`${this.name} is ${this.#state}: start it first`)
    return this.#bare
  }

  /** Begins a new life on the disk as it is; what runs in it is up to the caller. */
  start(): Environment {
    if (this.#state === 'up') throw new Error(`${this.name} is up already: kill it first`)
    const wasDark = this.#state === 'off'
    this.#incarnation++
    this.#state = 'up'
    this.#bare = new SimulatedEnvironment(this)
    this.#environment = faultyEnvironment(this.#bare, this.faults, this.faultRuntime)
    if (wasDark) this.world.network.poweredUp(this)
    return this.#environment
  }

  /** The process ends at once (SIGKILL): its sockets break, its files keep what was written. */
  kill(): void {
    if (this.#state !== 'up') return
    this.#end('down')
    this.world.network.processEnded(this)
  }

  /** The machine loses its power: peers hear nothing, and the disk loses what was not synced. */
  powerFailure(): void {
    if (this.#state === 'up') this.#end('off')
    this.#state = 'off'
    this.world.network.wentDark(this)
    const { writebackMs, directoryLoss } = this.world.settings
    this.disk.powerFailure(this.random, this.world.nowUs, { writebackUs: writebackMs * 1000, directoryLoss })
  }

  /** An orderly exit of the process, when its code has finished. */
  exit(): void {
    this.kill()
  }

  /** Freezes the process (SIGSTOP): its events wait, its machine still answers. */
  pause(): void {
    if (this.#state === 'up') this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#release()
  }

  /** The process is busy in one call for that long: everything else of it waits. */
  stall(delayUs: number): void {
    if (delayUs <= 0 || this.#state !== 'up') return
    this.#stalls++
    const incarnation = this.#incarnation
    this.world.schedule('control', undefined, Math.round(delayUs), () => {
      if (incarnation !== this.#incarnation || this.#stalls === 0) return
      this.#stalls--
      this.#release()
    })
  }

  /** Ends the life from inside one of its own calls. */
  crash(reason: string): never {
    this.world.trace.add(this.name, 'error', 'Crashed', { reason })
    const incarnation = this.#incarnation
    this.kill()
    if (incarnation === this.#incarnation) for (const listener of this.#lossListeners) listener(reason)
    throw new NodeCrashed(this.name, reason)
  }

  /** Told when the node ends itself (halt, a crash fault), not when it is killed from outside. */
  onCrash(listener: (reason: string) => void): void {
    this.#lossListeners.push(listener)
  }

  /**
   * What runs now that this event of the node is due: itself, an earlier one that waited, or nothing (the node waits, or that life is
   * over). One event in, at most one out, in the order of arrival.
   */
  admit(event: WorldEvent): WorldEvent | undefined {
    if (event.incarnation !== this.#incarnation || this.#state !== 'up') {
      event.lost?.()
      return undefined
    }
    if (!this.#isHeld && this.#waiting.length === 0) return event
    if (event.kind !== 'control') this.#waiting.push(event)
    return this.#isHeld ? undefined : this.#waiting.shift()
  }

  logger(): TraceLogger {
    return new TraceLogger(this.world.trace, this.name, () => this.environment.clock.wallMs())
  }

  /** One turn for each event that waits; they run before anything that comes later (see admit). */
  #release(): void {
    if (this.#isHeld) return
    for (let count = this.#waiting.length; count > 0; count--) this.world.schedule('control', this, 0, () => {})
  }

  #end(state: PowerState): void {
    this.#state = state
    this.#paused = false
    this.#stalls = 0
    const waiting = this.#waiting
    this.#waiting = []
    this.#environment = undefined
    this.#bare = undefined
    for (const event of waiting) event.lost?.()
  }
}
