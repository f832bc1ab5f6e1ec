/** Sets of topic partitions, by topic: what a transaction wrote to, and what still lacks its marker. */

export type PartitionSet = ReadonlyMap<string, ReadonlySet<number>>

export const noPartitions: PartitionSet = new Map()

/** One element per partition, topics in the order in which they came. */
export function* eachPartition(set: PartitionSet): Generator<{ readonly topic: string; readonly partition: number }> {
  for (const [topic, partitions] of set) for (const partition of partitions) yield { topic, partition }
}

export function partitionSet(
  partitions: Iterable<{ readonly topic: string; readonly partition: number }>,
): Map<string, Set<number>> {
  const set = new Map<string, Set<number>>()
  for (const { topic, partition } of partitions) {
    const known = set.get(topic)
    if (known === undefined) set.set(topic, new Set([partition]))
    else known.add(partition)
  }
  return set
}

export function union(left: PartitionSet, right: PartitionSet): Map<string, Set<number>> {
  const set = new Map([...left].map(([topic, partitions]) => [topic, new Set(partitions)]))
  for (const [topic, partitions] of right) {
    const known = set.get(topic)
    if (known === undefined) set.set(topic, new Set(partitions))
    else for (const partition of partitions) known.add(partition)
  }
  return set
}

export function isSubset(part: PartitionSet, whole: PartitionSet): boolean {
  for (const [topic, partitions] of part) {
    const known = whole.get(topic)
    for (const partition of partitions) if (known?.has(partition) !== true) return false
  }
  return true
}

/** Without the empty topics. */
export function without(set: PartitionSet, isGone: (topic: string, partition: number) => boolean): PartitionSet {
  return partitionSet([...eachPartition(set)].filter(({ topic, partition }) => !isGone(topic, partition)))
}
