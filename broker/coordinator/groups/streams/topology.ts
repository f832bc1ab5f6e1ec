/**
 * From the topology that the members of a streams group bring to numbers: how many tasks each subtopology has, how many partitions its
 * internal topics are to have, which of these are missing. Pure.
 * Sources: KIP-1071; Kafka 4.3's InternalTopicManager, RepartitionTopics, CopartitionedTopicsEnforcer, ChangelogTopics.
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { StreamsGroupTopologyValue } from '../../../protocol/records/group/streams-group-topology.ts'

export type Topology = StreamsGroupTopologyValue
export type Subtopology = Topology['subtopologies'][number]
type TopicInfo = Subtopology['repartitionSourceTopics'][number]

/** Codes of StreamsGroupHeartbeatResponse.Status. */
export const statusCodes = {
  STALE_TOPOLOGY: 0,
  MISSING_SOURCE_TOPICS: 1,
  INCORRECTLY_PARTITIONED_TOPICS: 2,
  MISSING_INTERNAL_TOPICS: 3,
  SHUTDOWN_APPLICATION: 4,
  ASSIGNMENT_DELAYED: 5,
} as const

export interface Status {
  readonly status: keyof typeof statusCodes
  readonly detail: string
}

export interface InternalTopic {
  readonly name: string
  readonly numPartitions: number
  /** -1: the broker's default. */
  readonly replicationFactor: number
  readonly assignments: []
  readonly configs: { readonly name: string; readonly value: string }[]
}

export interface ConfiguredTopology {
  readonly epoch: number
  /** Why no task can be assigned; undefined: ready. */
  readonly problem: Status | undefined
  /** Tasks by subtopology, in the order of ids; empty when the partitions are not known. */
  readonly subtopologies: ReadonlyMap<string, { readonly tasks: number; readonly isStateful: boolean }>
  readonly missing: readonly InternalTopic[]
}

/** The topics do not fit: told as a status, and the group waits for others. */
class TopicsError extends Error {
  readonly status: Status
  constructor(status: keyof typeof statusCodes, detail: string) {
    super(detail)
    this.status = { status, detail }
  }
}

/** The topology makes no sense: STREAMS_INVALID_TOPOLOGY. */
export class TopologyError extends Error {}

export const sourceTopicsOf = ({ sourceTopics, repartitionSourceTopics }: Subtopology): string[] => [
  ...sourceTopics,
  ...repartitionSourceTopics.map(({ name }) => name),
]

export function requiredTopics(topology: Topology): Set<string> {
  return new Set(
    topology.subtopologies.flatMap(each => [
      ...sourceTopicsOf(each),
      ...each.stateChangelogTopics.map(({ name }) => name),
    ]),
  )
}

/** @throws TopologyError */
export function configure(topology: Topology, image: MetadataImage): ConfiguredTopology {
  const { epoch } = topology
  try {
    const counts = decideCounts(topology, image)
    const subtopologies = new Map(
      [...topology.subtopologies]
        .sort((left, right) => (left.subtopologyId < right.subtopologyId ? -1 : 1))
        .map(each => [
          each.subtopologyId,
          { tasks: mostPartitions(each, counts), isStateful: each.stateChangelogTopics.length > 0 },
        ]),
    )
    const missing = missingTopics(topology, counts, image)
    const problem: Status | undefined =
      missing.length === 0
        ? undefined
        : {
            status: 'MISSING_INTERNAL_TOPICS',
            detail: `Internal topics are missing: ${summary(missing.map(({ name }) => name))}`,
          }
    return { epoch, problem, subtopologies, missing }
  } catch (error) {
    if (!(error instanceof TopicsError)) throw error
    return { epoch, problem: error.status, subtopologies: new Map(), missing: [] }
  }
}

/** Existing topics first: what is decided counts only for those that are not there. */
class Counts {
  readonly #image: MetadataImage
  readonly decided = new Map<string, number>()
  constructor(image: MetadataImage) {
    this.#image = image
  }
  of(topic: string): number | undefined {
    return this.#image.topicsByName.get(topic)?.partitions.size ?? this.decided.get(topic)
  }
}

function decideCounts(topology: Topology, image: MetadataImage): Counts {
  const missing = new Set(
    topology.subtopologies.flatMap(each => each.sourceTopics.filter(topic => !image.topicsByName.has(topic))),
  )
  if (missing.size > 0)
    throw new TopicsError('MISSING_SOURCE_TOPICS', `Source topics ${summary([...missing].sort())} are missing.`)
  const counts = new Counts(image)
  for (const [name, count] of repartitionCounts(topology, counts)) counts.decided.set(name, count)
  for (const each of topology.subtopologies)
    for (const group of each.copartitionGroups)
      copartition(
        new Set([
          ...group.sourceTopics.map(index => each.sourceTopics[index] ?? ''),
          ...group.repartitionSourceTopics.map(index => each.repartitionSourceTopics[index]?.name ?? ''),
        ]),
        topology,
        counts,
      )
  for (const each of topology.subtopologies)
    for (const { name } of each.stateChangelogTopics) counts.decided.set(name, mostPartitions(each, counts))
  return counts
}

function mostPartitions(subtopology: Subtopology, counts: Counts): number {
  const sources = sourceTopicsOf(subtopology)
  if (sources.length === 0)
    throw new TopologyError(`No source topics found for subtopology ${subtopology.subtopologyId}`)
  return Math.max(...sources.map(topic => counts.of(topic) ?? 0))
}

/** A repartition topic without a number of its own gets that of the largest source of the subtopology that writes it. */
function repartitionCounts({ subtopologies }: Topology, counts: Counts): Map<string, number> {
  const decided = new Map<string, number>()
  for (const { repartitionSourceTopics } of subtopologies)
    for (const { name, partitions } of repartitionSourceTopics) if (partitions !== 0) decided.set(name, partitions)
  for (let open = true; open;) {
    open = false
    let progress = false
    for (const each of subtopologies)
      for (const sink of each.repartitionSinkTopics) {
        if (decided.has(sink)) continue
        const known = [
          ...each.repartitionSourceTopics.map(({ name }) => decided.get(name)),
          ...each.sourceTopics.map(topic => counts.of(topic)),
        ].filter(count => count !== undefined)
        if (known.length === 0) open = true
        else {
          decided.set(sink, Math.max(...known))
          progress = true
        }
      }
    if (open && !progress)
      throw new TopologyError(
        'Failed to compute number of partitions for all repartition topics. There may be loops in the topology that cannot be resolved.',
      )
  }
  for (const { repartitionSourceTopics } of subtopologies)
    if (repartitionSourceTopics.some(({ name }) => !decided.has(name)))
      throw new TopologyError(
        'Failed to compute number of partitions for all repartition topics, because a repartition source topic is never used as a sink topic.',
      )
  return decided
}

/** Topics that are joined need the same number of partitions: repartition topics follow the others, which must agree. */
function copartition(topics: ReadonlySet<string>, { subtopologies }: Topology, counts: Counts): void {
  const infos = subtopologies.flatMap(each => each.repartitionSourceTopics)
  const fixed = new Set(infos.filter(({ partitions }) => partitions !== 0).map(({ name }) => name))
  const internal = new Set(infos.map(({ name }) => name))
  const repartition = [...topics].filter(topic => internal.has(topic))
  const others = [...topics].filter(topic => !internal.has(topic))
  const leaders = others.length > 0 ? others : repartition.filter(topic => fixed.has(topic))
  const numbers = new Set(leaders.map(topic => counts.of(topic) ?? 0))
  if (numbers.size > 1)
    throw new TopicsError(
      'INCORRECTLY_PARTITIONED_TOPICS',
      `Following topics do not have the same number of partitions: [{${leaders
        .sort()
        .map(topic => `${topic}=${counts.of(topic)}`)
        .join(', ')}}]`,
    )
  const [agreed = Math.max(0, ...repartition.map(topic => counts.of(topic) ?? 0))] = numbers
  for (const topic of repartition) {
    if (fixed.has(topic) && counts.of(topic) !== agreed)
      throw new TopicsError(
        'INCORRECTLY_PARTITIONED_TOPICS',
        `Number of partitions [${counts.of(topic)}] of repartition topic [${topic}] doesn't match number of partitions [${agreed}] of the source topic.`,
      )
    counts.decided.set(topic, agreed)
  }
}

function missingTopics({ subtopologies }: Topology, counts: Counts, image: MetadataImage): InternalTopic[] {
  const wanted = new Map<string, TopicInfo>()
  for (const each of subtopologies)
    for (const topic of [...each.repartitionSourceTopics, ...each.stateChangelogTopics]) wanted.set(topic.name, topic)
  const missing: InternalTopic[] = []
  for (const { name, partitions, replicationFactor, topicConfigs } of wanted.values()) {
    const expected = partitions === 0 ? (counts.decided.get(name) ?? 0) : partitions
    const found = image.topicsByName.get(name)?.partitions.size
    if (found === undefined)
      missing.push({
        name,
        numPartitions: expected,
        replicationFactor: replicationFactor === 0 ? -1 : replicationFactor,
        assignments: [],
        configs: topicConfigs.map(({ key, value }) => ({ name: key, value })),
      })
    else if (found !== expected)
      throw new TopicsError(
        'INCORRECTLY_PARTITIONED_TOPICS',
        `Existing topic ${name} has different number of partitions: expected ${expected}, found ${found}`,
      )
  }
  return missing
}

const shown = 3

function summary(topics: readonly string[]): string {
  const more = topics.length > shown ? ` and ${topics.length - shown} additional topics` : ''
  return topics.slice(0, shown).join(', ') + more
}
