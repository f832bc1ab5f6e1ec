/**
 * Metadata records: their types and their bytes. A record value is framed as frame version (1), api key and version, all unsigned varints,
 * then the body by the schema of that version.
 * Source: KIP-631 "Record Formats"; Kafka's MetadataRecordSerde.
 */
export type * from './metadata-record.ts'
export { brokerRegistrationChange, partitionChange } from './metadata-record.ts'
