/** Random UUIDs in Kafka's text form. Source: RFC 9562 version 4; Kafka's Uuid.randomUuid. */
import type { Random } from '../environment/environment.ts'
import type { Uuid } from './metadata-record.ts'

/** Never one that begins with a dash, which command lines would take for an option. */
export function randomUuid(random: Random): Uuid {
  for (;;) {
    const bytes = random.bytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const text = bytes.toString('base64url')
    if (!text.startsWith('-')) return text
  }
}

/** Ids below 100 have a meaning of their own (KIP-858). */
export function isReservedDirectory(id: Uuid): boolean {
  const bytes = Buffer.from(id, 'base64url')
  return bytes.length === 16 && bytes.readBigUInt64BE(0) === 0n && bytes.readBigUInt64BE(8) < 100n
}
