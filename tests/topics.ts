/**
 * Topics, made and looked at through kafkajs, of clusters in which any broker may answer: each hears of a change when it does. What is said
 * here is waited for, until some broker says so.
 */
import {
  KafkaJSAggregateError,
  KafkaJSBrokerNotFound,
  KafkaJSConnectionError,
  KafkaJSMetadataNotLoaded,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
  type Admin,
  type Consumer,
  type ITopicConfig,
  type PartitionMetadata,
} from 'kafkajs'
import { poll } from '#scripts/cluster/clock.ts'
import type { LabClock } from '#scripts/cluster/cluster.ts'

/** For what hangs: a busy machine takes its time for everything. */
const patienceMs = 120_000

/** kafkajs does not reach a broker, or has not been told of it. */
const passing = [
  KafkaJSBrokerNotFound,
  KafkaJSConnectionError,
  KafkaJSMetadataNotLoaded,
  KafkaJSRequestTimeoutError,
] as const

export interface Patience {
  /** Of clusters that do not run in real time. */
  readonly clock?: LabClock
}

/**
 * Whether it is a matter of the moment: the broker that was asked has not heard of a topic or of its leader yet, or is not there just now.
 * kafkajs takes most of these for a reason to give up.
 */
function isPassing(error: unknown): boolean {
  if (error instanceof KafkaJSNumberOfRetriesExceeded) return isPassing(error.cause)
  if (passing.some(kind => error instanceof kind)) return true
  // Of each topic that could not be made. A broker that was too busy for its session is fenced for a while: there are too few.
  if (error instanceof KafkaJSAggregateError)
    return error.errors.every(
      each => isPassing(each) || (each as { type?: string }).type === 'INVALID_REPLICATION_FACTOR',
    )
  // kafkajs reads the answer of the last broker even where every one has refused.
  if (error instanceof TypeError) return error.message.includes("reading 'topicMetadata'")
  return error instanceof KafkaJSProtocolError && error.retriable
}

/** Asks until the answer is not undefined. Refusals that pass are none. */
export async function patiently<T>(
  what: string,
  ask: () => Promise<T | undefined>,
  { clock }: Patience = {},
): Promise<T> {
  let last: unknown
  const attempt = async (): Promise<T | undefined> => {
    try {
      return await ask()
    } catch (error) {
      if (!isPassing(error)) throw error
      last = error
      return undefined
    }
  }
  const found = await poll(attempt, { everyMs: 50, timeoutMs: patienceMs, ...(clock === undefined ? {} : { clock }) })
  if (found === undefined) throw new Error(`it never came about that ${what}`, { cause: last })
  return found
}

/** Creates topics, false for such as are there already, and resolves once a broker names a leader of each partition. */
export async function createTopics(admin: Admin, topics: ITopicConfig[], patience: Patience = {}): Promise<boolean> {
  const names = topics.map(({ topic }) => topic)
  const what = names.join(', ')
  let attempts = 0
  // Not with `waitForLeaders`, which gives up when it meets a broker that has not heard of the topic yet.
  const make = async () => {
    attempts++
    return { areNew: await admin.createTopics({ topics, waitForLeaders: false, timeout: patienceMs }) }
  }
  const { areNew } = await patiently(`${what} can be made`, make, patience)
  await patiently(
    `${what} have leaders`,
    async () => {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: names })
      return found.flatMap(each => each.partitions).every(({ leader }) => leader >= 0) || undefined
    },
    patience,
  )
  // An attempt whose answer was lost may have made them.
  return areNew || attempts > 1
}

/** The partitions of a topic by index, once a broker that knows it answers, of which that holds. */
export async function partitionsWhen(
  admin: Admin,
  topic: string,
  holds: (partitions: readonly PartitionMetadata[]) => boolean = () => true,
  { what = `a broker knows ${topic}`, ...patience }: Patience & { readonly what?: string } = {},
): Promise<PartitionMetadata[]> {
  return await patiently(
    what,
    async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      const partitions = (topics[0]?.partitions ?? []).toSorted((a, b) => a.partitionId - b.partitionId)
      return partitions.length > 0 && holds(partitions) ? partitions : undefined
    },
    patience,
  )
}

/** The first partition of a topic, once a broker says of it that this holds. */
export async function partitionWhen(
  admin: Admin,
  topic: string,
  holds: (partition: PartitionMetadata) => boolean = () => true,
  options: Patience & { readonly what?: string } = {},
): Promise<PartitionMetadata> {
  const [partition] = await partitionsWhen(admin, topic, ([first]) => first !== undefined && holds(first), options)
  return partition!
}

/** The first partition of a topic, once a broker says that so many of its replicas are in sync. */
export async function partitionInSync(
  admin: Admin,
  topic: string,
  size: number,
  patience: Patience = {},
): Promise<PartitionMetadata> {
  const what = `${topic} has ${size} replicas in sync`
  return await partitionWhen(admin, topic, ({ isr }) => isr.length === size, { ...patience, what })
}

/** Where the partitions of a topic begin and end, as their leaders say. */
export async function topicOffsets(admin: Admin, topic: string): ReturnType<Admin['fetchTopicOffsets']> {
  return await patiently(`the leaders of ${topic} tell its offsets`, () => admin.fetchTopicOffsets(topic))
}

/** `subscribe` of a consumer, from the beginning, to a topic of which the broker that it asks may not have heard yet. */
export async function subscribe(consumer: Consumer, topic: string): Promise<void> {
  await patiently(`a consumer finds ${topic}`, async () => {
    await consumer.subscribe({ topic, fromBeginning: true })
    return true
  })
}
