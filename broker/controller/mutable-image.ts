/**
 * The image while records are folded into it: copies a map the first time it is written to. Used by `image-builder.ts` only.
 * Which record changes what: Kafka's metadata record schemas (KIP-631, KIP-858, KIP-903, KIP-966).
 */
import { configKey } from './image.ts'
import type { BrokerImage, ImageState, MetadataImage, PartitionImage, TopicImage, Uuid } from './image.ts'
import { configResourceTypeOf } from './image-to-records.ts'
import { directoryMigrating, noLeaderChange } from './metadata-record.ts'
import type {
  BrokerRegistrationChangeRecord,
  ClearElrRecord,
  ClientQuotaRecord,
  ConfigRecord,
  FeatureLevelRecord,
  MetadataRecord,
  PartitionChangeRecord,
  PartitionRecord,
  QuotaEntity,
  RegisterBrokerRecord,
  RegisterControllerRecord,
  TopicRecord,
} from './metadata-record.ts'

/** The metadata log says something that cannot be: it is damaged, or written by a version this one does not know. */
export class MetadataError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MetadataError'
  }
}

class CopyOnWrite<K, V> {
  #current: ReadonlyMap<K, V>
  #own: Map<K, V> | undefined

  constructor(start: ReadonlyMap<K, V>) {
    this.#current = start
  }
  get view(): ReadonlyMap<K, V> {
    return this.#current
  }
  write(): Map<K, V> {
    if (this.#own === undefined) this.#current = this.#own = new Map(this.#current)
    return this.#own
  }
  get(key: K): V | undefined {
    return this.#current.get(key)
  }
}

export class MutableImage {
  readonly touchedPartitions = new Map<Uuid, Set<number>>()
  readonly touchedBrokers = new Set<number>()
  readonly touchedControllers = new Set<number>()
  readonly touchedConfigs = new Set<string>()
  readonly touchedFeatures = new Set<string>()

  readonly #brokers
  readonly #controllers
  readonly #topicsByName
  readonly #topicsById
  readonly #features
  readonly #configs
  readonly #acls
  readonly #scramCredentials
  readonly #clientQuotas
  readonly #delegationTokens
  #producerIds: ImageState['producerIds']
  #zkMigrationState: number | undefined
  /** Partition maps copied since the start, which may be written in place. */
  readonly #ownPartitions = new Map<Uuid, Map<number, PartitionImage>>()

  constructor(start: MetadataImage) {
    this.#brokers = new CopyOnWrite(start.brokers)
    this.#controllers = new CopyOnWrite(start.controllers)
    this.#topicsByName = new CopyOnWrite(start.topicsByName)
    this.#topicsById = new CopyOnWrite(start.topicsById)
    this.#features = new CopyOnWrite(start.features)
    this.#configs = new CopyOnWrite(start.configs)
    this.#acls = new CopyOnWrite(start.acls)
    this.#scramCredentials = new CopyOnWrite(start.scramCredentials)
    this.#clientQuotas = new CopyOnWrite(start.clientQuotas)
    this.#delegationTokens = new CopyOnWrite(start.delegationTokens)
    this.#producerIds = start.producerIds
    this.#zkMigrationState = start.zkMigrationState
  }

  state(): Omit<ImageState, 'clusterId' | 'offset' | 'epoch'> {
    return {
      brokers: this.#brokers.view,
      controllers: this.#controllers.view,
      topicsByName: this.#topicsByName.view,
      topicsById: this.#topicsById.view,
      features: this.#features.view,
      configs: this.#configs.view,
      producerIds: this.#producerIds,
      acls: this.#acls.view,
      scramCredentials: this.#scramCredentials.view,
      clientQuotas: this.#clientQuotas.view,
      delegationTokens: this.#delegationTokens.view,
      zkMigrationState: this.#zkMigrationState,
    }
  }

  // eslint-disable-next-line max-lines-per-function -- one line per record type
  replay(record: MetadataRecord): void {
    switch (record.type) {
      case 'RegisterBroker':
        return this.#registerBroker(record)
      case 'UnregisterBroker':
        return this.#unregisterBroker(record.brokerId, record.brokerEpoch)
      case 'BrokerRegistrationChange':
        return this.#changeRegistration(record)
      case 'FenceBroker':
        return this.#updateBroker(record.id, record.epoch, { fenced: true })
      case 'UnfenceBroker':
        return this.#updateBroker(record.id, record.epoch, { fenced: false })
      case 'RegisterController':
        return this.#registerController(record)
      case 'Topic':
        return this.#createTopic(record)
      case 'Partition':
        return this.#putPartition(record.topicId, record.partitionId, partitionOf(record))
      case 'PartitionChange':
        return this.#changePartition(record)
      case 'RemoveTopic':
        return this.#removeTopic(record.topicId)
      case 'ClearElr':
        return this.#clearElr(record)
      case 'Config':
        return this.#setConfig(record)
      case 'FeatureLevel':
        return this.#setFeature(record)
      case 'ProducerIds':
        this.#producerIds = {
          brokerId: record.brokerId,
          brokerEpoch: record.brokerEpoch,
          nextProducerId: record.nextProducerId,
        }
        return undefined
      case 'AccessControlEntry':
        this.#acls.write().set(record.id, record)
        return undefined
      case 'RemoveAccessControlEntry':
        this.#acls.write().delete(record.id)
        return undefined
      case 'UserScramCredential':
        this.#scramCredentials.write().set(scramKey(record), record)
        return undefined
      case 'RemoveUserScramCredential':
        this.#scramCredentials.write().delete(scramKey(record))
        return undefined
      case 'ClientQuota':
        return this.#setQuota(record)
      case 'DelegationToken':
        this.#delegationTokens.write().set(record.tokenId, record)
        return undefined
      case 'RemoveDelegationToken':
        this.#delegationTokens.write().delete(record.tokenId)
        return undefined
      case 'ZkMigrationState':
        this.#zkMigrationState = record.zkMigrationState
        return undefined
      case 'NoOp':
      case 'BeginTransaction':
      case 'EndTransaction':
      case 'AbortTransaction':
        return undefined
    }
  }

  #registerBroker(record: RegisterBrokerRecord): void {
    this.touchedBrokers.add(record.brokerId)
    this.#brokers.write().set(record.brokerId, {
      id: record.brokerId,
      epoch: record.brokerEpoch,
      incarnationId: record.incarnationId,
      endpoints: record.endPoints,
      features: record.features,
      rack: record.rack,
      fenced: record.fenced,
      inControlledShutdown: record.inControlledShutdown,
      directories: record.logDirs,
      cordonedDirectories: record.cordonedLogDirs ?? [],
    })
  }

  #unregisterBroker(id: number, epoch: number): void {
    this.#broker(id, epoch)
    this.touchedBrokers.add(id)
    this.#brokers.write().delete(id)
  }

  #broker(id: number, epoch: number): BrokerImage {
    const broker = this.#brokers.get(id)
    if (broker === undefined) throw new MetadataError(`a record changes broker ${id}, which is not registered`)
    if (broker.epoch !== epoch) {
      throw new MetadataError(
        `a record changes broker ${id} of epoch ${epoch}, but it is registered with epoch ${broker.epoch}`,
      )
    }
    return broker
  }

  #updateBroker(id: number, epoch: number, change: Partial<BrokerImage>): void {
    const broker = this.#broker(id, epoch)
    this.touchedBrokers.add(id)
    this.#brokers.write().set(id, { ...broker, ...change })
  }

  #changeRegistration(record: BrokerRegistrationChangeRecord): void {
    this.#updateBroker(record.brokerId, record.brokerEpoch, {
      ...(record.fenced === 0 ? {} : { fenced: record.fenced === 1 }),
      ...(record.inControlledShutdown === 0 ? {} : { inControlledShutdown: true }),
      ...(record.logDirs.length === 0 ? {} : { directories: record.logDirs }),
      ...(record.cordonedLogDirs === null ? {} : { cordonedDirectories: record.cordonedLogDirs }),
    })
  }

  #registerController(record: RegisterControllerRecord): void {
    this.touchedControllers.add(record.controllerId)
    this.#controllers.write().set(record.controllerId, {
      id: record.controllerId,
      incarnationId: record.incarnationId,
      zkMigrationReady: record.zkMigrationReady,
      endpoints: record.endPoints,
      features: record.features,
    })
  }

  #createTopic(record: TopicRecord): void {
    const existing = this.#topicsByName.get(record.name)
    if (existing !== undefined) {
      throw new MetadataError(`a second topic named ${record.name}: id ${existing.id}, now ${record.topicId}`)
    }
    this.touchedPartitions.set(record.topicId, new Set())
    this.#putTopic(record.topicId, record.name, new Map())
  }

  #putTopic(id: Uuid, name: string, partitions: Map<number, PartitionImage>): void {
    this.#ownPartitions.set(id, partitions)
    const topic: TopicImage = { id, name, partitions }
    this.#topicsById.write().set(id, topic)
    this.#topicsByName.write().set(name, topic)
  }

  #topic(id: Uuid): TopicImage {
    const topic = this.#topicsById.get(id)
    if (topic === undefined) throw new MetadataError(`a record changes topic id ${id}, which does not exist`)
    return topic
  }

  #putPartition(topicId: Uuid, index: number, partition: PartitionImage): void {
    const topic = this.#topic(topicId)
    let touched = this.touchedPartitions.get(topicId)
    if (touched === undefined) this.touchedPartitions.set(topicId, (touched = new Set()))
    touched.add(index)
    const own = this.#ownPartitions.get(topicId)
    if (own === undefined) this.#putTopic(topicId, topic.name, new Map(topic.partitions).set(index, partition))
    else own.set(index, partition)
  }

  #changePartition(record: PartitionChangeRecord): void {
    const topic = this.#topic(record.topicId)
    const partition = topic.partitions.get(record.partitionId)
    if (partition === undefined) {
      throw new MetadataError(`a record changes ${topic.name}-${record.partitionId}, which does not exist`)
    }
    this.#putPartition(record.topicId, record.partitionId, mergeChange(partition, record))
  }

  #removeTopic(id: Uuid): void {
    const topic = this.#topic(id)
    this.touchedPartitions.set(id, new Set())
    this.#ownPartitions.delete(id)
    this.#topicsById.write().delete(id)
    this.#topicsByName.write().delete(topic.name)
    const key = configKey('topic', topic.name)
    if (this.#configs.get(key) !== undefined) {
      this.touchedConfigs.add(key)
      this.#configs.write().delete(key)
    }
  }

  #clearElr(record: ClearElrRecord): void {
    const topics =
      record.topicName === '' ? [...this.#topicsById.view.values()] : [this.#topicsByName.get(record.topicName)]
    for (const topic of topics) {
      if (topic === undefined)
        throw new MetadataError(`a record changes topic ${record.topicName}, which does not exist`)
      for (const [index, partition] of topic.partitions) {
        if (partition.elr.length === 0 && partition.lastKnownElr.length === 0) continue
        this.#putPartition(topic.id, index, { ...partition, elr: [], lastKnownElr: [] })
      }
    }
  }

  #setConfig(record: ConfigRecord): void {
    const type = configResourceTypeOf(record.resourceType)
    if (type === undefined) {
      throw new MetadataError(`unknown config resource type ${record.resourceType} of ${record.resourceName}`)
    }
    const key = configKey(type, record.resourceName)
    this.touchedConfigs.add(key)
    const settings = new Map(this.#configs.get(key))
    if (record.value === null) settings.delete(record.name)
    else settings.set(record.name, record.value)
    if (settings.size === 0) this.#configs.write().delete(key)
    else this.#configs.write().set(key, settings)
  }

  #setFeature(record: FeatureLevelRecord): void {
    this.touchedFeatures.add(record.name)
    if (record.featureLevel === 0) this.#features.write().delete(record.name)
    else this.#features.write().set(record.name, record.featureLevel)
  }

  #setQuota(record: ClientQuotaRecord): void {
    const key = quotaKey(record.entity, record.key)
    if (record.remove) this.#clientQuotas.write().delete(key)
    else this.#clientQuotas.write().set(key, record)
  }
}

function partitionOf(record: PartitionRecord): PartitionImage {
  return {
    replicas: record.replicas,
    isr: record.isr,
    leader: record.leader,
    leaderEpoch: record.leaderEpoch,
    partitionEpoch: record.partitionEpoch,
    leaderRecoveryState: record.leaderRecoveryState,
    addingReplicas: record.addingReplicas,
    removingReplicas: record.removingReplicas,
    directories: directoriesFor(record.replicas, record.directories),
    elr: record.eligibleLeaderReplicas ?? [],
    lastKnownElr: record.lastKnownElr ?? [],
  }
}

/** A partition after a PartitionChange: a leader, even the same one, begins a new leader epoch; every change a new partition epoch. */
export function mergeChange(partition: PartitionImage, record: PartitionChangeRecord): PartitionImage {
  const newLeader = record.leader !== noLeaderChange
  const replicas = record.replicas ?? partition.replicas
  return {
    replicas,
    isr: record.isr ?? partition.isr,
    leader: newLeader ? record.leader : partition.leader,
    leaderEpoch: newLeader ? partition.leaderEpoch + 1 : partition.leaderEpoch,
    partitionEpoch: partition.partitionEpoch + 1,
    leaderRecoveryState: record.leaderRecoveryState === -1 ? partition.leaderRecoveryState : record.leaderRecoveryState,
    addingReplicas: record.addingReplicas ?? partition.addingReplicas,
    removingReplicas: record.removingReplicas ?? partition.removingReplicas,
    directories: directoriesFor(replicas, record.directories ?? partition.directories),
    elr: record.eligibleLeaderReplicas ?? partition.elr,
    lastKnownElr: record.lastKnownElr ?? partition.lastKnownElr,
  }
}

/** Records from before KIP-858 name no directories. */
function directoriesFor(replicas: readonly number[], directories: readonly Uuid[]): readonly Uuid[] {
  if (directories.length === 0) return replicas.map(() => directoryMigrating)
  if (directories.length !== replicas.length) {
    throw new MetadataError(`${replicas.length} replicas but ${directories.length} directories in a partition record`)
  }
  return directories
}

export function scramKey(credential: { readonly name: string; readonly mechanism: number }): string {
  return `${credential.mechanism}/${credential.name}`
}

/** Entities in a fixed order: the same quota may be written with them in another. */
export function quotaKey(entity: readonly QuotaEntity[], key: string): string {
  const parts = entity.map(part => [part.entityType, part.entityName] as const)
  parts.sort(([first], [second]) => (first < second ? -1 : first > second ? 1 : 0))
  return JSON.stringify([parts, key])
}
