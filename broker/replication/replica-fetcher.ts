/**
 * Drives a FetcherMachine: sends its fetches to one leader broker, appends and truncates what it decides. It decides nothing itself.
 * Truncation follows the diverging epoch in fetch responses (KIP-595), so OffsetForLeaderEpoch is sent only where compaction took the beginning of an
 * epoch; only a position outside the leader's log needs ListOffsets. Sources: KIP-101, KIP-227, KIP-320, KIP-903.
 */
import {
  DiskError,
  type Address,
  type Environment,
  type LogFields,
  type Logger,
  type Timer,
} from '../environment/environment.ts'
import type { RequestClient } from '../net/client.ts'
import type { EpochEndOffset } from '../log/log.ts'
import { isShortage } from '../log/log-failure.ts'
import { CorruptRecordsError } from '../log/replicated-batches.ts'
import { errorName } from '../protocol/errors.ts'
import {
  FetcherMachine,
  truncationOffset,
  type FetchedPartition,
  type FetcherAction,
  type FetchPosition,
} from './fetcher-machine.ts'
import { earlierEpochs, type EpochGap } from './earlier-epochs.ts'
import type { LocalReplica } from './local-replica.ts'
import { gapBeforeEpoch, wholeBatches } from './record-batches.ts'
import type { ReplicationQuota } from './replication-quotas.ts'

export interface FetcherSettings {
  readonly backoffMs: number
  readonly requestTimeoutMs: number
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly partitionMaxBytes: number
  readonly responseMaxBytes: number
}

export interface FetcherHost {
  readonly environment: Pick<Environment, 'clock' | 'timers'>
  readonly log: Logger
  readonly brokerId: number
  readonly settings: FetcherSettings
  /** What throttled replicas of this broker fetch. */
  readonly quota: ReplicationQuota
  brokerEpoch(): number
  /** Where the leader's inter-broker listener is now; undefined while it is not registered. */
  leaderAddress(leaderId: number): Address | undefined
  newClient(): RequestClient
  replica(key: string): LocalReplica | undefined
  diskFailed(replica: LocalReplica, error: DiskError): void
}

interface FetchReply {
  readonly errorCode: number
  readonly sessionId: number
  readonly responses: readonly {
    readonly topic: string
    readonly topicId: string
    readonly partitions: readonly {
      readonly partitionIndex: number
      readonly errorCode: number
      readonly highWatermark: number
      readonly logStartOffset: number
      readonly divergingEpoch: { readonly epoch: number; readonly endOffset: number }
      readonly records: Buffer | null
    }[]
  }[]
}

interface OfOnePartition<Told = object> {
  readonly topics: readonly { readonly partitions: readonly ({ readonly errorCode: number } & Told)[] }[]
}
type ListOffsetsReply = OfOnePartition<{ readonly offset: number }>
type EpochEndReply = OfOnePartition<EpochEndOffset>

const fetchKey = 1
const listOffsetsKey = 2
const offsetForLeaderEpochKey = 23
const latestTimestamp = -1
const earliestTimestamp = -2
const noRecords = Buffer.alloc(0)

export function positionKey(topicId: string, partition: number): string {
  return `${topicId}/${partition}`
}

export class ReplicaFetcher {
  readonly leaderId: number
  private readonly machine: FetcherMachine
  private readonly host: FetcherHost
  private readonly client: RequestClient
  private timer: Timer | undefined
  private isWaiting = false
  private isStopped = false

  constructor(leaderId: number, host: FetcherHost) {
    this.leaderId = leaderId
    this.host = host
    const { quota, settings } = host
    this.machine = new FetcherMachine({
      backoffMs: settings.backoffMs,
      isHeldBack: ({ topic, partition }, nowMs) => quota.isThrottled(topic, partition) && quota.isExceeded(nowMs),
    })
    this.client = host.newClient()
  }

  get size(): number {
    return this.machine.size
  }

  has(key: string): boolean {
    return this.machine.has(key)
  }

  /** Follows from the end of the local log, in a leader epoch that is new to this replica. */
  add(replica: LocalReplica): void {
    const { topic, partition } = replica.topicPartition
    const key = positionKey(replica.topicId, partition)
    this.machine.add(key, {
      topic,
      topicId: replica.topicId,
      partition,
      currentLeaderEpoch: replica.machine.leaderEpoch,
      ...positionOf(replica),
    })
    // At the end of the turn: the metadata usually brings several partitions at once.
    this.host.environment.timers.soon(() => this.proceed())
  }

  remove(key: string): void {
    this.machine.remove(key)
  }

  stop(): void {
    this.isStopped = true
    this.timer?.cancel()
    this.client.close()
  }

  private proceed(): void {
    if (this.isWaiting || this.isStopped) return
    this.timer?.cancel()
    this.timer = undefined
    const nowMs = this.host.environment.clock.monotonicMs()
    const step = this.machine.next(nowMs)
    if (step.kind === 'idle') return
    if (step.kind === 'wait') {
      this.timer = this.host.environment.timers.after(step.untilMs - nowMs, () => this.proceed())
      return
    }
    this.isWaiting = true
    void this.fetch(step.request.send, step.request).then(() => {
      this.isWaiting = false
      this.proceed()
    })
  }

  private async fetch(
    send: readonly FetchPosition[],
    session: { sessionId: number; sessionEpoch: number; forget: readonly FetchPosition[] },
  ): Promise<void> {
    const { settings, brokerId } = this.host
    const body = {
      replicaState: { replicaId: brokerId, replicaEpoch: this.host.brokerEpoch() },
      maxWaitMs: settings.maxWaitMs,
      minBytes: settings.minBytes,
      maxBytes: settings.responseMaxBytes,
      isolationLevel: 0,
      sessionId: session.sessionId,
      sessionEpoch: session.sessionEpoch,
      topics: byTopic(send, position => ({
        partition: position.partition,
        currentLeaderEpoch: position.currentLeaderEpoch,
        fetchOffset: position.fetchOffset,
        lastFetchedEpoch: position.lastFetchedEpoch,
        logStartOffset: position.logStartOffset,
        partitionMaxBytes: settings.partitionMaxBytes,
      })),
      forgottenTopicsData: byTopic(session.forget, position => position.partition),
      rackId: '',
    }
    let reply: FetchReply
    try {
      const address = this.host.leaderAddress(this.leaderId)
      if (address === undefined) throw new Error('the leader is not registered')
      const options = { timeoutMs: settings.requestTimeoutMs }
      reply = (await this.client.send<FetchReply>(address, fetchKey, body, options)).response
    } catch (error) {
      if (this.isStopped) return
      const reason = (error as Error).message
      this.host.log.debug('a fetch from a leader failed', { leader: this.leaderId, reason })
      this.machine.requestFailed(this.host.environment.clock.monotonicMs())
      return
    }
    if (!this.isStopped) this.take(reply)
  }

  private take(reply: FetchReply): void {
    const partitions: FetchedPartition[] = []
    for (const topic of reply.responses) {
      for (const each of topic.partitions) {
        partitions.push({
          key: positionKey(topic.topicId, each.partitionIndex),
          error: errorName(each.errorCode),
          records: each.records ?? noRecords,
          highWatermark: each.highWatermark,
          logStartOffset: each.logStartOffset,
          divergingEpoch:
            each.divergingEpoch.epoch < 0
              ? undefined
              : { leaderEpoch: each.divergingEpoch.epoch, endOffset: each.divergingEpoch.endOffset },
        })
      }
    }
    const nowMs = this.host.environment.clock.monotonicMs()
    const answer = { sessionId: reply.sessionId, error: errorName(reply.errorCode), partitions }
    for (const action of this.machine.responded(answer, nowMs)) this.perform(action)
  }

  private perform(action: FetcherAction): void {
    const replica = this.host.replica(action.key)
    if (replica === undefined || replica.gone !== undefined) {
      this.machine.remove(action.key)
      return
    }
    switch (action.kind) {
      case 'append':
        this.onDisk(replica, action.key, () => this.append(replica, action.key, action.fetched))
        break
      case 'truncate':
        this.onDisk(replica, action.key, () => {
          this.truncate(replica, truncationOffset(action.divergingEpoch, replica.log), {
            leaderSays: action.divergingEpoch,
          })
          this.machine.moved(action.key, positionOf(replica))
        })
        break
      case 'reset':
        void this.reset(replica, action.key, action.position)
        break
      case 'fenced':
        this.host.log.info('the leader has a newer epoch; waiting for the metadata', partitionFields(replica))
        break
      case 'delayed':
        this.host.log.debug('the leader refused a fetch', { ...partitionFields(replica), error: action.error })
        break
    }
  }

  private append(replica: LocalReplica, key: string, fetched: FetchedPartition): void {
    const asked = this.machine.position(key)
    if (asked === undefined) return
    const whole = wholeBatches(fetched.records)
    const has = { endOffset: replica.log.logEndOffset, epoch: replica.log.latestEpoch ?? -1 }
    // Epochs only rise: most answers bring none that is new.
    const gap = whole.lastEpoch > has.epoch ? gapBeforeEpoch(whole.records, has) : undefined
    if (gap?.position === 0) return void this.learnEpochs(replica, { key, position: asked, gap, has })
    const { records, lastEpoch } = gap === undefined ? whole : wholeBatches(whole.records.subarray(0, gap.position))
    if (records.length > 0) {
      if (asked.fetchOffset !== replica.log.logEndOffset) {
        throw new Error(`fetched from ${asked.fetchOffset}, but the log ends at ${replica.log.logEndOffset}`)
      }
      replica.appendFetched(records)
      const { topic, partition } = replica.topicPartition
      const { quota, environment } = this.host
      if (quota.isThrottled(topic, partition)) quota.record(records.length, environment.clock.monotonicMs())
    }
    replica.followLeader(fetched)
    this.machine.caughtUp(key, replica.log.logEndOffset >= fetched.highWatermark)
    this.machine.moved(key, {
      fetchOffset: replica.log.logEndOffset,
      lastFetchedEpoch: records.length > 0 ? lastEpoch : asked.lastFetchedEpoch,
      logStartOffset: replica.log.logStartOffset,
    })
  }

  /** The same is fetched again, and appended, when it is known where its epoch began. */
  private async learnEpochs(
    replica: LocalReplica,
    about: {
      readonly key: string
      readonly position: FetchPosition
      readonly gap: EpochGap
      readonly has: { readonly endOffset: number; readonly epoch: number }
    },
  ): Promise<void> {
    const { key, position, gap, has } = about
    this.machine.hold(key)
    const entries = await earlierEpochs(gap, has, epoch => this.leaderEpochEnd(position, epoch))
    if (this.isStopped || this.machine.position(key) !== position) return
    if (entries === undefined) this.machine.delay(key, this.host.environment.clock.monotonicMs())
    else
      this.onDisk(replica, key, () => {
        replica.log.learnEpochs(entries)
        this.machine.moved(key, positionOf(replica))
      })
    this.proceed()
  }

  private truncate(replica: LocalReplica, offset: number, why: object): void {
    const before = replica.highWatermark
    this.host.log.info('truncating a follower', { ...partitionFields(replica), offset, ...why })
    if (replica.truncateTo(offset)) {
      this.host.log.warn('truncated below the high watermark: records that had been committed are gone', {
        ...partitionFields(replica),
        offset,
        highWatermark: before,
      })
    }
  }

  /**
   * The leader's log does not reach to our position. Behind its end: our log is longer (unclean election), cut it. Before its start: all we have
   * is out of date, begin anew. Else the leader moved meanwhile: ask again.
   */
  private async reset(replica: LocalReplica, key: string, position: FetchPosition): Promise<void> {
    const latest = await this.leaderOffset(position, latestTimestamp)
    const earliest = latest === undefined ? undefined : await this.leaderOffset(position, earliestTimestamp)
    if (this.isStopped || this.machine.position(key) !== position) return
    if (latest === undefined || earliest === undefined) {
      this.machine.delay(key, this.host.environment.clock.monotonicMs())
      this.proceed()
      return
    }
    this.onDisk(replica, key, () => {
      const end = replica.log.logEndOffset
      if (latest < end) this.truncate(replica, latest, { leaderEnd: latest })
      else if (earliest > end) {
        this.host.log.warn('the leader no longer has what follows on our log: starting anew', {
          ...partitionFields(replica),
          logEndOffset: end,
          leaderStart: earliest,
        })
        replica.truncateFullyAndStartAt(earliest)
      }
      this.machine.moved(key, positionOf(replica))
    })
    this.proceed()
  }

  private async leaderOffset(position: FetchPosition, timestamp: number): Promise<number | undefined> {
    const { partition, currentLeaderEpoch } = position
    const body = {
      replicaId: this.host.brokerId,
      isolationLevel: 0,
      topics: [{ name: position.topic, partitions: [{ partitionIndex: partition, currentLeaderEpoch, timestamp }] }],
    }
    return (await this.askLeader<ListOffsetsReply>(listOffsetsKey, body))?.offset
  }

  private async leaderEpochEnd(position: FetchPosition, leaderEpoch: number): Promise<EpochEndOffset | undefined> {
    const { topic, partition, currentLeaderEpoch } = position
    const body = {
      replicaId: this.host.brokerId,
      topics: [{ topic, partitions: [{ partition, currentLeaderEpoch, leaderEpoch }] }],
    }
    return await this.askLeader<EpochEndReply>(offsetForLeaderEpochKey, body)
  }

  /** What the leader says of one partition; undefined when it does not. */
  private async askLeader<Reply extends OfOnePartition>(
    apiKey: number,
    body: object,
  ): Promise<Reply['topics'][number]['partitions'][number] | undefined> {
    try {
      const address = this.host.leaderAddress(this.leaderId)
      if (address === undefined) return undefined
      const options = { timeoutMs: this.host.settings.requestTimeoutMs }
      const { response } = await this.client.send<Reply>(address, apiKey, body, options)
      const answer = response.topics[0]?.partitions[0]
      return answer?.errorCode === 0 ? answer : undefined
    } catch (error) {
      this.host.log.debug('asking a leader for its offsets failed', {
        leader: this.leaderId,
        reason: (error as Error).message,
      })
      return undefined
    }
  }

  /** Nothing was appended; asked for again after the backoff, for as long as it takes. */
  private putOff(replica: LocalReplica, key: string): void {
    // An empty log may have been moved to where the batch begins that it could not take then.
    if (this.machine.position(key)?.fetchOffset !== replica.log.logEndOffset)
      this.machine.moved(key, positionOf(replica))
    this.machine.delay(key, this.host.environment.clock.monotonicMs())
  }

  /** A failing disk ends the replica, not the fetcher. */
  private onDisk(replica: LocalReplica, key: string, work: () => void): void {
    try {
      work()
    } catch (error) {
      if (error instanceof CorruptRecordsError) {
        // Damaged on the way, or on the leader's disk while it was read: the next answer may be whole.
        this.host.log.error('a leader sent damaged records', { ...partitionFields(replica), error })
        this.putOff(replica, key)
        return
      }
      if (isShortage(error)) {
        this.putOff(replica, key)
        return
      }
      this.machine.remove(key)
      if (!(error instanceof DiskError)) throw error
      this.host.diskFailed(replica, error)
    }
  }
}

function positionOf(replica: LocalReplica): { fetchOffset: number; lastFetchedEpoch: number; logStartOffset: number } {
  const { log } = replica
  return {
    fetchOffset: log.logEndOffset,
    lastFetchedEpoch: log.logEndOffset > log.logStartOffset ? (log.epochAt(log.logEndOffset - 1) ?? -1) : -1,
    logStartOffset: log.logStartOffset,
  }
}

function partitionFields(replica: LocalReplica): LogFields {
  const { topic, partition } = replica.topicPartition
  return { topic, partition, leaderEpoch: replica.machine.leaderEpoch }
}

function byTopic<T>(
  positions: readonly FetchPosition[],
  item: (position: FetchPosition) => T,
): { topic: string; topicId: string; partitions: T[] }[] {
  const topics = new Map<string, { topic: string; topicId: string; partitions: T[] }>()
  for (const position of positions) {
    const { topic, topicId } = position
    let entry = topics.get(topicId)
    if (entry === undefined) {
      entry = { topic, topicId, partitions: [] }
      topics.set(topicId, entry)
    }
    entry.partitions.push(item(position))
  }
  return [...topics.values()]
}
