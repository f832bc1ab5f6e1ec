/**
 * The transaction coordinator of this broker: one shard per partition of `__transaction_state` that it leads, the markers they send, and the
 * search for transactions that are open for too long and for ids that nobody uses.
 */
import type { BrokerConfig } from '../../config/broker-config.ts'
import type { MetadataImage } from '../../controller/image.ts'
import type { Environment, Timer } from '../../environment/environment.ts'
import type { RequestClient } from '../../net/client.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import { CoordinatorDriver, type ReplicasOfCoordinator } from '../runtime/coordinator-driver.ts'
import type { Ticket } from '../runtime/effects.ts'
import { MarkerSender } from './marker-sender.ts'
import type { TransactionDescription } from './requests.ts'
import { TransactionShard, type TransactionExtra } from './transaction-shard.ts'

export const transactionTopic = '__transaction_state'

/** `config` names the settings; those of the topic itself are with whoever creates it. */
export interface TransactionsOptions {
  readonly environment: Environment
  readonly config: BrokerConfig
  readonly replicas: ReplicasOfCoordinator
  readonly metadata: () => MetadataImage
  /** For markers alone: a reply waits until they are replicated. */
  readonly client: RequestClient
  readonly interBrokerListener: string
  readonly producerIds: { next(): Promise<bigint | undefined> }
}

export class Transactions {
  readonly #options: TransactionsOptions
  readonly #driver: CoordinatorDriver<TransactionShard, TransactionExtra>
  readonly #markers: MarkerSender
  readonly #timers: (Timer | undefined)[] = []

  constructor(options: TransactionsOptions) {
    const { config, metadata } = options
    this.#options = options
    this.#markers = new MarkerSender({ ...options, requestTimeoutMs: config['request.timeout.ms'] })
    this.#driver = new CoordinatorDriver<TransactionShard, TransactionExtra>({
      environment: options.environment,
      replicas: options.replicas,
      metadata,
      topic: transactionTopic,
      loadBufferBytes: config['transaction.state.log.load.buffer.size'],
      appendTimeoutMs: config['request.timeout.ms'],
      newShard: (_partition, coordinatorEpoch) =>
        new TransactionShard({
          limits: {
            maxTimeoutMs: config['transaction.max.timeout.ms'],
            idExpirationMs: config['transactional.id.expiration.ms'],
            twoPhaseCommitEnabled: config['transaction.two.phase.commit.enable'],
          },
          coordinatorEpoch,
          transactionVersion: () => metadata().feature('transaction.version'),
        }),
      perform: (extra, at) => this.#perform(extra, at),
    })
  }

  start(): void {
    const { config } = this.#options
    this.#driver.start()
    this.#repeat(config['transaction.abort.timed.out.transaction.cleanup.interval.ms'], shard => shard.abortTimedOut())
    this.#repeat(config['transaction.remove.expired.transaction.cleanup.interval.ms'], shard => shard.expireIds())
  }

  stop(): void {
    for (const timer of this.#timers) timer?.cancel()
    this.#markers.stop()
    this.#driver.stop()
  }

  /** The partition that a transactional id belongs to; undefined while the topic does not exist. */
  partitionFor(transactionalId: string): number | undefined {
    return this.#driver.partitionFor(transactionalId)
  }

  /** One step of the shard that owns the transactional id, answered through the ticket that `step` passes on. */
  ask<Answer>(
    transactionalId: string,
    refuse: (error: ErrorName) => Answer,
    step: (shard: TransactionShard, ticket: Ticket<Answer>) => void,
  ): Promise<Answer> {
    return this.#driver.ask(transactionalId, error => refuse(told(error)), step)
  }

  /** The same for questions that need no records. */
  read<Answer>(
    transactionalId: string,
    refuse: (error: ErrorName) => Answer,
    step: (shard: TransactionShard) => Answer,
  ): Answer {
    return this.#driver.read(transactionalId, error => refuse(told(error)), step)
  }

  /** Transactional ids of all shards; a shard that is still loading makes the list incomplete, which the caller must say. */
  list(): { readonly transactions: readonly TransactionDescription[]; readonly loading: boolean } {
    const transactions: TransactionDescription[] = []
    const { loading } = this.#driver.each(shard => void transactions.push(...shard.list()))
    return { transactions, loading }
  }

  #perform(extra: TransactionExtra, at: { readonly partition: number; readonly leaderEpoch: number }): void {
    // The shard of `at` is found again: the broker may have lost the partition meanwhile, or lead it in another epoch.
    const { partition, leaderEpoch } = at
    const here = { partition, leaderEpoch }
    if (extra.kind === 'writeMarkers') {
      this.#markers.send(extra.request, (request, answers) =>
        this.#driver.resume(here, shard => shard.markersAnswered(request, answers)),
      )
      return
    }
    const { producerIds, environment } = this.#options
    producerIds.next().then(
      id => this.#driver.resume(here, () => extra.then(id)),
      (error: unknown) => environment.halt(`a producer id was neither given nor refused: ${String(error)}`),
    )
  }

  #repeat(everyMs: number, step: (shard: TransactionShard) => void): void {
    const index = this.#timers.length
    const next = (): Timer =>
      this.#options.environment.timers.after(everyMs, () => {
        this.#driver.each(step)
        this.#timers[index] = next()
      })
    this.#timers.push(next())
  }
}

/** Without the topic nobody coordinates: a client that came here is to look for the coordinator, which creates it. */
function told(error: ErrorName): ErrorName {
  return error === 'COORDINATOR_NOT_AVAILABLE' ? 'NOT_COORDINATOR' : error
}
