/**
 * All groups whose state lives in one partition of `__consumer_offsets`, the machine. Its durable part is a fold of the partition's
 * records; offsets become visible only once their records are committed, so that nobody reads what a failover could take back.
 * Sources: KIP-211 (offset expiry), KIP-345, KIP-709 (batched fetch); Kafka's OffsetCommit/GroupMetadata record schemas.
 */
import type { ErrorName } from '../../protocol/errors.ts'
import { coordinatorRecordType } from '../../protocol/records/prefixed.ts'
import { ClassicGroup } from './classic-group.ts'
import type { GroupLimits, MemberIdentity } from './classic-requests.ts'
import { Effects, type Effect, type RecordsProducer, type Ticket } from '../runtime/effects.ts'
import type { CoordinatorShard, RecordOrigin, TransactionMarker } from '../runtime/shard.ts'
import { Offsets, type CommitEntry, type OffsetLimits } from './group-offsets.ts'
import * as records from './group-records.ts'
import { ShareGroups, type ShareGroupsOptions } from './share/share-groups.ts'

export interface CommitRequest extends MemberIdentity {
  readonly groupId: string
  readonly generationId: number
  /** Undefined: the broker's default. */
  readonly retentionMs: number | undefined
  /** What a member of a group that does not exist is told: GROUP_ID_NOT_FOUND from v9 on, ILLEGAL_GENERATION before. */
  readonly notFound: ErrorName
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
  readonly shares: Omit<ShareGroupsOptions, 'isTaken'>
}

export interface GroupSummary {
  readonly groupId: string
  readonly type: 'Classic' | 'Consumer' | 'Share' | 'Streams'
  readonly protocolType: string
  readonly state: string
}

export class GroupShard implements CoordinatorShard {
  readonly #options: ShardOptions
  readonly #effects = new Effects()
  readonly #groups = new Map<string, ClassicGroup>()
  readonly offsets: Offsets
  /** Share groups, by names that no other group has. */
  readonly shares: ShareGroups
  #wallMs = 0

  constructor(options: ShardOptions) {
    this.#options = options
    this.offsets = new Offsets(this.#effects, options.offsets)
    this.shares = new ShareGroups(this.#effects, { ...options.shares, isTaken: groupId => this.#groups.has(groupId) })
  }

  // --------------------------------------------------------------------------------------------------- loading

  /** One record of the log, in order. Records of kinds we do not know are left alone. */
  replay(key: Buffer, value: Buffer | null, origin: RecordOrigin): void {
    const record = records.decode(key, value)
    if (record === undefined) {
      this.shares.replay(coordinatorRecordType(key), key, value)
      return
    }
    if (record.kind === 'offset') {
      this.offsets.replay(record, record.committed, origin)
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

  replayMarker(marker: TransactionMarker): void {
    this.offsets.replayMarker(marker)
  }

  /** The log is read to its end: sessions begin, and groups that only have offsets exist too. */
  loaded(nowMs: number): void {
    for (const groupId of this.offsets.groupIds())
      if (!this.#groups.has(groupId)) this.#groups.set(groupId, this.#newGroup(groupId))
    for (const group of this.#groups.values()) group.loaded(nowMs)
    this.shares.loaded(nowMs)
  }

  unload(): void {
    for (const group of this.#groups.values()) group.die('NOT_COORDINATOR')
  }

  // ---------------------------------------------------------------------------------------------------- groups

  /** Each step of the machine begins with the time of day and ends with `takeEffects`. */
  at(wallMs: number): void {
    this.#wallMs = wallMs
    this.shares.at(wallMs)
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
    const others = [...this.#groups.values()].map(({ groupId, protocolType, state }) => ({
      groupId,
      type: 'Classic' as const,
      protocolType: protocolType ?? '',
      state,
    }))
    const shares = [...this.shares.all()].map(({ groupId, protocolType, state }) => ({
      groupId,
      type: 'Share' as const,
      protocolType,
      state,
    }))
    return [...others, ...shares]
  }

  deadlineMs(): number {
    let earliest = this.shares.deadlineMs()
    for (const group of this.#groups.values()) earliest = Math.min(earliest, group.deadlineMs)
    return earliest
  }

  tick(nowMs: number): void {
    this.shares.tick(nowMs)
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

  /** The answer has one error per entry, in order. */
  commit(request: CommitRequest, ticket: Ticket<readonly ErrorName[]>, nowMs: number): void {
    const { groupId, generationId, entries, retentionMs } = request
    const group = this.group(groupId)
    const error =
      group === undefined
        ? this.#validateStranger(groupId, generationId, request.notFound)
        : group.validateCommit(request, generationId, nowMs)
    if (error === 'NONE') this.offsets.commit(groupId, entries, ticket, this.#wallMs, { retentionMs })
    else this.#refuseCommit(entries, error, ticket)
  }

  commitTransactional(request: TransactionalCommitRequest, ticket: Ticket<readonly ErrorName[]>): void {
    const { groupId, generationId, entries, producer } = request
    const group = this.group(groupId)
    const error =
      group === undefined
        ? this.#validateStranger(groupId, generationId, 'ILLEGAL_GENERATION')
        : group.validateTransactionalCommit(request, generationId)
    if (error === 'NONE') this.offsets.commit(groupId, entries, ticket, this.#wallMs, { producer })
    else this.#refuseCommit(entries, error, ticket)
  }

  #refuseCommit(entries: readonly CommitEntry[], error: ErrorName, ticket: Ticket<readonly ErrorName[]>): void {
    this.#effects.reply(
      ticket,
      entries.map(() => error),
    )
  }

  /** A consumer that assigns itself, or an operator, makes a group; a member of a group that does not exist is wrong. */
  #validateStranger(groupId: string, generationId: number, notFound: ErrorName): ErrorName {
    if (generationId >= 0) return notFound
    this.groupOrNew(groupId)
    return 'NONE'
  }

  // ------------------------------------------------------------------------------------------ deletion, expiry

  deleteGroup(groupId: string, ticket: Ticket<ErrorName>): void {
    const group = this.group(groupId)
    if (group === undefined || group.state === 'Dead') this.#effects.reply(ticket, 'GROUP_ID_NOT_FOUND')
    else if (group.state !== 'Empty') this.#effects.reply(ticket, 'NON_EMPTY_GROUP')
    else {
      group.die('GROUP_ID_NOT_FOUND')
      this.#effects.persist([...this.offsets.tombstones(groupId), records.groupTombstone(groupId)], outcome => {
        if (this.#groups.get(groupId) === group) this.#groups.delete(groupId)
        if (outcome === 'NONE') this.offsets.forget(groupId)
        // The offsets are still there, and so is the group that owns them.
        else this.groupOrNew(groupId)
        this.#effects.reply(ticket, outcome)
      })
    }
  }

  topicsDeleted(topics: ReadonlySet<string>): void {
    this.offsets.topicsDeleted(topics)
  }

  /** Drops offsets that nobody uses; a group that is empty of members and of offsets goes too. */
  expireOffsets(): void {
    for (const group of [...this.#groups.values()]) {
      if (group.state !== 'Empty') continue
      const unusedSinceWallMs = group.protocolType === null ? undefined : group.stateChangedWallMs
      this.offsets.expire(group.groupId, { unusedSinceWallMs, isSubscribed: () => false }, this.#wallMs)
      this.#retire(group)
    }
  }

  /** An empty group without offsets leaves no trace. */
  #retire(group: ClassicGroup): void {
    if (!this.offsets.isEmpty(group.groupId)) return
    const { generationId } = group
    group.die('GROUP_ID_NOT_FOUND')
    this.#groups.delete(group.groupId)
    if (generationId > 0) this.#effects.persist([records.groupTombstone(group.groupId)], () => undefined)
  }
}
