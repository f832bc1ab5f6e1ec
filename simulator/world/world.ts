/**
 * One simulated world: a virtual clock, one queue of events, and the machines and clients whose code runs in them. From one seed comes
 * one run, the same in every process: time passes only between events, and everything an event set off has run before the next begins.
 *
 * It knows nothing of Kafka. Nothing here may ask the real clock, the real random generator or the real network.
 */
import type { LogLevel } from '#broker/environment/environment.ts'
import { type Drain, Drainer } from './drain.ts'
import { type EventKind, eventKindNumber, EventQueue, WorldEvent } from './event-queue.ts'
import { NodeCrashed, SimulationFailure } from './failure.ts'
import { SimulatedNode } from './node.ts'
import type { Pace } from './pace.ts'
import { Prng } from './prng.ts'
import { catchRejections } from './rejections.ts'
import { RollingHash } from './rolling-hash.ts'
import { Trace } from './trace.ts'
import { SimulatedNetwork } from '../network/simulated-network.ts'
import { defaultWorldSettings, type WorldSettings } from './settings.ts'

export interface WorldOptions {
  readonly seed: number
  readonly settings?: Partial<WorldSettings>
  readonly drain?: Drain
  /** Log lines from this level on are kept for the report of a failure. Default: info. */
  readonly logLevel?: LogLevel
  /** Also told of every line as it is logged. */
  readonly onLine?: (line: string, node: string) => void
}

export interface RunOptions {
  /** The run fails when the scenario has not ended by then. Default: one day. */
  readonly limitMs?: number
  /**
   * Told of the first failure; the world then goes on without the machines, so that a host (a lab) can end in its own way, with clients
   * that find nobody. Left out: the run ends at once.
   */
  readonly onFailure?: (failure: SimulationFailure) => void
  /** Told of an error that no machine's event threw, or of a rejection that nobody handled; true: it has been taken, and the run goes on. */
  readonly onStray?: ((error: unknown) => boolean) | undefined
  /** Holds virtual time to real time. Such a run cannot be replayed: it depends on when something came from outside. */
  readonly pace?: Pace
}

/** An event that is about to run, in numbers. */
export interface BegunEvent {
  /** How many ran before it, and itself. */
  readonly number: number
  readonly timeUs: number
  readonly kindNumber: number
  /** Of the machine whose process runs it; -1: the world itself, or a client. */
  readonly machineIndex: number
}

/** So many events without the clock moving mean that the code runs in circles. */
const eventsPerInstantMax = 500_000

const dayMs = 86_400_000
const realSetImmediate = setImmediate

export class World {
  readonly seed: number
  readonly settings: WorldSettings
  /** Decides faults and workloads; nodes, links and disks have generators of their own. */
  readonly random: Prng
  readonly network: SimulatedNetwork
  readonly trace: Trace
  readonly #queue = new EventQueue()
  readonly #hash = new RollingHash()
  readonly #drainer: Drainer
  readonly #nodes = new Map<string, SimulatedNode>()
  readonly #checks: ((node: SimulatedNode | undefined) => void)[] = []
  #beforeEvent: ((event: BegunEvent) => void) | undefined
  #nowUs = 0
  #sequence = 0
  #eventsRun = 0
  #eventsThisInstant = 0
  #failure: { cause: unknown; where: string } | undefined
  #where = 'start'
  #node: SimulatedNode | undefined
  #holds = 0
  /** Goes on when nothing holds the clock any more. */
  #held: (() => void) | undefined
  #outlived = false
  #onFailure: RunOptions['onFailure']
  #onStray: RunOptions['onStray']
  #pace: Pace | undefined

  constructor(options: WorldOptions) {
    this.seed = options.seed
    this.settings = { ...defaultWorldSettings, ...options.settings }
    this.random = new Prng(options.seed, 'world')
    this.network = new SimulatedNetwork(this)
    this.trace = new Trace(this, options.logLevel ?? 'info', options.onLine)
    this.#drainer = new Drainer(options.drain ?? 'microtask')
  }

  /** Microseconds since the beginning of the run. */
  get nowUs(): number {
    return this.#nowUs
  }

  get nowMs(): number {
    return Math.floor(this.#nowUs / 1000)
  }

  /** Calendar time of a machine without skew. */
  get wallMs(): number {
    return this.settings.startWallMs + this.nowMs
  }

  get eventsRun(): number {
    return this.#eventsRun
  }

  /** Fingerprint of everything that happened so far. */
  get hash(): string {
    return this.#hash.digest()
  }

  /** The machine of that name; it is there, switched off, from the first time it is named. Its name is its host name. */
  node(name: string): SimulatedNode {
    let node = this.#nodes.get(name)
    if (node === undefined) {
      node = new SimulatedNode(this, name, this.#nodes.size)
      this.#nodes.set(name, node)
    }
    return node
  }

  /** A machine that was named before, by its name or its address. */
  findNode(nameOrIp: string): SimulatedNode | undefined {
    const named = this.#nodes.get(nameOrIp)
    if (named !== undefined) return named
    for (const node of this.#nodes.values()) if (node.ip === nameOrIp) return node
    return undefined
  }

  nodes(): Iterable<SimulatedNode> {
    return this.#nodes.values()
  }

  /** Schedules `run`; with a node, it runs only if that node is then still in the same life. */
  schedule(kind: EventKind, node: SimulatedNode | undefined, delayUs: number, run: () => void): WorldEvent {
    const event = new WorldEvent(this.#nowUs + delayUs, this.#sequence++, kind, node, run)
    this.#queue.push(event)
    return event
  }

  cancel(event: WorldEvent): void {
    this.#queue.cancel(event)
  }

  /** Resolves after that much virtual time; for scenarios, never for nodes. */
  sleep(delayMs: number): Promise<void> {
    return new Promise(resolve => {
      this.schedule('control', undefined, Math.round(delayMs * 1000), resolve)
    })
  }

  /** Calls `check` after every event, with the node whose event it was. It must be cheap, and throws when an invariant does not hold. */
  onEvent(check: (node: SimulatedNode | undefined) => void): void {
    this.#checks.push(check)
  }

  /** Calls `listener` before each event. One listener at a time. */
  beforeEvent(listener: (event: BegunEvent) => void): void {
    if (this.#beforeEvent !== undefined) throw new Error('somebody listens already to what happens in this world')
    this.#beforeEvent = listener
  }

  /** Stops the clock while something real (a file of the host) is under way: how long it takes must not change the run. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#holds++
    try {
      return await work()
    } finally {
      this.#holds--
      const held = this.#held
      if (this.#holds === 0 && held !== undefined) {
        this.#held = undefined
        realSetImmediate(held)
      }
    }
  }

  /** Of a run with a pace: something from outside happens now. May be called at any time, also between events. */
  inject(run: () => void): void {
    const pace = this.#pace
    if (pace === undefined) throw new Error('only a world with a pace can hear from outside')
    this.schedule('outside', undefined, Math.max(0, pace.nowUs() - this.#nowUs), run)
    pace.wake()
  }

  /** Adds what an event did to the fingerprint. */
  note(...values: number[]): void {
    for (const value of values) this.#hash.add(value)
  }

  /** Ends the run with a failure, from wherever it is noticed. The first one counts. */
  fail(cause: unknown, where = this.#where): void {
    this.#failure ??= { cause, where }
  }

  /**
   * Runs the scenario to its end, event by event. Rejects with SimulationFailure when code throws, an invariant breaks, a promise is
   * rejected and nobody handles it, or nothing is left that could happen.
   */
  async run<T>(scenario: () => Promise<T>, options: RunOptions = {}): Promise<T> {
    const limitUs = this.#nowUs + (options.limitMs ?? dayMs) * 1000
    this.#onFailure = options.onFailure
    this.#onStray = options.onStray
    const { pace } = options
    this.#pace = pace
    const release = catchRejections(reason => {
      if (!(reason instanceof NodeCrashed) && this.#onStray?.(reason) !== true)
        this.fail(reason, 'in a promise that nobody handled')
    })
    try {
      return await new Promise<T>((resolve, reject) => {
        let outcome: (() => void) | undefined
        this.schedule('start', undefined, 0, () => {
          scenario().then(
            value => (outcome = () => resolve(value)),
            (error: unknown) => this.fail(error, 'scenario'),
          )
        })
        const step = (): void => {
          if (this.#holds > 0) {
            this.#held = step
            return
          }
          this.#check()
          if (this.#failure !== undefined && !this.#outlives()) return reject(this.#describeFailure())
          if (outcome !== undefined) return outcome()
          if (pace !== undefined && !this.#isDue(pace)) return pace.wait(this.#queue.nextTimeUs(), step)
          this.#runNext(limitUs)
          this.#drainer.whenQuiet(step)
        }
        this.#drainer.whenQuiet(step)
      })
    } finally {
      release()
    }
  }

  #isDue(pace: Pace): boolean {
    const timeUs = this.#queue.nextTimeUs()
    return timeUs !== undefined && timeUs <= pace.nowUs()
  }

  /** After a failure: whether the run goes on, without the machines. */
  #outlives(): boolean {
    const onFailure = this.#onFailure
    if (onFailure === undefined) return this.#outlived
    this.#onFailure = undefined
    this.#outlived = true
    for (const node of this.#nodes.values()) if (node.isServer) node.kill()
    onFailure(this.#describeFailure())
    return true
  }

  #check(): void {
    if (this.#failure !== undefined) return
    try {
      for (const check of this.#checks) check(this.#node)
    } catch (error) {
      this.fail(error, `invariant after ${this.#where}`)
    }
  }

  #runNext(limitUs: number): void {
    const event = this.#queue.pop()
    if (event === undefined) {
      return this.#giveUp(new Error('Nothing is scheduled any more, and the scenario has not ended'), 'queue')
    }
    if (event.timeUs > limitUs) return this.#giveUp(new Error('The scenario did not end in time'), 'limit')
    if (event.timeUs > this.#nowUs) {
      this.#nowUs = event.timeUs
      this.#eventsThisInstant = 0
    } else if (++this.#eventsThisInstant > eventsPerInstantMax) {
      return this.fail(new Error(`${eventsPerInstantMax} events at one instant: the code runs in circles`), event.kind)
    }
    const next = event.node === undefined ? event : event.node.admit(event)
    if (next !== undefined) this.#dispatch(next)
  }

  /** A failure after which no run can go on. */
  #giveUp(cause: Error, where: string): void {
    this.#onFailure = undefined
    this.#outlived = false
    this.fail(cause, where)
  }

  #dispatch(event: WorldEvent): void {
    const { run, node } = event
    if (run === undefined) return
    event.run = undefined
    this.#eventsRun++
    this.#node = node
    this.#where = node === undefined ? event.kind : `${event.kind} of ${node.name}`
    const kindNumber = eventKindNumber(event.kind)
    if (this.#beforeEvent !== undefined) {
      const machineIndex = node?.index ?? -1
      this.#beforeEvent({ number: this.#eventsRun, timeUs: this.#nowUs, kindNumber, machineIndex })
    }
    this.note(this.#nowUs, kindNumber * 64 + (node?.index ?? 63), event.bytes, event.crc)
    try {
      run()
    } catch (error) {
      if (error instanceof NodeCrashed) return
      const isTaken = node?.isServer !== true && this.#onStray?.(error) === true
      if (!isTaken) this.fail(error)
    }
  }

  #describeFailure(): SimulationFailure {
    const { cause, where } = this.#failure!
    return new SimulationFailure({ seed: this.seed, timeMs: this.nowMs, where, trace: this.trace.lines(), cause })
  }
}
