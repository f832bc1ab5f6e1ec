/** The records of streams groups (types 17 and 19 to 23 of `__consumer_offsets`) to and from members and groups. */
import { groupRecords } from '../../../protocol/records/group/index.ts'
import { decodeCoordinatorKey, decodeVersioned } from '../../../protocol/records/prefixed.ts'
import type { CoordinatorRecord } from '../../runtime/effects.ts'
import { coordinatorRecord } from '../../runtime/record.ts'
import type { Assignment } from '../modern/assignment.ts'
import type { EpochAssignment, MemberState } from '../modern/consumer-member.ts'
import type { ModernRecords } from '../modern/modern-group.ts'
import type { StreamsMember } from './streams-member.ts'
import { assignmentFromTasks, taskKey, tasksOf, type TaskKind } from './tasks.ts'
import type { Topology } from './topology.ts'

/** As Kafka numbers them here; members of consumer groups are counted from 0. */
const stateCodes: Readonly<Record<MemberState, number>> = { stable: 1, unrevoked: 2, unreleased: 3, unknown: 127 }

function stateOf(code: number): MemberState {
  const known = (['stable', 'unrevoked', 'unreleased'] as const).find(state => stateCodes[state] === code)
  return known ?? 'unknown'
}

const {
  StreamsGroupMetadata,
  StreamsGroupMemberMetadata,
  StreamsGroupTargetAssignmentMetadata,
  StreamsGroupTargetAssignmentMember,
  StreamsGroupCurrentMemberAssignment,
  StreamsGroupTopology,
} = groupRecords

export interface StreamsEpoch {
  readonly epoch: number
  readonly metadataHash: bigint
  /** The topology that its topics were found fit for; -1: none. */
  readonly validatedTopologyEpoch: number
  /** Settings that the assignment depends on, by name. */
  readonly configs: ReadonlyMap<string, string>
}

export function epochRecord(groupId: string, value: StreamsEpoch): CoordinatorRecord {
  const { epoch, metadataHash, validatedTopologyEpoch, configs } = value
  const lastAssignmentConfigs = [...configs].map(([key, text]) => ({ key, value: text }))
  return coordinatorRecord(
    StreamsGroupMetadata,
    { groupId },
    { epoch, metadataHash, validatedTopologyEpoch, lastAssignmentConfigs },
  )
}

export function streamsRecords(groupId: string): ModernRecords {
  return {
    epoch: (epoch, metadataHash) =>
      epochRecord(groupId, { epoch, metadataHash, validatedTopologyEpoch: -1, configs: new Map() }),
    targetMetadata: (assignmentEpoch, assignmentTimestamp) =>
      coordinatorRecord(StreamsGroupTargetAssignmentMetadata, { groupId }, { assignmentEpoch, assignmentTimestamp }),
    target: (memberId, assignment) => {
      const tasks = assignment === null ? undefined : tasksOf(assignment)
      return coordinatorRecord(
        StreamsGroupTargetAssignmentMember,
        { groupId, memberId },
        tasks === undefined
          ? null
          : { activeTasks: tasks.active, standbyTasks: tasks.standby, warmupTasks: tasks.warmup },
      )
    },
  }
}

export function streamsMemberRecord(groupId: string, member: StreamsMember): CoordinatorRecord {
  const { memberId, instanceId, rackId, clientId, clientHost, rebalanceTimeoutMs, topologyEpoch, processId } = member
  const { userEndpoint } = member
  const clientTags = member.clientTags.map(({ key, value }) => ({ key, value }))
  return coordinatorRecord(
    StreamsGroupMemberMetadata,
    { groupId, memberId },
    {
      instanceId,
      rackId,
      clientId,
      clientHost,
      rebalanceTimeoutMs,
      topologyEpoch,
      processId,
      userEndpoint,
      clientTags,
    },
  )
}

export function streamsProgressRecord(groupId: string, member: StreamsMember): CoordinatorRecord {
  const { memberEpoch, previousMemberEpoch, state } = member
  const assigned = epochTasks(member.assigned)
  const revoking = epochTasks(member.revoking)
  return coordinatorRecord(
    StreamsGroupCurrentMemberAssignment,
    { groupId, memberId: member.memberId },
    {
      memberEpoch,
      previousMemberEpoch,
      state: stateCodes[state],
      activeTasks: assigned.active,
      standbyTasks: assigned.standby,
      warmupTasks: assigned.warmup,
      activeTasksPendingRevocation: revoking.active,
      standbyTasksPendingRevocation: revoking.standby,
      warmupTasksPendingRevocation: revoking.warmup,
    },
  )
}

export function topologyRecord(groupId: string, topology: Topology): CoordinatorRecord {
  return coordinatorRecord(StreamsGroupTopology, { groupId }, topology)
}

export const streamsTombstones = {
  member: (groupId: string, memberId: string) =>
    coordinatorRecord(StreamsGroupMemberMetadata, { groupId, memberId }, null),
  progress: (groupId: string, memberId: string) =>
    coordinatorRecord(StreamsGroupCurrentMemberAssignment, { groupId, memberId }, null),
  targetMetadata: (groupId: string) => coordinatorRecord(StreamsGroupTargetAssignmentMetadata, { groupId }, null),
  topology: (groupId: string) => coordinatorRecord(StreamsGroupTopology, { groupId }, null),
  group: (groupId: string) => coordinatorRecord(StreamsGroupMetadata, { groupId }, null),
}

// ------------------------------------------------------------------------------------------------------------ decoding

type MemberFields = Omit<
  StreamsMember,
  'memberId' | 'memberEpoch' | 'previousMemberEpoch' | 'state' | 'assigned' | 'revoking' | 'subscribedTopicNames'
>
type ProgressFields = Pick<StreamsMember, 'memberEpoch' | 'previousMemberEpoch' | 'state' | 'assigned' | 'revoking'>

/** What a record says; `value` undefined: a tombstone. */
export type StreamsRecord = { readonly groupId: string } & (
  | { readonly kind: 'epoch'; readonly value: StreamsEpoch | undefined }
  | { readonly kind: 'topology'; readonly value: Topology | undefined }
  | { readonly kind: 'member'; readonly memberId: string; readonly value: MemberFields | undefined }
  | { readonly kind: 'targetMetadata'; readonly value: { epoch: number; timestampMs: number } | undefined }
  | { readonly kind: 'target'; readonly memberId: string; readonly value: Assignment | undefined }
  | { readonly kind: 'progress'; readonly memberId: string; readonly value: ProgressFields | undefined }
)

/** Undefined for a type that is none of these. */
export function decodeStreamsRecord(type: number, key: Buffer, value: Buffer | null): StreamsRecord | undefined {
  switch (type) {
    case StreamsGroupMetadata.key.key:
      return { kind: 'epoch', ...decodeCoordinatorKey(StreamsGroupMetadata.key, key), value: read(value, epochOf) }
    case StreamsGroupTopology.key.key:
      return {
        kind: 'topology',
        ...decodeCoordinatorKey(StreamsGroupTopology.key, key),
        value: read(value, bytes => decodeVersioned(StreamsGroupTopology.value, bytes).value),
      }
    case StreamsGroupMemberMetadata.key.key:
      return {
        kind: 'member',
        ...decodeCoordinatorKey(StreamsGroupMemberMetadata.key, key),
        value: read(value, bytes => decodeVersioned(StreamsGroupMemberMetadata.value, bytes).value),
      }
    case StreamsGroupTargetAssignmentMetadata.key.key:
      return {
        kind: 'targetMetadata',
        ...decodeCoordinatorKey(StreamsGroupTargetAssignmentMetadata.key, key),
        value: read(value, bytes => {
          const decoded = decodeVersioned(StreamsGroupTargetAssignmentMetadata.value, bytes).value
          return { epoch: decoded.assignmentEpoch, timestampMs: decoded.assignmentTimestamp }
        }),
      }
    case StreamsGroupTargetAssignmentMember.key.key:
      return {
        kind: 'target',
        ...decodeCoordinatorKey(StreamsGroupTargetAssignmentMember.key, key),
        value: read(value, bytes => {
          const tasks = decodeVersioned(StreamsGroupTargetAssignmentMember.value, bytes).value
          return assignmentFromTasks({
            active: tasks.activeTasks,
            standby: tasks.standbyTasks,
            warmup: tasks.warmupTasks,
          })
        }),
      }
    case StreamsGroupCurrentMemberAssignment.key.key:
      return {
        kind: 'progress',
        ...decodeCoordinatorKey(StreamsGroupCurrentMemberAssignment.key, key),
        value: read(value, progressOf),
      }
    default:
      return undefined
  }
}

function read<Value>(value: Buffer | null, decode: (bytes: Buffer) => Value): Value | undefined {
  return value === null ? undefined : decode(value)
}

function epochOf(bytes: Buffer): StreamsEpoch {
  const { lastAssignmentConfigs, ...rest } = decodeVersioned(StreamsGroupMetadata.value, bytes).value
  return { ...rest, configs: new Map(lastAssignmentConfigs?.map(({ key, value }) => [key, value])) }
}

type EpochTasks = {
  readonly subtopologyId: string
  readonly partitions: readonly number[]
  readonly assignmentEpochs: readonly number[] | null
}

function progressOf(bytes: Buffer): ProgressFields {
  const value = decodeVersioned(StreamsGroupCurrentMemberAssignment.value, bytes).value
  const { memberEpoch, previousMemberEpoch } = value
  const epochs = (tasks: Readonly<Record<TaskKind, readonly EpochTasks[]>>): EpochAssignment => {
    const assignment = new Map<string, ReadonlyMap<number, number>>()
    for (const kind of ['active', 'standby', 'warmup'] as const)
      for (const { subtopologyId, partitions, assignmentEpochs } of tasks[kind]) {
        const fallback = Math.max(memberEpoch, 0)
        const entries = partitions.map(
          (partition, index) => [partition, assignmentEpochs?.[index] ?? fallback] as const,
        )
        assignment.set(taskKey(kind, subtopologyId), new Map(entries))
      }
    return assignment
  }
  return {
    memberEpoch,
    previousMemberEpoch,
    state: stateOf(value.state),
    assigned: epochs({ active: value.activeTasks, standby: value.standbyTasks, warmup: value.warmupTasks }),
    revoking: epochs({
      active: value.activeTasksPendingRevocation,
      standby: value.standbyTasksPendingRevocation,
      warmup: value.warmupTasksPendingRevocation,
    }),
  }
}

/** Only active tasks have epochs in the log. */
function epochTasks(assignment: EpochAssignment) {
  const tasks = tasksOf(new Map([...assignment].map(([key, partitions]) => [key, partitions.keys()])))
  const plain = (kind: TaskKind) => tasks[kind].map(each => ({ ...each, assignmentEpochs: null }))
  const active = tasks.active.map(({ subtopologyId, partitions }) => {
    const epochs = assignment.get(taskKey('active', subtopologyId))
    return { subtopologyId, partitions, assignmentEpochs: partitions.map(partition => epochs?.get(partition) ?? 0) }
  })
  return { active, standby: plain('standby'), warmup: plain('warmup') }
}
