/**
 * A record batch (magic 2) as a view over the bytes that hold it: accessors for its header, the iterator over the
 * batches of a buffer and the few fields that are stamped in place. On the data path a batch is never decoded further
 * than this, and never copied.
 *
 * Layout (Kafka message format, "Record Batch"), big-endian:
 *
 *   0 baseOffset int64 | 8 batchLength int32 (bytes that follow it) | 12 partitionLeaderEpoch int32 | 16 magic int8 |
 * 17 crc uint32
 *   21 attributes int16 | 23 lastOffsetDelta int32 | 27 baseTimestamp int64 | 35 maxTimestamp int64 | 43 producerId
 * int64
 *   51 producerEpoch int16 | 53 baseSequence int32 | 57 recordsCount int32 | 61 records
 *
 * The CRC-32C covers everything from the attributes on: base offset and leader epoch may be stamped without touching
 * it.
 */
import { crc32c } from './crc32c.ts'

export const batchHeaderBytes = 61
/** Base offset and length, which are not counted in `batchLength`. */
export const logOverheadBytes = 12
export const crcCoveredFrom = 21

export const noProducerId = -1n
export const noTimestamp = -1

const lastOffsetDeltaAt = 23
const maxTimestampAt = 35

export const compressionMask = 0x07
export const logAppendTimeBit = 0x08
export const transactionalBit = 0x10
export const controlBit = 0x20
/** The base timestamp is the time from which on tombstones and markers of the batch may go (KIP-534). */
export const deleteHorizonBit = 0x40

export const compressionNames = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type CompressionName = (typeof compressionNames)[number]

/** A signed 64-bit integer as a number: exact up to 2^53, which offsets and timestamps of this century are. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
}

/** Writes a number as a signed 64-bit integer. */
export function writeInt64(bytes: Buffer, value: number, at: number): void {
  bytes.writeInt32BE(Math.floor(value / 0x1_0000_0000), at)
  bytes.writeUInt32BE(value >>> 0 === value ? value : value - Math.floor(value / 0x1_0000_0000) * 0x1_0000_0000, at + 4)
}

/** Bytes of the whole batch that starts at `at`, header included. */
export function batchBytes(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at + 8) + logOverheadBytes
}

export function baseOffsetOf(bytes: Buffer, at: number): number {
  return readInt64(bytes, at)
}

export function lastOffsetOf(bytes: Buffer, at: number): number {
  return readInt64(bytes, at) + bytes.readInt32BE(at + lastOffsetDeltaAt)
}

export function leaderEpochOf(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at + 12)
}

export function maxTimestampOf(bytes: Buffer, at: number): number {
  return readInt64(bytes, at + maxTimestampAt)
}

/** Whether a batch header and its whole body lie in `bytes[at, end)`; false also for a length that cannot be one. */
export function isWholeBatch(bytes: Buffer, at: number, end: number): boolean {
  if (end - at < batchHeaderBytes) return false
  const size = batchBytes(bytes, at)
  return size >= batchHeaderBytes && size <= end - at
}

/** One batch inside a buffer. Cheap: two words; the accessors read the bytes each time. */
export class BatchView {
  readonly buffer: Buffer
  /** Where the batch begins in `buffer`. */
  readonly start: number

  constructor(buffer: Buffer, start = 0) {
    this.buffer = buffer
    this.start = start
  }

  get baseOffset(): number {
    return readInt64(this.buffer, this.start)
  }
  /** The length field: bytes that follow it. */
  get batchLength(): number {
    return this.buffer.readInt32BE(this.start + 8)
  }
  /** Bytes of the whole batch. */
  get sizeBytes(): number {
    return this.batchLength + logOverheadBytes
  }
  get partitionLeaderEpoch(): number {
    return this.buffer.readInt32BE(this.start + 12)
  }
  get magic(): number {
    return this.buffer.readInt8(this.start + 16)
  }
  get crc(): number {
    return this.buffer.readUInt32BE(this.start + 17)
  }
  get attributes(): number {
    return this.buffer.readInt16BE(this.start + 21)
  }
  get lastOffsetDelta(): number {
    return this.buffer.readInt32BE(this.start + lastOffsetDeltaAt)
  }
  /** Offset of the last record, inclusive. */
  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta
  }
  /** Offset that follows the batch. */
  get nextOffset(): number {
    return this.lastOffset + 1
  }
  get baseTimestamp(): number {
    return readInt64(this.buffer, this.start + 27)
  }
  get maxTimestamp(): number {
    return readInt64(this.buffer, this.start + maxTimestampAt)
  }
  get producerId(): bigint {
    return this.buffer.readBigInt64BE(this.start + 43)
  }
  get hasProducerId(): boolean {
    return this.buffer.readInt32BE(this.start + 43) >= 0
  }
  get producerEpoch(): number {
    return this.buffer.readInt16BE(this.start + 51)
  }
  get baseSequence(): number {
    return this.buffer.readInt32BE(this.start + 53)
  }
  /** Sequence of the last record; sequences wrap from 2^31 - 1 to 0. */
  get lastSequence(): number {
    const first = this.baseSequence
    return first < 0 ? first : addSequence(first, this.lastOffsetDelta)
  }
  get recordsCount(): number {
    return this.buffer.readInt32BE(this.start + 57)
  }
  get compressionId(): number {
    return this.attributes & compressionMask
  }
  get isCompressed(): boolean {
    return this.compressionId !== 0
  }
  get isLogAppendTime(): boolean {
    return (this.attributes & logAppendTimeBit) !== 0
  }
  get isTransactional(): boolean {
    return (this.attributes & transactionalBit) !== 0
  }
  get isControl(): boolean {
    return (this.attributes & controlBit) !== 0
  }
  /** The bytes of the whole batch, not copied. */
  get bytes(): Buffer {
    return this.buffer.subarray(this.start, this.start + this.sizeBytes)
  }
  /** The records section (compressed or not), not copied. */
  get payload(): Buffer {
    return this.buffer.subarray(this.start + batchHeaderBytes, this.start + this.sizeBytes)
  }

  /** The CRC-32C that the bytes really have. */
  computeCrc(): number {
    return crc32c(this.buffer, this.start + crcCoveredFrom, this.start + this.sizeBytes)
  }
}

/** Sequence `delta` after `sequence`, in the producer's 31-bit circle. */
export function addSequence(sequence: number, delta: number): number {
  const sum = sequence + delta
  return sum > 0x7fffffff ? sum - 0x80000000 : sum
}

/** The whole batches of a buffer, first to last; stops at the first that is cut off or whose length makes no sense. */
export function* batches(buffer: Buffer): Generator<BatchView> {
  let at = 0
  while (isWholeBatch(buffer, at, buffer.length)) {
    const view = new BatchView(buffer, at)
    at += view.sizeBytes
    yield view
  }
}

/** Bytes of the whole batches at the start of the buffer: what `batches` visits. */
export function wholeBatchesBytes(buffer: Buffer): number {
  let at = 0
  while (isWholeBatch(buffer, at, buffer.length)) at += batchBytes(buffer, at)
  return at
}

/** Stamps what the leader assigns. The CRC does not cover these fields. */
export function stampOffsetAndEpoch(bytes: Buffer, at: number, baseOffset: number, leaderEpoch: number): void {
  writeInt64(bytes, baseOffset, at)
  bytes.writeInt32BE(leaderEpoch, at + 12)
}

/**
 * Sets the largest timestamp (and with `logAppendTime` the attribute that makes it the time of every record), then the
 * CRC anew.
 */
export function stampMaxTimestamp(bytes: Buffer, at: number, maxTimestamp: number, logAppendTime: boolean): void {
  const attributes = bytes.readInt16BE(at + 21)
  bytes.writeInt16BE(logAppendTime ? attributes | logAppendTimeBit : attributes & ~logAppendTimeBit, at + 21)
  writeInt64(bytes, maxTimestamp, at + maxTimestampAt)
  stampCrc(bytes, at)
}

/** Computes and writes the CRC of the batch at `at`. */
export function stampCrc(bytes: Buffer, at: number): void {
  bytes.writeUInt32BE(crc32c(bytes, at + crcCoveredFrom, at + batchBytes(bytes, at)), at + 17)
}
