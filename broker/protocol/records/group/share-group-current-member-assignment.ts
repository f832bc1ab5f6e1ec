/**
 * ShareGroupCurrentMemberAssignment: record type 14 of the group coordinator.
 */
import { array, int32, int8, message, string, uuid, type Infer } from '../../schema.ts'

export const shareGroupCurrentMemberAssignmentKey = message({
  key: 14,
  name: 'ShareGroupCurrentMemberAssignmentKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
    memberId: string(),
  },
})
export type ShareGroupCurrentMemberAssignmentKey = Infer<typeof shareGroupCurrentMemberAssignmentKey>

/** Shared by several fields below. */
const topicPartitions = {
  topicId: uuid(),
  partitions: array(int32()),
}

export const shareGroupCurrentMemberAssignmentValue = message({
  key: 14,
  name: 'ShareGroupCurrentMemberAssignmentValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    memberEpoch: int32(),
    previousMemberEpoch: int32(),
    state: int8(),
    assignedPartitions: array(topicPartitions),
  },
})
export type ShareGroupCurrentMemberAssignmentValue = Infer<typeof shareGroupCurrentMemberAssignmentValue>
