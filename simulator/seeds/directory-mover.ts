/**
 * Moves replicas between the log directories of their brokers while everything else goes on (AlterReplicaLogDirs): while the log grows, to a
 * second directory before the first is reached, also to where the replica is.
 */
import type { Cluster } from '#scripts/cluster/cluster.ts'
import { alterLogDir } from '#scripts/cluster/log-dir-requests.ts'
import { Links } from '#scripts/workload/links.ts'
import { Repeating, type RepeatingOptions } from './repeating.ts'

export interface DirectoryMoverOptions extends RepeatingOptions {
  readonly cluster: Cluster
  readonly topic: string
  readonly partitions: number
  readonly directories: readonly string[]
  /** Told of every order that a broker took. */
  readonly report: (brokers: readonly number[], detail: string) => void
}

const answerMs = 5_000

export class DirectoryMover extends Repeating<DirectoryMoverOptions> {
  readonly #links: Links

  constructor(options: DirectoryMoverOptions) {
    super(options)
    this.#links = new Links(options.cluster, answerMs)
  }

  override async run(): Promise<void> {
    await super.run()
    this.#links.close()
  }

  protected override async one(): Promise<void> {
    const { random, topic, partitions, directories, report } = this.options
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
