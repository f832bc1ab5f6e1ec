/**
 * Builds record batches (magic 2): for internal topics, the metadata log, control records and tests. Never on the
 * produce path.
 *
 * Source: Kafka message format, "Record Batch" and "Record"; control records as in KIP-98 and KIP-595.
 */
import { batchHeaderBytes, controlBit, logAppendTimeBit, stampCrc, transactionalBit, writeInt64 } from './batch.ts'
import type { CompressionName } from './batch.ts'
import { compress, compressionId } from './compression.ts'

export interface RecordInput {
  readonly key?: Uint8Array | string | null
  readonly value?: Uint8Array | string | null
  /** Wall ms; default: the batch's `timestamp`. */
  readonly timestamp?: number
  readonly headers?: readonly { readonly key: string; readonly value: Uint8Array | string | null }[]
}

export interface BatchOptions {
  /** Timestamp of records that have none of their own, wall ms; default -1, "no timestamp". */
  readonly timestamp?: number
  readonly baseOffset?: number
  readonly partitionLeaderEpoch?: number
  readonly compression?: CompressionName
  readonly producerId?: bigint
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly transactional?: boolean
  readonly control?: boolean
  readonly logAppendTime?: boolean
}

/** One batch with its CRC. Records must be at least one: an empty batch is no append. */
export function buildBatch(records: readonly RecordInput[], options: BatchOptions = {}): Buffer {
  if (records.length === 0) throw new RangeError('A record batch needs at least one record, got none.')
  const compression = options.compression ?? 'none'
  const timestamps = records.map(record => record.timestamp ?? options.timestamp ?? -1)
  const baseTimestamp = timestamps[0]!
  const encoded = records.map((record, index) => encodeRecord(record, index, timestamps[index]! - baseTimestamp))
  const payload = compress(compression, Buffer.concat(encoded))
  const bytes = Buffer.allocUnsafeSlow(batchHeaderBytes + payload.length)
  writeInt64(bytes, options.baseOffset ?? 0, 0)
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt32BE(options.partitionLeaderEpoch ?? -1, 12)
  bytes.writeInt8(2, 16)
  const flags =
    (options.logAppendTime === true ? logAppendTimeBit : 0) |
    (options.transactional === true ? transactionalBit : 0) |
    (options.control === true ? controlBit : 0)
  bytes.writeInt16BE(compressionId(compression) | flags, 21)
  bytes.writeInt32BE(records.length - 1, 23)
  writeInt64(bytes, baseTimestamp, 27)
  writeInt64(
    bytes,
    timestamps.reduce((most, timestamp) => Math.max(most, timestamp), -1),
    35,
  )
  bytes.writeBigInt64BE(options.producerId ?? -1n, 43)
  bytes.writeInt16BE(options.producerEpoch ?? -1, 51)
  bytes.writeInt32BE(options.baseSequence ?? -1, 53)
  bytes.writeInt32BE(records.length, 57)
  payload.copy(bytes, batchHeaderBytes)
  stampCrc(bytes, 0)
  return bytes
}

export const controlTypes = {
  abort: 0,
  commit: 1,
  leaderChange: 2,
  snapshotHeader: 3,
  snapshotFooter: 4,
  kraftVersion: 5,
  kraftVoters: 6,
} as const
export type ControlType = keyof typeof controlTypes

/** A control batch of one record: key = version 0 and type, value = the encoded control message. */
export function buildControlBatch(
  type: ControlType,
  value: Uint8Array,
  options: Omit<BatchOptions, 'control' | 'compression'> = {},
): Buffer {
  const key = Buffer.alloc(4)
  key.writeInt16BE(controlTypes[type], 2)
  return buildBatch([{ key, value }], { ...options, control: true })
}

/** The marker that ends a transaction of `producerId` on one partition. */
export function buildEndTransactionMarker(
  type: 'abort' | 'commit',
  options: {
    readonly producerId: bigint
    readonly producerEpoch: number
    readonly coordinatorEpoch: number
    readonly timestamp: number
  },
): Buffer {
  const value = Buffer.alloc(6)
  value.writeInt32BE(options.coordinatorEpoch, 2)
  const { producerId, producerEpoch, timestamp } = options
  return buildControlBatch(type, value, { producerId, producerEpoch, timestamp, transactional: true })
}

function encodeRecord(record: RecordInput, offsetDelta: number, timestampDelta: number): Buffer {
  const parts: Uint8Array[] = [Buffer.from([0]), varlong(timestampDelta), varint(offsetDelta)]
  pushBytes(parts, record.key)
  pushBytes(parts, record.value)
  const headers = record.headers ?? []
  parts.push(varint(headers.length))
  for (const header of headers) {
    pushBytes(parts, header.key)
    pushBytes(parts, header.value)
  }
  const body = Buffer.concat(parts)
  return Buffer.concat([varint(body.length), body])
}

function pushBytes(parts: Uint8Array[], value: Uint8Array | string | null | undefined): void {
  if (value === null || value === undefined) {
    parts.push(varint(-1))
    return
  }
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  parts.push(varint(bytes.length), bytes)
}

/** Zigzag varint of a signed 32-bit integer. */
export function varint(value: number): Buffer {
  return varlong(value)
}

/** Zigzag varint of a safe integer. */
export function varlong(value: number): Buffer {
  let left = value >= 0 ? value * 2 : -value * 2 - 1
  const bytes: number[] = []
  while (left >= 0x80) {
    bytes.push((left % 0x80) | 0x80)
    left = Math.floor(left / 0x80)
  }
  bytes.push(left)
  return Buffer.from(bytes)
}
