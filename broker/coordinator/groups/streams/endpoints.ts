/**
 * Where the partitions of the sources are, for interactive queries: each endpoint once, with what all threads behind it have (KIP-1071,
 * PartitionsByUserEndpoint). Warm-up tasks answer no queries.
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { StreamsGroup } from './streams-group.ts'
import type { Endpoint } from './streams-member.ts'
import { kindOf } from './tasks.ts'
import { sourceTopicsOf } from './topology.ts'

interface TopicPartitions {
  readonly topic: string
  readonly partitions: number[]
}

export interface EndpointPartitions {
  readonly userEndpoint: Endpoint
  readonly activePartitions: TopicPartitions[]
  readonly standbyPartitions: TopicPartitions[]
}

type Found = Readonly<Record<'active' | 'standby', Map<string, Set<number>>>>

export function endpointsOf(group: StreamsGroup, image: MetadataImage): EndpointPartitions[] {
  const sources = new Map(group.topology?.subtopologies.map(each => [each.subtopologyId, sourceTopicsOf(each)]))
  const byEndpoint = new Map<string, { readonly userEndpoint: Endpoint; readonly found: Found }>()
  for (const { userEndpoint, assigned } of group.members.values()) {
    if (userEndpoint === null) continue
    const name = `${userEndpoint.host}:${userEndpoint.port}`
    const entry = byEndpoint.get(name) ?? { userEndpoint, found: { active: new Map(), standby: new Map() } }
    byEndpoint.set(name, entry)
    for (const [key, tasks] of assigned) {
      const { kind, subtopologyId } = kindOf(key)
      if (kind === 'warmup') continue
      for (const topic of sources.get(subtopologyId) ?? []) {
        // Joined or not, a source may have fewer partitions than the subtopology has tasks.
        const count = image.topicsByName.get(topic)?.partitions.size ?? 0
        const there = entry.found[kind].get(topic) ?? new Set<number>()
        for (const partition of tasks.keys()) if (partition < count) there.add(partition)
        entry.found[kind].set(topic, there)
      }
    }
  }
  return [...byEndpoint.values()].map(({ userEndpoint, found }) => ({
    userEndpoint,
    activePartitions: listed(found.active),
    standbyPartitions: listed(found.standby),
  }))
}

function listed(found: ReadonlyMap<string, ReadonlySet<number>>): TopicPartitions[] {
  return [...found]
    .map(([topic, partitions]) => ({ topic, partitions: [...partitions].sort((left, right) => left - right) }))
    .sort((left, right) => (left.topic < right.topic ? -1 : 1))
}
