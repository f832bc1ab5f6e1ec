/**
 * All groups whose state lives in one partition of `__consumer_offsets`, the machine. Its durable part is a fold of the partition's
 * records; offsets become visible only once their records are committed, so that nobody reads what a failover could take back.
 * Sources: KIP-211 (offset expiry), KIP-345, KIP-709 (batched fetch); Kafka's OffsetCommit/GroupMetadata record schemas.
 */
import type { ErrorName } from '../../protocol/errors.ts'
import { coordinatorRecordType } from '../../protocol/records/prefixed.ts'
import { ClassicGroup } from './classic-group.ts'
import { noGroupOfMember } from './group-not-found.ts'
import type { JoinAnswer, SyncAnswer } from './classic-member.ts'
import {
  refuseJoin,
  refuseSync,
  type GroupLimits,
  type JoinRequest,
  type MemberIdentity,
  type SyncRequest,
} from './classic-requests.ts'
import { Effects, type Effect, type RecordsProducer, type Ticket } from '../runtime/effects.ts'
import type { CoordinatorShard, RecordOrigin, TransactionMarker } from '../runtime/shard.ts'
import type { MetadataImage } from '../../controller/image.ts'
import type { Group, GroupTable } from './group.ts'
import { Offsets, type CommitEntry, type CommitOptions, type OffsetLimits } from './group-offsets.ts'
import * as records from './group-records.ts'
import { ShareGroups } from './share/share-groups.ts'
import { decodeShareGroupRecord } from './share/share-group-records.ts'
import type { ShareSettings } from './share/share-heartbeat.ts'
import { AppliedWrites } from './modern/applied-writes.ts'
import { ConsumerGroup, type CommitCheck } from './modern/consumer-group.ts'
import { ConsumerGroups } from './modern/consumer-groups.ts'
import {
  refuseHeartbeat,
  type ConsumerHeartbeat,
  type ConsumerSettings,
  type GroupStep,
  type HeartbeatAnswer,
} from './modern/consumer-heartbeat.ts'
import { decodeConsumerRecord } from './modern/consumer-records.ts'
import { heartbeatRefusal } from './modern/heartbeat-checks.ts'
import type { TopicPatterns } from './modern/topic-patterns.ts'
import type { StreamsGroup } from './streams/streams-group.ts'
import { StreamsGroups } from './streams/streams-groups.ts'
import type { StreamsAnswer, StreamsHeartbeat, StreamsSettings } from './streams/streams-heartbeat.ts'
import { decodeStreamsRecord } from './streams/streams-records.ts'

export interface CommitRequest extends MemberIdentity {
  readonly groupId: string
  readonly generationId: number
  /** Undefined: the broker's default. */
  readonly retentionMs: number | undefined
  /** OffsetCommit v9+, whose clients understand GROUP_ID_NOT_FOUND and STALE_MEMBER_EPOCH. */
  readonly knowsMemberEpochs: boolean
  readonly entries: readonly CommitEntry[]
}

/** TxnOffsetCommit: -1 and '' from clients that know no membership (v0-2). */
export interface TransactionalCommitRequest extends MemberIdentity {
  readonly groupId: string
  readonly generationId: number
  readonly producer: RecordsProducer
  readonly entries: readonly CommitEntry[]
}

export interface ShardOptions {
  readonly limits: GroupLimits
  readonly offsets: OffsetLimits
  readonly image: () => MetadataImage
  readonly consumerSettings: (groupId: string) => ConsumerSettings
  readonly shareSettings: (groupId: string) => ShareSettings
  /** Of this broker: all shards may share them. */
  readonly patterns: TopicPatterns
  readonly streamsSettings: (groupId: string) => StreamsSettings
}

/** What a record has that the shard itself has just written. */
const ownRecord: RecordOrigin = { offset: -1, producerId: -1n, producerEpoch: -1, isTransactional: false }

export interface GroupSummary {
  readonly groupId: string
  readonly type: 'Classic' | 'Consumer' | 'Share' | 'Streams'
  readonly protocolType: string
  readonly state: string
}

export class GroupShard implements CoordinatorShard {
  readonly #options: ShardOptions
  readonly #effects = new Effects()
  readonly #groups: GroupTable = new Map<string, Group>()
  readonly #writes: AppliedWrites
  readonly #consumers: ConsumerGroups
  readonly #streams: StreamsGroups
  readonly offsets: Offsets
  readonly shares: ShareGroups
  #wallMs = 0

  constructor(options: ShardOptions) {
    this.#options = options
    this.offsets = new Offsets(this.#effects, options.offsets)
    this.#writes = new AppliedWrites(this.#effects, ({ key, value }) => this.replay(key, value, ownRecord))
    const parts = { groups: this.#groups, writes: this.#writes, image: options.image, wallMs: () => this.#wallMs }
    this.#consumers = new ConsumerGroups({ ...parts, settings: options.consumerSettings, patterns: options.patterns })
    this.#streams = new StreamsGroups({ ...parts, settings: options.streamsSettings })
    this.shares = new ShareGroups({ ...parts, settings: options.shareSettings })
  }

  // --------------------------------------------------------------------------------------------------- loading

  /** One record of the log, in order. Records of kinds we do not know are left alone. */
  replay(key: Buffer, value: Buffer | null, origin: RecordOrigin): void {
    const record = records.decode(key, value)
    if (record === undefined) {
      this.#replayModern(coordinatorRecordType(key), key, value)
      return
    }
    if (record.kind === 'offset') {
      this.offsets.replay(record, record.committed, origin)
      return
    }
    if (record.group === undefined) {
      if (this.#groups.get(record.groupId)?.type === 'Classic') this.#groups.delete(record.groupId)
      return
    }
    const group = this.#newGroup(record.groupId)
    records.restore(group, record.group)
    this.#groups.set(record.groupId, group)
  }

  #replayModern(type: number, key: Buffer, value: Buffer | null): void {
    const consumerRecord = decodeConsumerRecord(type, key, value)
    if (consumerRecord !== undefined) this.#consumers.replay(consumerRecord)
    const shareRecord = decodeShareGroupRecord(type, key, value)
    if (shareRecord !== undefined) this.shares.replay(shareRecord)
    const streamsRecord = decodeStreamsRecord(type, key, value)
    if (streamsRecord !== undefined) this.#streams.replay(streamsRecord)
  }

  replayMarker(marker: TransactionMarker, origin?: Pick<RecordOrigin, 'isUncommitted'>): void {
    this.offsets.replayMarker(marker, origin)
  }

  tailCommitted(): void {
    this.offsets.tailCommitted()
  }

  /** The log is read to its end: sessions begin, and groups that only have offsets exist too. */
  loaded(nowMs: number): void {
    for (const groupId of this.offsets.groupIds())
      if (!this.#groups.has(groupId)) this.#groups.set(groupId, this.#newGroup(groupId))
    for (const group of this.#groups.values()) {
      if (group.type === 'Classic') group.loaded(nowMs)
      else if (group.type === 'Streams') this.#streams.loaded(group, nowMs)
      else if (group.type === 'Share') this.shares.loaded(group, nowMs)
      else this.#consumers.loaded(group, nowMs)
    }
  }

  unload(): void {
    for (const group of this.#groups.values()) if (group.type === 'Classic') group.die('NOT_COORDINATOR')
  }

  // ---------------------------------------------------------------------------------------------------- groups

  /** Each step of the machine begins with the time of day and ends with `takeEffects`. */
  at(wallMs: number): void {
    this.#wallMs = wallMs
  }

  takeEffects(): Effect[] {
    return this.#effects.take()
  }

  /** Of any kind. */
  has(groupId: string): boolean {
    return this.#groups.has(groupId)
  }

  /** A classic group. */
  group(groupId: string): ClassicGroup | undefined {
    const group = this.#groups.get(groupId)
    if (group?.type !== 'Classic') return undefined
    group.wallMs = this.#wallMs
    return group
  }

  /** Only where no group of another kind has the name. */
  groupOrNew(groupId: string): ClassicGroup {
    let group = this.group(groupId)
    if (group === undefined) {
      group = this.#newGroup(groupId)
      this.#groups.set(groupId, group)
    }
    return group
  }

  streamsGroup(groupId: string): StreamsGroup | undefined {
    const group = this.#groups.get(groupId)
    return group?.type === 'Streams' ? group : undefined
  }

  streamsHeartbeat(request: StreamsHeartbeat, ticket: Ticket<StreamsAnswer>, nowMs: number): void {
    this.#streams.heartbeat(request, ticket, nowMs)
  }

  /** May a member that tells its epoch read the offsets of its group? Operators tell none. */
  fetchError(groupId: string, memberId: string | null, memberEpoch: number): ErrorName {
    if (this.offsets.isUncertain(groupId)) return 'COORDINATOR_LOAD_IN_PROGRESS'
    const group = this.#groups.get(groupId)
    // Share groups have no such offsets to hide.
    if (group === undefined || group.type === 'Classic' || group.type === 'Share') return 'NONE'
    return group.fetchError(memberId, memberEpoch)
  }

  consumerGroup(groupId: string): ConsumerGroup | undefined {
    const group = this.#groups.get(groupId)
    return group?.type === 'Consumer' ? group : undefined
  }

  list(): GroupSummary[] {
    return [...this.#groups.values()].map(({ groupId, type, protocolType, state }) => ({
      groupId,
      type,
      protocolType: protocolType ?? '',
      state,
    }))
  }

  deadlineMs(): number {
    let earliest = Infinity
    for (const group of this.#groups.values()) earliest = Math.min(earliest, group.deadlineMs)
    return earliest
  }

  tick(nowMs: number): void {
    for (const group of [...this.#groups.values()]) {
      if (group.type === 'Consumer') this.#consumers.tick(group, nowMs)
      else if (group.type === 'Streams') this.#streams.tick(group, nowMs)
      else if (group.type === 'Share') this.shares.tick(group, nowMs)
      else {
        group.wallMs = this.#wallMs
        group.tick(nowMs)
      }
    }
  }

  /** ConsumerGroupHeartbeat: the first member makes the group, also out of a classic one that has no members. */
  consumerHeartbeat(
    request: ConsumerHeartbeat,
    mayDescribe: (topic: string) => boolean,
    ticket: Ticket<HeartbeatAnswer>,
    nowMs: number,
  ): void {
    const { groupId, memberEpoch } = request
    const step = this.#consumers.step(groupId, nowMs, mayDescribe)
    const notFound = (reason: string): void =>
      this.#effects.reply(ticket, refuseHeartbeat('GROUP_ID_NOT_FOUND', reason))
    const group = this.#groups.get(groupId)
    const isNone = noGroupOfMember('consumer', groupId, group !== undefined)
    if (group?.type === 'Consumer') this.#consumers.heartbeat(group, request, step, ticket)
    else if (memberEpoch !== 0 || group?.type === 'Streams' || group?.type === 'Share') notFound(isNone)
    else if (group === undefined || group.isEmpty) this.#foundConsumerGroup(group, request, step, ticket)
    else {
      const upgraded = this.#consumers.upgrade(group, step)
      if (typeof upgraded === 'string') notFound(upgraded)
      else this.#consumers.heartbeat(upgraded, request, step, ticket)
    }
  }

  #foundConsumerGroup(
    empty: ClassicGroup | undefined,
    request: ConsumerHeartbeat,
    step: GroupStep,
    ticket: Ticket<HeartbeatAnswer>,
  ): void {
    const group = new ConsumerGroup(request.groupId)
    if (heartbeatRefusal(group, request, step) === undefined) {
      empty?.die('GROUP_ID_NOT_FOUND')
      for (const record of empty?.tombstones() ?? []) step.write(record)
      this.#groups.set(request.groupId, group)
    }
    this.#consumers.heartbeat(group, request, step, ticket)
  }

  // ------------------------------------------------------------------------------------- members of the classic protocol

  join(groupId: string, request: JoinRequest, ticket: Ticket<JoinAnswer>, nowMs: number): void {
    const group = this.#groups.get(groupId)
    if (group?.type === 'Consumer' && !group.isEmpty) this.#consumers.join(group, request, ticket, nowMs)
    else {
      if (group?.type === 'Share' || (group?.type === 'Streams' && !group.isEmpty)) {
        this.#effects.reply(ticket, refuseJoin('INCONSISTENT_GROUP_PROTOCOL', ''))
        return
      }
      // A group of another kind without members makes way, but for a share group: its states are elsewhere.
      if (group !== undefined && group.type !== 'Classic')
        for (const record of group.tombstones()) this.#writes.write(record)
      this.#writes.flush()
      // Someone who claims to be a member of a group that does not exist is wrong; only a newcomer makes a group.
      const classic = request.memberId === '' ? this.groupOrNew(groupId) : this.group(groupId)
      if (classic === undefined) this.#effects.reply(ticket, refuseJoin('UNKNOWN_MEMBER_ID', request.memberId))
      else classic.join(request, ticket, nowMs)
    }
  }

  sync(groupId: string, request: SyncRequest, ticket: Ticket<SyncAnswer>, nowMs: number): void {
    const group = this.#groups.get(groupId)
    if (group?.type === 'Consumer') this.#consumers.sync(group, request, ticket, nowMs)
    else if (group?.type !== 'Classic') this.#effects.reply(ticket, refuseSync('UNKNOWN_MEMBER_ID'))
    else this.group(groupId)?.sync(request, ticket, nowMs)
  }

  heartbeat(groupId: string, identity: MemberIdentity, generationId: number, nowMs: number): ErrorName {
    const group = this.#groups.get(groupId)
    if (group?.type === 'Consumer') return this.#consumers.classicHeartbeat(group, identity, generationId, nowMs)
    return this.group(groupId)?.heartbeat(identity, generationId, nowMs) ?? 'UNKNOWN_MEMBER_ID'
  }

  /** One error per member, in order. */
  leave(groupId: string, leaving: readonly MemberIdentity[], nowMs: number): ErrorName[] {
    const group = this.#groups.get(groupId)
    if (group?.type === 'Consumer') return this.#consumers.classicLeave(group, leaving, nowMs)
    return leaving.map(member => this.group(groupId)?.leave(member, nowMs) ?? 'UNKNOWN_MEMBER_ID')
  }

  /** Topics came, changed or went: groups that subscribe to them look at their next heartbeat. */
  topicsChanged(names: readonly string[]): void {
    for (const group of this.#groups.values())
      if (group.type !== 'Classic' && names.some(name => group.isSubscribedTo(name))) group.isMetadataStale = true
  }

  #newGroup(groupId: string): ClassicGroup {
    return new ClassicGroup(groupId, {
      limits: this.#options.limits,
      effects: this.#effects,
      encode: records.encodeGroup,
      tombstone: records.groupTombstone,
      wallMs: this.#wallMs,
    })
  }

  // --------------------------------------------------------------------------------------------------- offsets

  /** The answer has one error per entry, in order. */
  commit(request: CommitRequest, ticket: Ticket<readonly ErrorName[]>, nowMs: number): void {
    const { groupId, generationId, entries, retentionMs, knowsMemberEpochs } = request
    const group = this.#groups.get(groupId)
    const check =
      group === undefined
        ? this.#validateStranger(groupId, generationId, knowsMemberEpochs ? 'GROUP_ID_NOT_FOUND' : 'ILLEGAL_GENERATION')
        : group.type === 'Classic'
          ? group.validateCommit(request, generationId, nowMs)
          : group.type === 'Share'
            ? 'GROUP_ID_NOT_FOUND'
            : group.commitCheck({ ...request, epoch: generationId }, { isTransactional: false, knowsMemberEpochs })
    this.#commitIf(check, groupId, entries, ticket, { retentionMs })
  }

  commitTransactional(request: TransactionalCommitRequest, ticket: Ticket<readonly ErrorName[]>): void {
    const { groupId, generationId, entries, producer } = request
    const group = this.#groups.get(groupId)
    const check =
      group === undefined
        ? this.#validateStranger(groupId, generationId, 'ILLEGAL_GENERATION')
        : group.type === 'Classic'
          ? group.validateTransactionalCommit(request, generationId)
          : group.type === 'Share'
            ? 'GROUP_ID_NOT_FOUND'
            : group.commitCheck({ ...request, epoch: generationId }, { isTransactional: true, knowsMemberEpochs: true })
    this.#commitIf(check, groupId, entries, ticket, { producer }, withoutStaleEpochs)
  }

  /** `check`: of the member, or of the member and each partition. */
  #commitIf(
    check: ErrorName | CommitCheck,
    groupId: string,
    entries: readonly CommitEntry[],
    ticket: Ticket<readonly ErrorName[]>,
    options: CommitOptions,
    told: (error: ErrorName) => ErrorName = error => error,
  ): void {
    const image = this.#options.image()
    const checkEntry = ({ topic, partition }: CommitEntry): ErrorName =>
      told(typeof check === 'string' ? check : check({ name: topic, id: image.topicsByName.get(topic)?.id }, partition))
    this.offsets.commit(groupId, entries, ticket, this.#wallMs, { ...options, checkEntry })
  }

  /** A consumer that assigns itself, or an operator, makes a group; a member of a group that does not exist is wrong. */
  #validateStranger(groupId: string, generationId: number, notFound: ErrorName): ErrorName {
    if (generationId >= 0) return notFound
    this.groupOrNew(groupId)
    return 'NONE'
  }

  // ------------------------------------------------------------------------------------------ deletion, expiry

  deleteGroup(groupId: string, ticket: Ticket<ErrorName>): void {
    const group = this.#groups.get(groupId)
    // A share group that came since the share groups were asked was not there when the deletion began.
    if (group === undefined || group.state === 'Dead' || group.type === 'Share')
      this.#effects.reply(ticket, 'GROUP_ID_NOT_FOUND')
    else if (group.state !== 'Empty') this.#effects.reply(ticket, 'NON_EMPTY_GROUP')
    else if (group.type !== 'Classic') {
      for (const record of [...this.offsets.tombstones(groupId), ...group.tombstones()]) this.#writes.write(record)
      this.#writes.answer<ErrorName>(ticket, 'NONE', error => error)
    } else {
      group.die('GROUP_ID_NOT_FOUND')
      this.#effects.persist([...this.offsets.tombstones(groupId), ...group.tombstones()], outcome => {
        if (this.#groups.get(groupId) === group) this.#groups.delete(groupId)
        if (outcome === 'NONE') this.offsets.forget(groupId)
        // The offsets are still there, and so is the group that owns them.
        else if (!this.#groups.has(groupId)) this.groupOrNew(groupId)
        this.#effects.reply(ticket, outcome)
      })
    }
  }

  /** OffsetDelete: offsets of topics that the group reads stay. One error per partition, in order, or one for all. */
  deleteOffsets(
    groupId: string,
    partitions: readonly { readonly topic: string; readonly partition: number }[],
    ticket: Ticket<ErrorName | readonly ErrorName[]>,
  ): void {
    const group = this.#groups.get(groupId)
    const refusal = group === undefined ? 'GROUP_ID_NOT_FOUND' : offsetDeleteError(group)
    if (group === undefined || refusal !== undefined) {
      this.#effects.reply(ticket, refusal ?? 'GROUP_ID_NOT_FOUND')
      return
    }
    const isRead = (topic: string): boolean => group.isSubscribedTo(topic)
    const answer = (outcome: ErrorName): ErrorName | ErrorName[] =>
      outcome === 'NONE'
        ? partitions.map(({ topic }) => (isRead(topic) ? 'GROUP_SUBSCRIBED_TO_TOPIC' : 'NONE'))
        : outcome
    this.offsets.delete(
      groupId,
      partitions.filter(({ topic }) => !isRead(topic)),
      { resolve: outcome => ticket.resolve(answer(outcome)) },
    )
  }

  topicsDeleted(topics: ReadonlySet<string>): void {
    this.offsets.topicsDeleted(topics)
  }

  /** Drops offsets that nobody uses; a group that is empty of members and of offsets goes too. */
  expireOffsets(): void {
    for (const group of [...this.#groups.values()]) {
      const rule = group.expiryRule()
      if (rule === undefined) continue
      this.offsets.expire(group.groupId, rule, this.#wallMs)
      if (group.isEmpty && group.state === 'Empty') this.#retire(group)
    }
  }

  /** An empty group without offsets leaves no trace. */
  #retire(group: Group): void {
    if (!this.offsets.isEmpty(group.groupId)) return
    if (group.type !== 'Classic') {
      for (const record of group.tombstones()) this.#writes.write(record)
      this.#writes.flush()
      return
    }
    const { generationId } = group
    group.die('GROUP_ID_NOT_FOUND')
    this.#groups.delete(group.groupId)
    if (generationId > 0) this.#effects.persist(group.tombstones(), () => undefined)
  }
}

/** TxnOffsetCommit has no error for member epochs. */
function withoutStaleEpochs(error: ErrorName): ErrorName {
  return error === 'STALE_MEMBER_EPOCH' ? 'ILLEGAL_GENERATION' : error
}

/** Members of classic groups that are no consumers do not say what they read. */
function offsetDeleteError(group: Group): ErrorName | undefined {
  if (group.state === 'Dead' || group.type === 'Share') return 'GROUP_ID_NOT_FOUND'
  const isUnreadable = group.type === 'Classic' && !group.isEmpty && group.subscribedTopics() === undefined
  return isUnreadable ? 'NON_EMPTY_GROUP' : undefined
}
