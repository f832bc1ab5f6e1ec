/**
 * ShareGroupTargetAssignmentMember: record type 13 of the group coordinator.
 */
import { array, int32, message, string, uuid, type Infer } from '../../schema.ts'

export const shareGroupTargetAssignmentMemberKey = message({
  key: 13,
  name: 'ShareGroupTargetAssignmentMemberKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
    memberId: string(),
  },
})
export type ShareGroupTargetAssignmentMemberKey = Infer<typeof shareGroupTargetAssignmentMemberKey>

export const shareGroupTargetAssignmentMemberValue = message({
  key: 13,
  name: 'ShareGroupTargetAssignmentMemberValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    topicPartitions: array({
      topicId: uuid(),
      partitions: array(int32()),
    }),
  },
})
export type ShareGroupTargetAssignmentMemberValue = Infer<typeof shareGroupTargetAssignmentMemberValue>
