/**
 * The driver of the coordinators of this broker, one shard per partition of their internal topic: loads a shard when this broker begins to
 * lead its partition, feeds requests and time to it, appends the records it asks for, and lets it go on once they are committed. Decides
 * nothing itself. Groups, transactions and share groups each have one.
 */
import { DiskError, type Environment, type Timer } from '../../environment/environment.ts'
import type { MetadataImage } from '../../controller/image.ts'
import type { PartitionLog, TopicPartition } from '../../log/log.ts'
import { isShortage } from '../../log/log-failure.ts'
import { DamagedBatchError } from '../../log/read-check.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import { buildBatch, buildEndTransactionMarker } from '../../protocol/records/batch-build.ts'
import { endTransactionMarkerOf, readRecords } from '../../protocol/records/batch-read.ts'
import { batches, type BatchView } from '../../protocol/records/batch.ts'
import type { CoordinatorAppend, LeadershipListener, Replicas } from '../../replication/replication.ts'
import { coordinatorError } from './coordinator-error.ts'
import type { Effect, PersistEffect, Ticket } from './effects.ts'
import { partitionOf } from './java-hash.ts'
import type { CoordinatorShard, TransactionMarker } from './shard.ts'

/** A log that could not be read for want of a file descriptor is read again after that time. */
const loadRetryMs = 1000

export type ReplicasOfCoordinator = Pick<
  Replicas,
  'appendForCoordinator' | 'highWatermark' | 'log' | 'watchTopic' | 'whenCommitted'
>

export interface DriverOptions<Shard, Extra> {
  readonly environment: Environment
  /** The internal topic. */
  readonly topic: string
  readonly replicas: ReplicasOfCoordinator
  readonly metadata: () => MetadataImage
  /** Bytes read per turn of the event loop while a shard is loaded. */
  readonly loadBufferBytes: number
  /** How long an append may wait for the in-sync replicas. */
  readonly appendTimeoutMs: number
  newShard(partition: number, leaderEpoch: number): Shard
  /** Carries out what only this kind of coordinator wants. */
  perform?(extra: Extra, shard: { readonly partition: number; readonly leaderEpoch: number }): void
}

interface Loaded<Shard> {
  readonly partition: number
  readonly leaderEpoch: number
  readonly shard: Shard
  active: boolean
  timer: Timer | undefined
  timerMs: number
}

export class CoordinatorDriver<
  Shard extends CoordinatorShard<Extra>,
  Extra extends { kind: string } = never,
> implements LeadershipListener {
  readonly #environment: Environment
  readonly #options: DriverOptions<Shard, Extra>
  readonly #shards = new Map<number, Loaded<Shard>>()

  constructor(options: DriverOptions<Shard, Extra>) {
    this.#environment = options.environment
    this.#options = options
  }

  start(): void {
    this.#options.replicas.watchTopic(this.#options.topic, this)
  }

  stop(): void {
    for (const partition of [...this.#shards.keys()]) this.#unload(partition)
  }

  /** The partition that a group, transactional id or share key belongs to; undefined while the topic does not exist. */
  partitionFor(key: string): number | undefined {
    const count = this.#options.metadata().topicsByName.get(this.#options.topic)?.partitions.size
    return count === undefined || count === 0 ? undefined : partitionOf(key, count)
  }

  // ------------------------------------------------------------------------------------------------------ steps

  /** One step of the shard that owns the key, answered through the ticket that `step` passes on. */
  ask<Answer>(
    key: string,
    refuse: (error: ErrorName) => Answer,
    step: (shard: Shard, ticket: Ticket<Answer>, nowMs: number) => void,
  ): Promise<Answer> {
    return this.askPartition(this.partitionFor(key), refuse, step)
  }

  /** The same for the shard of one partition of the topic; undefined: the topic does not exist yet. */
  askPartition<Answer>(
    partition: number | undefined,
    refuse: (error: ErrorName) => Answer,
    step: (shard: Shard, ticket: Ticket<Answer>, nowMs: number) => void,
  ): Promise<Answer> {
    const loaded = this.#active(partition)
    if (typeof loaded === 'string') return Promise.resolve(refuse(loaded))
    return new Promise(resolve => this.#step(loaded, (shard, nowMs) => step(shard, { resolve }, nowMs)))
  }

  /** The same for questions that need no records. */
  read<Answer>(
    key: string,
    refuse: (error: ErrorName) => Answer,
    step: (shard: Shard, nowMs: number) => Answer,
  ): Answer {
    const loaded = this.#active(this.partitionFor(key))
    if (typeof loaded === 'string') return refuse(loaded)
    let answer: { value: Answer } | undefined
    this.#step(loaded, (shard, nowMs) => {
      answer = { value: step(shard, nowMs) }
    })
    if (answer === undefined) throw new Error('a step of a coordinator shard did not run')
    return answer.value
  }

  /** A step of every active shard, such as expiry. `loading`: some shards are not there yet. */
  each(step: (shard: Shard, nowMs: number) => void): { readonly loading: boolean } {
    const shards = [...this.#shards.values()]
    for (const loaded of shards) if (loaded.active) this.#step(loaded, step)
    return { loading: shards.some(({ active }) => !active) }
  }

  /** A step of the shard of one partition, if it is still the one that this broker leads in `leaderEpoch`: for answers of other brokers. */
  resume(
    at: { readonly partition: number; readonly leaderEpoch: number },
    step: (shard: Shard, nowMs: number) => void,
  ): void {
    const loaded = this.#shards.get(at.partition)
    if (loaded?.active === true && loaded.leaderEpoch === at.leaderEpoch) this.#step(loaded, step)
  }

  /** Writes the end of a client's transaction into a partition of this topic and lets the shard take it in once it is committed. */
  async completeTransaction(partition: number, marker: TransactionMarker): Promise<ErrorName> {
    const loaded = this.#active(partition)
    if (typeof loaded === 'string') return loaded
    const { producerId, producerEpoch, committed, coordinatorEpoch } = marker
    const batch = buildEndTransactionMarker(committed ? 'commit' : 'abort', {
      producerId,
      producerEpoch,
      coordinatorEpoch,
      timestamp: this.#environment.clock.wallMs(),
    })
    const { transactionVersion = 0 } = marker
    const outcome = await this.#append(loaded, batch, { transactionVersion })
    if (outcome !== 'NONE') return outcome
    if (this.#shards.get(partition) !== loaded) return 'NOT_COORDINATOR'
    this.#step(loaded, shard => shard.replayMarker?.(marker))
    return 'NONE'
  }

  #active(partition: number | undefined): Loaded<Shard> | ErrorName {
    if (partition === undefined) return 'COORDINATOR_NOT_AVAILABLE'
    const loaded = this.#shards.get(partition)
    if (loaded === undefined) return 'NOT_COORDINATOR'
    return loaded.active ? loaded : 'COORDINATOR_LOAD_IN_PROGRESS'
  }

  #step(loaded: Loaded<Shard>, run: (shard: Shard, nowMs: number) => void): void {
    const { clock } = this.#environment
    loaded.shard.at(clock.wallMs())
    run(loaded.shard, clock.monotonicMs())
    this.#perform(loaded, loaded.shard.takeEffects())
    this.#arm(loaded)
  }

  #perform(loaded: Loaded<Shard>, effects: readonly Effect<Extra>[]): void {
    for (const effect of effects) {
      if (effect.kind === 'reply') effect.send()
      else if (effect.kind === 'persist') this.#persist(loaded, effect)
      else this.#options.perform?.(effect.extra, loaded)
    }
  }

  #persist(loaded: Loaded<Shard>, effect: PersistEffect): void {
    const { producer } = effect
    const batch = buildBatch(effect.records, {
      timestamp: this.#environment.clock.wallMs(),
      ...(producer === undefined
        ? {}
        : { producerId: producer.producerId, producerEpoch: producer.producerEpoch, transactional: true }),
    })
    const finish = (outcome: ErrorName): void => {
      // A shard that was unloaded meanwhile still owes its clients an answer.
      const isCurrent = this.#shards.get(loaded.partition) === loaded
      this.#step(loaded, (_shard, nowMs) => effect.then(isCurrent ? outcome : 'NOT_COORDINATOR', nowMs))
      if (isCurrent && outcome !== 'NONE' && effect.applied === true) this.#reload(loaded)
    }
    const appended = this.#append(loaded, batch, { verification: producer?.verification }, effect.timeoutMs)
    if (typeof appended === 'string') finish(appended)
    else void appended.then(finish)
  }

  /** At once when it is refused, else when its fate is known; never rejects. */
  #append(
    loaded: Loaded<Shard>,
    batch: Buffer,
    options: Pick<CoordinatorAppend, 'verification' | 'transactionVersion'>,
    timeoutMs = this.#options.appendTimeoutMs,
  ): ErrorName | Promise<ErrorName> {
    const { topic, replicas } = this.#options
    const appended = replicas.appendForCoordinator({ topic, partition: loaded.partition }, batch, {
      leaderEpoch: loaded.leaderEpoch,
      timeoutMs,
      ...options,
    })
    if ('refused' in appended) return coordinatorError(appended.refused)
    return appended.committed.then(
      outcome => (outcome === 'committed' ? 'NONE' : coordinatorError(outcome)),
      (error: unknown) =>
        this.#environment.halt(`${topic}: an append neither succeeded nor was refused: ${String(error)}`),
    )
  }

  #arm(loaded: Loaded<Shard>): void {
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
    const shard = this.#options.newShard(partition, leaderEpoch)
    const loaded: Loaded<Shard> = {
      partition,
      leaderEpoch,
      shard,
      active: false,
      timer: undefined,
      timerMs: Infinity,
    }
    this.#shards.set(partition, loaded)
    const log = this.#logOf(partition)
    if (log === undefined) throw new Error(`leads ${this.#options.topic}-${partition} without a log`)
    shard.at(this.#environment.clock.wallMs())
    this.#load(loaded, log.logStartOffset)
  }

  #logOf(partition: number): PartitionLog | undefined {
    return this.#options.replicas.log({ topic: this.#options.topic, partition })
  }

  /** Reads a piece of the log per turn of the event loop, so that loading a long partition stops nobody else. */
  #load(loaded: Loaded<Shard>, offset: number): void {
    if (this.#shards.get(loaded.partition) !== loaded) return
    const log = this.#logOf(loaded.partition)
    if (log === undefined) return
    const result = this.#readForLoad(log, offset)
    if (result === 'later') {
      this.#environment.timers.after(loadRetryMs, () => this.#load(loaded, offset))
      return
    }
    if (result === undefined) return
    if ('refused' in result) {
      // The log start moved under us; begin at the new one.
      this.#load(loaded, log.logStartOffset)
      return
    }
    const highWatermark = this.#highWatermarkOf(loaded.partition)
    for (const batch of batches(result.records))
      replayBatch(loaded.shard, batch, { isUncommitted: batch.lastOffset >= highWatermark })
    if (result.nextOffset < log.logEndOffset && result.nextOffset > offset) {
      this.#environment.timers.soon(() => this.#load(loaded, result.nextOffset))
      return
    }
    loaded.active = true
    const isCommitted = result.nextOffset <= highWatermark
    this.#step(loaded, (shard, nowMs) => {
      shard.loaded(nowMs)
      // The high watermark may have passed what lay above it when it was read.
      if (isCommitted) shard.tailCommitted?.()
    })
    if (!isCommitted) void this.#awaitTail(loaded, result.nextOffset)
  }

  #highWatermarkOf(partition: number): number {
    return this.#options.replicas.highWatermark({ topic: this.#options.topic, partition }) ?? 0
  }

  /** What the leader before left behind above the high watermark becomes certain once the in-sync replicas have it. */
  async #awaitTail(loaded: Loaded<Shard>, endOffset: number): Promise<void> {
    const { partition, leaderEpoch } = loaded
    const at = { topic: this.#options.topic, partition }
    const isCommitted = await this.#options.replicas.whenCommitted(at, { leaderEpoch, endOffset })
    if (isCommitted && this.#shards.get(partition) === loaded) this.#step(loaded, shard => shard.tailCommitted?.())
  }

  /**
   * Undefined when the disk failed (the log directory goes offline, and with it this leadership) or has damaged the log; `later` when there was
   * no file descriptor for it.
   */
  #readForLoad(log: PartitionLog, offset: number): ReturnType<PartitionLog['read']> | 'later' | undefined {
    try {
      return log.read(offset, {
        maxBytes: this.#options.loadBufferBytes,
        untilOffset: log.logEndOffset,
        atLeastOneBatch: true,
      })
    } catch (error) {
      if (!(error instanceof DiskError) && !(error instanceof DamagedBatchError)) throw error
      this.#environment.log.error('could not load a partition of a coordinator', { ...log.topicPartition, error })
      return isShortage(error) ? 'later' : undefined
    }
  }

  #reload({ partition, leaderEpoch }: Loaded<Shard>): void {
    this.#environment.log.warn('loads a coordinator anew, since what it wrote did not reach the log', {
      topic: this.#options.topic,
      partition,
    })
    this.becameLeader({ topic: this.#options.topic, partition }, leaderEpoch)
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
}

function replayBatch(
  shard: CoordinatorShard<unknown>,
  batch: BatchView,
  { isUncommitted }: { readonly isUncommitted: boolean },
): void {
  const { producerId, producerEpoch, isTransactional } = batch
  if (!batch.isControl) {
    for (const { key, value, offset } of readRecords(batch))
      if (key !== null) shard.replay(key, value, { offset, producerId, producerEpoch, isTransactional, isUncommitted })
    return
  }
  const marker = endTransactionMarkerOf(batch)
  if (marker === undefined) return
  const { type, coordinatorEpoch } = marker
  const committed = type === 'commit'
  shard.replayMarker?.({ producerId, producerEpoch, committed, coordinatorEpoch }, { isUncommitted })
}
