/**
 * ShareGroupStatePartitionMetadata: record type 15 of the group coordinator.
 */
import { array, int32, message, string, uuid, type Infer } from '../../schema.ts'

export const shareGroupStatePartitionMetadataKey = message({
  key: 15,
  name: 'ShareGroupStatePartitionMetadataKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
  },
})
export type ShareGroupStatePartitionMetadataKey = Infer<typeof shareGroupStatePartitionMetadataKey>

/** Shared by several fields below. */
const topicInfo = {
  topicId: uuid(),
  topicName: string(),
}

/** Shared by several fields below. */
const topicPartitionsInfo = {
  topicId: uuid(),
  topicName: string(),
  partitions: array(int32()),
}

export const shareGroupStatePartitionMetadataValue = message({
  key: 15,
  name: 'ShareGroupStatePartitionMetadataValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    initializingTopics: array(topicPartitionsInfo),
    initializedTopics: array(topicPartitionsInfo),
    deletingTopics: array(topicInfo),
  },
})
export type ShareGroupStatePartitionMetadataValue = Infer<typeof shareGroupStatePartitionMetadataValue>
