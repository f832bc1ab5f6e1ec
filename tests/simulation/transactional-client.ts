/**
 * A transactional producer and a reader of a few lines, for both versions of the transaction protocol. Repeats every request until it is
 * answered for good, as real producers do, so that what it was told must be true in the end.
 */
import type { Address } from '#broker/environment/environment.ts'
import { NetworkRequestClient } from '#broker/net/request-client.ts'
import { errorName, type ErrorName } from '#broker/protocol/errors.ts'
import type { ProduceResponse } from '#broker/protocol/messages/00-produce.ts'
import type { FetchResponse } from '#broker/protocol/messages/01-fetch.ts'
import type { MetadataResponse } from '#broker/protocol/messages/03-metadata.ts'
import type { OffsetFetchResponse } from '#broker/protocol/messages/09-offset-fetch.ts'
import type { FindCoordinatorResponse } from '#broker/protocol/messages/10-find-coordinator.ts'
import type { InitProducerIdResponse } from '#broker/protocol/messages/22-init-producer-id.ts'
import type { AddPartitionsToTxnResponse } from '#broker/protocol/messages/24-add-partitions-to-txn.ts'
import type { AddOffsetsToTxnResponse } from '#broker/protocol/messages/25-add-offsets-to-txn.ts'
import type { EndTxnResponse } from '#broker/protocol/messages/26-end-txn.ts'
import type { TxnOffsetCommitResponse } from '#broker/protocol/messages/28-txn-offset-commit.ts'
import type { DescribeTransactionsResponse } from '#broker/protocol/messages/65-describe-transactions.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { readRecords } from '#broker/protocol/records/batch-read.ts'
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
const requestTimeoutMs = 3000
const backoffMs = 50
const transactionKeyType = 1

export interface Seen {
  readonly values: readonly string[]
  readonly lastStableOffset: number
  readonly highWatermark: number
}

/** Requests to whoever is the right broker at the time. */
export class Wire {
  readonly cluster: SimulatedCluster
  readonly #client: NetworkRequestClient

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
    const deadlineMs = world.nowMs + 120_000
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

  /** Any broker, then another. */
  #turn = 0
  #any(): Address {
    const [host = '', port = ''] = (this.cluster.bootstrap[this.#turn++ % this.cluster.bootstrap.length] ?? '').split(
      ':',
    )
    return { host, port: Number(port) }
  }

  async coordinator(key: string, keyType: number): Promise<Address & { readonly id: number }> {
    return this.patiently(`coordinator of ${key}`, async () => {
      const body = { coordinatorKeys: [key], keyType }
      const { coordinators } = await this.send<FindCoordinatorResponse>(this.#any(), 10, body, 6)
      const { errorCode: code, host, port, nodeId } = coordinators[0]!
      return { error: errorName(code), answer: { host, port, id: nodeId } }
    })
  }

  async leader(topic: string, partition: number): Promise<Address> {
    return this.patiently(`leader of ${topic}-${partition}`, async () => {
      const body = { topics: [{ name: topic }], allowAutoTopicCreation: false }
      const { topics, brokers } = await this.send<MetadataResponse>(this.#any(), 3, body, 12)
      const found = topics[0]?.partitions.find(each => each.partitionIndex === partition)
      const broker = brokers.find(({ nodeId }) => nodeId === found?.leaderId)
      if (broker === undefined) return { error: 'LEADER_NOT_AVAILABLE', answer: { host: '', port: 0 } }
      return { error: 'NONE', answer: { host: broker.host, port: broker.port } }
    })
  }

  /** One partition from its beginning, as a consumer with isolation level read_committed sees it. */
  async readCommitted(topic: string, partition: number): Promise<Seen> {
    const values: string[] = []
    for (let fetchOffset = 0; ;) {
      const part = await this.#fetch(topic, partition, fetchOffset)
      const { lastStableOffset, highWatermark, records, abortedTransactions } = part
      values.push(...committedValues(records, abortedTransactions ?? []))
      for (const batch of batches(records ?? Buffer.alloc(0))) fetchOffset = batch.lastOffset + 1
      if (fetchOffset >= lastStableOffset) return { values, lastStableOffset, highWatermark }
    }
  }

  #fetch(topic: string, partition: number, fetchOffset: number) {
    return this.patiently(`fetch of ${topic}-${partition}`, async () => {
      const fetched = { partition, fetchOffset, partitionMaxBytes: 10_000_000 }
      const limits = { maxWaitMs: 0, minBytes: 0, maxBytes: 10_000_000, isolationLevel: 1 }
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
      const { groups } = await this.send<OffsetFetchResponse>(await this.coordinator(group, 0), 9, body, 9)
      const found = groups[0]!
      const part = found.topics[0]?.partitions[0]
      const error = found.errorCode === 0 ? (part?.errorCode ?? 0) : found.errorCode
      return { error: errorName(error), answer: part?.committedOffset ?? -1 }
    })
  }

  async transactionState(transactionalId: string): Promise<string> {
    return this.patiently(`state of ${transactionalId}`, async () => {
      const to = await this.coordinator(transactionalId, transactionKeyType)
      const body = { transactionalIds: [transactionalId] }
      const { transactionStates } = await this.send<DescribeTransactionsResponse>(to, 65, body, 0)
      const { errorCode: code, transactionState } = transactionStates[0]!
      return { error: errorName(code), answer: transactionState }
    })
  }
}

class Refused extends Error {
  constructor(what: string, error: ErrorName) {
    super(`${what}: ${error}`)
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

/** One transactional id. `version` 2 adds partitions by writing to them, and gets a new epoch with every transaction. */
export class TransactionalProducer {
  readonly transactionalId: string
  readonly #wire: Wire
  readonly #version: 0 | 2
  #producerId = -1n
  #producerEpoch = -1
  #sequences = new Map<string, number>()
  #added = new Set<string>()

  constructor(wire: Wire, transactionalId: string, version: 0 | 2) {
    this.#wire = wire
    this.transactionalId = transactionalId
    this.#version = version
  }

  get #identity() {
    const { transactionalId } = this
    return { transactionalId, producerId: this.#producerId, producerEpoch: this.#producerEpoch }
  }

  #coordinator(): Promise<Address> {
    return this.#wire.coordinator(this.transactionalId, transactionKeyType)
  }

  async init(): Promise<void> {
    const body = { transactionalId: this.transactionalId, transactionTimeoutMs: 60_000 }
    const answer = await this.#wire.patiently('InitProducerId', async () => {
      const reply = await this.#wire.send<InitProducerIdResponse>(await this.#coordinator(), 22, body, 5)
      return { error: errorName(reply.errorCode), answer: reply }
    })
    this.#begin(answer)
  }

  #begin({ producerId, producerEpoch }: { readonly producerId: bigint; readonly producerEpoch: number }): void {
    this.#producerId = producerId
    this.#producerEpoch = producerEpoch
    this.#sequences = new Map()
    this.#added = new Set()
  }

  async send(topic: string, partition: number, value: string): Promise<void> {
    const key = `${topic}-${partition}`
    if (this.#version === 0 && !this.#added.has(key)) await this.#addPartition(topic, partition)
    this.#added.add(key)
    const baseSequence = this.#sequences.get(key) ?? 0
    const { producerId, producerEpoch } = this.#identity
    const batch = { timestamp: 1, producerId, producerEpoch, baseSequence, transactional: true }
    const body = {
      transactionalId: this.transactionalId,
      acks: -1,
      timeoutMs: requestTimeoutMs,
      topicData: [{ name: topic, partitionData: [{ index: partition, records: buildBatch([{ value }], batch) }] }],
    }
    await this.#wire.patiently(`produce to ${key}`, async () => {
      const to = await this.#wire.leader(topic, partition)
      const { responses } = await this.#wire.send<ProduceResponse>(to, 0, body, this.#version === 0 ? 11 : 12)
      return { error: errorName(responses[0]!.partitionResponses[0]!.errorCode), answer: undefined }
    })
    this.#sequences.set(key, baseSequence + 1)
  }

  async #addPartition(topic: string, partition: number): Promise<void> {
    const { transactionalId, producerId, producerEpoch } = this.#identity
    const body = {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics: [{ name: topic, partitions: [partition] }],
    }
    await this.#wire.patiently('AddPartitionsToTxn', async () => {
      const reply = await this.#wire.send<AddPartitionsToTxnResponse>(await this.#coordinator(), 24, body, 3)
      const code = reply.resultsByTopicV3AndBelow[0]!.resultsByPartition[0]!.partitionErrorCode
      return { error: errorName(code), answer: undefined }
    })
  }

  async sendOffset(groupId: string, topic: string, partition: number, offset: number): Promise<void> {
    if (this.#version === 0)
      await this.#wire.patiently('AddOffsetsToTxn', async () => {
        const body = { ...this.#identity, groupId }
        const reply = await this.#wire.send<AddOffsetsToTxnResponse>(await this.#coordinator(), 25, body, 3)
        return { error: errorName(reply.errorCode), answer: undefined }
      })
    const committed = { partitionIndex: partition, committedOffset: offset, committedMetadata: '' }
    const body = { ...this.#identity, groupId, topics: [{ name: topic, partitions: [committed] }] }
    await this.#wire.patiently('TxnOffsetCommit', async () => {
      const to = await this.#wire.coordinator(groupId, 0)
      const reply = await this.#wire.send<TxnOffsetCommitResponse>(to, 28, body, this.#version === 0 ? 3 : 5)
      return { error: errorName(reply.topics[0]!.partitions[0]!.errorCode), answer: undefined }
    })
  }

  async end(committed: boolean): Promise<void> {
    const answer = await this.#wire.patiently('EndTxn', async () => {
      const body = { ...this.#identity, committed }
      const reply = await this.#wire.send<EndTxnResponse>(
        await this.#coordinator(),
        26,
        body,
        this.#version === 0 ? 3 : 5,
      )
      return { error: errorName(reply.errorCode), answer: reply }
    })
    this.#added = new Set()
    if (this.#version === 2) this.#begin(answer)
  }
}
