/**
 * Waits until every replica of every topic is in sync, also of the topics that coordinators and actors keep. Each node must know it, so that no
 * leader is counted on whose in-sync set has shrunk since a slower node heard of it.
 */
import type { SimulatedCluster } from '#scripts/cluster/simulated/simulated-cluster.ts'
import type { World } from '../world/world.ts'
import { until } from '../actors/actor.ts'
import type { InvariantOptions } from './invariants.ts'

export async function allInSync(
  { world, cluster, view }: { world: World; cluster: SimulatedCluster; view: InvariantOptions['view'] },
  timeoutMs: number,
): Promise<void> {
  await until(world, world.nowMs + timeoutMs, async () => {
    for (const { id, broker } of cluster.members) {
      const metadata = broker === undefined ? undefined : view(broker).metadata
      if (metadata === undefined) return `node ${id} is not up`
      for (const { name, partitions } of metadata.topicsById.values())
        for (const [index, { replicas, isr, leader }] of partitions)
          if (leader < 0 || isr.length < replicas.length)
            return `node ${id} knows ${name}-${index} with leader ${leader} and only ${isr.join(', ') || 'none'} in sync`
    }
    return undefined
  })
}
