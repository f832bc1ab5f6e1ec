/** The records of consumer groups (types 3 to 8 and 16 of `__consumer_offsets`) to and from members and groups. */
import { groupRecords } from '../../../protocol/records/group/index.ts'
import { decodeCoordinatorKey, decodeVersioned } from '../../../protocol/records/prefixed.ts'
import type { CoordinatorRecord } from '../../runtime/effects.ts'
import { coordinatorRecord } from '../../runtime/record.ts'
import { topicPartitionsOf } from './assignment.ts'
import { assignmentOf, type Assignment, type TopicPartitions } from './assignment.ts'
import { stateCode, stateOf, type ConsumerMember, type EpochAssignment } from './consumer-member.ts'
import type { ModernRecords } from './modern-group.ts'

const {
  ConsumerGroupMetadata,
  ConsumerGroupPartitionMetadata,
  ConsumerGroupMemberMetadata,
  ConsumerGroupTargetAssignmentMetadata,
  ConsumerGroupTargetAssignmentMember,
  ConsumerGroupCurrentMemberAssignment,
  ConsumerGroupRegularExpression,
} = groupRecords

/** Topics that a pattern stood for when it was looked up. */
export interface ResolvedRegex {
  readonly topics: ReadonlySet<string>
  /** Metadata offset that was looked at. */
  readonly version: number
  readonly timestampMs: number
}

export function consumerRecords(groupId: string): ModernRecords {
  return {
    epoch: (epoch, metadataHash) => coordinatorRecord(ConsumerGroupMetadata, { groupId }, { epoch, metadataHash }),
    targetMetadata: (assignmentEpoch, assignmentTimestamp) =>
      coordinatorRecord(ConsumerGroupTargetAssignmentMetadata, { groupId }, { assignmentEpoch, assignmentTimestamp }),
    target: (memberId, assignment) =>
      coordinatorRecord(
        ConsumerGroupTargetAssignmentMember,
        { groupId, memberId },
        assignment === null ? null : { topicPartitions: topicPartitionsOf(assignment) },
      ),
  }
}

export function memberRecord(groupId: string, member: ConsumerMember): CoordinatorRecord {
  const { instanceId, rackId, clientId, clientHost, subscribedTopicRegex, rebalanceTimeoutMs, serverAssignor } = member
  const { classic } = member
  return coordinatorRecord(
    ConsumerGroupMemberMetadata,
    { groupId, memberId: member.memberId },
    {
      instanceId,
      rackId,
      clientId,
      clientHost,
      subscribedTopicNames: [...member.subscribedTopicNames].sort(),
      subscribedTopicRegex,
      rebalanceTimeoutMs,
      serverAssignor,
      classicMemberMetadata:
        classic === null
          ? null
          : {
              sessionTimeoutMs: classic.sessionTimeoutMs,
              supportedProtocols: classic.supportedProtocols.map(({ name, metadata }) => ({ name, metadata })),
            },
    },
  )
}

export function progressRecord(groupId: string, member: ConsumerMember): CoordinatorRecord {
  const { memberEpoch, previousMemberEpoch, state, assigned, revoking } = member
  return coordinatorRecord(
    ConsumerGroupCurrentMemberAssignment,
    { groupId, memberId: member.memberId },
    {
      memberEpoch,
      previousMemberEpoch,
      state: stateCode(state),
      assignedPartitions: epochPartitions(assigned),
      partitionsPendingRevocation: epochPartitions(revoking),
    },
  )
}

export function regexRecord(groupId: string, regex: string, resolved: ResolvedRegex | null): CoordinatorRecord {
  return coordinatorRecord(
    ConsumerGroupRegularExpression,
    { groupId, regularExpression: regex },
    resolved === null
      ? null
      : { topics: [...resolved.topics].sort(), version: resolved.version, timestamp: resolved.timestampMs },
  )
}

export const tombstones = {
  member: (groupId: string, memberId: string) =>
    coordinatorRecord(ConsumerGroupMemberMetadata, { groupId, memberId }, null),
  progress: (groupId: string, memberId: string) =>
    coordinatorRecord(ConsumerGroupCurrentMemberAssignment, { groupId, memberId }, null),
  target: (groupId: string, memberId: string) =>
    coordinatorRecord(ConsumerGroupTargetAssignmentMember, { groupId, memberId }, null),
  targetMetadata: (groupId: string) => coordinatorRecord(ConsumerGroupTargetAssignmentMetadata, { groupId }, null),
  /** Before 4.1 groups kept the metadata of their topics, not a hash of it. */
  partitionMetadata: (groupId: string) => coordinatorRecord(ConsumerGroupPartitionMetadata, { groupId }, null),
  group: (groupId: string) => coordinatorRecord(ConsumerGroupMetadata, { groupId }, null),
}

// ------------------------------------------------------------------------------------------------------------ decoding

/** What a record says; `value` undefined: a tombstone. */
export type ConsumerRecord = { readonly groupId: string } & (
  | { readonly kind: 'epoch'; readonly value: { readonly epoch: number; readonly metadataHash: bigint } | undefined }
  | { readonly kind: 'partitionMetadata'; readonly value: true | undefined }
  | { readonly kind: 'member'; readonly memberId: string; readonly value: MemberMetadata | undefined }
  | { readonly kind: 'targetMetadata'; readonly value: { epoch: number; timestampMs: number } | undefined }
  | { readonly kind: 'target'; readonly memberId: string; readonly value: Assignment | undefined }
  | { readonly kind: 'progress'; readonly memberId: string; readonly value: MemberProgress | undefined }
  | { readonly kind: 'regex'; readonly regex: string; readonly value: ResolvedRegex | undefined }
)

export type MemberMetadata = Pick<
  ConsumerMember,
  | 'instanceId'
  | 'rackId'
  | 'clientId'
  | 'clientHost'
  | 'subscribedTopicNames'
  | 'subscribedTopicRegex'
  | 'rebalanceTimeoutMs'
  | 'serverAssignor'
  | 'classic'
>

export type MemberProgress = Pick<
  ConsumerMember,
  'memberEpoch' | 'previousMemberEpoch' | 'state' | 'assigned' | 'revoking'
>

/** Undefined for a type that is none of these. */
export function decodeConsumerRecord(type: number, key: Buffer, value: Buffer | null): ConsumerRecord | undefined {
  switch (type) {
    case ConsumerGroupMetadata.key.key: {
      const { groupId } = decodeCoordinatorKey(ConsumerGroupMetadata.key, key)
      return {
        kind: 'epoch',
        groupId,
        value: read(value, bytes => decodeVersioned(ConsumerGroupMetadata.value, bytes).value),
      }
    }
    case ConsumerGroupPartitionMetadata.key.key: {
      const { groupId } = decodeCoordinatorKey(ConsumerGroupPartitionMetadata.key, key)
      return { kind: 'partitionMetadata', groupId, value: read(value, () => true as const) }
    }
    case ConsumerGroupMemberMetadata.key.key:
      return {
        kind: 'member',
        ...decodeCoordinatorKey(ConsumerGroupMemberMetadata.key, key),
        value: read(value, metadataOf),
      }
    case ConsumerGroupTargetAssignmentMetadata.key.key: {
      const { groupId } = decodeCoordinatorKey(ConsumerGroupTargetAssignmentMetadata.key, key)
      const decode = (bytes: Buffer) => {
        const { value: decoded } = decodeVersioned(ConsumerGroupTargetAssignmentMetadata.value, bytes)
        return { epoch: decoded.assignmentEpoch, timestampMs: decoded.assignmentTimestamp }
      }
      return { kind: 'targetMetadata', groupId, value: read(value, decode) }
    }
    case ConsumerGroupTargetAssignmentMember.key.key: {
      const decode = (bytes: Buffer) =>
        assignmentOf(decodeVersioned(ConsumerGroupTargetAssignmentMember.value, bytes).value.topicPartitions)
      return {
        kind: 'target',
        ...decodeCoordinatorKey(ConsumerGroupTargetAssignmentMember.key, key),
        value: read(value, decode),
      }
    }
    case ConsumerGroupCurrentMemberAssignment.key.key:
      return {
        kind: 'progress',
        ...decodeCoordinatorKey(ConsumerGroupCurrentMemberAssignment.key, key),
        value: read(value, progressOf),
      }
    case ConsumerGroupRegularExpression.key.key: {
      const { groupId, regularExpression } = decodeCoordinatorKey(ConsumerGroupRegularExpression.key, key)
      return { kind: 'regex', groupId, regex: regularExpression, value: read(value, resolvedOf) }
    }
    default:
      return undefined
  }
}

function read<Value>(value: Buffer | null, decode: (bytes: Buffer) => Value): Value | undefined {
  return value === null ? undefined : decode(value)
}

function metadataOf(bytes: Buffer): MemberMetadata {
  const { subscribedTopicNames, classicMemberMetadata, ...rest } = decodeVersioned(
    ConsumerGroupMemberMetadata.value,
    bytes,
  ).value
  return {
    ...rest,
    subscribedTopicNames: new Set(subscribedTopicNames),
    classic:
      classicMemberMetadata === null
        ? null
        : {
            sessionTimeoutMs: classicMemberMetadata.sessionTimeoutMs,
            // Copied: what was decoded is a view of a log read.
            supportedProtocols: classicMemberMetadata.supportedProtocols.map(({ name, metadata }) => ({
              name,
              metadata: Buffer.from(metadata),
            })),
          },
  }
}

function progressOf(bytes: Buffer): MemberProgress {
  const { memberEpoch, previousMemberEpoch, state, assignedPartitions, partitionsPendingRevocation } = decodeVersioned(
    ConsumerGroupCurrentMemberAssignment.value,
    bytes,
  ).value
  return {
    memberEpoch,
    previousMemberEpoch,
    state: stateOf(state),
    assigned: epochsOf(assignedPartitions, memberEpoch),
    revoking: epochsOf(partitionsPendingRevocation, memberEpoch),
  }
}

function resolvedOf(bytes: Buffer): ResolvedRegex {
  const { topics, version, timestamp } = decodeVersioned(ConsumerGroupRegularExpression.value, bytes).value
  return { topics: new Set(topics), version, timestampMs: timestamp }
}

type EpochPartitions = TopicPartitions & { readonly assignmentEpochs: readonly number[] | null }

/** Records of versions before 4.3 have no epochs: the member's own stands for them. */
function epochsOf(topics: readonly EpochPartitions[], memberEpoch: number): EpochAssignment {
  return new Map(
    topics.map(({ topicId, partitions, assignmentEpochs }) => {
      const epochs = assignmentEpochs?.length === partitions.length ? assignmentEpochs : undefined
      const fallback = Math.max(memberEpoch, 0)
      return [topicId, new Map(partitions.map((partition, index) => [partition, epochs?.[index] ?? fallback]))]
    }),
  )
}

function epochPartitions(assignment: EpochAssignment) {
  return [...assignment]
    .map(([topicId, partitions]) => {
      const ordered = [...partitions].sort(([left], [right]) => left - right)
      return {
        topicId,
        partitions: ordered.map(([partition]) => partition),
        assignmentEpochs: ordered.map(([, epoch]) => epoch),
      }
    })
    .sort((left, right) => (left.topicId < right.topicId ? -1 : 1))
}
