/**
 * Asks transaction coordinators whether partitions belong to a transaction, or has them added (AddPartitionsToTxn v4+, KIP-890). One
 * request per coordinator at a time; what is asked meanwhile goes into the next one together.
 *
 *   a question about a transactional id that waits already        what happens
 *   higher epoch                                                  the waiting one is fenced: INVALID_PRODUCER_EPOCH
 *   same epoch                                                    the waiting one was given up by its client: NETWORK_EXCEPTION
 *   lower epoch                                                   the new one is fenced: INVALID_PRODUCER_EPOCH
 *
 * Source: KIP-890 (AddPartitionsToTxnManager).
 */
import type { MetadataImage } from '../../controller/image.ts'
import type { Address, Environment } from '../../environment/environment.ts'
import type { TopicPartition } from '../../log/log.ts'
import type { RequestClient } from '../../net/client.ts'
import { errorName, type ErrorName } from '../../protocol/errors.ts'
import type { AddPartitionsToTxnResponse } from '../../protocol/messages/24-add-partitions-to-txn.ts'
import type {
  ProducersTransaction,
  TransactionSupport,
  TransactionVerifier,
} from '../../replication/transaction-verifier.ts'
import { partitionOf } from '../runtime/java-hash.ts'

export interface VerifierParts {
  readonly environment: Pick<Environment, 'log'>
  readonly client: RequestClient
  readonly interBrokerListener: string
  readonly requestTimeoutMs: number
  metadata(): MetadataImage
}

type Answers = readonly (ErrorName | 'NONE')[]

interface Question {
  readonly transaction: ProducersTransaction
  readonly partitions: readonly TopicPartition[]
  readonly support: TransactionSupport
  readonly answer: (answers: Answers) => void
}

interface Coordinator {
  isBusy: boolean
  address: Address
  /** By transactional id. */
  waiting: Map<string, Question>
}

const addPartitionsToTxnKey = 24
const transactionTopic = '__transaction_state'

export class CoordinatorVerifier implements TransactionVerifier {
  private readonly parts: VerifierParts
  private readonly coordinators = new Map<number, Coordinator>()

  constructor(parts: VerifierParts) {
    this.parts = parts
  }

  verify(
    transaction: ProducersTransaction,
    partitions: readonly TopicPartition[],
    support: TransactionSupport,
  ): Promise<Answers> {
    return new Promise(resolve => {
      const question: Question = { transaction, partitions, support, answer: resolve }
      const found = this.coordinatorOf(transaction.transactionalId)
      if (found === undefined) refuse(question, 'COORDINATOR_NOT_AVAILABLE')
      else this.enqueue(found.id, found.address, question)
    })
  }

  /** The leader of the transaction's partition, where it can be reached. */
  private coordinatorOf(transactionalId: string): { readonly id: number; readonly address: Address } | undefined {
    const image = this.parts.metadata()
    const topic = image.topicsByName.get(transactionTopic)
    if (topic === undefined || topic.partitions.size === 0) return undefined
    const leader = topic.partitions.get(partitionOf(transactionalId, topic.partitions.size))?.leader ?? -1
    const broker = image.brokers.get(leader)
    const endpoint = broker?.endpoints.find(({ name }) => name === this.parts.interBrokerListener)
    if (broker === undefined || broker.fenced || endpoint === undefined) return undefined
    return { id: leader, address: { host: endpoint.host, port: endpoint.port } }
  }

  private enqueue(id: number, address: Address, question: Question): void {
    let coordinator = this.coordinators.get(id)
    if (coordinator === undefined) {
      coordinator = { isBusy: false, address, waiting: new Map() }
      this.coordinators.set(id, coordinator)
    }
    coordinator.address = address
    const { transactionalId, producerEpoch } = question.transaction
    const earlier = coordinator.waiting.get(transactionalId)
    if (earlier !== undefined) {
      if (earlier.transaction.producerEpoch > producerEpoch) return refuse(question, 'INVALID_PRODUCER_EPOCH')
      const isFenced = earlier.transaction.producerEpoch < producerEpoch
      refuse(earlier, isFenced ? 'INVALID_PRODUCER_EPOCH' : 'NETWORK_EXCEPTION')
    }
    coordinator.waiting.set(transactionalId, question)
    if (!coordinator.isBusy) void this.ask(id, coordinator)
  }

  private async ask(id: number, coordinator: Coordinator): Promise<void> {
    coordinator.isBusy = true
    while (coordinator.waiting.size > 0) {
      const questions = [...coordinator.waiting.values()]
      coordinator.waiting = new Map()
      await this.send(id, coordinator.address, questions)
    }
    coordinator.isBusy = false
  }

  private async send(id: number, address: Address, questions: readonly Question[]): Promise<void> {
    const { client, requestTimeoutMs, environment } = this.parts
    const body = { transactions: questions.map(requestOf) }
    try {
      const sent = client.send<AddPartitionsToTxnResponse>(address, addPartitionsToTxnKey, body, {
        timeoutMs: requestTimeoutMs,
      })
      const { response } = await sent
      for (const question of questions) answerFrom(response, question)
    } catch (error) {
      environment.log.warn('a transaction coordinator did not answer', { coordinator: id, reason: String(error) })
      for (const question of questions) refuse(question, 'NETWORK_EXCEPTION')
    }
  }
}

function refuse(question: Question, error: ErrorName): void {
  question.answer(question.partitions.map(() => error))
}

function requestOf({ transaction, partitions, support }: Question) {
  const byTopic = new Map<string, number[]>()
  for (const { topic, partition } of partitions) {
    const known = byTopic.get(topic)
    if (known === undefined) byTopic.set(topic, [partition])
    else known.push(partition)
  }
  return {
    ...transaction,
    verifyOnly: support !== 'add-partition',
    topics: [...byTopic].map(([name, indexes]) => ({ name, partitions: indexes })),
  }
}

function answerFrom(response: AddPartitionsToTxnResponse, question: Question): void {
  const whole = errorName(response.errorCode)
  // Not the client's doing, and nothing it may know of.
  if (whole === 'CLUSTER_AUTHORIZATION_FAILED') return refuse(question, 'INVALID_TXN_STATE')
  if (whole !== 'NONE') return refuse(question, whole)
  const { transactionalId } = question.transaction
  const result = response.resultsByTransaction.find(each => each.transactionalId === transactionalId)
  const answers = question.partitions.map(({ topic, partition }) => {
    const found = result?.topicResults
      .find(({ name }) => name === topic)
      ?.resultsByPartition.find(({ partitionIndex }) => partitionIndex === partition)
    return found === undefined ? 'UNKNOWN_SERVER_ERROR' : told(errorName(found.partitionErrorCode), question.support)
  })
  question.answer(answers)
}

/** Producers expect these names here. */
function told(error: ErrorName, support: TransactionSupport): ErrorName {
  if (error === 'PRODUCER_FENCED') return 'INVALID_PRODUCER_EPOCH'
  return error === 'TRANSACTION_ABORTABLE' && support === 'default-error' ? 'INVALID_TXN_STATE' : error
}
