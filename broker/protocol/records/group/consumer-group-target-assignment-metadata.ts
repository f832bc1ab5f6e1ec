/**
 * ConsumerGroupTargetAssignmentMetadata: record type 6 of the group coordinator.
 */
import { int32, message, offset, string, type Infer } from '../../schema.ts'

export const consumerGroupTargetAssignmentMetadataKey = message({
  key: 6,
  name: 'ConsumerGroupTargetAssignmentMetadataKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
  },
})
export type ConsumerGroupTargetAssignmentMetadataKey = Infer<typeof consumerGroupTargetAssignmentMetadataKey>

export const consumerGroupTargetAssignmentMetadataValue = message({
  key: 6,
  name: 'ConsumerGroupTargetAssignmentMetadataValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    assignmentEpoch: int32(),
    assignmentTimestamp: offset({ tag: 0, default: 0 }),
  },
})
export type ConsumerGroupTargetAssignmentMetadataValue = Infer<typeof consumerGroupTargetAssignmentMetadataValue>
