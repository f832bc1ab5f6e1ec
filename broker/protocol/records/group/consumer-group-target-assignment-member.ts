/**
 * ConsumerGroupTargetAssignmentMember: record type 7 of the group coordinator.
 */
import { array, int32, message, string, uuid, type Infer } from '../../schema.ts'

export const consumerGroupTargetAssignmentMemberKey = message({
  key: 7,
  name: 'ConsumerGroupTargetAssignmentMemberKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
    memberId: string(),
  },
})
export type ConsumerGroupTargetAssignmentMemberKey = Infer<typeof consumerGroupTargetAssignmentMemberKey>

export const consumerGroupTargetAssignmentMemberValue = message({
  key: 7,
  name: 'ConsumerGroupTargetAssignmentMemberValue',
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
export type ConsumerGroupTargetAssignmentMemberValue = Infer<typeof consumerGroupTargetAssignmentMemberValue>
