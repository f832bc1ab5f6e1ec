/**
 * A producer whose batches are sent word for word, to see what a broker knows of its sequences: a batch that is sent again is answered with the
 * offset it has and not stored again, one that leaves a gap is refused, the next one is taken.
 */
import { errorName, type ErrorName } from '#broker/protocol/errors.ts'
import type { InitProducerIdResponse } from '#broker/protocol/messages/22-init-producer-id.ts'
import type { MetadataResponse } from '#broker/protocol/messages/03-metadata.ts'
import type { ProduceResponse } from '#broker/protocol/messages/00-produce.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { eventually } from '../harness.ts'
import { RawClient } from '../raw-client.ts'

const apis = { produce: 0, metadata: 3, initProducerId: 22 } as const
/** The last version with names of topics. */
const produceVersion = 12
const recordsPerBatch = 10
const moves: ReadonlySet<ErrorName> = new Set<ErrorName>(['NOT_LEADER_OR_FOLLOWER', 'UNKNOWN_TOPIC_OR_PARTITION'])

export class RepeatedBatch {
  readonly #ports: readonly number[]
  readonly #topic: string
  #producer: { readonly id: bigint; readonly epoch: number } | undefined
  #sent = 0
  /** The same whenever a batch is sent, and not so old that a broker would have forgotten the producer. */
  readonly #startedMs = Date.now()
  /** Every id that was handed out. */
  readonly #ids: bigint[] = []

  constructor(ports: readonly number[], topic: string) {
    this.#ports = ports
    this.#topic = topic
  }

  /** A new producer id, which nobody had before; the first is the one that writes. */
  async newProducer(): Promise<void> {
    const client = this.#connect()
    try {
      const answer = await eventually('a producer id', async () => {
        const response = await client.send<InitProducerIdResponse>(apis.initProducerId, {
          transactionalId: null,
          transactionTimeoutMs: 60_000,
        })
        return response.errorCode === 0 ? response : undefined
      })
      const latest = this.#ids.at(-1)
      if (latest !== undefined && answer.producerId <= latest)
        throw new Error(`producer id ${answer.producerId} after ${latest}: it may have been given before`)
      this.#ids.push(answer.producerId)
      this.#producer ??= { id: answer.producerId, epoch: answer.producerEpoch }
    } finally {
      client.close()
    }
  }

  /** The next batch. */
  async next(): Promise<void> {
    const answer = await this.#send(this.#sent)
    this.#expect(answer, { error: 'NONE', baseOffset: this.#sent })
    this.#sent += recordsPerBatch
  }

  /** The last batch once more, and one that comes too early. */
  async repeat(): Promise<void> {
    const last = this.#sent - recordsPerBatch
    this.#expect(await this.#send(last), { error: 'NONE', baseOffset: last })
    const early = await this.#send(this.#sent + recordsPerBatch)
    this.#expect(early, { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER', baseOffset: -1 })
  }

  #expect(got: { error: ErrorName; baseOffset: number }, wanted: { error: ErrorName; baseOffset: number }): void {
    if (got.error !== wanted.error || got.baseOffset !== wanted.baseOffset)
      throw new Error(`expected ${JSON.stringify(wanted)}, got ${JSON.stringify(got)}`)
  }

  #connect(port = this.#ports[0]): RawClient {
    if (port === undefined) throw new Error('no port')
    return new RawClient(port, 'repeated-batch')
  }

  async #send(sequence: number): Promise<{ error: ErrorName; baseOffset: number }> {
    const producer = this.#producer
    if (producer === undefined) throw new Error('newProducer comes first')
    const records = Array.from({ length: recordsPerBatch }, (_, index) => ({
      timestamp: this.#startedMs + sequence + index,
      key: null,
      value: `record ${sequence + index}`,
    }))
    const batch = buildBatch(records, {
      producerId: producer.id,
      producerEpoch: producer.epoch,
      baseSequence: sequence,
    })
    const body = {
      transactionalId: null,
      acks: -1,
      timeoutMs: 30_000,
      topicData: [{ name: this.#topic, partitionData: [{ index: 0, records: batch }] }],
    }
    return eventually('an answer of the leader', async () => {
      const client = this.#connect(await this.#leaderPort())
      try {
        const { responses } = await client.send<ProduceResponse>(apis.produce, body, produceVersion)
        const answer = responses[0]?.partitionResponses[0]
        if (answer === undefined) throw new Error('a response without the partition')
        const error = errorName(answer.errorCode)
        return moves.has(error) ? undefined : { error, baseOffset: answer.baseOffset }
      } finally {
        client.close()
      }
    })
  }

  async #leaderPort(): Promise<number> {
    const client = this.#connect()
    try {
      return await eventually(`a leader of ${this.#topic}`, async () => {
        const { brokers, topics } = await client.send<MetadataResponse>(
          apis.metadata,
          { topics: [{ topicId: undefined, name: this.#topic }], allowAutoTopicCreation: false },
          9,
        )
        const leader = topics[0]?.partitions[0]?.leaderId
        return brokers.find(({ nodeId }) => nodeId === leader)?.port
      })
    } finally {
      client.close()
    }
  }
}
