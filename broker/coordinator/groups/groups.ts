/**
 * The group coordinator of this broker: one shard per partition of `__consumer_offsets` that it leads, and the expiry of what nobody uses.
 */
import type { BrokerConfig } from '../../config/broker-config.ts'
import { resolveGroupConfig } from '../../config/group-config.ts'
import type { MetadataDelta, MetadataImage } from '../../controller/image.ts'
import type { Environment, Timer } from '../../environment/environment.ts'
import type { TopicPartition } from '../../log/log.ts'
import type { VerificationGuard } from '../../log/transaction-verification.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import { coordinatorError } from '../runtime/coordinator-error.ts'
import { CoordinatorDriver, type ReplicasOfCoordinator } from '../runtime/coordinator-driver.ts'
import type { Ticket } from '../runtime/effects.ts'
import type { TransactionMarker } from '../runtime/shard.ts'
import { shareGroupSettings } from '../share-partitions/group-settings.ts'
import { GroupShard, type GroupSummary, type TransactionalCommitRequest } from './group-shard.ts'
import type { ShareSettings } from './share/share-heartbeat.ts'

import { rangeAssignor } from './modern/assignors/range.ts'
import { uniformAssignor } from './modern/assignors/uniform.ts'
import type { ConsumerSettings } from './modern/consumer-heartbeat.ts'
import { TopicPatterns } from './modern/topic-patterns.ts'
import type { StreamsSettings } from './streams/streams-heartbeat.ts'

export const offsetsTopic = '__consumer_offsets'

/**
 * Asks the transaction coordinator whether a partition of the topic belongs to the open transaction of the producer, or adds it (KIP-890).
 * The guard goes along with the append.
 */
export type VerifyTransaction = (
  partition: TopicPartition,
  transaction: { readonly transactionalId: string; readonly producerId: bigint; readonly producerEpoch: number },
  support: 'default-error' | 'generic-error' | 'add-partition',
) => Verified | Promise<Verified>

interface Verified {
  readonly guard?: VerificationGuard
  readonly error?: ErrorName
}

export type TransactionalCommit = Omit<TransactionalCommitRequest, 'producer'> & {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly apiVersion: number
}

const consumerAssignors = [uniformAssignor, rangeAssignor]

export class Groups {
  readonly #environment: Environment
  readonly #config: BrokerConfig
  readonly #liveConfig: () => BrokerConfig
  readonly #driver: CoordinatorDriver<GroupShard>
  readonly #metadata: () => MetadataImage
  readonly #verifyTransaction: VerifyTransaction | undefined
  #expiryTimer: Timer | undefined

  constructor(options: {
    environment: Environment
    config: BrokerConfig
    /** With what was altered at run time. */
    liveConfig: () => BrokerConfig
    replicas: ReplicasOfCoordinator
    metadata: () => MetadataImage
    verifyTransaction?: VerifyTransaction
  }) {
    const { environment, config } = options
    this.#environment = environment
    this.#config = config
    this.#liveConfig = options.liveConfig
    this.#metadata = options.metadata
    this.#verifyTransaction = options.verifyTransaction
    const patterns = new TopicPatterns()
    this.#driver = new CoordinatorDriver<GroupShard>({
      ...options,
      topic: offsetsTopic,
      loadBufferBytes: config['offsets.load.buffer.size'],
      appendTimeoutMs: config['offsets.commit.timeout.ms'],
      newShard: () =>
        new GroupShard({
          limits: {
            initialRebalanceDelayMs: config['group.initial.rebalance.delay.ms'],
            minSessionTimeoutMs: config['group.min.session.timeout.ms'],
            maxSessionTimeoutMs: config['group.max.session.timeout.ms'],
            maxSize: config['group.max.size'],
          },
          image: options.metadata,
          patterns,
          consumerSettings: groupId => this.#consumerSettings(groupId),
          shareSettings: groupId => shareSettings(options.metadata(), config, groupId),
          streamsSettings: groupId => this.#streamsSettings(groupId),
          offsets: {
            metadataMaxBytes: config['offset.metadata.max.bytes'],
            retentionMs: config['offsets.retention.minutes'] * 60_000,
          },
        }),
    })
  }

  /** Group protocols that clients may use: by level of the feature, and by setting. */
  offers(protocol: 'consumer' | 'share' | 'streams'): boolean {
    const feature = protocol === 'consumer' ? 'group.version' : (`${protocol}.version` as const)
    const isOn = this.#metadata().feature(feature) >= 1
    return isOn && (protocol === 'share' || this.#config['group.coordinator.rebalance.protocols'].includes(protocol))
  }

  /** Of consumer groups; the first one is the default. */
  assignorNames(): readonly string[] {
    return this.#config['group.consumer.assignors']
  }

  #consumerSettings(groupId: string): ConsumerSettings {
    const config = this.#config
    const group = resolveGroupConfig(this.#metadata().config('group', groupId), this.#liveConfig())
    return {
      sessionTimeoutMs: group['consumer.session.timeout.ms'],
      heartbeatIntervalMs: group['consumer.heartbeat.interval.ms'],
      assignmentIntervalMs: group['consumer.assignment.interval.ms'],
      regexRefreshIntervalMs: config['group.consumer.regex.refresh.interval.ms'],
      maxSize: config['group.consumer.max.size'],
      migrationPolicy: config['group.consumer.migration.policy'],
      minSessionTimeoutMs: config['group.min.session.timeout.ms'],
      maxSessionTimeoutMs: config['group.max.session.timeout.ms'],
      classicMaxSize: config['group.max.size'],
      assignors: this.assignorNames().flatMap(name => consumerAssignors.find(each => each.name === name) ?? []),
    }
  }

  #streamsSettings(groupId: string): StreamsSettings {
    const group = resolveGroupConfig(this.#metadata().config('group', groupId), this.#liveConfig())
    return {
      sessionTimeoutMs: group['streams.session.timeout.ms'],
      heartbeatIntervalMs: group['streams.heartbeat.interval.ms'],
      assignmentIntervalMs: group['streams.assignment.interval.ms'],
      initialRebalanceDelayMs: group['streams.initial.rebalance.delay.ms'],
      standbyReplicas: group['streams.num.standby.replicas'],
      maxSize: this.#config['group.streams.max.size'],
    }
  }

  start(): void {
    this.#driver.start()
    this.#scheduleExpiry()
  }

  stop(): void {
    this.#expiryTimer?.cancel()
    this.#driver.stop()
  }

  /** The partition that a group belongs to; undefined while the topic does not exist. */
  partitionFor(groupId: string): number | undefined {
    return this.#driver.partitionFor(groupId)
  }

  /** One step of the shard that owns the group, answered through the ticket that `step` passes on. */
  ask<Answer>(
    groupId: string,
    refuse: (error: ErrorName) => Answer,
    step: (shard: GroupShard, ticket: Ticket<Answer>, nowMs: number) => void,
  ): Promise<Answer> {
    if (groupId === '') return Promise.resolve(refuse('INVALID_GROUP_ID'))
    return this.#driver.ask(groupId, refuse, step)
  }

  /** The same for questions that need no records. */
  read<Answer>(
    groupId: string,
    refuse: (error: ErrorName) => Answer,
    step: (shard: GroupShard, nowMs: number) => Answer,
  ): Answer {
    return groupId === '' ? refuse('INVALID_GROUP_ID') : this.#driver.read(groupId, refuse, step)
  }

  /** Groups of all shards; a shard that is still loading makes the list incomplete, which the caller must say. */
  list(): { readonly groups: readonly GroupSummary[]; readonly loading: boolean } {
    const groups: GroupSummary[] = []
    const { loading } = this.#driver.each(shard => void groups.push(...shard.list()))
    return { groups, loading }
  }

  /** TxnOffsetCommit: first the transaction coordinator is asked, then the group; one error per entry, in order. */
  async commitTransactional(request: TransactionalCommit): Promise<readonly ErrorName[]> {
    const { groupId, transactionalId, producerId, producerEpoch, apiVersion, entries } = request
    const refuse = (error: ErrorName): ErrorName[] => entries.map(() => error)
    if (groupId === '') return refuse('INVALID_GROUP_ID')
    const partition = this.#driver.partitionFor(groupId)
    if (partition === undefined) return refuse('COORDINATOR_NOT_AVAILABLE')
    const producer = { producerId, producerEpoch }
    const verified = await this.#verifyTransaction?.(
      { topic: offsetsTopic, partition },
      { transactionalId, ...producer },
      apiVersion > 4 ? 'add-partition' : apiVersion > 3 ? 'generic-error' : 'default-error',
    )
    if (verified?.error !== undefined) return refuse(verificationError(verified.error))
    return this.#driver.askPartition<readonly ErrorName[]>(partition, refuse, (shard, ticket) =>
      shard.commitTransactional({ ...request, producer: { ...producer, verification: verified?.guard } }, ticket),
    )
  }

  /** A transaction that committed offsets in this partition of the topic ended: WriteTxnMarkers. */
  completeTransaction(partition: number, marker: TransactionMarker): Promise<ErrorName> {
    return this.#driver.completeTransaction(partition, marker)
  }

  metadataApplied({ deletedTopics, changedTopics, image }: MetadataDelta): void {
    const deleted = [...deletedTopics.values()].map(({ name }) => name)
    const changed = [...changedTopics.keys()].flatMap(id => image.topicsById.get(id)?.name ?? [])
    if (deleted.length + changed.length > 0) this.#driver.each(shard => shard.topicsChanged([...deleted, ...changed]))
    const gone = new Set(deleted)
    if (gone.size === 0) return
    const goneIds = new Set(deletedTopics.keys())
    this.#driver.each((shard, nowMs) => {
      shard.topicsDeleted(gone)
      shard.shares.topicsDeleted(goneIds, nowMs)
    })
  }

  #scheduleExpiry(): void {
    this.#expiryTimer = this.#environment.timers.after(this.#config['offsets.retention.check.interval.ms'], () => {
      this.#driver.each(shard => shard.expireOffsets())
      this.#scheduleExpiry()
    })
  }
}

/** Clients that know no NETWORK_EXCEPTION here retry this without looking for another coordinator, as Kafka has it. */
function verificationError(error: ErrorName): ErrorName {
  return error === 'NETWORK_EXCEPTION' ? 'COORDINATOR_LOAD_IN_PROGRESS' : coordinatorError(error)
}

function shareSettings(image: MetadataImage, config: BrokerConfig, groupId: string): ShareSettings {
  const { sessionTimeoutMs, heartbeatIntervalMs } = shareGroupSettings(image, config, groupId)
  return {
    sessionTimeoutMs,
    heartbeatIntervalMs,
    maxSize: config['group.share.max.size'],
    initializeRetryIntervalMs: config['group.share.initialize.retry.interval.ms'],
  }
}
