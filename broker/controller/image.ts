/**
 * What the cluster looks like after some offset of the metadata log: brokers, topics, settings, features. An image never changes; a new one
 * shares with the old one all that stayed the same, so that holding an image across awaits is safe and cheap. `image-builder.ts` makes
 * the next image from records and says in a `MetadataDelta` what differs.
 * Maps iterate in the order in which things were first created, the same on every node, whether it read the log or a snapshot.
 * Sources: KIP-500, KIP-631 (records), KIP-630 (snapshots).
 */
import type {
  AccessControlEntryRecord,
  ClientQuotaRecord,
  DelegationTokenRecord,
  Endpoint,
  FeatureRange,
  MetadataRecord,
  UserScramCredentialRecord,
  Uuid,
} from './metadata-record.ts'
import type { FeatureName } from './features.ts'
import { imageToRecords } from './image-to-records.ts'

export type { Endpoint, FeatureRange, MetadataRecord, Uuid } from './metadata-record.ts'

export interface BrokerImage {
  readonly id: number
  readonly epoch: number
  readonly incarnationId: Uuid
  readonly endpoints: readonly Endpoint[]
  readonly features: readonly FeatureRange[]
  readonly rack: string | null
  readonly fenced: boolean
  readonly inControlledShutdown: boolean
  /** Log directories that work. */
  readonly directories: readonly Uuid[]
  readonly cordonedDirectories: readonly Uuid[]
}

export interface ControllerImage {
  readonly id: number
  readonly incarnationId: Uuid
  readonly zkMigrationReady: boolean
  readonly endpoints: readonly Endpoint[]
  readonly features: readonly FeatureRange[]
}

export interface TopicImage {
  readonly id: Uuid
  readonly name: string
  readonly partitions: ReadonlyMap<number, PartitionImage>
}

export interface PartitionImage {
  /** The first one is the preferred leader. */
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  /** -1: none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  /** 0 recovered, 1 recovering from an unclean election. */
  readonly leaderRecoveryState: number
  readonly addingReplicas: readonly number[]
  readonly removingReplicas: readonly number[]
  /** The directory of each replica, in the order of `replicas`; reserved ids while unassigned. */
  readonly directories: readonly Uuid[]
  readonly elr: readonly number[]
  readonly lastKnownElr: readonly number[]
}

export interface ProducerIdsImage {
  readonly brokerId: number
  readonly brokerEpoch: number
  /** First id that no broker was given. */
  readonly nextProducerId: bigint
}

export type ConfigResourceType = 'topic' | 'broker' | 'client-metrics' | 'group'

export interface ConfigResource {
  readonly type: ConfigResourceType
  /** Broker id as text, or '' for the default of all brokers. */
  readonly name: string
}

export type ConfigMap = ReadonlyMap<string, string>

/** The plain state of an image. */
export interface ImageState {
  readonly clusterId: string
  /** Last offset folded in, -1 for the empty image. */
  readonly offset: number
  readonly epoch: number
  readonly brokers: ReadonlyMap<number, BrokerImage>
  readonly controllers: ReadonlyMap<number, ControllerImage>
  readonly topicsByName: ReadonlyMap<string, TopicImage>
  readonly topicsById: ReadonlyMap<Uuid, TopicImage>
  /** Finalized levels; a feature that is missing is at level 0. */
  readonly features: ReadonlyMap<string, number>
  /** By `configKey`. */
  readonly configs: ReadonlyMap<string, ConfigMap>
  readonly producerIds: ProducerIdsImage | undefined
  readonly acls: ReadonlyMap<Uuid, AccessControlEntryRecord>
  /** By `scramKey`. */
  readonly scramCredentials: ReadonlyMap<string, UserScramCredentialRecord>
  /** By `quotaKey`. */
  readonly clientQuotas: ReadonlyMap<string, ClientQuotaRecord>
  readonly delegationTokens: ReadonlyMap<string, DelegationTokenRecord>
  readonly zkMigrationState: number | undefined
}

const noConfig: ConfigMap = new Map()

export class MetadataImage implements ImageState {
  readonly clusterId: string
  readonly offset: number
  readonly epoch: number
  readonly brokers: ReadonlyMap<number, BrokerImage>
  readonly controllers: ReadonlyMap<number, ControllerImage>
  readonly topicsByName: ReadonlyMap<string, TopicImage>
  readonly topicsById: ReadonlyMap<Uuid, TopicImage>
  readonly features: ReadonlyMap<string, number>
  readonly configs: ReadonlyMap<string, ConfigMap>
  readonly producerIds: ProducerIdsImage | undefined
  readonly acls: ReadonlyMap<Uuid, AccessControlEntryRecord>
  readonly scramCredentials: ReadonlyMap<string, UserScramCredentialRecord>
  readonly clientQuotas: ReadonlyMap<string, ClientQuotaRecord>
  readonly delegationTokens: ReadonlyMap<string, DelegationTokenRecord>
  readonly zkMigrationState: number | undefined

  constructor(state: ImageState) {
    this.clusterId = state.clusterId
    this.offset = state.offset
    this.epoch = state.epoch
    this.brokers = state.brokers
    this.controllers = state.controllers
    this.topicsByName = state.topicsByName
    this.topicsById = state.topicsById
    this.features = state.features
    this.configs = state.configs
    this.producerIds = state.producerIds
    this.acls = state.acls
    this.scramCredentials = state.scramCredentials
    this.clientQuotas = state.clientQuotas
    this.delegationTokens = state.delegationTokens
    this.zkMigrationState = state.zkMigrationState
  }

  /** The image before the first record. */
  static empty(clusterId: string): MetadataImage {
    return new MetadataImage({
      clusterId,
      offset: -1,
      epoch: -1,
      brokers: new Map(),
      controllers: new Map(),
      topicsByName: new Map(),
      topicsById: new Map(),
      features: new Map(),
      configs: new Map(),
      producerIds: undefined,
      acls: new Map(),
      scramCredentials: new Map(),
      clientQuotas: new Map(),
      delegationTokens: new Map(),
      zkMigrationState: undefined,
    })
  }

  /** Settings of a resource as they were altered: never the defaults. Empty when there are none. */
  config(type: ConfigResourceType, name: string): ConfigMap {
    return this.configs.get(configKey(type, name)) ?? noConfig
  }

  /** The resources of a kind that have settings of their own, by name. */
  configsOf(type: ConfigResourceType): ReadonlyMap<string, ConfigMap> {
    const found = new Map<string, ConfigMap>()
    for (const [key, settings] of this.configs) {
      const resource = configResourceOf(key)
      if (resource.type === type) found.set(resource.name, settings)
    }
    return found
  }

  partition(topic: string, partition: number): PartitionImage | undefined {
    return this.topicsByName.get(topic)?.partitions.get(partition)
  }

  /** Registered and not fenced. */
  isBrokerAlive(id: number): boolean {
    return this.brokers.get(id)?.fenced === false
  }

  /** Finalized level of a feature, 0 when it is off. */
  feature(name: FeatureName): number {
    return this.features.get(name) ?? 0
  }

  metadataVersion(): number {
    return this.feature('metadata.version')
  }

  /** Records that rebuild this image from an empty one: the content of a snapshot. */
  toRecords(): MetadataRecord[] {
    return imageToRecords(this)
  }
}

export function configKey(type: ConfigResourceType, name: string): string {
  return `${type}/${name}`
}

export function configResourceOf(key: string): ConfigResource {
  const slash = key.indexOf('/')
  return { type: key.slice(0, slash) as ConfigResourceType, name: key.slice(slash + 1) }
}

/** What differs between two images. Previous values are in `previous`, current ones in `image`. */
export interface MetadataDelta {
  readonly previous: MetadataImage
  readonly image: MetadataImage
  /** True when the image came from a snapshot: then the delta was found by comparing. */
  readonly fromSnapshot: boolean
  /** New topics and topics with a partition that is new or changed, by topic id. */
  readonly changedTopics: ReadonlyMap<Uuid, TopicChange>
  /** Ids of those of `changedTopics` that `previous` does not have. */
  readonly newTopics: ReadonlySet<Uuid>
  /** As they were. A topic that was deleted and created again is here under its old id and new under another. */
  readonly deletedTopics: ReadonlyMap<Uuid, TopicImage>
  readonly changedBrokers: ReadonlyMap<
    number,
    { readonly previous: BrokerImage | undefined; readonly current: BrokerImage | undefined }
  >
  readonly changedControllers: ReadonlySet<number>
  readonly changedConfigs: readonly ConfigResource[]
  readonly changedFeatures: ReadonlySet<string>
  readonly producerIdsChanged: boolean
  readonly aclsChanged: boolean
  readonly scramCredentialsChanged: boolean
  readonly clientQuotasChanged: boolean
  readonly delegationTokensChanged: boolean
}

export interface TopicChange {
  readonly topic: TopicImage
  /** Only partitions that are new or changed. */
  readonly partitions: ReadonlyMap<number, PartitionChange>
}

export interface PartitionChange {
  readonly previous: PartitionImage | undefined
  readonly current: PartitionImage
}
