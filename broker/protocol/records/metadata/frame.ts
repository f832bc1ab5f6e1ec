/**
 * The frame around every record of the metadata log and of metadata snapshots: frame version, record type and record version, each an
 * unsigned varint, then the body with nothing behind it.
 *
 * Source: KIP-631, "Record Format"; frame version 1 is the only one.
 */
import { codec } from '../../codec.ts'
import { ProtocolError } from '../../errors.ts'
import { Reader } from '../../reader.ts'
import type { Message } from '../../schema.ts'
import { Writer } from '../../writer.ts'
import { metadataRecords, type MetadataRecord, type MetadataRecordInput, type MetadataRecordName } from './index.ts'

const frameVersion = 1

const namesByType = new Map<number, MetadataRecordName>(
  Object.entries(metadataRecords).map(([name, message]) => [message.key, name as MetadataRecordName]),
)

/** The value of a record of the metadata log. */
export function encodeMetadataRecord(record: MetadataRecordInput): Buffer {
  const message: Message = metadataRecords[record.name]
  const writer = new Writer()
  writer.uvarint(frameVersion)
  writer.uvarint(message.key)
  writer.uvarint(record.version)
  codec(message, record.version).write(writer, record.value)
  return writer.finishBuffer()
}

/**
 * Reads the value of a record of the metadata log.
 * Throws ProtocolError for an unknown frame version, record type or record version, and for bytes left over.
 */
export function decodeMetadataRecord(bytes: Buffer): MetadataRecord {
  const reader = new Reader(bytes)
  const frame = reader.uvarint()
  if (frame !== frameVersion) {
    throw new ProtocolError(
      `metadata record: expected frame version ${frameVersion}, found ${frame}`,
      'UNSUPPORTED_VERSION',
    )
  }
  const type = reader.uvarint()
  const version = reader.uvarint()
  const name = namesByType.get(type)
  if (name === undefined) {
    throw new ProtocolError(
      `metadata record: expected a record type of Kafka 4.3, found ${type}`,
      'UNSUPPORTED_VERSION',
    )
  }
  const message: Message = metadataRecords[name]
  const value = codec(message, version).decode(reader)
  reader.expectEnd()
  return { name, version, value } as MetadataRecord
}
