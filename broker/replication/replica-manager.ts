/**
 * All replicas of this broker. Follows the metadata (create, lead, follow, delete), and gives handlers and coordinators the way to them.
 * Decisions are in the machines; here they meet logs, timers, the controller and each other.
 * Nothing is led or followed before this broker sees its own registration in the metadata: until then the image is that of the past.
 * Sources: KIP-500/KIP-631 (metadata), KIP-112 and KIP-858 (log directories), KIP-455 (reassignment: replicas come and go).
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import { logConfig, resolveTopicConfig, type TopicConfig } from '../config/topic-config.ts'
import { MetadataImage, type MetadataDelta } from '../controller/image.ts'
import type { PartitionChange, PartitionImage, TopicImage } from '../controller/image.ts'
import { DiskError } from '../environment/environment.ts'
import { isOutOfFiles, isShortage } from '../log/log-failure.ts'
import { partitionKey } from '../log/log-files.ts'
import type { PartitionLog, TopicPartition } from '../log/log.ts'
import type { ErrorName } from '../protocol/errors.ts'
import {
  appendAll,
  appendForCoordinator,
  appendTransactional,
  committedWhileLeading,
  type AppendEntry,
  type AppendOptions,
  type AppendOutcome,
  type TransactionalAppends,
} from './appends.ts'
import { FetchSessions } from './fetch-sessions.ts'
import { FetcherPool } from './fetcher-pool.ts'
import { fetchAll, type FetchEntry, type FetchOptions } from './fetches.ts'
import { IsrProposals } from './isr-proposals.ts'
import {
  describeLogDirs,
  directoryInMetadata,
  namedDirectory,
  partitionsAmong,
  setStrayLogsAside,
  type DescribedLogDir,
} from './log-dirs.ts'
import { LogDirMoves } from './log-dir-moves.ts'
import { LocalReplica, type GoneReason, type ReadOutcome, type ReplicaOwner } from './local-replica.ts'
import { PartitionMachine, type PartitionEffects, type PartitionSurroundings } from './partition-machine.ts'
import { ProducerIds } from './producer-ids.ts'
import { Purgatory, type ParkedOperation, type Parker } from './purgatory.ts'
import type { CommittedAppend, CoordinatorAppend, LeadershipListener, Replicas } from './replication.ts'
import { deleteRecords, type DeletionEntry, type DeletionOptions, type DeletionOutcome } from './record-deletion.ts'
import type { ReplicaManagerParts, ReplicationCounters } from './replica-manager-parts.ts'
import { alterLogDirsWindows, ReplicationQuotas } from './replication-quotas.ts'
import { inTurns, Repeating } from './repeating.ts'
import { ReplicaTable } from './replica-table.ts'
import {
  TransactionVerifications,
  type ProducersTransaction,
  type TransactionSupport,
  type VerificationResult,
} from './transaction-verifier.ts'

/** A log that could not be opened for want of a file descriptor is tried again after that time. */
const openRetryMs = 1000

export class ReplicaManager implements Replicas, ReplicaOwner {
  readonly counters: ReplicationCounters = { isrShrinks: 0, isrExpands: 0, failedIsrUpdates: 0, failedPartitions: 0 }
  /** Incremental fetch sessions of this broker's clients. */
  readonly sessions: FetchSessions
  /** Ids for idempotent producers. */
  readonly producerIds: ProducerIds
  private readonly parts: ReplicaManagerParts
  private readonly replicas = new ReplicaTable()
  private readonly purgatory: Purgatory<LocalReplica>
  /** Deletions that wait for followers. */
  private readonly deletions: Purgatory<LocalReplica>
  private readonly quotas: ReplicationQuotas
  private readonly proposals: IsrProposals
  private readonly fetchers: FetcherPool
  private readonly listeners = new Map<string, LeadershipListener[]>()
  private readonly surroundings: PartitionSurroundings
  private readonly verifications: TransactionVerifications
  private readonly repeating: Repeating
  private readonly moves: LogDirMoves
  private image: MetadataImage
  /** The broker's settings as the metadata has them now. */
  private live: BrokerConfig
  private isFollowingMetadata = false
  private isStopped = false

  constructor(parts: ReplicaManagerParts) {
    this.parts = parts
    const { environment, config, brokerId } = parts
    const log = environment.log.child({ component: 'replication' })
    this.image = MetadataImage.empty('')
    this.live = config
    this.purgatory = new Purgatory(environment)
    this.deletions = new Purgatory(environment)
    this.quotas = new ReplicationQuotas(brokerId, config, image => parts.liveConfig(image))
    const slots = config['max.incremental.fetch.session.cache.slots']
    this.sessions = new FetchSessions({ slots, random: environment.random })
    this.producerIds = new ProducerIds({
      controller: parts.controller,
      brokerId,
      log,
      clock: environment.clock,
      brokerEpoch: () => parts.brokerEpoch(),
    })
    this.surroundings = {
      brokerId,
      brokerStatus: id => this.image.brokers.get(id),
      localBrokerEpoch: () => parts.brokerEpoch(),
      replicaLagTimeMaxMs: config['replica.lag.time.max.ms'],
    }
    this.verifications = new TransactionVerifications({
      environment,
      verifier: parts.transactions,
      isEnabled: () => this.live['transaction.partition.verification.enable'],
      retryBackoffMs: config['add.partitions.to.txn.retry.backoff.ms'],
      retryTimeoutMs: Math.min(config['add.partitions.to.txn.retry.backoff.max.ms'], config['request.timeout.ms']),
    })
    this.proposals = new IsrProposals({
      environment,
      log,
      brokerId,
      controller: parts.controller,
      brokerEpoch: () => parts.brokerEpoch(),
      answered: (replica, proposal, result) => {
        const effects = replica.machine.alterPartitionDone(proposal, result, this.monotonicMs())
        if ('error' in result) this.counters.failedIsrUpdates += 1
        else if (proposal.kind === 'expand') this.counters.isrExpands += 1
        else this.counters.isrShrinks += 1
        replica.apply({ highWatermarkAdvanced: effects.highWatermarkAdvanced })
        return effects.propose !== undefined
      },
    })
    this.fetchers = new FetcherPool(parts, {
      log,
      quota: this.quotas.follower,
      image: () => this.image,
      diskFailed: (replica, error) => this.diskFailed(replica, error),
    })
    this.moves = this.newMoves()
    this.repeating = new Repeating(environment)
    parts.logs.onDirectoryFailure((...failure) => this.directoryFailed(...failure))
    parts.logs.onSpace(() => this.openOffline(this.replicas.offline))
    this.repeating.every(Math.max(1, Math.floor(config['replica.lag.time.max.ms'] / 2)), () => this.shrinkInSyncSets())
    this.repeating.every(config['replica.high.watermark.checkpoint.interval.ms'], () => this.checkpoint())
    const [retentionMs, firstMs] = [config['log.retention.check.interval.ms'], config['log.initial.task.delay.ms']]
    this.repeating.every(retentionMs, () => this.enforceRetention(), firstMs)
    this.repeating.every(config['producer.id.expiration.check.interval.ms'], () => this.expireProducers())
  }

  private newMoves(): LogDirMoves {
    const { parts } = this
    return new LogDirMoves({
      environment: parts.environment,
      logs: parts.logs,
      windows: alterLogDirsWindows(parts.config),
      logConfig: topic => logConfig(this.topicConfig(topic)),
      assignDirectory: (...assignment) => parts.assignDirectory(...assignment),
      directoryChanged: replica => parts.directoryChanged(replica),
      diskFailed: (replica, error) => this.diskFailed(replica, error),
    })
  }

  // -------------------------------------------------------------------------------------------------------- metadata

  applyMetadata(image: MetadataImage, delta: MetadataDelta): void {
    this.image = image
    if (!this.isFollowingMetadata || delta.changedConfigs.some(({ type }) => type === 'broker'))
      this.live = this.parts.liveConfig(image)
    if (this.isStopped) return
    this.quotas.applyMetadata(image, delta)
    this.moves.limit(this.live['replica.alter.log.dirs.io.max.bytes.per.second'])
    if (this.isFollowingMetadata) {
      for (const topic of delta.deletedTopics.values()) this.deleteTopic(topic)
      for (const { topic, partitions } of delta.changedTopics.values()) {
        for (const [partition, change] of partitions) this.take(topic, partition, change)
      }
      this.followConfigs(delta)
    } else if (this.parts.isRegisteredIn(image)) {
      this.isFollowingMetadata = true
      this.parts.logs.settle((...log) => directoryInMetadata(image, this.parts.brokerId, ...log))
      setStrayLogsAside(this.parts, image)
      for (const topic of image.topicsByName.values()) {
        // For all that is known they were here before this start.
        for (const [partition, current] of topic.partitions) this.take(topic, partition, { previous: current, current })
      }
    }
    this.fetchers.retireIdle()
    // Leaderships and brokers may have come or gone.
    if (this.deletions.size > 0) this.deletions.wakeAll()
  }

  private take(topic: TopicImage, partition: number, { previous, current: state }: PartitionChange): void {
    const topicPartition = { topic: topic.name, partition }
    const existing = this.replicas.at(topicPartition)
    if (!state.replicas.includes(this.parts.brokerId)) {
      this.forgetOffline(topicPartition)
      if (existing !== undefined && existing.topicId === topic.id) this.remove(existing, 'NOT_LEADER_OR_FOLLOWER')
      return
    }
    if (existing !== undefined && existing.topicId !== topic.id) this.remove(existing, 'UNKNOWN_TOPIC_OR_PARTITION')
    try {
      const isNew = previous?.replicas.includes(this.parts.brokerId) !== true
      const replica = this.open(topic, topicPartition, isNew)
      if (replica === undefined || replica.gone !== undefined) return
      if (state.leader === this.parts.brokerId) this.lead(replica, state)
      else this.follow(replica, state)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.replicas.offline.add(partitionKey(topicPartition))
      if (isOutOfFiles(error)) this.openLater(partitionKey(topicPartition))
      this.parts.environment.log.error('cannot open the log of a partition', { ...topicPartition, error })
    }
  }

  private open(topic: TopicImage, topicPartition: TopicPartition, isNew: boolean): LocalReplica | undefined {
    const existing = this.replicas.at(topicPartition)
    if (existing !== undefined) return existing
    if (this.replicas.isOffline(topicPartition)) return undefined
    const { logs } = this.parts
    const found = logs.get(topicPartition)
    if (found !== undefined && found.topicId !== '' && found.topicId !== topic.id) logs.delete(topicPartition)
    const config = this.topicConfig(topic.name)
    const directoryId = namedDirectory(this.image, this.parts.brokerId, topicPartition, topic.id)
    const log = logs.getOrCreate(topicPartition, topic.id, logConfig(config), { directoryId, isNew })
    log.updateConfig(logConfig(config))
    const checkpointed = Math.max(logs.checkpointedHighWatermark(topicPartition), log.logStartOffset)
    const highWatermark = Math.min(checkpointed, log.logEndOffset)
    log.setHighWatermark(highWatermark)
    const machine = new PartitionMachine(this.surroundings, {
      highWatermark,
      logEndOffset: log.logEndOffset,
      minInsyncReplicas: config['min.insync.replicas'],
    })
    const replica = new LocalReplica({ log, machine, owner: this })
    this.replicas.add(replica)
    this.moves.resume(replica)
    return replica
  }

  private lead(replica: LocalReplica, state: PartitionImage): void {
    this.fetchers.remove(replica)
    const { machine, log } = replica
    // Before the first append, and also when none follows: followers with later epochs must find where theirs part from ours (KIP-279).
    if (state.partitionEpoch >= machine.partitionEpoch && state.leaderEpoch > machine.leaderEpoch) {
      log.startEpoch(state.leaderEpoch, log.logEndOffset)
    }
    const result = machine.lead(state, this.monotonicMs())
    if (result.ignored) return
    replica.apply(result)
    if (!result.isNewEpoch) return
    this.purgatory.flushKey(replica)
    this.parts.environment.log.debug('leading a partition', {
      ...replica.topicPartition,
      leaderEpoch: state.leaderEpoch,
      startOffset: log.logEndOffset,
    })
    this.notify(replica.topicPartition, listener => listener.becameLeader(replica.topicPartition, state.leaderEpoch))
  }

  private follow(replica: LocalReplica, state: PartitionImage): void {
    const { machine } = replica
    const wasLeader = machine.role === 'leader'
    const result = machine.follow(state)
    if (result.ignored) return
    if (wasLeader) this.resign(replica, 'NOT_LEADER_OR_FOLLOWER', state.leaderEpoch)
    // A shortage may have kept it from being followed when the epoch was new.
    if (!result.isNewEpoch && !wasLeader && this.fetchers.isFollowed(replica)) return
    this.purgatory.flushKey(replica)
    this.fetchers.remove(replica)
    if (state.leader < 0) return
    // Without any epoch in the log nothing can be compared: only what is known to be committed may stay.
    if (replica.log.latestEpoch === undefined && replica.log.logEndOffset > replica.highWatermark) {
      replica.truncateTo(replica.highWatermark)
    }
    this.fetchers.add(replica, state.leader)
  }

  private resign(replica: LocalReplica, error: ErrorName, leaderEpoch: number | undefined): void {
    replica.waitingForCommit.fail(error)
    this.notify(replica.topicPartition, listener => listener.resigned(replica.topicPartition, leaderEpoch))
  }

  private notify(topicPartition: TopicPartition, tell: (listener: LeadershipListener) => void): void {
    for (const listener of this.listeners.get(topicPartition.topic) ?? []) tell(listener)
  }

  private deleteTopic(topic: TopicImage): void {
    for (const replica of Array.from(this.replicas.of(topic.name))) {
      if (replica.topicId === topic.id) this.remove(replica, 'UNKNOWN_TOPIC_OR_PARTITION')
    }
    for (const partition of topic.partitions.keys()) this.forgetOffline({ topic: topic.name, partition })
  }

  private forgetOffline(topicPartition: TopicPartition): void {
    if (this.replicas.offline.delete(partitionKey(topicPartition))) this.parts.logs.delete(topicPartition)
  }

  /** The partition is no longer assigned to this broker: its log goes. */
  private remove(replica: LocalReplica, reason: GoneReason): void {
    const { topicPartition } = replica
    this.detach(replica, reason)
    this.replicas.delete(topicPartition)
    try {
      this.parts.logs.delete(topicPartition)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.parts.environment.log.error('could not remove the log of a partition', { ...topicPartition, error })
    }
  }

  /** No access to its log from now on; whoever waits is told. */
  private detach(replica: LocalReplica, reason: GoneReason): void {
    if (replica.gone !== undefined) return
    replica.gone = reason
    this.moves.forget(replica)
    this.fetchers.remove(replica)
    const wasLeader = replica.machine.role === 'leader'
    if (wasLeader) this.resign(replica, reason, undefined)
    this.purgatory.flushKey(replica)
    this.deletions.wake(replica)
  }

  private followConfigs(delta: MetadataDelta): void {
    const own = String(this.parts.brokerId)
    const changed = delta.changedConfigs
    const all = changed.some(({ type, name }) => type === 'broker' && (name === '' || name === own))
    const topics = all
      ? [...this.replicas.topics]
      : changed.flatMap(({ type, name }) => (type === 'topic' ? [name] : []))
    for (const topic of topics) {
      const replicas = [...this.replicas.of(topic)]
      if (replicas.length === 0) continue
      const config = this.topicConfig(topic)
      for (const replica of replicas) {
        if (replica.gone !== undefined) continue
        replica.log.updateConfig(logConfig(config))
        replica.machine.minInsyncReplicas = config['min.insync.replicas']
        if (replica.machine.role === 'leader') {
          replica.apply(replica.machine.appended(replica.log.logEndOffset, this.monotonicMs()))
        }
      }
    }
  }

  private topicConfig(topic: string): TopicConfig {
    return resolveTopicConfig(this.image.config('topic', topic), this.live)
  }

  // --------------------------------------------------------------------------------------------------- for handlers

  /** The replica of a partition here, or what to answer to a request for it. With a topic id: only of that very topic. */
  find(topic: string, partition: number, topicId?: string): LocalReplica | ErrorName {
    const isKnown = () => this.image.partition(topic, partition) !== undefined
    return this.replicas.find({ topic, partition }, { topicId, isKnown })
  }

  /** Appends for a producer, synchronously; a promise only to wait for the in-sync replicas. */
  append(
    entries: readonly AppendEntry[],
    options: AppendOptions,
    transactional?: TransactionalAppends,
  ): AppendOutcome[] | Promise<AppendOutcome[]> {
    if (transactional === undefined) return appendAll(entries, options, this.parts.environment)
    return appendTransactional(entries, transactional, this.verifications, ready =>
      appendAll(ready, options, this.parts.environment),
    )
  }

  /** Reads for a consumer or follower; a promise only to wait for more bytes. */
  fetch(entries: readonly FetchEntry[], options: FetchOptions): ReadOutcome[] | Promise<ReadOutcome[]> {
    const { purgatory, quotas } = this
    return fetchAll(entries, options, { purgatory, quota: quotas.leader, monotonicMs: () => this.monotonicMs() })
  }

  /** Parks what waits for records of replicas, as fetches do; `wake` asks all that wait for a replica. */
  park(operation: ParkedOperation<LocalReplica>, waitMs: number, connection: Parker): void {
    this.purgatory.park(operation, waitMs, connection)
  }

  wake(replica: LocalReplica): void {
    this.purgatory.wake(replica)
  }

  /** Raises log starts, and waits for the replicas that are alive. */
  deleteRecords(
    entries: readonly DeletionEntry[],
    options: Pick<DeletionOptions, 'timeoutMs' | 'connection'>,
  ): DeletionOutcome[] | Promise<DeletionOutcome[]> {
    const isAlive = (id: number): boolean => this.image.brokers.get(id)?.fenced === false
    return deleteRecords(entries, { ...options, isAlive }, this.deletions)
  }

  /** Every replica here, for the inspector and metrics. */
  localReplicas(): Iterable<LocalReplica> {
    return this.replicas.all()
  }

  /** The log directories, and the logs in them that are `wanted`. */
  describeLogDirs(wanted: (topicPartition: TopicPartition) => boolean): DescribedLogDir[] {
    const { environment, logs } = this.parts
    const highWatermark = (topicPartition: TopicPartition) => this.highWatermark(topicPartition)
    return describeLogDirs({ disk: environment.disk, logs, highWatermark }, wanted)
  }

  /** Moves a replica to another log directory of this broker. */
  alterLogDir(topicPartition: TopicPartition, path: string): ErrorName | 'NONE' {
    return this.moves.alter(topicPartition, path, this.find(topicPartition.topic, topicPartition.partition))
  }

  /** Id of the log directory of which the controller shall know for a replica here; undefined while there is no log. */
  assignedDirectory(topicPartition: TopicPartition): string | undefined {
    const { logs } = this.parts
    const current = this.moves.directoryOf(topicPartition) ?? logs.directoryOf(topicPartition)?.id
    return current ?? logs.lostWith(topicPartition)
  }

  get parkedFetches(): number {
    return this.purgatory.size
  }

  // ------------------------------------------------------------------------------------------------ for coordinators

  watchTopic(topic: string, listener: LeadershipListener): void {
    const listeners = this.listeners.get(topic)
    if (listeners === undefined) this.listeners.set(topic, [listener])
    else listeners.push(listener)
    for (const { machine, topicPartition, gone } of this.replicas.of(topic)) {
      if (machine.role === 'leader' && gone === undefined) listener.becameLeader(topicPartition, machine.leaderEpoch)
    }
  }

  appendForCoordinator(
    topicPartition: TopicPartition,
    records: Buffer,
    options: CoordinatorAppend,
  ): CommittedAppend | { refused: ErrorName } {
    const target = this.replicas.usable(topicPartition)
    if (target === undefined || target.machine.leaderEpoch !== options.leaderEpoch) {
      return { refused: 'NOT_LEADER_OR_FOLLOWER' }
    }
    return appendForCoordinator(target, records, options, this.parts.environment)
  }

  async whenCommitted(
    topicPartition: TopicPartition,
    at: { readonly leaderEpoch: number; readonly endOffset: number },
  ): Promise<boolean> {
    const target = this.replicas.usable(topicPartition)
    return target !== undefined && (await committedWhileLeading(target, at, this.parts.environment))
  }

  verifyTransaction(
    { topic, partition }: TopicPartition,
    transaction: ProducersTransaction,
    support: TransactionSupport,
  ): VerificationResult | Promise<VerificationResult> {
    const replica = this.find(topic, partition)
    if (typeof replica === 'string') return { error: replica }
    return this.verifications.verifyAlone(replica, transaction, support)
  }

  log(topicPartition: TopicPartition): PartitionLog | undefined {
    return this.replicas.usable(topicPartition)?.log
  }

  highWatermark(topicPartition: TopicPartition): number | undefined {
    return this.replicas.usable(topicPartition)?.highWatermark
  }

  leaderEpoch(topicPartition: TopicPartition): number | undefined {
    const machine = this.replicas.usable(topicPartition)?.machine
    return machine?.role === 'leader' ? machine.leaderEpoch : undefined
  }

  // -------------------------------------------------------------------------------------------- for the replicas (owner)

  effects(replica: LocalReplica, effects: PartitionEffects): void {
    if (effects.highWatermarkAdvanced) this.purgatory.wake(replica)
    if (effects.propose !== undefined) {
      const { kind, isr } = effects.propose
      const inSync = isr.map(each => each.brokerId)
      this.parts.environment.log.info('proposing a new in-sync set', { ...replica.topicPartition, kind, isr: inSync })
      this.proposals.submit(replica, effects.propose)
    }
  }

  followerFetched(replica: LocalReplica): void {
    this.deletions.wake(replica)
  }

  grew(replica: LocalReplica): void {
    this.purgatory.wake(replica)
    this.moves.grew(replica)
  }

  cut(replica: LocalReplica): void {
    this.moves.cut(replica)
  }

  diskFailed(replica: LocalReplica, error: DiskError): void {
    // A shortage ends nothing: what was asked for was refused.
    if (replica.gone !== undefined || isShortage(error)) return
    this.counters.failedPartitions += 1
    this.parts.environment.log.error('the log of a partition failed', { ...replica.topicPartition, error })
    this.detach(replica, 'KAFKA_STORAGE_ERROR')
  }

  verifiesTransactions(): boolean {
    return this.verifications.isEnabled
  }

  readonly monotonicMs = (): number => this.parts.environment.clock.monotonicMs()
  readonly wallMs = (): number => this.parts.environment.clock.wallMs()

  // ------------------------------------------------------------------------------------------------------ housekeeping

  private directoryFailed(directoryId: string, partitions: readonly TopicPartition[], error: Error): void {
    const { environment, logs } = this.parts
    environment.log.error('a log directory failed; its partitions are offline', {
      directoryId,
      partitions: partitions.length,
      error,
    })
    for (const topicPartition of partitions) {
      const replica = this.replicas.usable(topicPartition)
      if (replica !== undefined) this.detach(replica, 'KAFKA_STORAGE_ERROR')
    }
    this.moves.directoryFailed(directoryId)
    // Where the controller believes a replica to be elsewhere, it has to know first.
    for (const { topic, partition } of partitions) {
      const topicId = this.image.topicsByName.get(topic)?.id
      if (topicId !== undefined) this.parts.directoryChanged({ topicId, partition })
    }
    // The controller knows directories by id; of one that failed before its id was read it was never told.
    if (directoryId !== '') this.parts.directoryFailed(directoryId)
    if (logs.directories.some(each => each.online)) return
    environment.halt(`all log directories failed, the last one with: ${error.message}`)
  }

  /** Nobody tells when there are file descriptors again. */
  private openLater(key: string): void {
    this.parts.environment.timers.after(openRetryMs, () => {
      if (this.replicas.offline.has(key)) this.openOffline(new Set([key]))
    })
  }

  /** A log directory has space again, say: logs that could not be made may be made now. */
  private openOffline(keys: ReadonlySet<string>): void {
    for (const [topic, partition, current] of this.isStopped ? [] : partitionsAmong(keys, this.image)) {
      this.replicas.offline.delete(partitionKey({ topic: topic.name, partition }))
      this.take(topic, partition, { previous: current, current })
    }
  }

  private shrinkInSyncSets(): void {
    const nowMs = this.monotonicMs()
    for (const replica of this.localReplicas())
      if (replica.gone === undefined) replica.apply(replica.machine.tick(nowMs))
  }

  private enforceRetention(): void {
    inTurns(this.parts.environment.timers, [...this.localReplicas()], replica => replica.enforceRetention())
    this.moves.enforceRetention(this.wallMs())
  }

  private expireProducers(): void {
    const expirationMs = this.live['producer.id.expiration.ms']
    for (const { log, gone } of this.localReplicas())
      if (gone === undefined) log.expireProducers(this.wallMs(), expirationMs)
  }

  private checkpoint(): void {
    if (this.isFollowingMetadata) this.parts.logs.checkpoint(topicPartition => this.checkpointOf(topicPartition))
  }

  /** What to note for a log that was never led or followed since the start is what was noted before. */
  checkpointOf(topicPartition: TopicPartition): number {
    return this.highWatermark(topicPartition) ?? this.parts.logs.checkpointedHighWatermark(topicPartition)
  }

  async stop(): Promise<void> {
    if (this.isStopped) return
    this.isStopped = true
    this.repeating.stop()
    this.moves.stop()
    this.fetchers.stop()
    this.proposals.stop()
    for (const replica of this.localReplicas()) replica.waitingForCommit.fail('NOT_LEADER_OR_FOLLOWER')
    this.purgatory.flushAll()
    this.deletions.flushAll()
    this.checkpoint()
    // What was just answered goes out in this turn's microtasks.
    await Promise.resolve()
  }
}
