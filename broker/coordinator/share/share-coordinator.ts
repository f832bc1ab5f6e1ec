/**
 * The share coordinator of this broker: one shard per partition of `__share_group_state` that it leads. It keeps the delivery states of share
 * partitions for their leaders and for the groups. Source: KIP-932.
 */
import type { BrokerConfig } from '../../config/broker-config.ts'
import type { MetadataImage } from '../../controller/image.ts'
import type { Environment, Timer } from '../../environment/environment.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import { CoordinatorDriver, type ReplicasOfCoordinator } from '../runtime/coordinator-driver.ts'
import type { Ticket } from '../runtime/effects.ts'
import { coordinatorKey, type ShareKey } from './share-records.ts'
import { ShareShard, type Refused, type ShareState, type ShareStateUpdate, type ShareSummary } from './share-shard.ts'

export const shareStateTopic = '__share_group_state'

export class ShareCoordinator {
  readonly #environment: Environment
  readonly #config: BrokerConfig
  readonly #driver: CoordinatorDriver<ShareShard>
  #timer: Timer | undefined

  constructor(options: {
    environment: Environment
    config: BrokerConfig
    replicas: ReplicasOfCoordinator
    metadata: () => MetadataImage
  }) {
    const { environment, config, metadata } = options
    this.#environment = environment
    this.#config = config
    this.#driver = new CoordinatorDriver<ShareShard>({
      ...options,
      topic: shareStateTopic,
      loadBufferBytes: config['share.coordinator.load.buffer.size'],
      appendTimeoutMs: config['share.coordinator.write.timeout.ms'],
      newShard: () =>
        new ShareShard({
          updatesPerSnapshot: config['share.coordinator.snapshot.update.records.per.snapshot'],
          coldSnapshotIntervalMs: config['share.coordinator.cold.partition.snapshot.interval.ms'],
          hasPartition: (topicId, partition) => metadata().topicsById.get(topicId)?.partitions.has(partition) === true,
        }),
    })
  }

  start(): void {
    this.#driver.start()
    this.#scheduleSnapshots()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#driver.stop()
  }

  /** The partition of the topic that a key belongs to; undefined while the topic does not exist. */
  partitionFor(key: string): number | undefined {
    return this.#driver.partitionFor(key)
  }

  initialize(key: ShareKey, state: { stateEpoch: number; startOffset: number }): Promise<Refused> {
    return this.#ask(key, (shard, ticket: Ticket<Refused>) => shard.initialize(key, state, ticket))
  }

  read(key: ShareKey, leaderEpoch: number): Promise<Refused | ShareState> {
    return this.#ask(key, (shard, ticket: Ticket<Refused | ShareState>) => shard.read(key, leaderEpoch, ticket))
  }

  write(key: ShareKey, update: ShareStateUpdate): Promise<Refused> {
    return this.#ask(key, (shard, ticket: Ticket<Refused>) => shard.write(key, update, ticket))
  }

  remove(key: ShareKey): Promise<Refused> {
    return this.#ask(key, (shard, ticket: Ticket<Refused>) => shard.remove(key, ticket))
  }

  summary(key: ShareKey): Refused | ShareSummary {
    const refuse = (error: ErrorName): Refused | ShareSummary => ({ error })
    return this.#driver.read(coordinatorKey(key), refuse, shard => shard.summary(key))
  }

  topicsDeleted(topicIds: Iterable<string>): void {
    const gone = new Set(topicIds)
    this.#driver.each(shard => shard.topicsDeleted(gone))
  }

  #ask<Answer>(
    key: ShareKey,
    step: (shard: ShareShard, ticket: Ticket<Answer | Refused>) => void,
  ): Promise<Answer | Refused> {
    return this.#driver.ask<Answer | Refused>(coordinatorKey(key), error => ({ error }), step)
  }

  #scheduleSnapshots(): void {
    const everyMs = this.#config['share.coordinator.cold.partition.snapshot.interval.ms']
    this.#timer = this.#environment.timers.after(everyMs, () => {
      this.#driver.each(shard => shard.snapshotCold())
      this.#scheduleSnapshots()
    })
  }
}
