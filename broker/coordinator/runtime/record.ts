/** Coordinator records from their schemas: a key with its type, a value with its version, or a tombstone. */
import { encodeCoordinatorKey, encodeVersioned } from '../../protocol/records/prefixed.ts'
import type { EncodableFields, Fields, Message } from '../../protocol/schema.ts'
import type { CoordinatorRecord } from './effects.ts'

export interface RecordSchema<K extends Fields, V extends Fields> {
  readonly key: Message<K>
  readonly value: Message<V>
}

/** A null value is a tombstone; values are written in version 0. */
export function coordinatorRecord<K extends Fields, V extends Fields>(
  schema: RecordSchema<K, V>,
  key: EncodableFields<K>,
  value: EncodableFields<V> | null,
): CoordinatorRecord {
  return {
    key: encodeCoordinatorKey(schema.key, key),
    value: value === null ? null : encodeVersioned(schema.value, 0, value),
  }
}
