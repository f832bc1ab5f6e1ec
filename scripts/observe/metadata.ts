/**
 * What a broker knows of the cluster and of topics (DescribeCluster, DescribeTopicPartitions, before Kafka 3.8 Metadata), and whose knowledge counts: every broker
 * applies the metadata log at its own pace, and one that is cut off tells an old story with the same face.
 */
import { errorName } from '#broker/protocol/errors.ts'
import { metadataRequest, metadataResponse } from '#broker/protocol/messages/03-metadata.ts'
import { describeClusterRequest, describeClusterResponse } from '#broker/protocol/messages/60-describe-cluster.ts'
import {
  describeTopicPartitionsRequest,
  describeTopicPartitionsResponse,
} from '#broker/protocol/messages/75-describe-topic-partitions.ts'
import type { Infer } from '#broker/protocol/schema.ts'
import { type Line, NoAnswer, NotOffered } from './lines.ts'
import { isUnknown, unknown, type Known, type ObservedQuorum, type Registration, type Unknown } from './model.ts'

const cluster = { request: describeClusterRequest, response: describeClusterResponse }
const partitions = { request: describeTopicPartitionsRequest, response: describeTopicPartitionsResponse }
/** Since version 10 it tells the ids of topics. */
const metadata = { request: metadataRequest, response: metadataResponse, oldest: 10 }

export interface RegisteredBroker {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
  readonly registration: Registration
}

export interface ClusterView {
  readonly brokers: readonly RegisteredBroker[]
  /** False: the broker is too old to tell fenced brokers from such as are not registered (before KIP-1073). */
  readonly tellsFenced: boolean
}

export interface PartitionView {
  readonly index: number
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly elr: readonly number[]
  readonly lastKnownElr: readonly number[]
  readonly offline: readonly number[]
}

export interface TopicView {
  readonly topicId: string
  readonly partitions: ReadonlyMap<number, PartitionView>
}

/** By name; a topic that was asked for and is not there is null. */
export type TopicViews = ReadonlyMap<string, Known<TopicView | null>>

const fencedSince = 2

/** Every broker that is registered, as this one knows it. */
export async function askCluster(line: Line): Promise<ClusterView> {
  let tellsFenced = false
  const answer = await line.ask(cluster, version => {
    tellsFenced = version >= fencedSince
    return { includeClusterAuthorizedOperations: false, ...(tellsFenced ? { includeFencedBrokers: true } : {}) }
  })
  if (answer.errorCode !== 0) throw refusal(line, 'DescribeCluster', answer.errorCode)
  const brokers = answer.brokers.map(({ brokerId: id, host, port, rack, isFenced }) => {
    const registration: Registration = isFenced ? 'fenced' : 'alive'
    return { id, host, port, rack, registration }
  })
  return { brokers, tellsFenced }
}

const pageSize = 2_000

/** The topics with all their partitions, as this broker knows them. */
export async function askTopics(line: Line, names: readonly string[] | 'all'): Promise<TopicViews> {
  const topics = names === 'all' ? names : [...new Set(names)].sort()
  if (topics.length === 0) return new Map()
  try {
    return await askPages(line, topics)
  } catch (error) {
    if (!(error instanceof NotOffered)) throw error
    return await askMetadata(line, topics)
  }
}

/** Page by page. */
async function askPages(line: Line, names: readonly string[] | 'all'): Promise<TopicViews> {
  const views = new Map<string, Known<TopicView | null>>()
  // An empty list asks for all.
  const topics = names === 'all' ? [] : names.map(name => ({ name }))
  let cursor: Infer<typeof describeTopicPartitionsResponse>['nextCursor'] = null
  do {
    const page: Infer<typeof describeTopicPartitionsResponse> = await line.ask(partitions, {
      topics,
      responsePartitionLimit: pageSize,
      cursor,
    })
    for (const topic of page.topics) addTopic(views, topic, line)
    cursor = page.nextCursor
  } while (cursor !== null)
  return views
}

/** The same where a broker has no DescribeTopicPartitions: eligible leaders (KIP-966) came with it, so such a broker has none. */
async function askMetadata(line: Line, names: readonly string[] | 'all'): Promise<TopicViews> {
  const views = new Map<string, Known<TopicView | null>>()
  const topics = names === 'all' ? null : names.map(name => ({ name }))
  const answer = await line.ask(metadata, { topics, allowAutoTopicCreation: false })
  if (answer.errorCode !== 0) throw refusal(line, 'Metadata', answer.errorCode)
  for (const topic of answer.topics) addTopic(views, topic, line)
  return views
}

type TopicAnswer = Pick<DescribedTopic, 'name' | 'errorCode' | 'topicId'> & {
  readonly partitions: readonly (Omit<DescribedPartition, keyof EligibleLeaders> & Partial<EligibleLeaders>)[]
}
type DescribedTopic = Infer<typeof describeTopicPartitionsResponse>['topics'][number]
type DescribedPartition = DescribedTopic['partitions'][number]
type EligibleLeaders = Pick<DescribedPartition, 'eligibleLeaderReplicas' | 'lastKnownElr'>

/** A topic with many partitions comes in several pages. */
function addTopic(views: Map<string, Known<TopicView | null>>, topic: TopicAnswer, line: Line): void {
  const { name, errorCode, topicId } = topic
  if (name === null) return
  const error = errorName(errorCode)
  if (error === 'UNKNOWN_TOPIC_OR_PARTITION') return void views.set(name, null)
  if (errorCode !== 0) return void views.set(name, unknown(`broker ${line.broker} answers ${error} for ${name}`))
  const before = views.get(name)
  const pages = before === undefined || before === null || isUnknown(before) ? [] : [...before.partitions]
  const found = topic.partitions.map(partition => [partition.partitionIndex, partitionOf(partition)] as const)
  views.set(name, { topicId, partitions: new Map([...pages, ...found]) })
}

function partitionOf(answer: TopicAnswer['partitions'][number]): PartitionView {
  const { partitionIndex: index, leaderId: leader, leaderEpoch, replicaNodes: replicas } = answer
  return {
    index,
    leader,
    leaderEpoch,
    replicas,
    isr: sorted(answer.isrNodes),
    elr: sorted(answer.eligibleLeaderReplicas ?? []),
    lastKnownElr: sorted(answer.lastKnownElr ?? []),
    offline: sorted(answer.offlineReplicas),
  }
}

function sorted(ids: readonly number[]): number[] {
  return [...ids].sort((a, b) => a - b)
}

function refusal(line: Line, api: string, code: number): NoAnswer {
  return new NoAnswer(`broker ${line.broker} answers ${errorName(code)} to ${api}`)
}

/**
 * The brokers whose knowledge counts, the one to believe first in front: those that have read as far in the metadata log as any that
 * answers, as the leader of the quorum says. Where nobody tells that, all count.
 *
 * @param before  who was believed last: it goes on being believed, so that nothing changes by asking somebody else
 */
export function believed(
  answering: readonly number[],
  quorum: Known<ObservedQuorum> | undefined,
  before: number | undefined,
): number[] {
  const ends = new Map<number, number>()
  if (quorum !== undefined && !isUnknown(quorum)) {
    for (const { id, logEndOffset } of [...quorum.voters, ...quorum.observers])
      if (!isUnknown(logEndOffset)) ends.set(id, logEndOffset)
  }
  const endOf = (id: number) => ends.get(id) ?? -1
  const furthest = Math.max(...answering.map(endOf))
  const first = (id: number) => Number(id !== before)
  return answering.filter(id => endOf(id) === furthest).sort((a, b) => first(a) - first(b) || a - b)
}

/**
 * What is known of a topic, from those who count (in the order of trust). A partition is told by whoever knows its highest leader epoch,
 * also by others: an epoch never goes back.
 */
export function mergeTopic(
  name: string,
  views: ReadonlyMap<number, TopicViews>,
  trusted: readonly number[],
): Known<TopicView | null> {
  const told = trusted.flatMap(broker => {
    const view = views.get(broker)?.get(name)
    return view === undefined || isUnknown(view) ? [] : [view]
  })
  const [first] = told
  if (first === undefined) {
    const reason = trusted.map(broker => views.get(broker)?.get(name)).find(isUnknown)
    return reason ?? unknown(`nobody tells of the topic ${name}`)
  }
  const isDisputed = told.some(view => view?.topicId !== first?.topicId)
  if (isDisputed) return unknown(`the brokers do not agree about the topic ${name}: it was just created or deleted`)
  if (first === null) return null
  const merged = new Map(first.partitions)
  for (const topics of views.values()) {
    const other = topics.get(name)
    if (other === undefined || other === null || isUnknown(other) || other.topicId !== first.topicId) continue
    for (const [index, partition] of other.partitions) {
      const mine = merged.get(index)
      if (mine === undefined || partition.leaderEpoch > mine.leaderEpoch) merged.set(index, partition)
    }
  }
  return { topicId: first.topicId, partitions: merged }
}

/** The leader epochs that were heard of. None goes back, so whoever tells of an older one has not heard what happened since. */
export class LeaderEpochs {
  readonly #newest = new Map<string, number>()

  /** The partitions, by `topic-index`, of which only an older epoch is told; remembers the newer ones. */
  outdated(topics: TopicViews): Map<string, Unknown> {
    const outdated = new Map<string, Unknown>()
    for (const [topic, view] of topics) {
      if (view === null || isUnknown(view)) continue
      for (const [index, { leaderEpoch }] of view.partitions) {
        const key = `${view.topicId} ${index}`
        const newest = this.#newest.get(key) ?? -1
        if (leaderEpoch >= newest) this.#newest.set(key, leaderEpoch)
        else
          outdated.set(
            `${topic}-${index}`,
            unknown(`only leader epoch ${leaderEpoch} of ${topic}-${index} is told, and ${newest} was heard of before`),
          )
      }
    }
    return outdated
  }
}
