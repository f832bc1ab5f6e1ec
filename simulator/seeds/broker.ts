/** The broker that seeds run: our own node, and what the invariants may see of it. */
import { Node } from '#broker/node.ts'
import type { SeedOptions } from './run-seed.ts'

export const brokerOfSeed: Pick<SeedOptions, 'makeBroker' | 'view'> = {
  makeBroker: options => new Node(options),
  view(broker) {
    const node = broker as Node
    return { quorum: node.quorum, partitions: node.broker?.replicas, metadata: node.publisher?.image }
  },
}
