/**
 * All record types of the metadata log, by name, and the union that the controller folds over. Types 6, 13 and 16 were never released.
 *
 * Source: KIP-500, KIP-631; types and versions as in Apache Kafka 4.3.1.
 */
import type { Infer, Input } from '../../schema.ts'
import { registerBrokerRecord } from './register-broker-record.ts'
import { unregisterBrokerRecord } from './unregister-broker-record.ts'
import { topicRecord } from './topic-record.ts'
import { partitionRecord } from './partition-record.ts'
import { configRecord } from './config-record.ts'
import { partitionChangeRecord } from './partition-change-record.ts'
import { fenceBrokerRecord } from './fence-broker-record.ts'
import { unfenceBrokerRecord } from './unfence-broker-record.ts'
import { removeTopicRecord } from './remove-topic-record.ts'
import { delegationTokenRecord } from './delegation-token-record.ts'
import { userScramCredentialRecord } from './user-scram-credential-record.ts'
import { featureLevelRecord } from './feature-level-record.ts'
import { clientQuotaRecord } from './client-quota-record.ts'
import { producerIdsRecord } from './producer-ids-record.ts'
import { brokerRegistrationChangeRecord } from './broker-registration-change-record.ts'
import { accessControlEntryRecord } from './access-control-entry-record.ts'
import { removeAccessControlEntryRecord } from './remove-access-control-entry-record.ts'
import { noOpRecord } from './no-op-record.ts'
import { zkMigrationStateRecord } from './zk-migration-state-record.ts'
import { removeUserScramCredentialRecord } from './remove-user-scram-credential-record.ts'
import { beginTransactionRecord } from './begin-transaction-record.ts'
import { endTransactionRecord } from './end-transaction-record.ts'
import { abortTransactionRecord } from './abort-transaction-record.ts'
import { removeDelegationTokenRecord } from './remove-delegation-token-record.ts'
import { registerControllerRecord } from './register-controller-record.ts'
import { clearElrRecord } from './clear-elr-record.ts'

export const metadataRecords = {
  RegisterBrokerRecord: registerBrokerRecord,
  UnregisterBrokerRecord: unregisterBrokerRecord,
  TopicRecord: topicRecord,
  PartitionRecord: partitionRecord,
  ConfigRecord: configRecord,
  PartitionChangeRecord: partitionChangeRecord,
  FenceBrokerRecord: fenceBrokerRecord,
  UnfenceBrokerRecord: unfenceBrokerRecord,
  RemoveTopicRecord: removeTopicRecord,
  DelegationTokenRecord: delegationTokenRecord,
  UserScramCredentialRecord: userScramCredentialRecord,
  FeatureLevelRecord: featureLevelRecord,
  ClientQuotaRecord: clientQuotaRecord,
  ProducerIdsRecord: producerIdsRecord,
  BrokerRegistrationChangeRecord: brokerRegistrationChangeRecord,
  AccessControlEntryRecord: accessControlEntryRecord,
  RemoveAccessControlEntryRecord: removeAccessControlEntryRecord,
  NoOpRecord: noOpRecord,
  ZkMigrationStateRecord: zkMigrationStateRecord,
  RemoveUserScramCredentialRecord: removeUserScramCredentialRecord,
  BeginTransactionRecord: beginTransactionRecord,
  EndTransactionRecord: endTransactionRecord,
  AbortTransactionRecord: abortTransactionRecord,
  RemoveDelegationTokenRecord: removeDelegationTokenRecord,
  RegisterControllerRecord: registerControllerRecord,
  ClearElrRecord: clearElrRecord,
} as const

export type MetadataRecordName = keyof typeof metadataRecords

/** A decoded metadata record: `switch (record.name)` narrows `record.value`. */
export type MetadataRecord = {
  [N in MetadataRecordName]: {
    readonly name: N
    readonly version: number
    readonly value: Infer<(typeof metadataRecords)[N]>
  }
}[MetadataRecordName]

/** What the encoder accepts: defaults may be left out. */
export type MetadataRecordInput = {
  [N in MetadataRecordName]: {
    readonly name: N
    readonly version: number
    readonly value: Input<(typeof metadataRecords)[N]>
  }
}[MetadataRecordName]
