/**
 * A transactional producer of a few lines, for both versions of the transaction protocol. Source: KIP-98, KIP-360, KIP-890.
 */
import type { Address } from '#broker/environment/environment.ts'
import { errorName } from '#broker/protocol/errors.ts'
import type { ProduceResponse } from '#broker/protocol/messages/00-produce.ts'
import type { InitProducerIdResponse } from '#broker/protocol/messages/22-init-producer-id.ts'
import type { AddPartitionsToTxnResponse } from '#broker/protocol/messages/24-add-partitions-to-txn.ts'
import type { AddOffsetsToTxnResponse } from '#broker/protocol/messages/25-add-offsets-to-txn.ts'
import type { EndTxnResponse } from '#broker/protocol/messages/26-end-txn.ts'
import type { TxnOffsetCommitResponse } from '#broker/protocol/messages/28-txn-offset-commit.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { keyTypes, requestTimeoutMs, type Wire } from './wire.ts'

/** One transactional id. `version` 2 adds partitions by writing to them, and gets a new epoch with every transaction. */
export class TransactionalProducer {
  readonly transactionalId: string
  readonly #wire: Wire
  readonly #version: 0 | 2
  readonly #timeoutMs: number
  #producerId = -1n
  #producerEpoch = -1
  #sequences = new Map<string, number>()
  #added = new Set<string>()

  constructor(wire: Wire, transactionalId: string, version: 0 | 2, timeoutMs = 60_000) {
    this.#timeoutMs = timeoutMs
    this.#wire = wire
    this.transactionalId = transactionalId
    this.#version = version
  }

  get #identity() {
    const { transactionalId } = this
    return { transactionalId, producerId: this.#producerId, producerEpoch: this.#producerEpoch }
  }

  #coordinator(): Promise<Address> {
    return this.#wire.coordinator(this.transactionalId, keyTypes.transaction)
  }

  async init(): Promise<void> {
    const body = { transactionalId: this.transactionalId, transactionTimeoutMs: this.#timeoutMs }
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
      const to = await this.#wire.coordinator(groupId, keyTypes.group)
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
