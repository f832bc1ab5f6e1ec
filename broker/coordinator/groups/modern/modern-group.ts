/**
 * ModernGroup: what consumer, share and streams groups have in common (KIP-848). The coordinator assigns; members learn by heartbeats.
 *
 * Three epochs drive a group. The *group epoch* rises when subscriptions or the metadata of subscribed topics change. The *assignment
 * epoch* is the group epoch that the target assignment was made for. The *member epoch* is the assignment epoch that a member has reached;
 * it gets there at its own pace, by heartbeats.
 *
 * How to make a kind of group of it:
 * - Members are immutable values of a type that extends `ModernMember`; `members` changes in replay alone (`putMember`, `dropMember`).
 * - Every change is a record: build it with `encodeRecord`, give it to `AppliedWrites.write`, which replays it at once. The shard routes
 *   records by type to the group, both while loading and at run time: so the state is a fold of the log.
 * - `refreshMetadata` compares the subscribed topics with the metadata and raises the group epoch (`write(this.records.epoch(...))`);
 *   `updateTarget` runs an assignor for it and writes the target records that differ. Both are steps of a heartbeat.
 * - Soft state: `heard` begins or renews a session, `awaitRevocation` a rebalance timeout; `due` tells which members ran out of either.
 *   `loaded` gives everybody a full session.
 * - The shard wants what `Group` says (group.ts): type, state name, deadline, tombstones, rules for offsets.
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { Uuid } from '../../../controller/metadata-record.ts'
import type { CoordinatorRecord } from '../../runtime/effects.ts'
import { noAssignment, partitionsOf, sameAssignment, type Assignment } from './assignment.ts'
import type { Assignor, GroupSpec, MemberSpec, TopicDescriber } from './assignors/assignor.ts'
import { metadataHash, topicIdsOf } from './subscribed-topics.ts'

export interface ModernMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly subscribedTopicNames: ReadonlySet<string>
  readonly memberEpoch: number
  readonly previousMemberEpoch: number
}

/** The records that every kind of group has, under names of its own. `null`: the tombstone. */
export interface ModernRecords {
  epoch(epoch: number, metadataHash: bigint): CoordinatorRecord
  targetMetadata(epoch: number, timestampMs: number): CoordinatorRecord
  target(memberId: string, assignment: Assignment | null): CoordinatorRecord
}

export interface MemberTimeout {
  readonly memberId: string
  readonly kind: 'session' | 'revocation'
}

export type Write = (record: CoordinatorRecord) => void

export abstract class ModernGroup<Member extends ModernMember> {
  readonly groupId: string
  protected readonly records: ModernRecords
  /** Before the first record of it. */
  groupEpoch = 0
  metadataHash = 0n
  assignmentEpoch = 0
  /** Wall ms at which the target was made, 0: never, or by an older version. */
  assignmentTimestampMs = 0
  readonly members: ReadonlyMap<string, Member>
  /** Of each member; what a member has reached of it is in the member. */
  readonly target: ReadonlyMap<string, Assignment>
  readonly #members = new Map<string, Member>()
  readonly #target = new Map<string, Assignment>()
  readonly #static = new Map<string, string>()
  readonly #sessions = new Map<string, number>()
  readonly #revocations = new Map<string, number>()
  /** Topics may have changed since the group epoch was raised last. */
  isMetadataStale = true

  constructor(groupId: string, records: ModernRecords) {
    this.groupId = groupId
    this.records = records
    this.members = this.#members
    this.target = this.#target
  }

  // ----------------------------------------------------------------------------------------------------- the fold

  protected putMember(member: Member): void {
    this.#members.set(member.memberId, member)
    if (member.instanceId !== null) this.#static.set(member.instanceId, member.memberId)
  }

  protected dropMember(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member === undefined) return
    this.#members.delete(memberId)
    this.quit(memberId)
    const { instanceId } = member
    if (instanceId !== null && this.#static.get(instanceId) === memberId) this.#static.delete(instanceId)
  }

  replayEpoch(epoch: number, hash: bigint): void {
    this.groupEpoch = epoch
    this.metadataHash = hash
  }

  replayTargetMetadata(epoch: number, timestampMs: number): void {
    this.assignmentEpoch = epoch
    this.assignmentTimestampMs = timestampMs
  }

  replayTarget(memberId: string, assignment: Assignment | undefined): void {
    if (assignment === undefined) this.#target.delete(memberId)
    else this.#target.set(memberId, assignment)
  }

  staticMember(instanceId: string): Member | undefined {
    const memberId = this.#static.get(instanceId)
    return memberId === undefined ? undefined : this.#members.get(memberId)
  }

  targetOf(memberId: string): Assignment {
    return this.#target.get(memberId) ?? noAssignment
  }

  // --------------------------------------------------------------------------------------------------- subscriptions

  /** Names that a member subscribes to, resolved patterns included. */
  protected subscriptionOf(member: Member): ReadonlySet<string> {
    return member.subscribedTopicNames
  }

  subscribedTopicNames(): ReadonlySet<string> {
    const names = new Set<string>()
    for (const member of this.#members.values()) for (const name of this.subscriptionOf(member)) names.add(name)
    return names
  }

  isSubscribedTo(topic: string): boolean {
    for (const member of this.#members.values()) if (this.subscriptionOf(member).has(topic)) return true
    return false
  }

  isHomogeneous(): boolean {
    let first: ReadonlySet<string> | undefined
    for (const member of this.#members.values()) {
      const names = this.subscriptionOf(member)
      first ??= names
      if (names !== first && (names.size !== first.size || [...names].some(name => first?.has(name) !== true)))
        return false
    }
    return true
  }

  /** Raises the group epoch when the subscription changed (`hasChanged`) or the topics did. */
  refreshMetadata(image: MetadataImage, hasChanged: boolean, write: Write): void {
    if (!hasChanged && !this.isMetadataStale) return
    const hash = metadataHash(this.subscribedTopicNames(), image)
    this.isMetadataStale = false
    if (hasChanged || hash !== this.metadataHash) write(this.records.epoch(this.groupEpoch + 1, hash))
  }

  // ---------------------------------------------------------------------------------------------------------- target

  targetRecord(memberId: string, assignment: Assignment | null): CoordinatorRecord {
    return this.records.target(memberId, assignment)
  }

  /**
   * The last target is not older than `intervalMs` (group.*.assignment.interval.ms): the next one has to wait. Not for a target that seems
   * to come from the future: a clock was set back, or was ahead on another coordinator, and nobody may wait until it is caught up with.
   */
  mustAwaitAssignment(intervalMs: number, nowWallMs: number): boolean {
    const ageMs = nowWallMs - this.assignmentTimestampMs
    return this.assignmentTimestampMs > 0 && ageMs >= 0 && ageMs < intervalMs
  }

  /** Assigns for the current group epoch, if that was not done yet, and writes what differs from the last target. */
  updateTarget(options: { assignor: Assignor; image: MetadataImage; nowWallMs: number; write: Write }): void {
    if (this.assignmentEpoch >= this.groupEpoch) return
    const { assignor, image, nowWallMs, write } = options
    const assigned = assignor.assign(this.spec(image), this.describer(image))
    for (const memberId of this.#members.keys()) {
      const next = assigned.get(memberId) ?? noAssignment
      const last = this.#target.get(memberId)
      if (last === undefined || !sameAssignment(last, next)) write(this.records.target(memberId, next))
    }
    write(this.records.targetMetadata(this.groupEpoch, nowWallMs))
  }

  protected spec(image: MetadataImage): GroupSpec {
    const members = [...this.#members.values()].map((member): MemberSpec => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      rackId: member.rackId,
      topicIds: topicIdsOf(this.subscriptionOf(member), image),
      assignment: this.targetOf(member.memberId),
    }))
    return { members, isHomogeneous: this.isHomogeneous() }
  }

  protected describer(image: MetadataImage): TopicDescriber {
    const known = new Map<Uuid, readonly number[]>()
    return {
      partitions: topicId => {
        let partitions = known.get(topicId)
        if (partitions === undefined) {
          partitions = [...(image.topicsById.get(topicId)?.partitions.keys() ?? [])].sort((one, two) => one - two)
          known.set(topicId, partitions)
        }
        return partitions
      },
    }
  }

  /** Every partition is in the target of at most one member: what an assignor must keep, except that of share groups. */
  doublyAssigned(): string | undefined {
    const seen = new Set<string>()
    for (const assignment of this.#target.values())
      for (const [topicId, partition] of partitionsOf(assignment)) {
        const name = `${topicId}-${partition}`
        if (seen.has(name)) return name
        seen.add(name)
      }
    return undefined
  }

  // ------------------------------------------------------------------------------------------------------------ time

  heard(memberId: string, nowMs: number, sessionTimeoutMs: number): void {
    this.#sessions.set(memberId, nowMs + sessionTimeoutMs)
  }

  /** The member has to give partitions up within its rebalance timeout. */
  awaitRevocation(memberId: string, nowMs: number, rebalanceTimeoutMs: number): void {
    this.#revocations.set(memberId, nowMs + rebalanceTimeoutMs)
  }

  hasRevoked(memberId: string): void {
    this.#revocations.delete(memberId)
  }

  isAwaitingRevocation(memberId: string): boolean {
    return this.#revocations.has(memberId)
  }

  /** Nothing of the member is awaited any more. */
  quit(memberId: string): void {
    this.#sessions.delete(memberId)
    this.#revocations.delete(memberId)
  }

  get deadlineMs(): number {
    let earliest = Infinity
    for (const deadlineMs of this.#sessions.values()) earliest = Math.min(earliest, deadlineMs)
    for (const deadlineMs of this.#revocations.values()) earliest = Math.min(earliest, deadlineMs)
    return earliest
  }

  /** Members whose time ran out; each is told once. */
  due(nowMs: number): MemberTimeout[] {
    const timeouts: MemberTimeout[] = []
    for (const [memberId, deadlineMs] of this.#sessions)
      if (deadlineMs <= nowMs) timeouts.push({ memberId, kind: 'session' })
    for (const [memberId, deadlineMs] of this.#revocations)
      if (deadlineMs <= nowMs) timeouts.push({ memberId, kind: 'revocation' })
    for (const { memberId } of timeouts) this.quit(memberId)
    return timeouts
  }
}
