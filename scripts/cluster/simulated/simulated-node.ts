/**
 * One node of a simulated cluster: a machine of the world and the broker that runs on it. Its life is that of a process: started, stopped,
 * killed, without power; a broker that ends by itself although nobody broke its disk fails the whole run.
 */
import { parseBrokerConfig } from '#broker/config/parse.ts'
import type { BrokerConfig } from '#broker/config/broker-config.ts'
import type { Environment } from '#broker/environment/environment.ts'
import type { SimulatedNode as Machine } from '#simulator/world/node.ts'
import type { World } from '#simulator/world/world.ts'
import { failure } from '../../errors.ts'
import type { NodeStatus } from '../cluster.ts'
import type { Properties } from '../properties.ts'

/** What runs on a machine: broker/node.ts. */
export interface Broker {
  start(): Promise<void>
  stop(): Promise<void>
}

export type MakeBroker = (options: { readonly config: BrokerConfig; readonly environment: Environment }) => Broker

/** Where every node keeps its data, on a disk of its own. */
export const dataDirectory = '/data'

/** A controlled shutdown that takes longer is a fault of the broker. */
const stopTimeoutMs = 60_000

export class SimulatedNode {
  readonly id: number
  readonly machine: Machine
  readonly #world: World
  readonly #properties: Properties
  readonly #makeBroker: MakeBroker
  #broker: Broker | undefined
  #status: NodeStatus = 'stopped'
  #stopping = false
  /** Set when a fault is about to end the process: then it does not end by itself. */
  endsOnPurpose = false

  constructor(options: { id: number; world: World; host: string; properties: Properties; makeBroker: MakeBroker }) {
    this.id = options.id
    this.#world = options.world
    this.#properties = options.properties
    this.#makeBroker = options.makeBroker
    this.machine = options.world.node(options.host)
    this.#prepareDisk()
    this.machine.onCrash(reason => this.#ended(new Error(reason)))
  }

  get status(): NodeStatus {
    return this.machine.isPaused && this.#status === 'running' ? 'paused' : this.#status
  }

  /** The broker that runs now, for invariants to look into. */
  get broker(): Broker | undefined {
    return this.machine.state === 'up' ? this.#broker : undefined
  }

  /** In the middle of a controlled shutdown. */
  get isStopping(): boolean {
    return this.#stopping
  }

  get isUp(): boolean {
    return this.machine.state === 'up'
  }

  start(): void {
    this.#require(!this.isUp, 'is up already')
    this.endsOnPurpose = false
    const environment = this.machine.start()
    const { incarnation } = this.machine
    const current = (): boolean => this.machine.state === 'up' && this.machine.incarnation === incarnation
    this.#status = 'starting'
    // In a turn of the machine's own, so that a crash while it starts is a crash of the machine.
    environment.timers.soon(() => {
      const { config } = parseBrokerConfig(new Map(Object.entries(this.#properties)))
      const broker = this.#makeBroker({ config, environment })
      this.#broker = broker
      broker.start().then(
        () => {
          if (current()) this.#status = 'running'
        },
        (error: unknown) => {
          if (!current()) return
          this.machine.kill()
          this.#ended(error)
        },
      )
    })
  }

  kill(): void {
    this.#require(this.isUp, 'is not up')
    this.machine.kill()
    this.#status = 'stopped'
  }

  /** Controlled shutdown. Rejects when it takes too long; the node is then still up. */
  async stop(): Promise<void> {
    const broker = this.#broker
    if (!this.isUp || broker === undefined || this.#stopping) throw failure(`Node ${this.id} is not up.`)
    const { incarnation } = this.machine
    const isSameLife = (): boolean => this.isUp && this.machine.incarnation === incarnation
    const progress = { stopped: false }
    this.#stopping = true
    // A turn of the machine's own: a paused process hears of it when it goes on.
    this.machine.environment.timers.soon(() => {
      broker.stop().then(
        () => (progress.stopped = true),
        (error: unknown) => this.#world.fail(error, `stop of ${this.machine.name}`),
      )
    })
    try {
      const deadlineMs = this.#world.nowMs + stopTimeoutMs
      while (!progress.stopped && isSameLife()) {
        if (this.#world.nowMs > deadlineMs) {
          throw failure(`Node ${this.id} did not stop within ${stopTimeoutMs / 1000} s.`)
        }
        await this.#world.sleep(10)
      }
    } finally {
      this.#stopping = false
    }
    if (isSameLife()) this.machine.exit()
    this.#status = 'stopped'
  }

  powerFailure(): void {
    this.machine.powerFailure()
    this.#status = 'stopped'
  }

  pause(): void {
    this.#require(this.isUp, 'is not up')
    this.machine.pause()
  }

  resume(): void {
    this.machine.resume()
  }

  wipe(): void {
    this.#require(!this.isUp, 'is up: its disk can be emptied only while it is down')
    this.machine.disk.wipe()
    this.#prepareDisk()
  }

  /** The volume for the data is mounted before any broker starts, and no power failure takes it away. */
  #prepareDisk(): void {
    const { disk } = this.machine.start()
    disk.makeDirectory(dataDirectory)
    disk.syncDirectory('/')
    this.machine.kill()
  }

  /** The broker ended although nobody ended it. With a broken disk that may be right. */
  #ended(cause: unknown): void {
    this.#status = 'dead'
    if (this.machine.faults.isEmpty && !this.endsOnPurpose)
      this.#world.fail(cause, `${this.machine.name} ended by itself`)
  }

  #require(holds: boolean, otherwise: string): void {
    if (!holds) throw failure(`Node ${this.id} ${otherwise}.`)
  }
}
