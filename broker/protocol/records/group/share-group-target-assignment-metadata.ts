/**
 * ShareGroupTargetAssignmentMetadata: record type 12 of the group coordinator.
 */
import { int32, message, offset, string, type Infer } from '../../schema.ts'

export const shareGroupTargetAssignmentMetadataKey = message({
  key: 12,
  name: 'ShareGroupTargetAssignmentMetadataKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
  },
})
export type ShareGroupTargetAssignmentMetadataKey = Infer<typeof shareGroupTargetAssignmentMetadataKey>

export const shareGroupTargetAssignmentMetadataValue = message({
  key: 12,
  name: 'ShareGroupTargetAssignmentMetadataValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    assignmentEpoch: int32(),
    assignmentTimestamp: offset({ tag: 0, default: 0 }),
  },
})
export type ShareGroupTargetAssignmentMetadataValue = Infer<typeof shareGroupTargetAssignmentMetadataValue>
