/**
 * A member of a classic group that joins, takes its partition, and says nothing more. Whoever joins after it gets the partition when it has not
 * joined again within its rebalance timeout, as of a process that hangs.
 */
import type { Cluster } from '../../cluster/cluster.ts'
import { ClassicMembership } from '../members/classic-membership.ts'
import { Coordinator } from '../members/coordinator.ts'
import type { Place } from './group-offsets.ts'
import type { GroupMetadata } from './producer.ts'

const times = {
  /** No lab is as long: a member that hangs is missed at the next rebalance. */
  sessionTimeoutMs: 120_000,
  /** It ends before its first heartbeat. */
  heartbeatMs: 1_000,
  /** The rebalance timeout. */
  maxPollIntervalMs: 1_000,
}

/** Resolves when the member has its partition, of a topic that has no others: no other member has one. */
export async function joinAlone(cluster: Cluster, group: string, { topic, partition }: Place): Promise<GroupMetadata> {
  const coordinator = new Coordinator(cluster, group)
  const membership = new ClassicMembership({ cluster, group, topic, partitions: 1, times }, coordinator, 'eager')
  let owned: readonly number[] = []
  try {
    await membership.attend({
      revoked: () => Promise.resolve(),
      lost: () => Promise.resolve(),
      assigned: all => Promise.resolve(void (owned = all)),
    })
  } finally {
    membership.end()
  }
  if (!owned.includes(partition))
    throw new Error(`expected partition ${partition} of ${topic}, got ${owned.join(', ')}`)
  const { generation, memberId } = membership.identity
  return { generation, memberId }
}
