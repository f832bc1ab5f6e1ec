/**
 * Requests of actors to whoever is the right broker at the time, on the broker's own codec. Repeats what the network or the cluster asks to
 * repeat, as real clients do, so that what it was told must be true in the end.
 */
import type { Address } from '#broker/environment/environment.ts'
import { NetworkRequestClient } from '#broker/net/request-client.ts'
import { partitionOf } from '#broker/coordinator/runtime/java-hash.ts'
import { errorName, type ErrorName } from '#broker/protocol/errors.ts'
import type { ProduceResponse } from '#broker/protocol/messages/00-produce.ts'
import type { FetchResponse } from '#broker/protocol/messages/01-fetch.ts'
import type { MetadataResponse } from '#broker/protocol/messages/03-metadata.ts'
import type { OffsetFetchResponse } from '#broker/protocol/messages/09-offset-fetch.ts'
import type { FindCoordinatorResponse } from '#broker/protocol/messages/10-find-coordinator.ts'
import type { CreateTopicsResponse } from '#broker/protocol/messages/19-create-topics.ts'
import type { DescribeTransactionsResponse } from '#broker/protocol/messages/65-describe-transactions.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { type BatchRecord, readRecords } from '#broker/protocol/records/batch-read.ts'
import { batches } from '#broker/protocol/records/batch.ts'
import type { SimulatedCluster } from '#scripts/cluster/simulated/simulated-cluster.ts'

const again: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'CONCURRENT_TRANSACTIONS',
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNSTABLE_OFFSET_COMMIT',
  'REQUEST_TIMED_OUT',
  'KAFKA_STORAGE_ERROR',
  'FENCED_LEADER_EPOCH',
  'NETWORK_EXCEPTION',
])
export const requestTimeoutMs = 3000
const backoffMs = 50
export const keyTypes = { group: 0, transaction: 1 } as const
const offsetsTopic = '__consumer_offsets'
/** How long a request is repeated. */
const patienceMs = 120_000

export interface Seen {
  readonly values: readonly string[]
  readonly lastStableOffset: number
  readonly highWatermark: number
}

/** Requests to whoever is the right broker at the time. */
export class Wire {
  readonly cluster: SimulatedCluster
  readonly #client: NetworkRequestClient
  /** By topic id and partition: the newest leader epoch that a broker told of. */
  readonly #leaderEpochs = new Map<string, number>()
  #turn = 0

  constructor(cluster: SimulatedCluster) {
    this.cluster = cluster
    this.#client = new NetworkRequestClient(cluster.world.node('client').environment, 'wire')
  }

  close(): void {
    this.#client.close()
  }

  async send<Response>(to: Address, key: number, body: object, maxVersion: number): Promise<Response> {
    const options = { timeoutMs: requestTimeoutMs, maxVersion }
    return (await this.#client.send<Response>(to, key, body, options)).response
  }

  /** Repeats `ask` while the network or the cluster says so; any other error is thrown. */
  async patiently<Answer>(what: string, ask: () => Promise<{ error: ErrorName; answer: Answer }>): Promise<Answer> {
    const { world } = this.cluster
    const deadlineMs = world.nowMs + patienceMs
    let last = 'nothing'
    while (world.nowMs < deadlineMs) {
      try {
        const { error, answer } = await ask()
        if (error === 'NONE') return answer
        if (!again.has(error)) throw new Refused(what, error)
        last = error
      } catch (error) {
        if (error instanceof Refused) throw error
        last = String(error)
      }
      await world.sleep(backoffMs)
    }
    throw new Error(`${what}: not within two minutes, at last ${last}`)
  }

  /** All brokers, whether they run or not, where nobody has to log in. */
  get brokers(): readonly Address[] {
    return this.cluster.openBootstrap.map(address => {
      const [host = '', port = ''] = address.split(':')
      return { host, port: Number(port) }
    })
  }

  /** Any broker, then another. */
  any(): Address {
    const { brokers } = this
    return brokers[this.#turn++ % brokers.length]!
  }

  /** With the broker's defaults for what is left out; a topic that is there is right, too. */
  async createTopic(topic: {
    readonly name: string
    readonly partitions: number
    readonly settings?: Readonly<Record<string, string>>
  }): Promise<void> {
    const { name, partitions, settings = {} } = topic
    const configs = Object.entries(settings).map(([key, value]) => ({ name: key, value }))
    const wanted = { name, numPartitions: partitions, replicationFactor: 3, assignments: [], configs }
    await this.patiently(`create ${name}`, async () => {
      const body = { topics: [wanted], timeoutMs: requestTimeoutMs, validateOnly: false }
      const { topics } = await this.send<CreateTopicsResponse>(this.any(), 19, body, 7)
      const error = errorName(topics[0]?.errorCode ?? -1)
      return { error: error === 'TOPIC_ALREADY_EXISTS' ? 'NONE' : error, answer: undefined }
    })
    for (let partition = 0; partition < partitions; partition++) await this.leader(name, partition)
  }

  async coordinator(key: string, keyType: number): Promise<Address & { readonly id: number }> {
    return this.patiently(`coordinator of ${key}`, async () => {
      const body = { coordinatorKeys: [key], keyType }
      const { coordinators } = await this.send<FindCoordinatorResponse>(this.any(), 10, body, 6)
      const { errorCode: code, host, port, nodeId } = coordinators[0]!
      return { error: errorName(code), answer: { host, port, id: nodeId } }
    })
  }

  async topicId(name: string): Promise<string> {
    return (await this.#describe(name)).topicId
  }

  async partitionCount(name: string): Promise<number> {
    return (await this.#describe(name)).partitions.length
  }

  #describe(name: string) {
    return this.patiently(`metadata of ${name}`, async () => {
      const body = { topics: [{ name }], allowAutoTopicCreation: false }
      const answer = (await this.send<MetadataResponse>(this.any(), 3, body, 12)).topics[0]!
      return { error: errorName(answer.errorCode), answer }
    })
  }

  /**
   * A broker that is cut off from the controller names leaders of the past, itself maybe. As Kafka's clients do, we do not go back to an
   * epoch before one we heard of: what was acknowledged since is unknown there (KIP-320).
   */
  async leader(topic: string, partition: number): Promise<Address> {
    return this.patiently(`leader of ${topic}-${partition}`, () => this.#leaderAsKnownTo(this.any(), topic, partition))
  }

  async #leaderAsKnownTo(
    asked: Address,
    topic: string,
    partition: number,
  ): Promise<{ readonly error: ErrorName; readonly answer: Address }> {
    const body = { topics: [{ name: topic }], allowAutoTopicCreation: false }
    const { topics, brokers } = await this.send<MetadataResponse>(asked, 3, body, 12)
    const found = topics[0]?.partitions.find(each => each.partitionIndex === partition)
    const broker = brokers.find(({ nodeId }) => nodeId === found?.leaderId)
    const key = `${topics[0]?.topicId}-${partition}`
    const newest = Math.max(this.#leaderEpochs.get(key) ?? -1, found?.leaderEpoch ?? -1)
    this.#leaderEpochs.set(key, newest)
    if (broker === undefined || found?.leaderEpoch !== newest)
      return { error: 'LEADER_NOT_AVAILABLE', answer: { host: '', port: 0 } }
    return { error: 'NONE', answer: { host: broker.host, port: broker.port } }
  }

  /** The high watermark. */
  async endOffset(topic: string, partition: number): Promise<number> {
    return (await this.#fetch(topic, partition, 0, 0)).highWatermark
  }

  /** Appends one batch, once: nothing is repeated, so that the answer is about this very batch. */
  async produce(
    topic: string,
    partition: number,
    values: readonly string[],
  ): Promise<{ readonly error: ErrorName; readonly baseOffset: number }> {
    const records = buildBatch(
      values.map(value => ({ value })),
      { timestamp: 1 },
    )
    return this.append(topic, partition, records)
  }

  /** The same with a batch as it is. */
  async append(
    topic: string,
    partition: number,
    records: Buffer,
  ): Promise<{ readonly error: ErrorName; readonly baseOffset: number }> {
    const topicData = [{ name: topic, partitionData: [{ index: partition, records }] }]
    const body = { transactionalId: null, acks: -1, timeoutMs: requestTimeoutMs, topicData }
    const { responses } = await this.send<ProduceResponse>(await this.leader(topic, partition), 0, body, 11)
    const { errorCode: code, baseOffset } = responses[0]!.partitionResponses[0]!
    return { error: errorName(code), baseOffset }
  }

  /** All records of one partition from `offset` up to the high watermark, committed or not. */
  async readFrom(topic: string, partition: number, offset: number): Promise<Map<number, string>> {
    const found = new Map<number, string>()
    for (let fetchOffset = offset; ;) {
      const { highWatermark, records } = await this.#fetch(topic, partition, fetchOffset, 0)
      for (const batch of batches(records ?? Buffer.alloc(0))) {
        fetchOffset = batch.lastOffset + 1
        if (!batch.isControl) for (const record of readRecords(batch)) found.set(record.offset, String(record.value))
      }
      if (fetchOffset >= highWatermark) return found
    }
  }

  /** The records of one partition from its beginning up to the high watermark, batch by batch, without control batches. */
  async batchesOf(topic: string, partition: number): Promise<BatchRecord[][]> {
    const found: BatchRecord[][] = []
    for (let fetchOffset = 0; ;) {
      const { highWatermark, records } = await this.#fetch(topic, partition, fetchOffset, 0)
      for (const batch of batches(records ?? Buffer.alloc(0))) {
        fetchOffset = batch.lastOffset + 1
        if (!batch.isControl) found.push(readRecords(batch))
      }
      if (fetchOffset >= highWatermark) return found
    }
  }

  /** One partition from its beginning, as a consumer with isolation level read_committed sees it. */
  async readCommitted(topic: string, partition: number): Promise<Seen> {
    const values: string[] = []
    for (let fetchOffset = 0; ;) {
      const part = await this.#fetch(topic, partition, fetchOffset, 1)
      const { lastStableOffset, highWatermark, records, abortedTransactions } = part
      values.push(...committedValues(records, abortedTransactions ?? []))
      for (const batch of batches(records ?? Buffer.alloc(0))) fetchOffset = batch.lastOffset + 1
      if (fetchOffset >= lastStableOffset) return { values, lastStableOffset, highWatermark }
    }
  }

  #fetch(topic: string, partition: number, fetchOffset: number, isolationLevel: 0 | 1) {
    return this.patiently(`fetch of ${topic}-${partition}`, async () => {
      const fetched = { partition, fetchOffset, partitionMaxBytes: 10_000_000 }
      const limits = { maxWaitMs: 0, minBytes: 0, maxBytes: 10_000_000, isolationLevel }
      const body = { ...limits, topics: [{ topic, partitions: [fetched] }] }
      const { responses } = await this.send<FetchResponse>(await this.leader(topic, partition), 1, body, 12)
      const answer = responses[0]!.partitions[0]!
      return { error: errorName(answer.errorCode), answer }
    })
  }

  /** What the group committed; waits for open transactions. */
  async committedOffset(group: string, topic: string, partition: number): Promise<number> {
    return this.patiently(`offset of ${group}`, async () => {
      const body = {
        groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes: [partition] }] }],
        requireStable: true,
      }
      const to = await this.coordinator(group, keyTypes.group)
      if (!(await this.#isNewestCoordinator(to, group))) return { error: 'NOT_COORDINATOR', answer: -1 }
      const { groups } = await this.send<OffsetFetchResponse>(to, 9, body, 9)
      const found = groups[0]!
      const part = found.topics[0]?.partitions[0]
      const error = found.errorCode === 0 ? (part?.errorCode ?? 0) : found.errorCode
      return { error: errorName(error), answer: part?.committedOffset ?? -1 }
    })
  }

  /**
   * A coordinator that is cut off from the controller does not know its successor, and tells what was committed before that, as Kafka's does. Whoever joins
   * a group first is not told so: joins wait for the in-sync replicas. We do not join; so every broker is asked who leads the group's partition.
   */
  async #isNewestCoordinator({ host, port }: Address, group: string): Promise<boolean> {
    const partition = partitionOf(group, await this.partitionCount(offsetsTopic))
    // Whatever they answer, the newest epoch among it is known then.
    await Promise.allSettled(this.brokers.map(broker => this.#leaderAsKnownTo(broker, offsetsTopic, partition)))
    const newest = await this.leader(offsetsTopic, partition)
    return newest.host === host && newest.port === port
  }

  async transactionState(transactionalId: string): Promise<string> {
    return this.patiently(`state of ${transactionalId}`, async () => {
      const to = await this.coordinator(transactionalId, keyTypes.transaction)
      const body = { transactionalIds: [transactionalId] }
      const { transactionStates } = await this.send<DescribeTransactionsResponse>(to, 65, body, 0)
      const { errorCode: code, transactionState } = transactionStates[0]!
      return { error: errorName(code), answer: transactionState }
    })
  }
}

/** An answer that no repetition changes. */
export class Refused extends Error {
  readonly error: ErrorName

  constructor(what: string, error: ErrorName) {
    super(`${what}: ${error}`)
    this.error = error
  }
}

/** The consumer's part of read_committed: an aborted transaction reaches from its first offset to its abort marker. */
function committedValues(
  records: Buffer | null,
  aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[],
): string[] {
  const values: string[] = []
  const pending = [...aborted].sort((left, right) => left.firstOffset - right.firstOffset)
  const open = new Set<bigint>()
  for (const batch of batches(records ?? Buffer.alloc(0))) {
    while (pending[0] !== undefined && pending[0].firstOffset <= batch.lastOffset) open.add(pending.shift()!.producerId)
    if (batch.isControl) open.delete(batch.producerId)
    else if (!batch.isTransactional || !open.has(batch.producerId))
      for (const { value } of readRecords(batch)) values.push(String(value))
  }
  return values
}
