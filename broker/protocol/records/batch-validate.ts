/**
 * Validates one record batch without decoding it: structure, CRC, counts and, where the payload is not compressed, a
 * walk over its records. Allocates nothing per record. Compressed payloads are opaque: their CRC is checked, their
 * records are not looked at.
 *
 * Source: Kafka message format; the rules of a partition leader for produced batches (KIP-98, KIP-32).
 */
import { batchHeaderBytes, BatchView, isWholeBatch } from './batch.ts'

/** What is wrong with a batch: 'corrupt' bytes were damaged on the way, 'invalid' ones were written wrongly. */
export interface BatchProblem {
  readonly kind: 'corrupt' | 'invalid'
  readonly message: string
}

/** Checks that the bytes at `start` are one whole batch of magic 2 with the right CRC. */
export function checkBatchBytes(buffer: Buffer, start: number): BatchProblem | undefined {
  if (!isWholeBatch(buffer, start, buffer.length)) {
    const left = buffer.length - start
    const size = left >= 12 ? buffer.readInt32BE(start + 8) + 12 : undefined
    return corrupt(
      `Expected a whole record batch (at least ${batchHeaderBytes} bytes), got ${left} bytes${size === undefined ? '' : ` of a batch of ${size}`}.`,
    )
  }
  const batch = new BatchView(buffer, start)
  if (batch.magic !== 2) {
    return invalid(
      `Expected a record batch with magic 2, got magic ${batch.magic}: older message formats are not supported.`,
    )
  }
  const crc = batch.computeCrc()
  if (crc !== batch.crc) return corrupt(`The record batch is corrupt: its CRC is ${batch.crc}, its bytes give ${crc}.`)
  return undefined
}

/** Checks the header fields that must agree with each other. */
export function checkBatchCounts(batch: BatchView): BatchProblem | undefined {
  if (batch.compressionId > 4) return invalid(`Unknown compression type ${batch.compressionId}; known are 0 to 4.`)
  const count = batch.recordsCount
  if (count <= 0) return invalid(`Expected a record batch with at least one record, got a count of ${count}.`)
  if (batch.lastOffsetDelta !== count - 1) {
    return invalid(`The record batch says ${count} records, but its last offset delta is ${batch.lastOffsetDelta}.`)
  }
  return undefined
}

/**
 * What a walk over the records is to look for, and what it found. Reused between batches: the walk allocates nothing.
 */
export class RecordWalk {
  /** Inclusive bounds for record timestamps (-1, "no timestamp", is always allowed). */
  earliestTimestamp = -Infinity
  latestTimestamp = Infinity
  keysRequired = false

  maxTimestamp = -1
  /** Whether the offset deltas are 0, 1, 2, …; where they are not, the walk goes on. */
  inOrder = true
  /** Records out of the bounds, and indexes of records without a needed key. */
  readonly badTimestamps: { readonly index: number; readonly timestamp: number }[] = []
  readonly missingKeys: number[] = []

  private at = 0

  /** Walks an uncompressed batch; undefined when every record lies exactly in its frame and in its place. */
  walk(batch: BatchView): BatchProblem | undefined {
    const problem = this.walkPayload(batch, batch.buffer, batch.start + batchHeaderBytes, batch.start + batch.sizeBytes)
    return problem ?? (this.inOrder ? undefined : invalid('The offsets of the records do not follow each other.'))
  }

  /** Walks the records of `batch`, which are at `bytes[from, end)`; undefined when every one lies exactly in its frame. */
  walkPayload(batch: BatchView, bytes: Buffer, from: number, end: number): BatchProblem | undefined {
    const count = batch.recordsCount
    const baseTimestamp = batch.baseTimestamp
    this.at = from
    this.maxTimestamp = -1
    this.inOrder = true
    this.badTimestamps.length = 0
    this.missingKeys.length = 0
    for (let index = 0; index < count; index++) {
      if (!this.record(bytes, end, index, baseTimestamp)) {
        return invalid(`Record ${index} of ${count} does not fit its frame: the lengths in it do not add up.`)
      }
    }
    if (this.at !== end) return invalid(`${end - this.at} bytes follow the last of ${count} records.`)
    return undefined
  }

  private record(bytes: Buffer, end: number, index: number, baseTimestamp: number): boolean {
    const size = this.varint(bytes, end)
    const recordEnd = this.at + size
    if (!(size >= 6) || recordEnd > end) return false
    this.at++ // attributes: unused
    const timestamp = baseTimestamp + this.varlong(bytes, recordEnd)
    if (this.varint(bytes, recordEnd) !== index) this.inOrder = false
    const keyBytes = this.varint(bytes, recordEnd)
    if (keyBytes > 0) this.at += keyBytes
    const valueBytes = this.varint(bytes, recordEnd)
    if (valueBytes > 0) this.at += valueBytes
    const headers = this.varint(bytes, recordEnd)
    if (!(headers >= 0) || headers > recordEnd - this.at) return false
    for (let header = 0; header < headers; header++) {
      const nameBytes = this.varint(bytes, recordEnd)
      if (!(nameBytes >= 0)) return false
      this.at += nameBytes
      const bodyBytes = this.varint(bytes, recordEnd)
      if (bodyBytes > 0) this.at += bodyBytes
    }
    if (this.at !== recordEnd || Number.isNaN(timestamp)) return false
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp
    if (this.keysRequired && keyBytes < 0) this.missingKeys.push(index)
    else if (timestamp !== -1 && (timestamp < this.earliestTimestamp || timestamp > this.latestTimestamp))
      this.badTimestamps.push({ index, timestamp })
    return true
  }

  /** A zigzag varint of at most five bytes; NaN, which fails every comparison above, when it is cut off or too long. */
  private varint(bytes: Buffer, end: number): number {
    let result = 0
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.at >= end) break
      const byte = bytes[this.at++]!
      result |= (byte & 0x7f) << shift
      if (byte < 0x80) return (result >>> 1) ^ -(result & 1)
    }
    this.at = end + 1
    return NaN
  }

  /** A zigzag varlong of at most ten bytes, as a number. */
  private varlong(bytes: Buffer, end: number): number {
    let low = 0
    let scale = 1
    for (let count = 0; count < 10; count++) {
      if (this.at >= end) break
      const byte = bytes[this.at++]!
      low += (byte & 0x7f) * scale
      if (byte < 0x80) return low % 2 === 0 ? low / 2 : -(low + 1) / 2
      scale *= 128
    }
    this.at = end + 1
    return NaN
  }
}

function corrupt(message: string): BatchProblem {
  return { kind: 'corrupt', message }
}

function invalid(message: string): BatchProblem {
  return { kind: 'invalid', message }
}
