/**
 * StreamsGroupTargetAssignmentMember: record type 21 of the group coordinator.
 */
import { array, int32, message, string, type Infer } from '../../schema.ts'

export const streamsGroupTargetAssignmentMemberKey = message({
  key: 21,
  name: 'StreamsGroupTargetAssignmentMemberKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
    memberId: string(),
  },
})
export type StreamsGroupTargetAssignmentMemberKey = Infer<typeof streamsGroupTargetAssignmentMemberKey>

/** Shared by several fields below. */
const taskIds = {
  subtopologyId: string(),
  partitions: array(int32()),
}

export const streamsGroupTargetAssignmentMemberValue = message({
  key: 21,
  name: 'StreamsGroupTargetAssignmentMemberValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    activeTasks: array(taskIds),
    standbyTasks: array(taskIds),
    warmupTasks: array(taskIds),
  },
})
export type StreamsGroupTargetAssignmentMemberValue = Infer<typeof streamsGroupTargetAssignmentMemberValue>
