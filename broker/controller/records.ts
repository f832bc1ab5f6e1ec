/**
 * Metadata records: their types, and their bytes as values of records in `__cluster_metadata-0` and its snapshots. A record is written in
 * the version that every node at the finalized metadata.version can read.
 * Source: KIP-631 "Record Formats"; versions by metadata.version as in Kafka's MetadataVersion.
 */
import { decodeMetadataRecord, encodeMetadataRecord } from '../protocol/records/metadata/frame.ts'
import type { MetadataRecordInput, MetadataRecordName } from '../protocol/records/metadata/index.ts'
import type { MetadataRecord } from './metadata-record.ts'

export type * from './metadata-record.ts'
export { brokerRegistrationChange, partitionChange } from './metadata-record.ts'

/** @param metadataVersion  finalized level; 0, before there is one, means the newest */
export function encodeRecord(record: MetadataRecord, metadataVersion: number): Buffer {
  const version = recordVersion(record, metadataVersion === 0 ? Infinity : metadataVersion)
  const { type, ...value } = reduced(record, version)
  return encodeMetadataRecord({
    name: `${type}Record` satisfies MetadataRecordName,
    version,
    value: value as never,
  } as MetadataRecordInput)
}

/** @throws ProtocolError for what is not a metadata record of Kafka 4.3 */
export function decodeRecord(value: Buffer): MetadataRecord {
  const decoded = decodeMetadataRecord(value)
  const type = decoded.name.slice(0, -'Record'.length) as MetadataRecord['type']
  return { type, ...decoded.value } as MetadataRecord
}

/** Without the fields that the version cannot hold: at such a metadata.version nobody relies on them. */
function reduced(record: MetadataRecord, version: number): MetadataRecord {
  if (record.type === 'RegisterBroker') {
    return {
      ...record,
      logDirs: version >= 3 ? record.logDirs : [],
      cordonedLogDirs: version >= 4 ? record.cordonedLogDirs : null,
    }
  }
  const elr = version >= 2 ? {} : { eligibleLeaderReplicas: null, lastKnownElr: null }
  if (record.type === 'Partition') return { ...record, ...elr, directories: version >= 1 ? record.directories : [] }
  if (record.type === 'PartitionChange') {
    return { ...record, ...elr, directories: version >= 1 ? record.directories : null }
  }
  return record
}

function recordVersion(record: MetadataRecord, metadataVersion: number): number {
  if (record.type === 'RegisterBroker') {
    if (metadataVersion >= 30) return 4 // cordoned directories
    if (metadataVersion >= 17) return 3 // directories
    return metadataVersion >= 8 ? 2 : 1
  }
  if (record.type === 'BrokerRegistrationChange') {
    if (record.cordonedLogDirs !== null) return 3
    if (record.logDirs.length > 0) return 2
    return record.inControlledShutdown === 0 ? 0 : 1
  }
  if (record.type === 'Partition' || record.type === 'PartitionChange') {
    if (metadataVersion >= 23) return 2 // eligible leader replicas
    return metadataVersion >= 17 ? 1 : 0
  }
  return 0
}
