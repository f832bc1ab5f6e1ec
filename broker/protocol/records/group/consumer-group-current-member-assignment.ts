/**
 * ConsumerGroupCurrentMemberAssignment: record type 8 of the group coordinator.
 */
import { array, int32, int8, message, string, uuid, type Infer } from '../../schema.ts'

export const consumerGroupCurrentMemberAssignmentKey = message({
  key: 8,
  name: 'ConsumerGroupCurrentMemberAssignmentKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
    memberId: string(),
  },
})
export type ConsumerGroupCurrentMemberAssignmentKey = Infer<typeof consumerGroupCurrentMemberAssignmentKey>

/** Shared by several fields below. */
const topicPartitions = {
  topicId: uuid(),
  partitions: array(int32()),
  assignmentEpochs: array({ nullable: '0+', tag: 0 }, int32()),
}

export const consumerGroupCurrentMemberAssignmentValue = message({
  key: 8,
  name: 'ConsumerGroupCurrentMemberAssignmentValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    memberEpoch: int32(),
    previousMemberEpoch: int32(),
    state: int8(),
    assignedPartitions: array(topicPartitions),
    partitionsPendingRevocation: array(topicPartitions),
  },
})
export type ConsumerGroupCurrentMemberAssignmentValue = Infer<typeof consumerGroupCurrentMemberAssignmentValue>
