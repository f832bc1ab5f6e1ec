/**
 * One consumer group (KIP-848), its state: a fold over its records. What changes it is in consumer-heartbeat.ts (members of the new
 * protocol), consumer-classic.ts (members of the classic protocol, while the group migrates) and migration.ts.
 *
 * Empty → Assigning: a member joined, no target for the group epoch yet → Reconciling: not all members have reached it → Stable.
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { Uuid } from '../../../controller/metadata-record.ts'
import type { ErrorName } from '../../../protocol/errors.ts'
import type { CoordinatorRecord } from '../../runtime/effects.ts'
import type { ExpiryRule } from '../group-offsets.ts'
import { leftEpoch, newConsumerMember, regexOf, type ConsumerMember, type EpochAssignment } from './consumer-member.ts'
import {
  consumerRecords,
  regexRecord,
  tombstones,
  type ConsumerRecord,
  type ResolvedRegex,
} from './consumer-records.ts'
import { ModernGroup } from './modern-group.ts'
import { isReconciledTo } from './reconcile.ts'
import { topicIdsOf } from './subscribed-topics.ts'

export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable'

/** Asked for each partition of a commit; 'NONE': go ahead. */
export type CommitCheck = (
  topic: { readonly name: string; readonly id: Uuid | undefined },
  partition: number,
) => ErrorName

const nothing: EpochAssignment = new Map<Uuid, ReadonlyMap<number, number>>()

export class ConsumerGroup extends ModernGroup<ConsumerMember> {
  readonly type = 'Consumer'
  readonly protocolType = 'consumer'
  /** What a group has before its first record: 0 is the epoch of a member that joins, and must not be one of a member that has. */
  override groupEpoch = 1
  override assignmentEpoch = 1
  readonly regexes: ReadonlyMap<string, ResolvedRegex>
  readonly #regexes = new Map<string, ResolvedRegex>()
  /** Which member has, or has yet to give up, each partition. */
  readonly #owners = new Map<Uuid, Map<number, string>>()
  /** When patterns were looked up last, and among which topics. */
  regexLook: { readonly topics: MetadataImage['topicsByName']; readonly wallMs: number } | undefined
  /** Written before 4.1, to be removed with the next epoch. */
  hasPartitionMetadata = false

  constructor(groupId: string) {
    super(groupId, consumerRecords(groupId))
    this.regexes = this.#regexes
  }

  // ---------------------------------------------------------------------------------------------------------- fold

  replay(record: ConsumerRecord): void {
    switch (record.kind) {
      case 'epoch':
        if (record.value !== undefined) this.replayEpoch(record.value.epoch, record.value.metadataHash)
        return
      case 'partitionMetadata':
        this.hasPartitionMetadata = record.value === true
        return
      case 'targetMetadata':
        this.replayTargetMetadata(record.value?.epoch ?? -1, record.value?.timestampMs ?? 0)
        return
      case 'target':
        this.replayTarget(record.memberId, record.value)
        return
      case 'regex':
        if (record.value === undefined) this.#regexes.delete(record.regex)
        else this.#regexes.set(record.regex, record.value)
        return
      case 'member':
        if (record.value === undefined) this.#remove(record.memberId)
        else this.#put({ ...this.#known(record.memberId), ...record.value })
        return
      case 'progress':
        this.#put({ ...this.#known(record.memberId), ...(record.value ?? noProgress) })
    }
  }

  #known(memberId: string): ConsumerMember {
    return this.members.get(memberId) ?? newConsumerMember(memberId)
  }

  #put(member: ConsumerMember): void {
    this.#release(member.memberId)
    for (const assignment of [member.assigned, member.revoking])
      for (const [topicId, partitions] of assignment) {
        const owners = this.#owners.get(topicId) ?? new Map<number, string>()
        this.#owners.set(topicId, owners)
        for (const partition of partitions.keys()) owners.set(partition, member.memberId)
      }
    this.putMember(member)
  }

  #remove(memberId: string): void {
    this.#release(memberId)
    this.dropMember(memberId)
  }

  #release(memberId: string): void {
    const member = this.members.get(memberId)
    if (member === undefined) return
    for (const assignment of [member.assigned, member.revoking])
      for (const [topicId, partitions] of assignment) {
        const owners = this.#owners.get(topicId)
        for (const partition of partitions.keys()) if (owners?.get(partition) === memberId) owners.delete(partition)
        if (owners?.size === 0) this.#owners.delete(topicId)
      }
  }

  // --------------------------------------------------------------------------------------------------------- reading

  get state(): ConsumerGroupState {
    if (this.members.size === 0) return 'Empty'
    if (this.groupEpoch > this.assignmentEpoch) return 'Assigning'
    for (const member of this.members.values()) if (!isReconciledTo(member, this.assignmentEpoch)) return 'Reconciling'
    return 'Stable'
  }

  get isEmpty(): boolean {
    return this.members.size === 0
  }

  isHeld(topicId: Uuid, partition: number): boolean {
    return this.#owners.get(topicId)?.has(partition) === true
  }

  override subscriptionOf(member: ConsumerMember): ReadonlySet<string> {
    const regex = regexOf(member)
    const resolved = regex === undefined ? undefined : this.#regexes.get(regex)?.topics
    if (resolved === undefined || resolved.size === 0) return member.subscribedTopicNames
    return member.subscribedTopicNames.size === 0 ? resolved : new Set([...member.subscribedTopicNames, ...resolved])
  }

  subscribedTopicIds(member: ConsumerMember, image: MetadataImage): ReadonlySet<Uuid> {
    return topicIdsOf(this.subscriptionOf(member), image)
  }

  subscribersOf(regex: string): number {
    let count = 0
    for (const member of this.members.values()) if (regexOf(member) === regex) count++
    return count
  }

  /** The assignor that most members name; undefined: none is named. */
  preferredAssignor(): string | undefined {
    const votes = new Map<string, number>()
    for (const { serverAssignor } of this.members.values())
      if (serverAssignor !== null) votes.set(serverAssignor, (votes.get(serverAssignor) ?? 0) + 1)
    let best: string | undefined
    for (const [name, count] of votes) if (best === undefined || count > (votes.get(best) ?? 0)) best = name
    return best
  }

  // ------------------------------------------------------------------------------------------------------- offsets

  /**
   * May this member commit? A member that is behind may still commit for partitions that it got in an epoch not after the one it tells
   * (KIP-1251).
   */
  commitCheck(
    identity: { readonly memberId: string; readonly groupInstanceId: string | null; readonly epoch: number },
    options: { readonly isTransactional: boolean; readonly knowsMemberEpochs: boolean },
  ): CommitCheck | ErrorName {
    const { memberId, groupInstanceId, epoch } = identity
    if (epoch < 0 && this.isEmpty) return () => 'NONE'
    if (options.isTransactional && epoch === -1 && memberId === '' && groupInstanceId === null) return () => 'NONE'
    const member = this.members.get(memberId)
    if (member === undefined) return 'UNKNOWN_MEMBER_ID'
    if (!options.isTransactional && member.classic === null && !options.knowsMemberEpochs) return 'UNSUPPORTED_VERSION'
    if (epoch === member.memberEpoch) return () => 'NONE'
    const stale = member.classic === null ? 'STALE_MEMBER_EPOCH' : 'ILLEGAL_GENERATION'
    if (epoch > member.memberEpoch) return stale
    return ({ id: topicId }, partition) => {
      if (topicId === undefined) return stale
      const since = member.assigned.get(topicId)?.get(partition) ?? member.revoking.get(topicId)?.get(partition)
      return since !== undefined && epoch >= since ? 'NONE' : stale
    }
  }

  /** Undefined member: an operator. */
  fetchError(memberId: string | null, epoch: number): ErrorName {
    if (memberId === null && epoch < 0) return 'NONE'
    const member = memberId === null ? undefined : this.members.get(memberId)
    if (member === undefined) return 'UNKNOWN_MEMBER_ID'
    if (epoch === member.memberEpoch) return 'NONE'
    return member.classic === null ? 'STALE_MEMBER_EPOCH' : 'ILLEGAL_GENERATION'
  }

  expiryRule(): ExpiryRule {
    return { unusedSinceWallMs: undefined, isSubscribed: topic => this.isSubscribedTo(topic) }
  }

  /** The records that remove the group, in the order in which they must come. */
  tombstones(): CoordinatorRecord[] {
    const { groupId } = this
    const memberIds = [...this.members.keys()]
    return [
      ...memberIds.map(memberId => tombstones.progress(groupId, memberId)),
      ...[...this.target.keys()].map(memberId => this.records.target(memberId, null)),
      tombstones.targetMetadata(groupId),
      ...memberIds.map(memberId => tombstones.member(groupId, memberId)),
      ...[...this.#regexes.keys()].map(regex => regexRecord(groupId, regex, null)),
      tombstones.partitionMetadata(groupId),
      tombstones.group(groupId),
    ]
  }
}

const noProgress = {
  memberEpoch: leftEpoch,
  previousMemberEpoch: leftEpoch,
  state: 'stable',
  assigned: nothing,
  revoking: nothing,
} as const
