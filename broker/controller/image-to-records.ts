/**
 * The records that rebuild an image from nothing, in the order of Kafka's snapshots: features first (the metadata.version says how to read
 * the rest), then cluster, topics, settings and the rest. Must lose nothing: an image and the fold of its records are equal.
 * Source: KIP-630; order as in Kafka's MetadataImage.
 */
import type { ConfigResourceType, ImageState, PartitionImage, TopicImage } from './image.ts'
import { configResource } from './metadata-record.ts'
import type { MetadataRecord, PartitionRecord } from './metadata-record.ts'

export function imageToRecords(image: ImageState): MetadataRecord[] {
  return [
    ...featureRecords(image),
    ...clusterRecords(image),
    ...[...image.topicsById.values()].flatMap(topicRecords),
    ...configRecords(image),
    ...image.clientQuotas.values(),
    ...(image.producerIds === undefined ? [] : [{ type: 'ProducerIds' as const, ...image.producerIds }]),
    ...image.acls.values(),
    ...image.scramCredentials.values(),
    ...image.delegationTokens.values(),
  ]
}

function* featureRecords(image: ImageState): Generator<MetadataRecord> {
  const metadataVersion = image.features.get('metadata.version')
  if (metadataVersion !== undefined) {
    yield { type: 'FeatureLevel', name: 'metadata.version', featureLevel: metadataVersion }
  }
  if (image.zkMigrationState !== undefined) {
    yield { type: 'ZkMigrationState', zkMigrationState: image.zkMigrationState }
  }
  for (const [name, featureLevel] of image.features) {
    if (name !== 'metadata.version') yield { type: 'FeatureLevel', name, featureLevel }
  }
}

function* clusterRecords(image: ImageState): Generator<MetadataRecord> {
  for (const broker of image.brokers.values()) {
    yield {
      type: 'RegisterBroker',
      brokerId: broker.id,
      isMigratingZkBroker: false,
      incarnationId: broker.incarnationId,
      brokerEpoch: broker.epoch,
      endPoints: broker.endpoints,
      features: broker.features,
      rack: broker.rack,
      fenced: broker.fenced,
      inControlledShutdown: broker.inControlledShutdown,
      logDirs: broker.directories,
      cordonedLogDirs: broker.cordonedDirectories.length === 0 ? null : broker.cordonedDirectories,
    }
  }
  for (const controller of image.controllers.values()) {
    yield {
      type: 'RegisterController',
      controllerId: controller.id,
      incarnationId: controller.incarnationId,
      zkMigrationReady: controller.zkMigrationReady,
      endPoints: controller.endpoints,
      features: controller.features,
    }
  }
}

function topicRecords(topic: TopicImage): MetadataRecord[] {
  const records: MetadataRecord[] = [{ type: 'Topic', name: topic.name, topicId: topic.id }]
  for (const [index, partition] of topic.partitions) records.push(partitionRecord(topic.id, index, partition))
  return records
}

/** The record that creates a partition just as it is now. */
export function partitionRecord(topicId: string, partitionId: number, partition: PartitionImage): PartitionRecord {
  return {
    type: 'Partition',
    partitionId,
    topicId,
    replicas: partition.replicas,
    isr: partition.isr,
    removingReplicas: partition.removingReplicas,
    addingReplicas: partition.addingReplicas,
    leader: partition.leader,
    leaderRecoveryState: partition.leaderRecoveryState,
    leaderEpoch: partition.leaderEpoch,
    partitionEpoch: partition.partitionEpoch,
    directories: partition.directories,
    eligibleLeaderReplicas: partition.elr.length === 0 ? null : partition.elr,
    lastKnownElr: partition.lastKnownElr.length === 0 ? null : partition.lastKnownElr,
  }
}

const resourceTypeIds: Readonly<Record<ConfigResourceType, number>> = {
  topic: configResource.topic,
  broker: configResource.broker,
  'client-metrics': configResource.clientMetrics,
  group: configResource.group,
}

/** The number on the wire and in Config records. */
export function configResourceTypeId(type: ConfigResourceType): number {
  return resourceTypeIds[type]
}

export function configResourceTypeOf(id: number): ConfigResourceType | undefined {
  return (Object.keys(resourceTypeIds) as ConfigResourceType[]).find(type => resourceTypeIds[type] === id)
}

function* configRecords(image: ImageState): Generator<MetadataRecord> {
  for (const [key, settings] of image.configs) {
    const slash = key.indexOf('/')
    const resourceType = configResourceTypeId(key.slice(0, slash) as ConfigResourceType)
    for (const [name, value] of settings) {
      yield { type: 'Config', resourceType, resourceName: key.slice(slash + 1), name, value }
    }
  }
}
