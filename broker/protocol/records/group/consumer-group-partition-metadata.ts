/**
 * ConsumerGroupPartitionMetadata: record type 4 of the group coordinator.
 */
import { array, int32, message, string, uuid, type Infer } from '../../schema.ts'

export const consumerGroupPartitionMetadataKey = message({
  key: 4,
  name: 'ConsumerGroupPartitionMetadataKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
  },
})
export type ConsumerGroupPartitionMetadataKey = Infer<typeof consumerGroupPartitionMetadataKey>

export const consumerGroupPartitionMetadataValue = message({
  key: 4,
  name: 'ConsumerGroupPartitionMetadataValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    topics: array({
      topicId: uuid(),
      topicName: string(),
      numPartitions: int32(),
      partitionMetadata: array({
        partition: int32(),
        racks: array(string()),
      }),
    }),
  },
})
export type ConsumerGroupPartitionMetadataValue = Infer<typeof consumerGroupPartitionMetadataValue>
