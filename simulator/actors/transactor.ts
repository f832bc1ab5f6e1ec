/**
 * A transactional producer as the transactions actor sees it: kafkajs, or our own in either version of the protocol. `begin` fences every
 * earlier one of the same transactional id.
 */
import type { Producer, Transaction } from 'kafkajs'
import { clientTimes, kafkaClient } from '#scripts/workload/kafkajs-client.ts'
import { within, type Stage } from './actor.ts'
import { TransactionalProducer } from './transactional-producer.ts'
import type { Wire } from './wire.ts'

export const clientKinds = ['kafkajs', 'v0', 'v2'] as const
export type ClientKind = (typeof clientKinds)[number]

export interface Transactor {
  /** Registers the transactional id: from now on no earlier producer of it can commit. */
  begin(): Promise<void>
  send(topic: string, partition: number, value: string): Promise<void>
  sendOffset(group: string, topic: string, offset: number): Promise<void>
  end(committed: boolean): Promise<void>
  /** Gives the connections up; an open transaction stays open. */
  leave(): Promise<void>
}

export interface TransactorOptions {
  readonly stage: Stage
  readonly wire: Wire
  readonly transactionalId: string
  readonly kind: ClientKind
  readonly timeoutMs: number
}

export function makeTransactor({ stage, wire, transactionalId, kind, timeoutMs }: TransactorOptions): Transactor {
  if (kind === 'kafkajs') return new KafkajsTransactor(stage, transactionalId, timeoutMs)
  const producer = new TransactionalProducer(wire, transactionalId, kind === 'v0' ? 0 : 2, timeoutMs)
  return {
    begin: () => producer.init(),
    send: (topic, partition, value) => producer.send(topic, partition, value),
    sendOffset: (group, topic, offset) => producer.sendOffset(group, topic, 0, offset),
    end: committed => producer.end(committed),
    leave: () => Promise.resolve(),
  }
}

/** kafkajs may repeat for long, and must not be waited for for ever. */
const callMs = 60_000
const goodbyeMs = 1_000

class KafkajsTransactor implements Transactor {
  readonly #stage: Stage
  readonly #producer: Producer
  #transaction: Transaction | undefined

  constructor(stage: Stage, transactionalId: string, transactionTimeout: number) {
    this.#stage = stage
    this.#producer = kafkaClient(stage.cluster, transactionalId).producer({
      transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout,
      allowAutoTopicCreation: false,
      metadataMaxAge: 2_000,
      retry: { ...clientTimes.retry, retries: 40 },
    })
  }

  /** kafkajs registers its id with its first transaction, not when it connects. */
  async begin(): Promise<void> {
    await this.#call('connect', this.#producer.connect())
    await this.#open()
  }

  async send(topic: string, partition: number, value: string): Promise<void> {
    // One partition per send: what kafkajs makes of a send to several, some of which fail, is its own affair.
    const transaction = await this.#open()
    await this.#call('send', transaction.send({ topic, messages: [{ partition, value }], acks: -1 }))
  }

  async sendOffset(group: string, topic: string, offset: number): Promise<void> {
    const topics = [{ topic, partitions: [{ partition: 0, offset: String(offset) }] }]
    const transaction = await this.#open()
    await this.#call('sendOffsets', transaction.sendOffsets({ consumerGroupId: group, topics }))
  }

  async end(committed: boolean): Promise<void> {
    const transaction = await this.#open()
    this.#transaction = undefined
    await this.#call('end', committed ? transaction.commit() : transaction.abort())
  }

  async leave(): Promise<void> {
    try {
      await within(this.#stage.world, goodbyeMs, 'disconnect', this.#producer.disconnect())
    } catch (error) {
      this.#stage.world.trace.add('actor', 'debug', 'a producer left without a goodbye', { error: String(error) })
    }
  }

  async #open(): Promise<Transaction> {
    this.#transaction ??= await this.#call('transaction', this.#producer.transaction())
    return this.#transaction
  }

  #call<T>(what: string, work: Promise<T>): Promise<T> {
    return within(this.#stage.world, callMs, what, work)
  }
}
