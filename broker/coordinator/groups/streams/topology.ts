/**
 * A topology as the members of a streams group declare it (KIP-1071): subtopologies, the topics each reads, writes and keeps its state in,
 * and which of them are joined. How many partitions and tasks follow from it is in partition-plan.ts.
 */
import { isDeepStrictEqual } from 'node:util'
import type { StreamsGroupTopologyValue } from '../../../protocol/records/group/streams-group-topology.ts'

export type Topology = StreamsGroupTopologyValue
export type Subtopology = Topology['subtopologies'][number]
export type InternalTopicInfo = Subtopology['repartitionSourceTopics'][number]

/** What a subtopology reads: topics of users first, then those through which records are repartitioned. */
export const sourceTopicsOf = ({ sourceTopics, repartitionSourceTopics }: Subtopology): string[] => [
  ...sourceTopics,
  ...repartitionSourceTopics.map(({ name }) => name),
]

/** Every topic without which the members cannot work. */
export function requiredTopics({ subtopologies }: Topology): Set<string> {
  const names = new Set<string>()
  for (const each of subtopologies) {
    for (const name of sourceTopicsOf(each)) names.add(name)
    for (const { name } of each.stateChangelogTopics) names.add(name)
  }
  return names
}

/** Equal but for the order of subtopologies. */
export function sameTopology(left: Topology, right: Topology): boolean {
  if (left.epoch !== right.epoch || left.subtopologies.length !== right.subtopologies.length) return false
  const others = new Map(right.subtopologies.map(each => [each.subtopologyId, each]))
  return left.subtopologies.every(each => isDeepStrictEqual(each, others.get(each.subtopologyId)))
}
