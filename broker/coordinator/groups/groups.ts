/**
 * The group coordinator of this broker, the driver: loads a shard when this broker begins to lead its partition of `__consumer_offsets`,
 * feeds requests and time to it, appends the records it asks for, and lets it go on once they are committed. Decides nothing itself.
 */
import type { BrokerConfig } from '../../config/broker-config.ts'
import { DiskError, type Environment, type Timer } from '../../environment/environment.ts'
import type { MetadataImage } from '../../controller/image.ts'
import type { PartitionLog, TopicPartition } from '../../log/log.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import { buildBatch } from '../../protocol/records/batch-build.ts'
import { allRecords } from '../../protocol/records/batch-read.ts'
import type { LeadershipListener, Replicas } from '../../replication/replication.ts'
import { partitionOf } from '../java-hash.ts'
import type { Effect, GroupRecord, Ticket } from './effects.ts'
import { GroupShard, type GroupSummary } from './group-shard.ts'

export const offsetsTopic = '__consumer_offsets'

interface Loaded {
  readonly partition: number
  readonly leaderEpoch: number
  readonly shard: GroupShard
  active: boolean
  timer: Timer | undefined
  timerMs: number
}

type ReplicasOfCoordinator = Pick<Replicas, 'appendForCoordinator' | 'log' | 'watchTopic'>

export class Groups implements LeadershipListener {
  readonly #environment: Environment
  readonly #config: BrokerConfig
  readonly #replicas: ReplicasOfCoordinator
  readonly #metadata: () => MetadataImage
  readonly #shards = new Map<number, Loaded>()
  #expiryTimer: Timer | undefined

  constructor(options: {
    environment: Environment
    config: BrokerConfig
    replicas: ReplicasOfCoordinator
    metadata: () => MetadataImage
  }) {
    this.#environment = options.environment
    this.#config = options.config
    this.#replicas = options.replicas
    this.#metadata = options.metadata
  }

  start(): void {
    this.#replicas.watchTopic(offsetsTopic, this)
    this.#scheduleExpiry()
  }

  stop(): void {
    this.#expiryTimer?.cancel()
    for (const partition of [...this.#shards.keys()]) this.#unload(partition)
  }

  /** The partition that a group belongs to; undefined while the topic does not exist. */
  partitionFor(groupId: string): number | undefined {
    const count = this.#metadata().topicsByName.get(offsetsTopic)?.partitions.size
    return count === undefined || count === 0 ? undefined : partitionOf(groupId, count)
  }

  // ------------------------------------------------------------------------------------------------------ steps

  /** One step of the shard that owns the group, answered through the ticket that `step` passes on. */
  ask<Answer>(
    groupId: string,
    refuse: (error: ErrorName) => Answer,
    step: (shard: GroupShard, ticket: Ticket<Answer>, nowMs: number) => void,
  ): Promise<Answer> {
    const loaded = this.#owner(groupId)
    if (typeof loaded === 'string') return Promise.resolve(refuse(loaded))
    return new Promise(resolve => this.#step(loaded, (shard, nowMs) => step(shard, { resolve }, nowMs)))
  }

  /** The same for questions that need no records. */
  read<Answer>(
    groupId: string,
    refuse: (error: ErrorName) => Answer,
    step: (shard: GroupShard, nowMs: number) => Answer,
  ): Answer {
    const loaded = this.#owner(groupId)
    if (typeof loaded === 'string') return refuse(loaded)
    let answer: { value: Answer } | undefined
    this.#step(loaded, (shard, nowMs) => {
      answer = { value: step(shard, nowMs) }
    })
    if (answer === undefined) throw new Error('a step of the group shard did not run')
    return answer.value
  }

  /** Groups of all shards; a shard that is still loading makes the list incomplete, which the caller must say. */
  list(): { readonly groups: readonly GroupSummary[]; readonly loading: boolean } {
    const shards = [...this.#shards.values()]
    return {
      groups: shards.filter(({ active }) => active).flatMap(({ shard }) => shard.list()),
      loading: shards.some(({ active }) => !active),
    }
  }

  #owner(groupId: string): Loaded | ErrorName {
    if (groupId === '') return 'INVALID_GROUP_ID'
    const partition = this.partitionFor(groupId)
    if (partition === undefined) return 'COORDINATOR_NOT_AVAILABLE'
    const loaded = this.#shards.get(partition)
    if (loaded === undefined) return 'NOT_COORDINATOR'
    return loaded.active ? loaded : 'COORDINATOR_LOAD_IN_PROGRESS'
  }

  #step(loaded: Loaded, run: (shard: GroupShard, nowMs: number) => void): void {
    const { clock } = this.#environment
    loaded.shard.at(clock.wallMs())
    run(loaded.shard, clock.monotonicMs())
    this.#perform(loaded, loaded.shard.takeEffects())
    this.#arm(loaded)
  }

  #perform(loaded: Loaded, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'reply') effect.send()
      else this.#persist(loaded, effect.records, effect.then)
    }
  }

  #persist(loaded: Loaded, records: readonly GroupRecord[], then: (outcome: ErrorName, nowMs: number) => void): void {
    const finish = (outcome: ErrorName): void => {
      // A shard that was unloaded meanwhile still owes its clients an answer.
      const current = this.#shards.get(loaded.partition) === loaded
      this.#step(loaded, (_shard, nowMs) => then(current ? outcome : 'NOT_COORDINATOR', nowMs))
    }
    const batch = buildBatch(records, { timestamp: this.#environment.clock.wallMs() })
    const partition = { topic: offsetsTopic, partition: loaded.partition }
    const appended = this.#replicas.appendForCoordinator(partition, batch, {
      leaderEpoch: loaded.leaderEpoch,
      timeoutMs: this.#config['offsets.commit.timeout.ms'],
    })
    if ('refused' in appended) {
      finish(coordinatorError(appended.refused))
      return
    }
    appended.committed.then(
      outcome => finish(outcome === 'committed' ? 'NONE' : coordinatorError(outcome)),
      (error: unknown) =>
        this.#environment.halt(`group coordinator: an append neither succeeded nor was refused: ${String(error)}`),
    )
  }

  #arm(loaded: Loaded): void {
    const deadlineMs = loaded.active ? loaded.shard.deadlineMs() : Infinity
    if (loaded.timer !== undefined && loaded.timerMs <= deadlineMs) return
    loaded.timer?.cancel()
    loaded.timer = undefined
    if (deadlineMs === Infinity || this.#shards.get(loaded.partition) !== loaded) return
    loaded.timerMs = deadlineMs
    const delayMs = Math.max(0, deadlineMs - this.#environment.clock.monotonicMs())
    loaded.timer = this.#environment.timers.after(delayMs, () => {
      loaded.timer = undefined
      this.#step(loaded, (shard, nowMs) => shard.tick(nowMs))
    })
  }

  // ------------------------------------------------------------------------------------------- loading, leaving

  becameLeader({ partition }: TopicPartition, leaderEpoch: number): void {
    this.#unload(partition)
    const shard = new GroupShard({
      limits: {
        initialRebalanceDelayMs: this.#config['group.initial.rebalance.delay.ms'],
        minSessionTimeoutMs: this.#config['group.min.session.timeout.ms'],
        maxSessionTimeoutMs: this.#config['group.max.session.timeout.ms'],
        maxSize: this.#config['group.max.size'],
      },
      offsetMetadataMaxBytes: this.#config['offset.metadata.max.bytes'],
      offsetsRetentionMs: this.#config['offsets.retention.minutes'] * 60_000,
    })
    const loaded: Loaded = { partition, leaderEpoch, shard, active: false, timer: undefined, timerMs: Infinity }
    this.#shards.set(partition, loaded)
    const log = this.#replicas.log({ topic: offsetsTopic, partition })
    if (log === undefined) throw new Error(`leads ${offsetsTopic}-${partition} without a log`)
    shard.at(this.#environment.clock.wallMs())
    this.#load(loaded, log.logStartOffset)
  }

  /** Reads a piece of the log per turn of the event loop, so that loading a long partition stops nobody else. */
  #load(loaded: Loaded, offset: number): void {
    if (this.#shards.get(loaded.partition) !== loaded) return
    const log = this.#replicas.log({ topic: offsetsTopic, partition: loaded.partition })
    if (log === undefined) return
    const result = this.#readForLoad(log, offset)
    if (result === undefined) return
    if ('refused' in result) {
      // The log start moved under us; begin at the new one.
      this.#load(loaded, log.logStartOffset)
      return
    }
    for (const { key, value } of allRecords(result.records)) if (key !== null) loaded.shard.replay(key, value)
    if (result.nextOffset < log.logEndOffset && result.nextOffset > offset) {
      this.#environment.timers.soon(() => this.#load(loaded, result.nextOffset))
      return
    }
    loaded.active = true
    this.#step(loaded, (shard, nowMs) => shard.loaded(nowMs))
  }

  /** Undefined when the disk failed: the log directory goes offline, and with it this leadership. */
  #readForLoad(log: PartitionLog, offset: number): ReturnType<PartitionLog['read']> | undefined {
    const maxBytes = this.#config['offsets.load.buffer.size']
    try {
      return log.read(offset, { maxBytes, untilOffset: log.logEndOffset, atLeastOneBatch: true })
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#environment.log.error('could not load a partition of group offsets', { ...log.topicPartition, error })
      return undefined
    }
  }

  resigned({ partition }: TopicPartition): void {
    this.#unload(partition)
  }

  #unload(partition: number): void {
    const loaded = this.#shards.get(partition)
    if (loaded === undefined) return
    this.#shards.delete(partition)
    loaded.timer?.cancel()
    loaded.shard.unload()
    this.#perform(loaded, loaded.shard.takeEffects())
  }

  // ----------------------------------------------------------------------------------------------------- expiry

  topicsDeleted(topics: readonly string[]): void {
    const gone = new Set(topics)
    for (const loaded of this.#shards.values())
      if (loaded.active) this.#step(loaded, shard => shard.topicsDeleted(gone))
  }

  #scheduleExpiry(): void {
    this.#expiryTimer = this.#environment.timers.after(this.#config['offsets.retention.check.interval.ms'], () => {
      for (const loaded of this.#shards.values()) if (loaded.active) this.#step(loaded, shard => shard.expireOffsets())
      this.#scheduleExpiry()
    })
  }
}

/** What clients of a coordinator are told when its own append failed (CoordinatorOperationExceptionHelper of Kafka). */
function coordinatorError(error: ErrorName): ErrorName {
  switch (error) {
    case 'UNKNOWN_TOPIC_OR_PARTITION':
    case 'NOT_ENOUGH_REPLICAS':
    case 'NOT_ENOUGH_REPLICAS_AFTER_APPEND':
    case 'REQUEST_TIMED_OUT':
      return 'COORDINATOR_NOT_AVAILABLE'
    case 'NOT_LEADER_OR_FOLLOWER':
    case 'FENCED_LEADER_EPOCH':
    case 'KAFKA_STORAGE_ERROR':
      return 'NOT_COORDINATOR'
    case 'MESSAGE_TOO_LARGE':
    case 'RECORD_LIST_TOO_LARGE':
    case 'INVALID_FETCH_SIZE':
      return 'UNKNOWN_SERVER_ERROR'
    default:
      return error
  }
}
