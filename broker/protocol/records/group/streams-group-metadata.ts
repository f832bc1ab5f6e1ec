/**
 * StreamsGroupMetadata: record type 17 of the group coordinator.
 */
import { array, int32, int64, message, string, type Infer } from '../../schema.ts'

export const streamsGroupMetadataKey = message({
  key: 17,
  name: 'StreamsGroupMetadataKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
  },
})
export type StreamsGroupMetadataKey = Infer<typeof streamsGroupMetadataKey>

/** Shared by several fields below. */
const lastAssignmentConfig = {
  key: string(),
  value: string(),
}

export const streamsGroupMetadataValue = message({
  key: 17,
  name: 'StreamsGroupMetadataValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    epoch: int32(),
    metadataHash: int64(),
    validatedTopologyEpoch: int32({ tag: 0, default: -1 }),
    lastAssignmentConfigs: array({ nullable: '0+', tag: 1 }, lastAssignmentConfig),
  },
})
export type StreamsGroupMetadataValue = Infer<typeof streamsGroupMetadataValue>
