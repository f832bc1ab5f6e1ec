/**
 * What must hold after every event for partitions with transactions, and for those of their coordinators: one leader, and so one active
 * coordinator, for each leader epoch; the last stable offset of a leader never goes back, and never passes the high watermark (KIP-98).
 *
 * Only the node that an event belongs to is looked at.
 */
import type { SimulatedCluster } from '#scripts/cluster/simulated/simulated-cluster.ts'
import type { Node } from '#broker/node.ts'
import type { World } from '../world/world.ts'

export interface WatchedTopic {
  readonly topic: string
  readonly partitions: number
}

/** What the watch has to know of a replica. */
export interface LeaderView {
  readonly leaderEpoch: number
  readonly highWatermark: number
  readonly lastStableOffset: number
}

export class LeaderWatch {
  /** Partition and epoch → the node that led it. */
  readonly #leaders = new Map<string, string>()
  /** Partition, epoch and life of the leader → its last stable offset. */
  readonly #stable = new Map<string, number>()

  /** @throws Error that names the broken promise */
  look(partition: string, leader: { readonly name: string; readonly incarnation: number }, view: LeaderView): void {
    const { leaderEpoch, highWatermark, lastStableOffset } = view
    const term = `${partition} in epoch ${leaderEpoch}`
    const known = this.#leaders.get(term)
    if (known === undefined) this.#leaders.set(term, leader.name)
    else if (known !== leader.name) throw new Error(`${term} is led by ${known} and by ${leader.name}`)
    if (lastStableOffset > highWatermark)
      throw new Error(
        `${term}: the last stable offset ${lastStableOffset} is above the high watermark ${highWatermark}`,
      )
    const life = `${term}, life ${leader.incarnation}`
    const before = this.#stable.get(life) ?? 0
    if (lastStableOffset < before)
      throw new Error(`${life}: the last stable offset went back from ${before} to ${lastStableOffset}`)
    this.#stable.set(life, lastStableOffset)
  }
}

export function watchLeaders(world: World, cluster: SimulatedCluster, topics: readonly WatchedTopic[]): void {
  const watch = new LeaderWatch()
  const members = new Map(cluster.members.map(member => [member.machine, member]))
  world.onEvent(machine => {
    const broker = machine === undefined ? undefined : (members.get(machine)?.broker as Node | undefined)?.broker
    if (machine === undefined || broker === undefined) return
    for (const { topic, partitions } of topics) {
      for (let partition = 0; partition < partitions; partition++) {
        const replica = broker.replicas.find(topic, partition)
        if (typeof replica === 'string' || replica.machine.role !== 'leader') continue
        const { highWatermark, lastStableOffset, machine: state } = replica
        watch.look(`${topic}-${partition}`, machine, {
          leaderEpoch: state.leaderEpoch,
          highWatermark,
          lastStableOffset,
        })
      }
    }
  })
}
