/**
 * StreamsGroupCurrentMemberAssignment: record type 22 of the group coordinator.
 */
import { array, int32, int8, message, string, type Infer } from '../../schema.ts'

export const streamsGroupCurrentMemberAssignmentKey = message({
  key: 22,
  name: 'StreamsGroupCurrentMemberAssignmentKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
    memberId: string(),
  },
})
export type StreamsGroupCurrentMemberAssignmentKey = Infer<typeof streamsGroupCurrentMemberAssignmentKey>

/** Shared by several fields below. */
const taskIds = {
  subtopologyId: string(),
  partitions: array(int32()),
  assignmentEpochs: array({ nullable: '0+', tag: 0 }, int32()),
}

export const streamsGroupCurrentMemberAssignmentValue = message({
  key: 22,
  name: 'StreamsGroupCurrentMemberAssignmentValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    memberEpoch: int32(),
    previousMemberEpoch: int32(),
    state: int8(),
    activeTasks: array(taskIds),
    standbyTasks: array(taskIds),
    warmupTasks: array(taskIds),
    activeTasksPendingRevocation: array(taskIds),
    standbyTasksPendingRevocation: array(taskIds),
    warmupTasksPendingRevocation: array(taskIds),
  },
})
export type StreamsGroupCurrentMemberAssignmentValue = Infer<typeof streamsGroupCurrentMemberAssignmentValue>
