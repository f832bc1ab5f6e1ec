/**
 * ConsumerGroupMetadata: record type 3 of the group coordinator.
 */
import { int32, int64, message, string, type Infer } from '../../schema.ts'

export const consumerGroupMetadataKey = message({
  key: 3,
  name: 'ConsumerGroupMetadataKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
  },
})
export type ConsumerGroupMetadataKey = Infer<typeof consumerGroupMetadataKey>

export const consumerGroupMetadataValue = message({
  key: 3,
  name: 'ConsumerGroupMetadataValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    epoch: int32(),
    metadataHash: int64({ tag: 0, default: 0n }),
  },
})
export type ConsumerGroupMetadataValue = Infer<typeof consumerGroupMetadataValue>
