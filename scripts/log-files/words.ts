/**
 * Records in words: control records, and those of the internal topics, decoded with their schemas. A record that cannot be decoded is shown
 * as bytes with the reason beside it; nothing here throws on what a file holds.
 */
import type { TopicPartition } from '#broker/log/log.ts'
import { ProtocolError } from '#broker/protocol/errors.ts'
import {
  endTxnMarker,
  kraftVersionRecord,
  leaderChangeMessage,
  snapshotFooterRecord,
  snapshotHeaderRecord,
  votersRecord,
} from '#broker/protocol/records/control.ts'
import type { BatchRecord } from '#broker/protocol/records/batch-read.ts'
import { groupRecords } from '#broker/protocol/records/group/index.ts'
import { decodeMetadataRecord } from '#broker/protocol/records/metadata/frame.ts'
import { coordinatorRecordType, decodeCoordinatorKey, decodeVersioned } from '#broker/protocol/records/prefixed.ts'
import { shareRecords } from '#broker/protocol/records/share/index.ts'
import { transactionRecords } from '#broker/protocol/records/transaction/index.ts'
import { codec } from '#broker/protocol/codec.ts'
import { Reader } from '#broker/protocol/reader.ts'
import type { Message } from '#broker/protocol/schema.ts'

/** A decoded record: what kind it is, and its fields. */
export interface Decoded {
  readonly type: string
  readonly key?: unknown
  readonly value?: unknown
  /** Why it could not be decoded. */
  readonly problem?: string
}

const controlMessages: readonly (readonly [string, Message | undefined])[] = [
  ['abort marker', endTxnMarker],
  ['commit marker', endTxnMarker],
  ['leader change', leaderChangeMessage],
  ['snapshot header', snapshotHeaderRecord],
  ['snapshot footer', snapshotFooterRecord],
  ['kraft version', kraftVersionRecord],
  ['voters', votersRecord],
]

/** Control records of the quorum have their version as a field, markers in front. */
export function decodeControl({ key, value }: BatchRecord): Decoded {
  return decoding('control record', () => {
    if (key === null || key.length < 4) return { type: 'control record', problem: 'its key has less than four bytes' }
    const number = key.readInt16BE(2)
    const [type, message] = controlMessages[number] ?? [`control record of type ${number}`, undefined]
    if (message === undefined || value === null) return { type, value: plain(value) }
    if (message === endTxnMarker)
      return { type, value: plain(decodeVersioned(message, value, { lenient: true }).value) }
    const version = value.readInt16BE(0)
    return { type, value: plain(codec(message, Math.min(version, message.maxVersion)).decode(new Reader(value))) }
  })
}

/** A record of an internal topic; undefined for other topics. */
export function decodeInternal({ topic }: TopicPartition, record: BatchRecord): Decoded | undefined {
  if (topic === '__cluster_metadata') return decodeMetadata(record)
  if (topic === '__consumer_offsets') return decodeCoordinator(groupRecords, record)
  if (topic === '__transaction_state') return decodeCoordinator(transactionRecords, record)
  if (topic === '__share_group_state') return decodeCoordinator(shareRecords, record)
  return undefined
}

function decodeMetadata({ value }: BatchRecord): Decoded {
  return decoding('metadata record', () => {
    if (value === null) return { type: 'metadata record', problem: 'it has no value' }
    const { name, version, value: fields } = decodeMetadataRecord(value)
    return { type: name, key: { version }, value: plain(fields) }
  })
}

interface CoordinatorRecord {
  readonly key: Message
  readonly value: Message
}

function decodeCoordinator(records: Readonly<Record<string, CoordinatorRecord>>, { key, value }: BatchRecord): Decoded {
  return decoding('coordinator record', () => {
    if (key === null) return { type: 'coordinator record', problem: 'it has no key' }
    const number = coordinatorRecordType(key)
    const found = Object.entries(records).find(([, message]) => message.key.key === number)
    if (found === undefined) return { type: `record of type ${number}`, problem: 'unknown to Kafka 4.3' }
    const [type, messages] = found
    const decodedKey = plain(decodeCoordinatorKey(messages.key, key))
    if (value === null) return { type, key: decodedKey, value: null }
    return { type, key: decodedKey, value: plain(decodeVersioned(messages.value, value, { lenient: true }).value) }
  })
}

/** What the bytes of a file do to a decoder is told, not thrown. */
function decoding(type: string, decode: () => Decoded): Decoded {
  try {
    return decode()
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof RangeError) return { type, problem: error.message }
    throw error
  }
}

/** Values that JSON can hold: big numbers as text, bytes as text where they are text. */
export function plain(value: unknown): unknown {
  if (typeof value === 'bigint')
    return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= -1n ? Number(value) : String(value)
  if (Buffer.isBuffer(value)) return textOf(value)
  if (value instanceof Map) return plain(Object.fromEntries(value))
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]))
}

/** Text where the bytes are readable, else `0x…`. */
export function textOf(bytes: Buffer | null): string | null {
  if (bytes === null) return null
  const text = bytes.toString('utf8')
  const isText =
    Buffer.from(text, 'utf8').equals(bytes) &&
    !bytes.some(byte => byte < 32 && byte !== 9 && byte !== 10 && byte !== 13)
  return isText ? text : `0x${bytes.toString('hex')}`
}

/** One line, at most `longest` characters. */
export function short(value: unknown, longest = 160): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? 'nothing')
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`
}

/** What a decoded record means, in a sentence. */
export function sentence({ type, key, value, problem }: Decoded): string {
  if (problem !== undefined) return `${type}, which cannot be read: ${problem}`
  const k = (key ?? {}) as Record<string, unknown>
  const v = value as Record<string, unknown> | null | undefined
  switch (type) {
    case 'abort marker':
    case 'commit marker': {
      const verb = type === 'abort marker' ? 'is aborted' : 'is committed'
      return `${type}: the transaction of this producer ${verb} (coordinator epoch ${String(v?.['coordinatorEpoch'])})`
    }
    case 'leader change':
      return `leader change: node ${String(v?.['leaderId'])} leads the quorum from here on`
    case 'OffsetCommit':
    case 'LegacyOffsetCommit': {
      const at = `${String(k['topic'])}-${String(k['partition'])}`
      if (v === null) return `group ${String(k['group'])} has no committed offset for ${at} any more`
      return `group ${String(k['group'])} has read ${at} up to offset ${String(v?.['offset'])}`
    }
    case 'TransactionLog': {
      if (v === null) return `transactional id ${String(k['transactionalId'])} is forgotten`
      const state = transactionStates[Number(v?.['transactionStatus'])] ?? `state ${String(v?.['transactionStatus'])}`
      return `transactional id ${String(k['transactionalId'])} (producer ${String(v?.['producerId'])}, epoch ${String(v?.['producerEpoch'])}): ${state}`
    }
    case 'TopicRecord':
      return `topic ${String(v?.['name'])} exists, with id ${String(v?.['topicId'])}`
    case 'NoOpRecord':
      return 'nothing changes: the leader shows that it is alive'
    default:
      if (v === null) return `${type} ${short(k)} is deleted`
      return `${type}${key === undefined ? '' : ` ${short(k)}`} = ${short(v)}`
  }
}

/** KIP-98, by number. */
const transactionStates = [
  'no transaction is open',
  'a transaction is under way',
  'its commit is decided',
  'its abort is decided',
  'its transaction is committed everywhere',
  'its transaction is aborted everywhere',
  'it is expired',
  'its producer is being fenced',
]
