/**
 * A transactional producer that a script plays, request by request, so that one of its requests can come late, or after its client is gone.
 *
 * Its requests are those of clients before Kafka 4.0 (partitions are added by AddPartitionsToTxn, all transactions of an instance have one epoch:
 * Produce up to v11, EndTxn up to v4), or the newest that the brokers know: with Produce v12 and EndTxn v5 a partition is added by writing to it,
 * and every transaction has an epoch of its own (transactions version 2).
 *
 * Source: KIP-98, KIP-360, KIP-447, KIP-890.
 */
import { errorName, type ErrorName } from '#broker/protocol/errors.ts'
import { produceRequest, produceResponse } from '#broker/protocol/messages/00-produce.ts'
import { initProducerIdRequest, initProducerIdResponse } from '#broker/protocol/messages/22-init-producer-id.ts'
import {
  addPartitionsToTxnRequest,
  addPartitionsToTxnResponse,
} from '#broker/protocol/messages/24-add-partitions-to-txn.ts'
import { addOffsetsToTxnRequest, addOffsetsToTxnResponse } from '#broker/protocol/messages/25-add-offsets-to-txn.ts'
import { endTxnRequest, endTxnResponse } from '#broker/protocol/messages/26-end-txn.ts'
import { txnOffsetCommitRequest, txnOffsetCommitResponse } from '#broker/protocol/messages/28-txn-offset-commit.ts'
import { buildBatch, type RecordInput } from '#broker/protocol/records/batch-build.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { Offset } from '../../history/operation.ts'
import { finalizedLevel } from '../features.ts'
import { Calls, RefusedError } from './calls.ts'

/** Which clients it speaks like; `newest` is what the brokers allow. */
export type TransactionClients = 'newest' | 'before-4.0'

export interface ProducerPlan {
  readonly transactionalId: string
  readonly clients: TransactionClients
  /** transaction.timeout.ms; default: a minute, as in Kafka's clients. */
  readonly timeoutMs?: number
}

/** As which member of its group a client commits: ConsumerGroupMetadata of Kafka's clients (KIP-447). */
export interface GroupMetadata {
  readonly generation: number
  readonly memberId: string
}

/** A request that was sent and is on its way for long. */
export interface LateRequest {
  /** It arrives, on a connection of its own; again while the broker that it reaches cannot decide it. @returns what it is answered */
  arrive(): Promise<ErrorName>
}

interface Identity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

const produceQuestion = { request: produceRequest, response: produceResponse }
const endQuestion = { request: endTxnRequest, response: endTxnResponse }
const commitQuestion = { request: txnOffsetCommitRequest, response: txnOffsetCommitResponse }
const init = { request: initProducerIdRequest, response: initProducerIdResponse }
const addPartitions = { request: addPartitionsToTxnRequest, response: addPartitionsToTxnResponse, newest: 3 }
const addOffsets = { request: addOffsetsToTxnRequest, response: addOffsetsToTxnResponse }

export const transactionVersion = 'transaction.version'
/** The newest request of each version of transactions. Produce v13 has topic ids. */
const newest = {
  1: { produce: 11, end: 4, commit: 4 },
  2: { produce: 12, end: 5, commit: 5 },
} as const
/** As refusals of it name it. */
export const endTxn = 'EndTxn'
const writeTimeoutMs = 5_000

export class HandProducer {
  readonly transactionalId: string
  readonly #calls: Calls
  readonly #plan: ProducerPlan
  #identity: Identity = { producerId: -1n, producerEpoch: -1 }
  #sequences = new Map<string, number>()
  #added = new Set<string>()
  #version: 1 | 2 | undefined

  constructor(cluster: Cluster, plan: ProducerPlan) {
    this.#calls = new Calls(cluster)
    this.#plan = plan
    this.transactionalId = plan.transactionalId
  }

  get epoch(): number {
    return this.#identity.producerEpoch
  }

  /** 2: every transaction has an epoch of its own. Clients go by the feature level of the cluster, as Kafka's own do. */
  async version(): Promise<1 | 2> {
    this.#version ??= this.#plan.clients === 'newest' && (await this.#canRaiseEpochs()) ? 2 : 1
    return this.#version
  }

  async #canRaiseEpochs(): Promise<boolean> {
    const { produce, end } = newest[2]
    if ((await this.#calls.newestOf(produceRequest.key)) < produce) return false
    if ((await this.#calls.newestOf(endTxnRequest.key)) < end) return false
    return (await finalizedLevel(this.#calls, transactionVersion)) >= 2
  }

  /** Registers the transactional id: ends what an earlier instance left open, and fences that instance. */
  async init(): Promise<void> {
    const { timeoutMs: transactionTimeoutMs = 60_000 } = this.#plan
    const body = { transactionalId: this.transactionalId, transactionTimeoutMs }
    const ask = async () => await this.#calls.ask(await this.coordinator(), init, body)
    this.#begin(await this.#calls.patiently('InitProducerId', ask, ({ errorCode }) => errorCode))
  }

  #begin({ producerId, producerEpoch }: Identity): void {
    this.#identity = { producerId, producerEpoch }
    this.#sequences = new Map()
    this.#added = new Set()
  }

  async coordinator(): Promise<number> {
    return await this.#calls.coordinator('transaction', this.transactionalId)
  }

  /** One batch, part of the open transaction; the first one opens it. @returns the offset of its first record */
  async send(topic: string, partition: number, records: readonly RecordInput[]): Promise<Offset> {
    await this.add(topic, partition)
    const key = `${topic}-${partition}`
    const batch = this.#batch(key, records)
    const what = `Produce to ${key}`
    const [produced] = await this.#calls.patiently(
      what,
      () => this.#produce(this.#calls, topic, partition, batch),
      ([{ errorCode }]) => errorCode,
    )
    this.#sequences.set(key, (this.#sequences.get(key) ?? 0) + records.length)
    return produced.baseOffset
  }

  /** Makes a partition part of the transaction, where writing to it does not. */
  async add(topic: string, partition: number): Promise<void> {
    const key = `${topic}-${partition}`
    if (this.#added.has(key)) return
    if ((await this.version()) === 1) {
      const body = {
        v3AndBelowTransactionalId: this.transactionalId,
        v3AndBelowProducerId: this.#identity.producerId,
        v3AndBelowProducerEpoch: this.#identity.producerEpoch,
        v3AndBelowTopics: [{ name: topic, partitions: [partition] }],
      }
      await this.#calls.patiently(
        'AddPartitionsToTxn',
        async () => await this.#calls.ask(await this.coordinator(), addPartitions, body),
        answer => answer.resultsByTopicV3AndBelow[0]?.resultsByPartition[0]?.partitionErrorCode ?? -1,
      )
    }
    this.#added.add(key)
  }

  /**
   * A batch that is on its way while the client has given it up: the next batch gets its sequence number, as with kafkajs. (Kafka's own clients
   * raise their epoch before they go on, since 2.5.)
   */
  async lateSend(topic: string, partition: number, records: readonly RecordInput[]): Promise<LateRequest> {
    await this.add(topic, partition)
    const batch = this.#batch(`${topic}-${partition}`, records)
    return this.#late(async calls => {
      const [{ errorCode }] = await this.#produce(calls, topic, partition, batch)
      return errorCode
    })
  }

  /** An EndTxn of the transaction that is open now, which arrives when it may not be open any more. */
  lateEnd(committed: boolean): LateRequest {
    const body = { transactionalId: this.transactionalId, ...this.#identity, committed }
    return this.#late(async (calls, coordinator) => (await this.#askEnd(calls, coordinator, body)).errorCode)
  }

  /** How far a group has read, as part of the transaction. */
  async commitOffsets(
    group: string,
    { topic, partition, offset }: { readonly topic: string; readonly partition: number; readonly offset: Offset },
    member?: GroupMetadata,
  ): Promise<void> {
    const { transactionalId } = this
    const producer = { transactionalId, ...this.#identity }
    if ((await this.version()) === 1)
      await this.#calls.patiently(
        'AddOffsetsToTxn',
        async () => await this.#calls.ask(await this.coordinator(), addOffsets, { ...producer, groupId: group }),
        ({ errorCode }) => errorCode,
      )
    const committed = { partitionIndex: partition, committedOffset: offset, committedMetadata: '' }
    const body = {
      ...producer,
      groupId: group,
      topics: [{ name: topic, partitions: [committed] }],
      ...(member && { generationId: member.generation, memberId: member.memberId }),
    }
    const question = { ...commitQuestion, newest: newest[await this.version()].commit }
    await this.#calls.patiently(
      'TxnOffsetCommit',
      async () => await this.#calls.ask(await this.#calls.coordinator('group', group), question, body),
      answer => answer.topics[0]?.partitions[0]?.errorCode ?? -1,
    )
  }

  /** Commits or aborts; resolves when the outcome is certain. Readers see it once the markers are written. */
  async end(committed: boolean): Promise<void> {
    const body = { transactionalId: this.transactionalId, ...this.#identity, committed }
    const answer = await this.#calls.patiently(
      endTxn,
      async () => await this.#askEnd(this.#calls, await this.coordinator(), body),
      ({ errorCode }) => errorCode,
    )
    this.#added = new Set()
    if ((await this.version()) === 2) this.#begin(answer)
  }

  /** EndTxn in one version, once. */
  async endInVersion(committed: boolean, version: number): Promise<ErrorName> {
    const body = { transactionalId: this.transactionalId, ...this.#identity, committed }
    const question = { ...endQuestion, newest: version }
    return errorName((await this.#calls.ask(await this.coordinator(), question, body)).errorCode)
  }

  /** Gives the connections up; a transaction that is open stays open. */
  close(): void {
    this.#calls.close()
  }

  #batch(key: string, records: readonly RecordInput[]): Buffer {
    const baseSequence = this.#sequences.get(key) ?? 0
    return buildBatch(records, { timestamp: Date.now(), ...this.#identity, baseSequence, transactional: true })
  }

  async #produce(calls: Calls, topic: string, partition: number, batch: Buffer) {
    const partitionData = [{ index: partition, records: batch }]
    const body = {
      transactionalId: this.transactionalId,
      acks: -1,
      timeoutMs: writeTimeoutMs,
      topicData: [{ name: topic, partitionData }],
    }
    const question = { ...produceQuestion, newest: newest[await this.version()].produce }
    const { responses } = await calls.ask(await calls.leader(topic, partition), question, body)
    const answer = responses[0]?.partitionResponses[0]
    if (answer === undefined) throw new Error(`the answer to Produce does not name ${topic}-${partition}`)
    return [answer] as const
  }

  async #askEnd(calls: Calls, coordinator: number, body: Identity & { transactionalId: string; committed: boolean }) {
    const question = { ...endQuestion, newest: newest[await this.version()].end }
    return await calls.ask(coordinator, question, body)
  }

  #late(send: (calls: Calls, coordinator: number) => Promise<number>): LateRequest {
    return {
      arrive: async () => {
        const calls = new Calls(this.#calls.cluster)
        try {
          const ask = async () => await send(calls, await this.coordinator())
          return errorName(await calls.patiently('a late request', ask, code => code))
        } catch (error) {
          if (error instanceof RefusedError) return error.code
          throw error
        } finally {
          calls.close()
        }
      },
    }
  }
}
