/**
 * ShareGroupMetadata: record type 11 of the group coordinator.
 */
import { int32, int64, message, string, type Infer } from '../../schema.ts'

export const shareGroupMetadataKey = message({
  key: 11,
  name: 'ShareGroupMetadataKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
  },
})
export type ShareGroupMetadataKey = Infer<typeof shareGroupMetadataKey>

export const shareGroupMetadataValue = message({
  key: 11,
  name: 'ShareGroupMetadataValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    epoch: int32(),
    metadataHash: int64(),
  },
})
export type ShareGroupMetadataValue = Infer<typeof shareGroupMetadataValue>
