/**
 * From a topology and the topics there are to numbers: partitions of the internal topics, and tasks of each subtopology. Pure.
 *
 * A number is settled in this order; what comes later never changes what came before, but for the joins:
 * 1. topics of users have the partitions they have;
 * 2. a repartition topic that asks for a number gets it; another gets the largest number among the inputs of the subtopologies that write
 *    to it. These equations are solved together, growing from the inputs that are known: the least solution, whatever their order. So a
 *    subtopology that writes to what it reads is no loop as long as it reads something else too;
 * 3. topics that are joined (a copartition group) must have one number: those of users and those with a number of their own say which,
 *    the others follow;
 * 4. a subtopology has as many tasks as the largest of its inputs has partitions, and its changelogs as many partitions as it has tasks.
 *
 * Three outcomes: a plan; `unfit`, told to the members as a status, and the group waits for other topics; `senseless`, no topics could
 * help, and who declared it is refused (STREAMS_INVALID_TOPOLOGY).
 * Source: KIP-1071 "Topology configuration"; the developer guide of Kafka Streams on repartitioning and co-partitioning.
 */
import { someOf, type Status } from './statuses.ts'
import { sourceTopicsOf, type InternalTopicInfo, type Subtopology, type Topology } from './topology.ts'

/** A topic that the group needs, as CreateTopics wants it. */
export interface InternalTopic {
  readonly name: string
  readonly numPartitions: number
  /** -1: the broker's default. */
  readonly replicationFactor: number
  readonly assignments: []
  readonly configs: { readonly name: string; readonly value: string }[]
}

export interface SubtopologyTasks {
  readonly tasks: number
  readonly isStateful: boolean
}

export type Plan =
  | {
      readonly kind: 'plan'
      /** In the order of ids. */
      readonly subtopologies: ReadonlyMap<string, SubtopologyTasks>
      readonly missing: readonly InternalTopic[]
    }
  | { readonly kind: 'unfit'; readonly status: Status }
  | { readonly kind: 'senseless'; readonly message: string }

type Trouble = Exclude<Plan, { readonly kind: 'plan' }>
type Counts = Map<string, number>

/** @param partitionsOf  of a topic that exists; undefined when it does not */
export function planPartitions(topology: Topology, partitionsOf: (topic: string) => number | undefined): Plan {
  const { subtopologies } = topology
  const idle = subtopologies.find(each => sourceTopicsOf(each).length === 0)
  if (idle !== undefined) return senseless(`Subtopology ${idle.subtopologyId} reads no topic.`)
  // With whatever numbers: what cannot be counted so can never be.
  const trial: Counts = new Map(subtopologies.flatMap(each => each.sourceTopics).map(topic => [topic, 1]))
  const counts: Counts = new Map()
  const trouble =
    countRepartitions(subtopologies, trial) ??
    countSources(subtopologies, counts, partitionsOf) ??
    countRepartitions(subtopologies, counts) ??
    joinAll(subtopologies, counts)
  if (trouble !== undefined) return trouble
  const tasks = new Map<string, SubtopologyTasks>()
  for (const each of [...subtopologies].sort((one, two) => (one.subtopologyId < two.subtopologyId ? -1 : 1)))
    tasks.set(each.subtopologyId, { tasks: inputs(each, counts), isStateful: each.stateChangelogTopics.length > 0 })
  return compare(subtopologies, tasks, counts, partitionsOf)
}

const senseless = (message: string): Trouble => ({ kind: 'senseless', message })
const unfit = (status: Status['status'], detail: string): Trouble => ({ kind: 'unfit', status: { status, detail } })

/** The largest input; 0 while none is known. */
function inputs(subtopology: Subtopology, counts: Counts): number {
  return Math.max(0, ...sourceTopicsOf(subtopology).map(topic => counts.get(topic) ?? 0))
}

function countSources(
  subtopologies: readonly Subtopology[],
  counts: Counts,
  partitionsOf: (topic: string) => number | undefined,
): Trouble | undefined {
  const missing = new Set<string>()
  for (const topic of subtopologies.flatMap(each => each.sourceTopics)) {
    const count = partitionsOf(topic)
    if (count === undefined) missing.add(topic)
    else counts.set(topic, count)
  }
  if (missing.size === 0) return undefined
  return unfit('MISSING_SOURCE_TOPICS', `These topics are read and do not exist: ${someOf([...missing].sort())}.`)
}

const repartitionTopics = (subtopologies: readonly Subtopology[]): InternalTopicInfo[] =>
  subtopologies.flatMap(each => each.repartitionSourceTopics)

const sized = (topics: readonly InternalTopicInfo[]): Set<string> =>
  new Set(topics.filter(({ partitions }) => partitions > 0).map(({ name }) => name))

function countRepartitions(subtopologies: readonly Subtopology[], counts: Counts): Trouble | undefined {
  const topics = repartitionTopics(subtopologies)
  const fixed = sized(topics)
  for (const { name, partitions } of topics) if (partitions > 0) counts.set(name, partitions)
  const written = new Set(subtopologies.flatMap(each => each.repartitionSinkTopics))
  const dry = topics.find(({ name }) => !fixed.has(name) && !written.has(name))
  if (dry !== undefined)
    return senseless(`Nothing is written to the repartition topic ${dry.name}, so its number of partitions is open.`)
  const derived = new Set(topics.map(({ name }) => name).filter(name => !fixed.has(name)))
  for (let grew = true; grew;) {
    grew = false
    for (const each of subtopologies) {
      const most = inputs(each, counts)
      for (const sink of each.repartitionSinkTopics)
        if (derived.has(sink) && most > (counts.get(sink) ?? 0)) {
          counts.set(sink, most)
          grew = true
        }
    }
  }
  const open = topics.find(({ name }) => !counts.has(name))
  if (open === undefined) return undefined
  return senseless(
    `The number of partitions of the repartition topic ${open.name} depends on itself: no topic of users leads to it.`,
  )
}

// -------------------------------------------------------------------------------------------------------------- joins

function joinAll(subtopologies: readonly Subtopology[], counts: Counts): Trouble | undefined {
  const topics = repartitionTopics(subtopologies)
  const repartition = new Set(topics.map(({ name }) => name))
  const fixed = sized(topics)
  for (const each of subtopologies)
    for (const group of each.copartitionGroups) {
      const sources = group.sourceTopics.map(index => each.sourceTopics[index])
      const others = group.repartitionSourceTopics.map(index => each.repartitionSourceTopics[index]?.name)
      const joined = [...new Set([...sources, ...others])].filter(topic => topic !== undefined)
      if (joined.length < new Set([...sources, ...others]).size)
        return senseless(`A copartition group of subtopology ${each.subtopologyId} names a topic that is not there.`)
      const trouble = join(joined, { repartition, fixed }, counts)
      if (trouble !== undefined) return trouble
    }
  return undefined
}

interface Kinds {
  readonly repartition: ReadonlySet<string>
  readonly fixed: ReadonlySet<string>
}

/** Gives topics that are joined one number of partitions. */
function join(topics: readonly string[], { repartition, fixed }: Kinds, counts: Counts): Trouble | undefined {
  const firm = topics.filter(topic => !repartition.has(topic) || fixed.has(topic)).sort()
  const leaders = firm.length > 0 ? firm : topics
  const agreed = Math.max(0, ...leaders.map(topic => counts.get(topic) ?? 0))
  const odd = firm.find(topic => counts.get(topic) !== agreed)
  if (odd !== undefined) {
    const shown = firm.map(topic => `${topic} has ${counts.get(topic) ?? 0}`).join(', ')
    return unfit(
      'INCORRECTLY_PARTITIONED_TOPICS',
      `Topics that are joined need the same number of partitions: ${shown}.`,
    )
  }
  for (const topic of topics) counts.set(topic, agreed)
  return undefined
}

// ------------------------------------------------------------------------------------------------ internal topics

/** Sets what is wanted against what there is. */
function compare(
  subtopologies: readonly Subtopology[],
  tasks: ReadonlyMap<string, SubtopologyTasks>,
  counts: Counts,
  partitionsOf: (topic: string) => number | undefined,
): Plan {
  const wanted = new Map<string, InternalTopic>()
  for (const each of subtopologies) {
    for (const info of each.repartitionSourceTopics) wanted.set(info.name, creatable(info, counts.get(info.name) ?? 0))
    for (const info of each.stateChangelogTopics)
      wanted.set(info.name, creatable(info, tasks.get(each.subtopologyId)?.tasks ?? 0))
  }
  const missing: InternalTopic[] = []
  for (const topic of wanted.values()) {
    const found = partitionsOf(topic.name)
    if (found === undefined) missing.push(topic)
    else if (found !== topic.numPartitions)
      return unfit(
        'INCORRECTLY_PARTITIONED_TOPICS',
        `The internal topic ${topic.name} exists with ${found} partitions, and ${topic.numPartitions} are needed.`,
      )
  }
  return { kind: 'plan', subtopologies: tasks, missing }
}

function creatable({ name, replicationFactor, topicConfigs }: InternalTopicInfo, numPartitions: number): InternalTopic {
  return {
    name,
    numPartitions,
    replicationFactor: replicationFactor === 0 ? -1 : replicationFactor,
    assignments: [],
    configs: topicConfigs.map(({ key, value }) => ({ name: key, value })),
  }
}
