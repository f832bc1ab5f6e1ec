/**
 * Gives partitions other replicas while everything else goes on: to brokers that run and to some that do not, a second target before the
 * first is reached, now and then back again. Whatever it asked for, a mended cluster must bring to an end.
 */
import type { Cluster } from '#scripts/cluster/cluster.ts'
import { listReassignments, reassignPartition } from '#scripts/cluster/wire-requests.ts'
import { Links } from '#scripts/workload/links.ts'
import { Repeating, type RepeatingOptions } from './repeating.ts'

export interface MoverOptions extends RepeatingOptions {
  readonly cluster: Cluster
  readonly topic: string
  readonly partitions: number
  /** Told of every order that a controller took. */
  readonly report: (brokers: readonly number[], detail: string) => void
}

const answerMs = 5_000
/** With fewer, min.insync.replicas would stop all writers at the first fault. */
const replicasMin = 2
const replicasMax = 4

export class Mover extends Repeating<MoverOptions> {
  readonly #links: Links

  constructor(options: MoverOptions) {
    super(options)
    this.#links = new Links(options.cluster, answerMs)
  }

  /** Resolves when nothing is being moved any more. */
  async settled(timeoutMs: number): Promise<void> {
    const { world } = this.options
    const endMs = world.nowMs + timeoutMs
    let missing = 'no broker answered'
    while (world.nowMs < endMs) {
      for (const broker of this.#links.brokers) {
        try {
          const { errorCode, partitions } = await this.#links.ask(broker, listReassignments)
          if (errorCode === 0 && partitions.length === 0) {
            this.#links.close()
            return
          }
          missing = `error ${errorCode}, ${partitions.join(', ')}`
        } catch (error) {
          missing = `broker ${broker}: ${error instanceof Error ? error.message : String(error)}`
        }
      }
      await world.sleep(100)
    }
    throw new Error(`after ${timeoutMs} ms reassignments were still under way: ${missing}`)
  }

  protected override async one(): Promise<void> {
    const { random, topic, partitions, report } = this.options
    const all = this.#links.brokers
    const partition = random.between(0, partitions - 1)
    const count = random.between(replicasMin, Math.min(replicasMax, all.length))
    const replicas = random.chance(1, 5) ? null : random.shuffle(all).slice(0, count)
    const broker = random.pick(all)
    try {
      const code = await this.#links.ask(broker, client =>
        reassignPartition(client, { topic, partition, replicas }, answerMs),
      )
      if (code === 0) report(replicas ?? [], `${topic}-${partition} to ${replicas?.join(', ') ?? 'where it was'}`)
    } catch {
      // The broker that was asked is down, or cut off, or its answer is late: what became of the order is seen later, or never.
    }
  }
}
