/**
 * The assignor `uniform`: as many partitions for one member as for the other, and as few moves as that allows.
 *
 * - All members subscribe to the same topics: each gets total/members partitions, the remainder goes first to those that have more already.
 * - Else: what a member has and still subscribes to it keeps; free partitions go to the least loaded subscriber of their topic, topics with
 *   most partitions per subscriber first; then partitions move from the most to the least loaded subscriber of a topic while that helps.
 * Racks are not considered (Kafka 4.3 does not either).
 * Source: KIP-848; Kafka's UniformAssignor.
 */
import type { Uuid } from '../../../../controller/metadata-record.ts'
import type { Assignor, GroupAssignment, GroupSpec, TopicDescriber } from './assignor.ts'

/** What a member has, while it is being worked on. */
interface Load {
  readonly memberId: string
  readonly topicIds: ReadonlySet<Uuid>
  readonly partitions: Map<Uuid, Set<number>>
  count: number
}

interface Free {
  readonly topicId: Uuid
  readonly partition: number
}

/** Balancing one topic may unbalance another one; this many rounds come close enough. */
const balanceRounds = 16

export const uniformAssignor: Assignor = {
  name: 'uniform',
  assign(group: GroupSpec, topics: TopicDescriber): GroupAssignment {
    const loads = group.members.map(({ memberId, topicIds, assignment }): Load => {
      const partitions = new Map<Uuid, Set<number>>()
      for (const [topicId, owned] of assignment) if (topicIds.has(topicId)) partitions.set(topicId, new Set(owned))
      return { memberId, topicIds, partitions, count: sizeOf(partitions) }
    })
    const free = freePartitions(loads, topics)
    if (group.isHomogeneous) assignEvenly(loads, free)
    else assignByTopic(loads, free, topics)
    return new Map(loads.map(({ memberId, partitions }) => [memberId, partitions]))
  },
}

/** Of all subscribed topics; what is owned but does not exist any more is taken away. */
function freePartitions(loads: readonly Load[], topics: TopicDescriber): Free[] {
  const free: Free[] = []
  const taken = new Map<Uuid, Set<number>>()
  const topicIds = new Set<Uuid>()
  for (const load of loads) {
    for (const topicId of load.topicIds) topicIds.add(topicId)
    for (const [topicId, owned] of load.partitions) {
      const others = taken.get(topicId) ?? new Set<number>()
      taken.set(topicId, others)
      const known = new Set(topics.partitions(topicId))
      for (const partition of owned) {
        if (!known.has(partition) || others.has(partition)) take(load, topicId, partition)
        else others.add(partition)
      }
    }
  }
  for (const topicId of topicIds)
    for (const partition of topics.partitions(topicId))
      if (taken.get(topicId)?.has(partition) !== true) free.push({ topicId, partition })
  return free
}

function assignEvenly(loads: readonly Load[], free: Free[]): void {
  const total = loads.reduce((sum, { count }) => sum + count, free.length)
  const quota = Math.floor(total / loads.length)
  let extras = total % loads.length
  const quotas = new Map<Load, number>()
  for (const load of loads) {
    const hasMore = extras > 0 && load.count > quota
    if (hasMore) extras--
    quotas.set(load, hasMore ? quota + 1 : quota)
  }
  for (const load of loads) {
    const own = quotas.get(load) ?? quota
    for (const { topicId, partition } of everything(load)) {
      if (load.count <= own) break
      take(load, topicId, partition)
      free.push({ topicId, partition })
    }
  }
  let next = 0
  for (const load of loads) {
    let own = quotas.get(load) ?? quota
    if (own === quota && extras > 0) {
      own++
      extras--
    }
    for (; load.count < own; next++) give(load, free[next])
  }
}

function assignByTopic(loads: readonly Load[], free: readonly Free[], topics: TopicDescriber): void {
  const subscribers = new Map<Uuid, Load[]>()
  for (const load of loads)
    for (const topicId of load.topicIds) subscribers.set(topicId, [...(subscribers.get(topicId) ?? []), load])
  const pressure = (topicId: Uuid): number =>
    topics.partitions(topicId).length / (subscribers.get(topicId)?.length ?? 1)
  const order = [...subscribers.keys()].sort(
    (left, right) =>
      pressure(right) - pressure(left) ||
      (subscribers.get(left)?.length ?? 0) - (subscribers.get(right)?.length ?? 0) ||
      (left < right ? -1 : 1),
  )
  for (const topicId of order)
    for (const each of free) if (each.topicId === topicId) give(leastLoaded(subscribers.get(topicId) ?? []), each)
  for (let round = 0; round < balanceRounds; round++) {
    let moved = 0
    for (const topicId of order) moved += balance(topicId, subscribers.get(topicId) ?? [])
    if (moved === 0) return
  }
}

function balance(topicId: Uuid, subscribers: readonly Load[]): number {
  for (let moved = 0; ; moved++) {
    const least = leastLoaded(subscribers)
    let most: Load | undefined
    for (const load of subscribers)
      if (load.partitions.has(topicId) && (most === undefined || load.count > most.count)) most = load
    const partition = most?.partitions.get(topicId)?.values().next().value
    if (least === undefined || most === undefined || partition === undefined || most.count - least.count <= 1)
      return moved
    take(most, topicId, partition)
    give(least, { topicId, partition })
  }
}

function leastLoaded(loads: readonly Load[]): Load | undefined {
  let least: Load | undefined
  for (const load of loads) if (least === undefined || load.count < least.count) least = load
  return least
}

function give(load: Load | undefined, free: Free | undefined): void {
  if (load === undefined || free === undefined) throw new Error('a partition was left over, or one too few')
  const owned = load.partitions.get(free.topicId) ?? new Set<number>()
  load.partitions.set(free.topicId, owned.add(free.partition))
  load.count++
}

function take(load: Load, topicId: Uuid, partition: number): void {
  const owned = load.partitions.get(topicId)
  if (owned?.delete(partition) !== true) return
  load.count--
  if (owned.size === 0) load.partitions.delete(topicId)
}

function everything(load: Load): Free[] {
  return [...load.partitions].flatMap(([topicId, owned]) => [...owned].map(partition => ({ topicId, partition })))
}

function sizeOf(partitions: ReadonlyMap<Uuid, ReadonlySet<number>>): number {
  let size = 0
  for (const owned of partitions.values()) size += owned.size
  return size
}
