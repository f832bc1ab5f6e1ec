/**
 * Moves replicas between the log directories of their brokers while everything else goes on (AlterReplicaLogDirs): while the log grows, to a
 * second directory before the first is reached, also to where the replica is.
 */
import type { Cluster } from '#scripts/cluster/cluster.ts'
import { alterLogDir } from '#scripts/cluster/log-dir-requests.ts'
import { Links } from '#scripts/workload/links.ts'
import type { Prng } from '../world/prng.ts'
import type { World } from '../world/world.ts'

export interface DirectoryMoverOptions {
  readonly world: World
  readonly cluster: Cluster
  readonly random: Prng
  readonly topic: string
  readonly partitions: number
  readonly directories: readonly string[]
  readonly pauseMsMax: number
  /** Told of every order that a broker took. */
  readonly report: (brokers: readonly number[], detail: string) => void
}

const answerMs = 5_000

export class DirectoryMover {
  readonly #options: DirectoryMoverOptions
  readonly #links: Links
  #running = true

  constructor(options: DirectoryMoverOptions) {
    this.#options = options
    this.#links = new Links(options.cluster, answerMs)
  }

  /** Moves until it is told to `stop`. */
  async run(): Promise<void> {
    const { world, random, pauseMsMax } = this.#options
    while (this.#running) {
      await world.sleep(random.between(100, pauseMsMax))
      if (this.#running) await this.#one()
    }
    this.#links.close()
  }

  stop(): void {
    this.#running = false
  }

  async #one(): Promise<void> {
    const { random, topic, partitions, directories, report } = this.#options
    const broker = random.pick(this.#links.brokers)
    const partition = random.between(0, partitions - 1)
    const path = random.pick(directories)
    try {
      const code = await this.#links.ask(broker, client => alterLogDir(client, { topic, partition, path }))
      if (code === 0) report([broker], `${topic}-${partition} to ${path}`)
    } catch {
      // The broker is down, or cut off, or its answer is late: what became of the order is of no matter.
    }
  }
}
