/** The records of share groups (types 10 to 15 of `__consumer_offsets`) to and from members and groups. Source: KIP-932, "Records". */
import { groupRecords } from '../../../protocol/records/group/index.ts'
import { decodeCoordinatorKey, decodeVersioned } from '../../../protocol/records/prefixed.ts'
import type { CoordinatorRecord } from '../../runtime/effects.ts'
import { coordinatorRecord } from '../../runtime/record.ts'
import { assignmentOf, topicPartitionsOf, type Assignment } from '../modern/assignment.ts'
import type { ModernRecords } from '../modern/modern-group.ts'
import type { ShareMember } from './share-member.ts'

const {
  ShareGroupMetadata,
  ShareGroupMemberMetadata,
  ShareGroupTargetAssignmentMetadata,
  ShareGroupTargetAssignmentMember,
  ShareGroupCurrentMemberAssignment,
  ShareGroupStatePartitionMetadata,
} = groupRecords

/** Which partitions have a state at the share coordinator, or are about to get or lose one. */
export interface InitializedPartitions {
  readonly initializing: Assignment
  readonly initialized: Assignment
  readonly deleting: ReadonlySet<string>
}

export function shareGroupRecords(groupId: string): ModernRecords {
  return {
    epoch: (epoch, metadataHash) => coordinatorRecord(ShareGroupMetadata, { groupId }, { epoch, metadataHash }),
    targetMetadata: (assignmentEpoch, assignmentTimestamp) =>
      coordinatorRecord(ShareGroupTargetAssignmentMetadata, { groupId }, { assignmentEpoch, assignmentTimestamp }),
    target: (memberId, assignment) =>
      coordinatorRecord(
        ShareGroupTargetAssignmentMember,
        { groupId, memberId },
        assignment === null ? null : { topicPartitions: topicPartitionsOf(assignment) },
      ),
  }
}

export function memberRecord(groupId: string, member: ShareMember): CoordinatorRecord {
  const { memberId, rackId, clientId, clientHost } = member
  const subscribedTopicNames = [...member.subscribedTopicNames].sort()
  return coordinatorRecord(
    ShareGroupMemberMetadata,
    { groupId, memberId },
    { rackId, clientId, clientHost, subscribedTopicNames },
  )
}

export function progressRecord(groupId: string, member: ShareMember): CoordinatorRecord {
  const { memberId, memberEpoch, previousMemberEpoch, assigned } = member
  return coordinatorRecord(
    ShareGroupCurrentMemberAssignment,
    { groupId, memberId },
    { memberEpoch, previousMemberEpoch, state: 0, assignedPartitions: topicPartitionsOf(assigned) },
  )
}

/** @param nameOf  what a topic is called now; empty when it is gone */
export function partitionsRecord(
  groupId: string,
  { initializing, initialized, deleting }: InitializedPartitions,
  nameOf: (topicId: string) => string,
): CoordinatorRecord {
  const named = (assignment: Assignment) =>
    topicPartitionsOf(assignment).map(({ topicId, partitions }) => ({
      topicId,
      topicName: nameOf(topicId),
      partitions,
    }))
  return coordinatorRecord(
    ShareGroupStatePartitionMetadata,
    { groupId },
    {
      initializingTopics: named(initializing),
      initializedTopics: named(initialized),
      deletingTopics: [...deleting].sort().map(topicId => ({ topicId, topicName: nameOf(topicId) })),
    },
  )
}

export const tombstones = {
  member: (groupId: string, memberId: string) =>
    coordinatorRecord(ShareGroupMemberMetadata, { groupId, memberId }, null),
  progress: (groupId: string, memberId: string) =>
    coordinatorRecord(ShareGroupCurrentMemberAssignment, { groupId, memberId }, null),
  targetMetadata: (groupId: string) => coordinatorRecord(ShareGroupTargetAssignmentMetadata, { groupId }, null),
  partitions: (groupId: string) => coordinatorRecord(ShareGroupStatePartitionMetadata, { groupId }, null),
  group: (groupId: string) => coordinatorRecord(ShareGroupMetadata, { groupId }, null),
}

type MemberMetadata = Pick<ShareMember, 'rackId' | 'clientId' | 'clientHost' | 'subscribedTopicNames'>
type MemberProgress = Pick<ShareMember, 'memberEpoch' | 'previousMemberEpoch' | 'assigned'>

/** What a record says; `value` undefined: a tombstone. */
export type ShareGroupRecord = { readonly groupId: string } & (
  | { readonly kind: 'epoch'; readonly value: { readonly epoch: number; readonly metadataHash: bigint } | undefined }
  | { readonly kind: 'member'; readonly memberId: string; readonly value: MemberMetadata | undefined }
  | { readonly kind: 'targetMetadata'; readonly value: { epoch: number; timestampMs: number } | undefined }
  | { readonly kind: 'target'; readonly memberId: string; readonly value: Assignment | undefined }
  | { readonly kind: 'progress'; readonly memberId: string; readonly value: MemberProgress | undefined }
  | { readonly kind: 'partitions'; readonly value: InitializedPartitions | undefined }
)

/** Undefined for a type that is none of these. */
export function decodeShareGroupRecord(type: number, key: Buffer, value: Buffer | null): ShareGroupRecord | undefined {
  switch (type) {
    case ShareGroupMetadata.key.key: {
      const { groupId } = decodeCoordinatorKey(ShareGroupMetadata.key, key)
      const decode = (bytes: Buffer) => decodeVersioned(ShareGroupMetadata.value, bytes).value
      return { kind: 'epoch', groupId, value: read(value, decode) }
    }
    case ShareGroupMemberMetadata.key.key: {
      const decode = (bytes: Buffer) => {
        const decoded = decodeVersioned(ShareGroupMemberMetadata.value, bytes).value
        return { ...decoded, subscribedTopicNames: new Set(decoded.subscribedTopicNames) }
      }
      return { kind: 'member', ...decodeCoordinatorKey(ShareGroupMemberMetadata.key, key), value: read(value, decode) }
    }
    case ShareGroupTargetAssignmentMetadata.key.key: {
      const { groupId } = decodeCoordinatorKey(ShareGroupTargetAssignmentMetadata.key, key)
      const decode = (bytes: Buffer) => {
        const decoded = decodeVersioned(ShareGroupTargetAssignmentMetadata.value, bytes).value
        return { epoch: decoded.assignmentEpoch, timestampMs: decoded.assignmentTimestamp }
      }
      return { kind: 'targetMetadata', groupId, value: read(value, decode) }
    }
    case ShareGroupTargetAssignmentMember.key.key: {
      const ids = decodeCoordinatorKey(ShareGroupTargetAssignmentMember.key, key)
      const decode = (bytes: Buffer) =>
        assignmentOf(decodeVersioned(ShareGroupTargetAssignmentMember.value, bytes).value.topicPartitions)
      return { kind: 'target', ...ids, value: read(value, decode) }
    }
    case ShareGroupCurrentMemberAssignment.key.key: {
      const ids = decodeCoordinatorKey(ShareGroupCurrentMemberAssignment.key, key)
      const decode = (bytes: Buffer) => {
        const decoded = decodeVersioned(ShareGroupCurrentMemberAssignment.value, bytes).value
        const { memberEpoch, previousMemberEpoch, assignedPartitions } = decoded
        return { memberEpoch, previousMemberEpoch, assigned: assignmentOf(assignedPartitions) }
      }
      return { kind: 'progress', ...ids, value: read(value, decode) }
    }
    case ShareGroupStatePartitionMetadata.key.key: {
      const { groupId } = decodeCoordinatorKey(ShareGroupStatePartitionMetadata.key, key)
      const decode = (bytes: Buffer) => {
        const decoded = decodeVersioned(ShareGroupStatePartitionMetadata.value, bytes).value
        return {
          initializing: assignmentOf(decoded.initializingTopics),
          initialized: assignmentOf(decoded.initializedTopics),
          deleting: new Set(decoded.deletingTopics.map(({ topicId }) => topicId)),
        }
      }
      return { kind: 'partitions', groupId, value: read(value, decode) }
    }
    default:
      return undefined
  }
}

function read<Value>(value: Buffer | null, decode: (bytes: Buffer) => Value): Value | undefined {
  return value === null ? undefined : decode(value)
}
