/**
 * One streams group (KIP-1071), its state: a fold over its records. What changes it is in rebalance.ts.
 *
 * Empty       → NotReady, Assigning: a member joined
 * NotReady    → Assigning: the topics that the topology needs are there, and fit
 * Assigning   → Reconciling, Stable: the target for the group epoch was made
 * Reconciling → Stable: all members have reached it
 * Reconciling, Stable → Assigning: the group epoch rose; → NotReady: topics are missing now, or do not fit any more
 * any         → Empty: the last member is out
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { ErrorName } from '../../../protocol/errors.ts'
import type { CoordinatorRecord } from '../../runtime/effects.ts'
import type { AnyGroup } from '../group.ts'
import type { ExpiryRule } from '../group-offsets.ts'
import type { CommitCheck } from '../modern/consumer-group.ts'
import { leftEpoch } from '../modern/consumer-member.ts'
import { ModernGroup } from '../modern/modern-group.ts'
import { isReconciledTo } from '../modern/reconcile.ts'
import { planPartitions, type Plan } from './partition-plan.ts'
import { someOf, type Status } from './statuses.ts'
import { newStreamsMember, type StreamsMember } from './streams-member.ts'
import { streamsRecords, streamsTombstones, type StreamsRecord } from './streams-records.ts'
import { kindOf, taskKey } from './tasks.ts'
import { requiredTopics, sourceTopicsOf, type Topology } from './topology.ts'

export type StreamsGroupState = 'Empty' | 'NotReady' | 'Assigning' | 'Reconciling' | 'Stable'

const nothing = new Map<string, ReadonlyMap<number, number>>()

export class StreamsGroup extends ModernGroup<StreamsMember> implements AnyGroup {
  readonly type = 'Streams'
  readonly protocolType = 'streams'
  topology: Topology | undefined
  validatedTopologyEpoch = -1
  configs: ReadonlyMap<string, string> = new Map()
  /** Soft: raised whenever tasks of a member with an endpoint move. */
  endpointEpoch = 0
  /** The member that wants the whole application to end. */
  shutdownBy: string | undefined
  /** Monotonic ms until which the first assignment waits for more members. */
  delayUntilMs = 0
  /** The last plan, with what it was made from. */
  #planned:
    { readonly topics: MetadataImage['topicsByName']; readonly topology: Topology; readonly plan: Plan } | undefined

  constructor(groupId: string) {
    super(groupId, streamsRecords(groupId))
    // Epoch 0 is for members that join: one that waits for its first assignment must have another one.
    this.groupEpoch = 1
    this.assignmentEpoch = 1
  }

  replay(record: StreamsRecord): void {
    switch (record.kind) {
      case 'epoch':
        if (record.value === undefined) return
        this.replayEpoch(record.value.epoch, record.value.metadataHash)
        this.validatedTopologyEpoch = record.value.validatedTopologyEpoch
        this.configs = record.value.configs
        return
      case 'topology':
        this.topology = record.value
        return
      case 'targetMetadata':
        this.replayTargetMetadata(record.value?.epoch ?? -1, record.value?.timestampMs ?? 0)
        return
      case 'target':
        this.replayTarget(record.memberId, record.value)
        return
      case 'member':
        if (record.value === undefined) this.dropMember(record.memberId)
        else this.putMember({ ...this.#known(record.memberId), ...record.value })
        if (this.isEmpty) this.shutdownBy = undefined
        return
      case 'progress':
        this.putMember({ ...this.#known(record.memberId), ...(record.value ?? noProgress) })
    }
  }

  #known(memberId: string): StreamsMember {
    return this.members.get(memberId) ?? newStreamsMember(memberId)
  }

  // --------------------------------------------------------------------------------------------------------- reading

  get state(): StreamsGroupState {
    if (this.isEmpty) return 'Empty'
    if (this.topology === undefined || this.topology.epoch !== this.validatedTopologyEpoch) return 'NotReady'
    if (this.groupEpoch > this.assignmentEpoch) return 'Assigning'
    for (const member of this.members.values()) if (!isReconciledTo(member, this.assignmentEpoch)) return 'Reconciling'
    return 'Stable'
  }

  get isEmpty(): boolean {
    return this.members.size === 0
  }

  override get deadlineMs(): number {
    return this.delayUntilMs > 0 ? Math.min(super.deadlineMs, this.delayUntilMs) : super.deadlineMs
  }

  /** What follows from the topology and the topics there are; of a group that has a topology, unless one is given. */
  planFor({ topicsByName }: Pick<MetadataImage, 'topicsByName'>, topology = this.topology): Plan {
    if (topology === undefined) throw new Error(`streams group ${this.groupId} has no topology`)
    if (this.#planned?.topics !== topicsByName || this.#planned.topology !== topology) {
      const plan = planPartitions(topology, name => topicsByName.get(name)?.partitions.size)
      this.#planned = { topics: topicsByName, topology, plan }
    }
    return this.#planned.plan
  }

  /** Why nobody can have tasks; undefined: nothing is in the way. */
  obstacle(plan: Plan): Status | undefined {
    switch (plan.kind) {
      case 'plan': {
        const names = plan.missing.map(({ name }) => name)
        if (names.length === 0) return undefined
        return { status: 'MISSING_INTERNAL_TOPICS', detail: `Internal topics do not exist yet: ${someOf(names)}.` }
      }
      case 'unfit':
        return plan.status
      case 'senseless':
        throw new Error(`streams group ${this.groupId} took a topology that makes no sense: ${plan.message}`)
    }
  }

  override subscribedTopicNames(): ReadonlySet<string> {
    return this.topology === undefined ? new Set() : requiredTopics(this.topology)
  }

  override isSubscribedTo(topic: string): boolean {
    return !this.isEmpty && this.subscribedTopicNames().has(topic)
  }

  /**
   * An active task has one owner; and a process never has two of the active, standby and warm-up of one task, since they would share its
   * state directory.
   */
  isTaskHeld(key: string, partition: number, processId: string): boolean {
    const { kind, subtopologyId } = kindOf(key)
    for (const member of this.members.values()) {
      const isSame = member.processId === processId
      if (kind === 'active' && holds(member, taskKey('active', subtopologyId), partition)) return true
      if (!isSame) continue
      for (const each of ['active', 'standby', 'warmup'] as const)
        if (holds(member, taskKey(each, subtopologyId), partition)) return true
    }
    return false
  }

  // --------------------------------------------------------------------------------------------------------- offsets

  commitCheck(
    identity: { readonly memberId: string; readonly groupInstanceId: string | null; readonly epoch: number },
    options: { readonly isTransactional: boolean; readonly knowsMemberEpochs: boolean },
  ): CommitCheck | ErrorName {
    const { memberId, groupInstanceId, epoch } = identity
    if (epoch < 0 && this.isEmpty) return 'NONE'
    if (options.isTransactional && epoch === -1 && memberId === '' && groupInstanceId === null) return 'NONE'
    const member = this.members.get(memberId)
    if (member === undefined) return 'UNKNOWN_MEMBER_ID'
    if (!options.isTransactional && !options.knowsMemberEpochs) return 'UNSUPPORTED_VERSION'
    if (epoch === member.memberEpoch) return 'NONE'
    if (epoch > member.memberEpoch) return 'STALE_MEMBER_EPOCH'
    return ({ name }, partition) => {
      const subtopology = this.topology?.subtopologies.find(each => sourceTopicsOf(each).includes(name))
      if (subtopology === undefined) return 'STALE_MEMBER_EPOCH'
      const key = taskKey('active', subtopology.subtopologyId)
      const since = member.assigned.get(key)?.get(partition) ?? member.revoking.get(key)?.get(partition)
      return since !== undefined && epoch >= since ? 'NONE' : 'STALE_MEMBER_EPOCH'
    }
  }

  fetchError(memberId: string | null, epoch: number): ErrorName {
    if (memberId === null && epoch < 0) return 'NONE'
    const member = memberId === null ? undefined : this.members.get(memberId)
    if (member === undefined) return 'UNKNOWN_MEMBER_ID'
    return epoch === member.memberEpoch ? 'NONE' : 'STALE_MEMBER_EPOCH'
  }

  expiryRule(): ExpiryRule {
    return { unusedSinceWallMs: undefined, isSubscribed: topic => this.isSubscribedTo(topic) }
  }

  tombstones(): CoordinatorRecord[] {
    const { groupId } = this
    const memberIds = [...this.members.keys()]
    return [
      ...memberIds.map(memberId => streamsTombstones.progress(groupId, memberId)),
      ...[...this.target.keys()].map(memberId => this.records.target(memberId, null)),
      streamsTombstones.targetMetadata(groupId),
      ...memberIds.map(memberId => streamsTombstones.member(groupId, memberId)),
      streamsTombstones.topology(groupId),
      streamsTombstones.group(groupId),
    ]
  }
}

function holds({ assigned, revoking }: StreamsMember, key: string, partition: number): boolean {
  return assigned.get(key)?.has(partition) === true || revoking.get(key)?.has(partition) === true
}

const noProgress = {
  memberEpoch: leftEpoch,
  previousMemberEpoch: leftEpoch,
  state: 'stable',
  assigned: nothing,
  revoking: nothing,
} as const
