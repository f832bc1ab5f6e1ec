/**
 * All groups whose state lives in one partition of `__consumer_offsets`, the machine. Its durable part is a fold of the partition's
 * records; offsets become visible only once their records are committed, so that nobody reads what a failover could take back.
 * Sources: KIP-211 (offset expiry), KIP-345, KIP-709 (batched fetch); Kafka's OffsetCommit/GroupMetadata record schemas.
 */
import type { ErrorName } from '../../protocol/errors.ts'
import { ClassicGroup } from './classic-group.ts'
import type { GroupLimits, MemberIdentity } from './classic-requests.ts'
import { Effects, type Effect, type Ticket } from '../runtime/effects.ts'
import type { CoordinatorShard } from '../runtime/shard.ts'
import * as records from './group-records.ts'

export interface CommittedOffset {
  readonly offset: number
  /** -1 when the client said none. */
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitWallMs: number
  /** Only commits with a retention of their own (OffsetCommit v2-4) have it. */
  readonly expireWallMs: number | undefined
}

export interface CommitEntry {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
}

export interface CommitRequest extends MemberIdentity {
  readonly groupId: string
  readonly generationId: number
  /** Undefined: the broker's default. */
  readonly retentionMs: number | undefined
  readonly entries: readonly CommitEntry[]
}

export interface ShardOptions {
  readonly limits: GroupLimits
  readonly offsetMetadataMaxBytes: number
  readonly offsetsRetentionMs: number
}

export type GroupOffsets = Map<string, Map<number, CommittedOffset>>

export interface GroupSummary {
  readonly groupId: string
  readonly protocolType: string
  readonly state: string
}

export class GroupShard implements CoordinatorShard {
  readonly #options: ShardOptions
  readonly #effects = new Effects()
  readonly #groups = new Map<string, ClassicGroup>()
  readonly #offsets = new Map<string, GroupOffsets>()
  /** Commits on their way per group: such a group is not empty of offsets yet, whatever the map says. */
  readonly #commitsInFlight = new Map<string, number>()
  #wallMs = 0

  constructor(options: ShardOptions) {
    this.#options = options
  }

  // --------------------------------------------------------------------------------------------------- loading

  /** One record of the log, in order. Records of kinds we do not know are left alone. */
  replay(key: Buffer, value: Buffer | null): void {
    const record = records.decode(key, value)
    if (record === undefined) return
    if (record.kind === 'offset') {
      if (record.committed === undefined) this.#dropOffset(record.groupId, record.topic, record.partition)
      else this.#storeOffset(record.groupId, record.topic, record.partition, record.committed)
      return
    }
    if (record.group === undefined) {
      this.#groups.delete(record.groupId)
      return
    }
    const group = this.#newGroup(record.groupId)
    records.restore(group, record.group)
    this.#groups.set(record.groupId, group)
  }

  /** The log is read to its end: sessions begin, and groups that only have offsets exist too. */
  loaded(nowMs: number): void {
    for (const groupId of this.#offsets.keys())
      if (!this.#groups.has(groupId)) this.#groups.set(groupId, this.#newGroup(groupId))
    for (const group of this.#groups.values()) group.loaded(nowMs)
  }

  unload(): void {
    for (const group of this.#groups.values()) group.die('NOT_COORDINATOR')
  }

  // ---------------------------------------------------------------------------------------------------- groups

  /** Each step of the machine begins with the time of day and ends with `takeEffects`. */
  at(wallMs: number): void {
    this.#wallMs = wallMs
  }

  takeEffects(): Effect[] {
    return this.#effects.take()
  }

  group(groupId: string): ClassicGroup | undefined {
    const group = this.#groups.get(groupId)
    if (group !== undefined) group.wallMs = this.#wallMs
    return group
  }

  groupOrNew(groupId: string): ClassicGroup {
    let group = this.group(groupId)
    if (group === undefined) {
      group = this.#newGroup(groupId)
      this.#groups.set(groupId, group)
    }
    return group
  }

  list(): GroupSummary[] {
    return [...this.#groups.values()].map(({ groupId, protocolType, state }) => ({
      groupId,
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
      group.wallMs = this.#wallMs
      group.tick(nowMs)
    }
  }

  #newGroup(groupId: string): ClassicGroup {
    return new ClassicGroup(groupId, {
      limits: this.#options.limits,
      effects: this.#effects,
      encode: records.encodeGroup,
      wallMs: this.#wallMs,
    })
  }

  // --------------------------------------------------------------------------------------------------- offsets

  offsets(groupId: string): ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>> {
    return this.#offsets.get(groupId) ?? new Map<string, Map<number, CommittedOffset>>()
  }

  hasCommitInFlight(groupId: string): boolean {
    return (this.#commitsInFlight.get(groupId) ?? 0) > 0
  }

  /** The answer has one error per entry, in order. */
  commit(request: CommitRequest, ticket: Ticket<readonly ErrorName[]>, nowMs: number): void {
    const refusal = this.#refuseCommit(request, nowMs)
    if (refusal !== undefined) {
      this.#effects.reply(
        ticket,
        request.entries.map(() => refusal),
      )
      return
    }
    const tooLarge = ({ metadata }: CommitEntry) => Buffer.byteLength(metadata) > this.#options.offsetMetadataMaxBytes
    const accepted = request.entries.filter(entry => !tooLarge(entry))
    const answer = (outcome: ErrorName): ErrorName[] =>
      request.entries.map(entry => (tooLarge(entry) ? 'OFFSET_METADATA_TOO_LARGE' : outcome))
    if (accepted.length === 0) {
      this.#effects.reply(ticket, answer('NONE'))
      return
    }
    const commitWallMs = this.#wallMs
    const expireWallMs = request.retentionMs === undefined ? undefined : commitWallMs + request.retentionMs
    const { groupId } = request
    const values = accepted.map(entry => ({ entry, committed: { ...entry, commitWallMs, expireWallMs } }))
    this.#commitsInFlight.set(groupId, (this.#commitsInFlight.get(groupId) ?? 0) + 1)
    this.#effects.persist(
      values.map(({ entry, committed }) => records.encodeOffset(groupId, entry.topic, entry.partition, committed)),
      outcome => {
        this.#commitDone(groupId)
        if (outcome === 'NONE')
          for (const { entry, committed } of values) this.#storeOffset(groupId, entry.topic, entry.partition, committed)
        this.#effects.reply(ticket, answer(outcome))
      },
    )
  }

  #refuseCommit(request: CommitRequest, nowMs: number): ErrorName | undefined {
    const group = this.group(request.groupId)
    const simple = request.generationId < 0
    if (group === undefined) {
      if (!simple) return 'ILLEGAL_GENERATION'
      this.groupOrNew(request.groupId)
      return undefined
    }
    const error = group.validateCommit(request, request.generationId, nowMs)
    return error === 'NONE' ? undefined : error
  }

  #commitDone(groupId: string): void {
    const left = (this.#commitsInFlight.get(groupId) ?? 1) - 1
    if (left === 0) this.#commitsInFlight.delete(groupId)
    else this.#commitsInFlight.set(groupId, left)
  }

  #storeOffset(groupId: string, topic: string, partition: number, committed: CommittedOffset): void {
    const topics: GroupOffsets = this.#offsets.get(groupId) ?? new Map<string, Map<number, CommittedOffset>>()
    this.#offsets.set(groupId, topics)
    const partitions = topics.get(topic) ?? new Map<number, CommittedOffset>()
    topics.set(topic, partitions)
    partitions.set(partition, committed)
  }

  #dropOffset(groupId: string, topic: string, partition: number): void {
    const topics = this.#offsets.get(groupId)
    topics?.get(topic)?.delete(partition)
    if (topics?.get(topic)?.size === 0) topics.delete(topic)
    if (topics?.size === 0) this.#offsets.delete(groupId)
  }

  // ------------------------------------------------------------------------------------------ deletion, expiry

  deleteGroup(groupId: string, ticket: Ticket<ErrorName>): void {
    const group = this.group(groupId)
    if (group === undefined || group.state === 'Dead') this.#effects.reply(ticket, 'GROUP_ID_NOT_FOUND')
    else if (group.state !== 'Empty' || this.hasCommitInFlight(groupId)) this.#effects.reply(ticket, 'NON_EMPTY_GROUP')
    else {
      const tombstones = [...this.#offsetKeys(groupId)].map(({ topic, partition }) =>
        records.offsetTombstone(groupId, topic, partition),
      )
      group.die('GROUP_ID_NOT_FOUND')
      this.#effects.persist([...tombstones, records.groupTombstone(groupId)], outcome => {
        if (this.#groups.get(groupId) === group) this.#groups.delete(groupId)
        if (outcome === 'NONE') this.#offsets.delete(groupId)
        // The offsets are still there, and so is the group that owns them.
        else this.groupOrNew(groupId)
        this.#effects.reply(ticket, outcome)
      })
    }
  }

  *#offsetKeys(groupId: string): Generator<{ topic: string; partition: number; committed: CommittedOffset }> {
    for (const [topic, partitions] of this.offsets(groupId))
      for (const [partition, committed] of partitions) yield { topic, partition, committed }
  }

  /** Offsets of topics that are gone mean nothing any more. */
  topicsDeleted(topics: ReadonlySet<string>): void {
    for (const groupId of this.#offsets.keys()) this.#expire(groupId, ({ topic }) => topics.has(topic))
  }

  /**
   * Drops what nobody used for offsets.retention.minutes: counted from the moment the group became empty, or, for offsets of a consumer
   * that assigns itself, from the commit. A group that is empty of members and of offsets goes too.
   */
  expireOffsets(): void {
    for (const group of [...this.#groups.values()]) {
      if (group.state !== 'Empty' || this.hasCommitInFlight(group.groupId)) continue
      const sinceMs = group.protocolType === null ? undefined : group.stateChangedWallMs
      this.#expire(group.groupId, ({ committed }) => this.#isExpired(committed, sinceMs))
      this.#retire(group)
    }
  }

  #isExpired(committed: CommittedOffset, emptySinceWallMs: number | undefined): boolean {
    if (committed.expireWallMs !== undefined) return committed.expireWallMs <= this.#wallMs
    return Math.max(emptySinceWallMs ?? 0, committed.commitWallMs) + this.#options.offsetsRetentionMs <= this.#wallMs
  }

  #expire(groupId: string, isDue: (entry: { topic: string; committed: CommittedOffset }) => boolean): void {
    const due = [...this.#offsetKeys(groupId)].filter(isDue)
    if (due.length === 0) return
    const tombstones = due.map(({ topic, partition }) => records.offsetTombstone(groupId, topic, partition))
    for (const { topic, partition } of due) this.#dropOffset(groupId, topic, partition)
    this.#effects.persist(tombstones, () => undefined)
  }

  /** An empty group without offsets leaves no trace. */
  #retire(group: ClassicGroup): void {
    if (this.#offsets.has(group.groupId)) return
    const { generationId } = group
    group.die('GROUP_ID_NOT_FOUND')
    this.#groups.delete(group.groupId)
    if (generationId > 0) this.#effects.persist([records.groupTombstone(group.groupId)], () => undefined)
  }
}
