/**
 * One share group, its state: a fold over its records. Members are given partitions that have a state at the share coordinator, and take them
 * at once: sharing needs no revocation. Source: KIP-932.
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { CoordinatorRecord } from '../../runtime/effects.ts'
import { noAssignment, type Assignment } from '../modern/assignment.ts'
import type { TopicDescriber } from '../modern/assignors/assignor.ts'
import { ModernGroup } from '../modern/modern-group.ts'
import { topicIdsOf } from '../modern/subscribed-topics.ts'
import {
  shareGroupRecords,
  tombstones,
  type InitializedPartitions,
  type ShareGroupRecord,
} from './share-group-records.ts'
import { leftEpoch, newShareMember, type ShareMember } from './share-member.ts'

const nothing: InitializedPartitions = { initializing: noAssignment, initialized: noAssignment, deleting: new Set() }

export class ShareGroup extends ModernGroup<ShareMember> {
  readonly type = 'Share'
  readonly protocolType = 'share'
  override groupEpoch = 1
  override assignmentEpoch = 1
  partitions: InitializedPartitions = nothing
  /** Monotonic ms at which the last initialization began: one that takes too long is begun anew. */
  initializingSinceMs = -Infinity

  constructor(groupId: string) {
    super(groupId, shareGroupRecords(groupId))
  }

  replay(record: ShareGroupRecord): void {
    switch (record.kind) {
      case 'epoch':
        if (record.value !== undefined) this.replayEpoch(record.value.epoch, record.value.metadataHash)
        return
      case 'targetMetadata':
        this.replayTargetMetadata(record.value?.epoch ?? -1, record.value?.timestampMs ?? 0)
        return
      case 'target':
        this.replayTarget(record.memberId, record.value)
        return
      case 'partitions':
        this.partitions = record.value ?? nothing
        return
      case 'member':
        if (record.value === undefined) this.dropMember(record.memberId)
        else this.putMember({ ...this.#known(record.memberId), ...record.value })
        return
      case 'progress':
        this.putMember({ ...this.#known(record.memberId), ...(record.value ?? noProgress) })
    }
  }

  #known(memberId: string): ShareMember {
    return this.members.get(memberId) ?? newShareMember(memberId)
  }

  targetTombstone(memberId: string): CoordinatorRecord {
    return this.records.target(memberId, null)
  }

  get state(): 'Empty' | 'Stable' {
    return this.isEmpty ? 'Empty' : 'Stable'
  }

  get isEmpty(): boolean {
    return this.members.size === 0
  }

  /** Share groups commit no offsets. */
  expiryRule(): undefined {
    return undefined
  }

  /** Only what has a state can be read. */
  protected override describer(image: MetadataImage): TopicDescriber {
    return {
      partitions: topicId => {
        const ready = this.partitions.initialized.get(topicId)
        const known = image.topicsById.get(topicId)?.partitions
        return [...(ready ?? [])].filter(partition => known?.has(partition) === true).sort((one, two) => one - two)
      },
    }
  }

  /** Some partition that could be given to a member is in nobody's target. */
  isAssignmentPending(image: MetadataImage): boolean {
    if (this.isEmpty) return false
    const topics = this.describer(image)
    const targets = [...this.target.values()]
    return [...topicIdsOf(this.subscribedTopicNames(), image)].some(topicId =>
      topics
        .partitions(topicId)
        .some(partition => !targets.some(target => target.get(topicId)?.has(partition) === true)),
    )
  }

  /** Partitions of subscribed topics that have no state yet and that nobody is making one for. */
  uninitialized(image: MetadataImage, options: { readonly isRetryDue: boolean }): Assignment {
    const { initialized, initializing } = this.partitions
    const missing = new Map<string, ReadonlySet<number>>()
    for (const topicId of topicIdsOf(this.subscribedTopicNames(), image)) {
      const without = [...(image.topicsById.get(topicId)?.partitions.keys() ?? [])].filter(
        partition =>
          initialized.get(topicId)?.has(partition) !== true &&
          (options.isRetryDue || initializing.get(topicId)?.has(partition) !== true),
      )
      if (without.length > 0) missing.set(topicId, new Set(without))
    }
    return missing
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
      tombstones.partitions(groupId),
      tombstones.group(groupId),
    ]
  }
}

const noProgress = { memberEpoch: leftEpoch, previousMemberEpoch: leftEpoch, assigned: noAssignment } as const
