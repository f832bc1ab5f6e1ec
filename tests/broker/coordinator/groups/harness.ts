/** A shard under test: time by hand, every record committed at once unless a test holds it back. */
import {
  GroupShard,
  type CommitRequest,
  type TransactionalCommitRequest,
} from '#broker/coordinator/groups/group-shard.ts'
import type { JoinRequest, SyncRequest } from '#broker/coordinator/groups/classic-requests.ts'
import type { JoinAnswer, SyncAnswer } from '#broker/coordinator/groups/classic-member.ts'
import type { CoordinatorRecord, PersistEffect } from '#broker/coordinator/runtime/effects.ts'
import type { RecordOrigin, TransactionMarker } from '#broker/coordinator/runtime/shard.ts'
import { MetadataImage } from '#broker/controller/image.ts'
import { rangeAssignor } from '#broker/coordinator/groups/modern/assignors/range.ts'
import { uniformAssignor } from '#broker/coordinator/groups/modern/assignors/uniform.ts'
import { TopicPatterns } from '#broker/coordinator/groups/modern/topic-patterns.ts'
import type { ConsumerSettings } from '#broker/coordinator/groups/modern/consumer-heartbeat.ts'
import type { ShareSettings } from '#broker/coordinator/groups/share/share-heartbeat.ts'
import type { StreamsSettings } from '#broker/coordinator/groups/streams/streams-heartbeat.ts'
import type { ErrorName } from '#broker/protocol/errors.ts'

/** A record, or the end of a transaction. */
export type LogEntry = (CoordinatorRecord & { readonly origin: RecordOrigin }) | TransactionMarker

export class ShardHarness {
  shard: GroupShard
  nowMs = 1000
  /** Everything that was committed, in order. */
  readonly log: LogEntry[] = []
  image = MetadataImage.empty('')
  consumerSettings: ConsumerSettings = {
    sessionTimeoutMs: 45_000,
    heartbeatIntervalMs: 5000,
    assignmentIntervalMs: 0,
    regexRefreshIntervalMs: 600_000,
    maxSize: 10,
    migrationPolicy: 'BIDIRECTIONAL',
    minSessionTimeoutMs: 6000,
    maxSessionTimeoutMs: 60_000,
    classicMaxSize: 10,
    assignors: [uniformAssignor, rangeAssignor],
  }
  shareSettings: ShareSettings = {
    sessionTimeoutMs: 45_000,
    heartbeatIntervalMs: 5000,
    maxSize: 3,
    initializeRetryIntervalMs: 30_000,
  }
  streamsSettings: StreamsSettings = {
    sessionTimeoutMs: 45_000,
    heartbeatIntervalMs: 5000,
    assignmentIntervalMs: 0,
    initialRebalanceDelayMs: 0,
    standbyReplicas: 0,
    maxSize: 10,
  }
  /** group.max.size; heeded from the next `reload` on. */
  maxSize = 5
  /** While true, appends wait in `held`. */
  hold = false
  readonly held: PersistEffect[] = []
  readonly #patterns = new TopicPatterns()
  readonly #initialRebalanceDelayMs: number
  #memberNumber = 0

  constructor(initialRebalanceDelayMs = 0) {
    this.#initialRebalanceDelayMs = initialRebalanceDelayMs
    this.shard = this.#make()
  }

  #make(): GroupShard {
    return new GroupShard({
      limits: {
        initialRebalanceDelayMs: this.#initialRebalanceDelayMs,
        minSessionTimeoutMs: 6000,
        maxSessionTimeoutMs: 60_000,
        maxSize: this.maxSize,
      },
      offsets: { metadataMaxBytes: 10, retentionMs: 100_000 },
      image: () => this.image,
      patterns: this.#patterns,
      consumerSettings: () => this.consumerSettings,
      shareSettings: () => this.shareSettings,
      streamsSettings: () => this.streamsSettings,
    })
  }

  /** A failover: a new shard, filled from the log, of which what is at or above `highWatermark` may be lost yet. */
  reload(highWatermark = Infinity): void {
    this.shard = this.#make()
    this.shard.at(this.nowMs)
    for (const [offset, entry] of this.log.entries()) {
      const isUncommitted = offset >= highWatermark
      if ('key' in entry) this.shard.replay(entry.key, entry.value, { ...entry.origin, isUncommitted })
      else this.shard.replayMarker(entry, { isUncommitted })
    }
    this.shard.loaded(this.nowMs)
  }

  step(run: (shard: GroupShard) => void): void {
    this.shard.at(this.nowMs)
    run(this.shard)
    for (const effect of this.shard.takeEffects()) {
      if (effect.kind === 'reply') effect.send()
      else if (effect.kind !== 'persist') throw new Error(`a group wants ${effect.kind}`)
      else if (this.hold) this.held.push(effect)
      else this.finish(effect, 'NONE')
    }
  }

  finish({ records, then, producer }: PersistEffect, outcome: ErrorName): void {
    const { producerId, producerEpoch } = producer ?? { producerId: -1n, producerEpoch: -1 }
    const isTransactional = producer !== undefined
    if (outcome === 'NONE')
      for (const record of records) {
        const offset = this.log.length
        this.log.push({ ...record, origin: { offset, producerId, producerEpoch, isTransactional } })
      }
    this.step(() => then(outcome, this.nowMs))
  }

  pass(ms: number): void {
    const end = this.nowMs + ms
    while (this.shard.deadlineMs() <= end) {
      this.nowMs = Math.max(this.nowMs, this.shard.deadlineMs())
      this.step(shard => shard.tick(this.nowMs))
    }
    this.nowMs = end
  }

  join(over: Partial<JoinRequest> = {}): { answer: JoinAnswer | undefined } {
    const box: { answer: JoinAnswer | undefined } = { answer: undefined }
    const request: JoinRequest = {
      memberId: '',
      groupInstanceId: null,
      clientId: 'client',
      clientHost: '/127.0.0.1',
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 20_000,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.from('topics') }],
      memberIdRequired: false,
      skipAssignmentSupported: true,
      newMemberId: `member-${++this.#memberNumber}`,
      ...over,
    }
    const ticket = { resolve: (answer: JoinAnswer) => void (box.answer = answer) }
    this.step(shard => shard.join('g', request, ticket, this.nowMs))
    return box
  }

  sync(over: Partial<SyncRequest> & { memberId: string; generationId: number }): { answer: SyncAnswer | undefined } {
    const box: { answer: SyncAnswer | undefined } = { answer: undefined }
    const request: SyncRequest = {
      groupInstanceId: null,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: new Map(),
      ...over,
    }
    const ticket = { resolve: (answer: SyncAnswer) => void (box.answer = answer) }
    this.step(shard => shard.sync('g', request, ticket, this.nowMs))
    return box
  }

  heartbeat(memberId: string, generationId: number, groupInstanceId: string | null = null): ErrorName {
    let error: ErrorName = 'UNKNOWN_SERVER_ERROR'
    this.step(shard => {
      error = shard.heartbeat('g', { memberId, groupInstanceId }, generationId, this.nowMs)
    })
    return error
  }

  leave(memberId: string): ErrorName {
    let error: ErrorName = 'UNKNOWN_SERVER_ERROR'
    this.step(shard => {
      error = shard.leave('g', [{ memberId, groupInstanceId: null }], this.nowMs)[0] ?? 'NONE'
    })
    return error
  }

  commit(over: Partial<CommitRequest> = {}): { answer: readonly ErrorName[] | undefined } {
    const box: { answer: readonly ErrorName[] | undefined } = { answer: undefined }
    const request: CommitRequest = {
      groupId: 'g',
      generationId: -1,
      memberId: '',
      groupInstanceId: null,
      retentionMs: undefined,
      knowsMemberEpochs: false,
      entries: [{ topic: 't', partition: 0, offset: 7, leaderEpoch: 2, metadata: 'm' }],
      ...over,
    }
    const ticket = { resolve: (answer: readonly ErrorName[]) => void (box.answer = answer) }
    this.step(shard => shard.commit(request, ticket, this.nowMs))
    return box
  }

  commitTransactional(over: Partial<TransactionalCommitRequest> = {}): { answer: readonly ErrorName[] | undefined } {
    const box: { answer: readonly ErrorName[] | undefined } = { answer: undefined }
    const request: TransactionalCommitRequest = {
      groupId: 'g',
      generationId: -1,
      memberId: '',
      groupInstanceId: null,
      producer: { producerId: 5n, producerEpoch: 0 },
      entries: [{ topic: 't', partition: 0, offset: 70, leaderEpoch: 2, metadata: 'm' }],
      ...over,
    }
    const ticket = { resolve: (answer: readonly ErrorName[]) => void (box.answer = answer) }
    this.step(shard => shard.commitTransactional(request, ticket))
    return box
  }

  endTransaction(committed: boolean, producerId = 5n): void {
    const marker = { producerId, producerEpoch: 0, committed, coordinatorEpoch: 1 }
    this.log.push(marker)
    this.step(shard => shard.replayMarker(marker))
  }

  get state(): string | undefined {
    return this.shard.group('g')?.state
  }

  /** Two members, stable at generation 2, the first one leads. */
  stablePair(): { leader: string; follower: string; generationId: number } {
    const first = this.join()
    const leader = first.answer?.memberId ?? ''
    const second = this.join()
    const again = this.join({ memberId: leader })
    const follower = second.answer?.memberId ?? ''
    const generationId = again.answer?.generationId ?? -1
    this.sync({ memberId: follower, generationId })
    const assignments = new Map([
      [leader, Buffer.from('p0')],
      [follower, Buffer.from('p1')],
    ])
    this.sync({ memberId: leader, generationId, assignments })
    return { leader, follower, generationId }
  }
}
