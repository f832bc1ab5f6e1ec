/**
 * The records of `__cluster_metadata-0` as values, one type per record of Kafka 4.3, whatever version it was written in: fields an older
 * version lacks have their default. Never holds bytes; `records.ts` turns these into record values and back.
 * Source: Kafka's metadata record schemas (KIP-631, KIP-858, KIP-966, KIP-1066 for cordoned log directories).
 */

/** UUIDs are base64url without padding, 22 characters, as Kafka prints them. */
export type Uuid = string

export interface Endpoint {
  readonly name: string
  readonly host: string
  readonly port: number
  /** 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL. */
  readonly securityProtocol: number
}

export interface FeatureRange {
  readonly name: string
  readonly minSupportedVersion: number
  readonly maxSupportedVersion: number
}

export interface RegisterBrokerRecord {
  readonly type: 'RegisterBroker'
  readonly brokerId: number
  readonly isMigratingZkBroker: boolean
  readonly incarnationId: Uuid
  /** Offset of this record's batch: grows with every registration. */
  readonly brokerEpoch: number
  readonly endPoints: readonly Endpoint[]
  readonly features: readonly FeatureRange[]
  readonly rack: string | null
  readonly fenced: boolean
  readonly inControlledShutdown: boolean
  readonly logDirs: readonly Uuid[]
  readonly cordonedLogDirs: readonly Uuid[] | null
}

export interface UnregisterBrokerRecord {
  readonly type: 'UnregisterBroker'
  readonly brokerId: number
  readonly brokerEpoch: number
}

export interface TopicRecord {
  readonly type: 'Topic'
  readonly name: string
  readonly topicId: Uuid
}

export interface PartitionRecord {
  readonly type: 'Partition'
  readonly partitionId: number
  readonly topicId: Uuid
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly removingReplicas: readonly number[]
  readonly addingReplicas: readonly number[]
  readonly leader: number
  readonly leaderRecoveryState: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
  /** One per replica; empty in records of version 0. */
  readonly directories: readonly Uuid[]
  readonly eligibleLeaderReplicas: readonly number[] | null
  readonly lastKnownElr: readonly number[] | null
}

/** Null, leader -2 and leaderRecoveryState -1 mean "as before". */
export interface PartitionChangeRecord {
  readonly type: 'PartitionChange'
  readonly partitionId: number
  readonly topicId: Uuid
  readonly isr: readonly number[] | null
  /** Any value but -2 raises the leader epoch, also the leader it had before. */
  readonly leader: number
  readonly replicas: readonly number[] | null
  readonly removingReplicas: readonly number[] | null
  readonly addingReplicas: readonly number[] | null
  readonly leaderRecoveryState: number
  readonly directories: readonly Uuid[] | null
  readonly eligibleLeaderReplicas: readonly number[] | null
  readonly lastKnownElr: readonly number[] | null
}

export interface RemoveTopicRecord {
  readonly type: 'RemoveTopic'
  readonly topicId: Uuid
}

export interface ConfigRecord {
  readonly type: 'Config'
  /** 2 topic, 4 broker, 16 client metrics, 32 group. */
  readonly resourceType: number
  readonly resourceName: string
  readonly name: string
  /** Null removes the setting. */
  readonly value: string | null
}

export interface FeatureLevelRecord {
  readonly type: 'FeatureLevel'
  readonly name: string
  readonly featureLevel: number
}

export interface ProducerIdsRecord {
  readonly type: 'ProducerIds'
  readonly brokerId: number
  readonly brokerEpoch: number
  readonly nextProducerId: bigint
}

export interface FenceBrokerRecord {
  readonly type: 'FenceBroker'
  readonly id: number
  readonly epoch: number
}

export interface UnfenceBrokerRecord {
  readonly type: 'UnfenceBroker'
  readonly id: number
  readonly epoch: number
}

export interface BrokerRegistrationChangeRecord {
  readonly type: 'BrokerRegistrationChange'
  readonly brokerId: number
  readonly brokerEpoch: number
  /** -1 unfence, 0 no change, 1 fence. */
  readonly fenced: number
  /** 0 no change, 1 in controlled shutdown. */
  readonly inControlledShutdown: number
  /** Empty: no change. */
  readonly logDirs: readonly Uuid[]
  /** Null: no change. */
  readonly cordonedLogDirs: readonly Uuid[] | null
}

export interface RegisterControllerRecord {
  readonly type: 'RegisterController'
  readonly controllerId: number
  readonly incarnationId: Uuid
  readonly zkMigrationReady: boolean
  readonly endPoints: readonly Endpoint[]
  readonly features: readonly FeatureRange[]
}

export interface NoOpRecord {
  readonly type: 'NoOp'
}

export interface BeginTransactionRecord {
  readonly type: 'BeginTransaction'
  readonly name: string | null
}

export interface EndTransactionRecord {
  readonly type: 'EndTransaction'
}

export interface AbortTransactionRecord {
  readonly type: 'AbortTransaction'
  readonly reason: string | null
}

export interface ClearElrRecord {
  readonly type: 'ClearElr'
  /** Empty: all topics. */
  readonly topicName: string
}

export interface ZkMigrationStateRecord {
  readonly type: 'ZkMigrationState'
  readonly zkMigrationState: number
}

export interface AccessControlEntryRecord {
  readonly type: 'AccessControlEntry'
  readonly id: Uuid
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  readonly principal: string
  readonly host: string
  readonly operation: number
  readonly permissionType: number
}

export interface RemoveAccessControlEntryRecord {
  readonly type: 'RemoveAccessControlEntry'
  readonly id: Uuid
}

export interface UserScramCredentialRecord {
  readonly type: 'UserScramCredential'
  readonly name: string
  readonly mechanism: number
  readonly salt: Buffer
  readonly storedKey: Buffer
  readonly serverKey: Buffer
  readonly iterations: number
}

export interface RemoveUserScramCredentialRecord {
  readonly type: 'RemoveUserScramCredential'
  readonly name: string
  readonly mechanism: number
}

export interface QuotaEntity {
  readonly entityType: string
  /** Null: the default entity. */
  readonly entityName: string | null
}

export interface ClientQuotaRecord {
  readonly type: 'ClientQuota'
  readonly entity: readonly QuotaEntity[]
  readonly key: string
  readonly value: number
  readonly remove: boolean
}

export interface DelegationTokenRecord {
  readonly type: 'DelegationToken'
  readonly owner: string
  readonly requester: string
  readonly renewers: readonly string[]
  readonly issueTimestamp: number
  readonly maxTimestamp: number
  readonly expirationTimestamp: number
  readonly tokenId: string
}

export interface RemoveDelegationTokenRecord {
  readonly type: 'RemoveDelegationToken'
  readonly tokenId: string
}

export type MetadataRecord =
  | RegisterBrokerRecord
  | UnregisterBrokerRecord
  | TopicRecord
  | PartitionRecord
  | PartitionChangeRecord
  | RemoveTopicRecord
  | ConfigRecord
  | FeatureLevelRecord
  | ProducerIdsRecord
  | FenceBrokerRecord
  | UnfenceBrokerRecord
  | BrokerRegistrationChangeRecord
  | RegisterControllerRecord
  | NoOpRecord
  | BeginTransactionRecord
  | EndTransactionRecord
  | AbortTransactionRecord
  | ClearElrRecord
  | ZkMigrationStateRecord
  | AccessControlEntryRecord
  | RemoveAccessControlEntryRecord
  | UserScramCredentialRecord
  | RemoveUserScramCredentialRecord
  | ClientQuotaRecord
  | DelegationTokenRecord
  | RemoveDelegationTokenRecord

export type MetadataRecordType = MetadataRecord['type']

/** Reserved directory ids (KIP-858): no real directory has one. */
export const directoryMigrating: Uuid = 'AAAAAAAAAAAAAAAAAAAAAA'
export const directoryUnassigned: Uuid = 'AAAAAAAAAAAAAAAAAAAAAQ'
export const directoryLost: Uuid = 'AAAAAAAAAAAAAAAAAAAAAg'
export const zeroUuid: Uuid = 'AAAAAAAAAAAAAAAAAAAAAA'

export const noLeader = -1
export const noLeaderChange = -2
export const leaderRecovered = 0
export const leaderRecovering = 1

export const configResource = { topic: 2, broker: 4, brokerLogger: 8, clientMetrics: 16, group: 32 } as const

/** A PartitionChange that changes only what is given. */
export function partitionChange(
  topicId: Uuid,
  partitionId: number,
  change: Partial<Omit<PartitionChangeRecord, 'type' | 'topicId' | 'partitionId'>>,
): PartitionChangeRecord {
  return {
    type: 'PartitionChange',
    topicId,
    partitionId,
    isr: null,
    leader: noLeaderChange,
    replicas: null,
    removingReplicas: null,
    addingReplicas: null,
    leaderRecoveryState: -1,
    directories: null,
    eligibleLeaderReplicas: null,
    lastKnownElr: null,
    ...change,
  }
}

/** A BrokerRegistrationChange that changes only what is given. */
export function brokerRegistrationChange(
  brokerId: number,
  brokerEpoch: number,
  change: Partial<Omit<BrokerRegistrationChangeRecord, 'type' | 'brokerId' | 'brokerEpoch'>>,
): BrokerRegistrationChangeRecord {
  return {
    type: 'BrokerRegistrationChange',
    brokerId,
    brokerEpoch,
    fenced: 0,
    inControlledShutdown: 0,
    logDirs: [],
    cordonedLogDirs: null,
    ...change,
  }
}
