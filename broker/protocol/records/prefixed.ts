/**
 * Messages that carry a version, or a type, in front as an int16: keys and values of coordinator records, values of control records, and
 * what consumers put into JoinGroup and SyncGroup.
 *
 * Source: KIP-848 "Record types"; Kafka protocol guide, "Consumer Embedded Protocol".
 */
import { codec } from '../codec.ts'
import { Reader } from '../reader.ts'
import type { DecodedFields, EncodableFields, Fields, Message } from '../schema.ts'
import { Writer } from '../writer.ts'

/** The key of a coordinator record: its type, then the body. Keys only have version 0. */
export function encodeCoordinatorKey<F extends Fields>(message: Message<F>, value: EncodableFields<F>): Buffer {
  return encodePrefixed(message.key, message, message.minVersion, value)
}

/** The type number at the front of a coordinator record's key. */
export function coordinatorRecordType(key: Buffer): number {
  return new Reader(key).int16()
}

/** Reads a coordinator record's key, whose type the caller has looked at. */
export function decodeCoordinatorKey<F extends Fields>(message: Message<F>, key: Buffer): DecodedFields<F> {
  const reader = new Reader(key)
  const type = reader.int16()
  if (type !== message.key) throw reader.error(`record type ${message.key} (${message.name})`, `${type}`)
  return codec(message, message.minVersion).decode(reader)
}

/** A version and the body in this version: values of coordinator and control records, consumer protocol metadata. */
export function encodeVersioned<F extends Fields>(
  message: Message<F>,
  version: number,
  value: EncodableFields<F>,
): Buffer {
  return encodePrefixed(version, message, version, value)
}

/**
 * Reads what `encodeVersioned` wrote. A version above ours is read as our highest, and bytes behind the body are left alone, when
 * `lenient` is set: so does Kafka with the metadata of newer consumers.
 */
export function decodeVersioned<F extends Fields>(
  message: Message<F>,
  bytes: Buffer,
  options: { readonly lenient?: boolean } = {},
): { readonly version: number; readonly value: DecodedFields<F> } {
  const reader = new Reader(bytes)
  const version = reader.int16()
  const lenient = options.lenient === true
  const value = codec(message, lenient ? Math.min(version, message.maxVersion) : version).decode(reader)
  if (!lenient) reader.expectEnd()
  return { version, value }
}

function encodePrefixed<F extends Fields>(
  prefix: number,
  message: Message<F>,
  version: number,
  value: EncodableFields<F>,
): Buffer {
  const writer = new Writer()
  writer.int16(prefix)
  codec(message, version).write(writer, value)
  return writer.finishBuffer()
}
