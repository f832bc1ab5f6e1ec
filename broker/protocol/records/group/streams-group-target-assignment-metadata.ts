/**
 * StreamsGroupTargetAssignmentMetadata: record type 20 of the group coordinator.
 */
import { int32, message, offset, string, type Infer } from '../../schema.ts'

export const streamsGroupTargetAssignmentMetadataKey = message({
  key: 20,
  name: 'StreamsGroupTargetAssignmentMetadataKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
  },
})
export type StreamsGroupTargetAssignmentMetadataKey = Infer<typeof streamsGroupTargetAssignmentMetadataKey>

export const streamsGroupTargetAssignmentMetadataValue = message({
  key: 20,
  name: 'StreamsGroupTargetAssignmentMetadataValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    assignmentEpoch: int32(),
    assignmentTimestamp: offset({ tag: 0, default: 0 }),
  },
})
export type StreamsGroupTargetAssignmentMetadataValue = Infer<typeof streamsGroupTargetAssignmentMetadataValue>
