/**
 * Cleans one batch: a batch in, the same batch, a smaller one or none out. Pure. What stays keeps its offset, timestamp, key, value and headers
 * byte for byte; the batch keeps its base offset, last offset, leader epoch, producer, sequence and codec, so that nothing that counts them
 * sees a difference. A batch of which nothing goes is passed on as it is.
 *
 * Tombstones, and markers of transactions of which nothing is left, go in two steps (KIP-534). The first cleaning that finds them writes into
 * their batch when they may go (the delete horizon: attribute bit 6, the time in the field of the base timestamp); a later one, after that
 * time, drops them. So whoever read the older value of a key has delete.retention.ms to see that it was deleted.
 *
 * Sources: KIP-98, KIP-534; Kafka's cleaner (LogCleaner, MemoryRecords.filterTo), observed.
 */
import { decompress, compress, maxDecompressedBytes } from '../../protocol/records/compression.ts'
import { MalformedBatchError } from '../../protocol/records/batch-read.ts'
import { CompressedDataError } from '../../protocol/records/compressed-data.ts'
import { varlong } from '../../protocol/records/batch-build.ts'
import {
  batchHeaderBytes,
  compressionMask,
  compressionNames,
  deleteHorizonBit,
  logOverheadBytes,
  noTimestamp,
  stampCrc,
  writeInt64,
} from '../../protocol/records/batch.ts'
import type { BatchView } from '../../protocol/records/batch.ts'
import { RecordCursor } from './record-cursor.ts'

/** What the pass knows of the batch before it looks at its records. */
export interface BatchFacts {
  /** Data of an aborted transaction, or a marker of a transaction of which nothing is left. */
  readonly isDiscardable: boolean
  /** It stays, even if it is empty then: the last of a living producer, or the last of the segment that is written. */
  readonly mustStay: boolean
  /** All of its records were looked at when the table of keys was made. */
  readonly isCovered: boolean
}

export interface CleaningTime {
  readonly nowMs: number
  /** delete.retention.ms. */
  readonly deleteRetentionMs: number
}

/** Where the newest record of a key is; -1: in no record that was looked at. Undefined: this one was not looked at, and stays. */
export type NewestOffset = (offset: number, bytes: Buffer, keyStart: number, keyEnd: number) => number | undefined

/** One batch on its way through; `step` until it says that it is done, then `result`. */
export class BatchCleaning {
  /** Records without a key, which a compacted log cannot have. */
  withoutKey = 0
  /** Records that stay. */
  retained = 0
  private readonly batch: BatchView
  private readonly facts: BatchFacts
  private readonly time: CleaningTime
  private readonly newestOffset: NewestOffset
  private readonly horizonMs: number | undefined
  private cursor: RecordCursor | undefined
  /** Start and end of what stays, neighbours joined. */
  private readonly ranges: number[] = []
  private firstTimestamp = noTimestamp
  private maxTimestamp = noTimestamp
  private hasTombstone = false

  /** `batch` is whole and undamaged. */
  constructor(batch: BatchView, facts: BatchFacts, time: CleaningTime, newestOffset: NewestOffset) {
    this.batch = batch
    this.facts = facts
    this.time = time
    this.newestOffset = newestOffset
    this.horizonMs = deleteHorizonOf(batch)
  }

  /** Nothing in it is of use, so that it need not be looked into. */
  private get isDiscarded(): boolean {
    if (!this.facts.isDiscardable) return false
    return !this.batch.isControl || (this.horizonMs !== undefined && this.horizonMs <= this.time.nowMs)
  }

  /** Looks at up to `maxRecords` records; true when none is left. Throws MalformedBatchError. */
  step(maxRecords: number): boolean {
    if (this.isDiscarded) return true
    const cursor = (this.cursor ??= RecordCursor.over(this.batch, payloadOf(this.batch)))
    for (let count = 0; count < maxRecords; count++) {
      if (!cursor.next()) return true
      if (this.batch.isControl || this.staysRecord(cursor)) this.keep(cursor)
    }
    return false
  }

  private staysRecord(cursor: RecordCursor): boolean {
    const offset = this.batch.baseOffset + cursor.offsetDelta
    const newest = this.newestOffset(offset, cursor.bytes, cursor.keyStart, cursor.keyEnd)
    if (newest === undefined) return true
    if (!cursor.hasKey) {
      this.withoutKey++
      return false
    }
    if (offset < newest) return false
    return cursor.hasValue || this.horizonMs === undefined || this.time.nowMs < this.horizonMs
  }

  private keep(cursor: RecordCursor): void {
    const { batch, ranges } = this
    const timestamp = batch.isLogAppendTime ? batch.maxTimestamp : batch.baseTimestamp + cursor.timestampDelta
    if (this.retained++ === 0) this.firstTimestamp = timestamp
    this.maxTimestamp = Math.max(this.maxTimestamp, timestamp)
    if (!cursor.hasValue) this.hasTombstone = true
    if (ranges.length > 0 && ranges.at(-1) === cursor.start) ranges[ranges.length - 1] = cursor.end
    else ranges.push(cursor.start, cursor.end)
  }

  /** What is written in place of the batch; undefined: nothing. */
  result(): Buffer | undefined {
    const { batch } = this
    if (this.retained === 0) return this.facts.mustStay ? emptied(batch) : undefined
    const isNewHorizon = this.horizonMs === undefined && this.needsHorizon
    if (this.retained === batch.recordsCount && !isNewHorizon) return batch.bytes
    const horizonMs = isNewHorizon ? this.time.nowMs + this.time.deleteRetentionMs : this.horizonMs
    return this.rewritten(horizonMs)
  }

  /** A tombstone that the table does not cover may still have older values of its key before it: its time has not begun. */
  private get needsHorizon(): boolean {
    const { isDiscardable, isCovered } = this.facts
    return this.batch.isControl ? isDiscardable : this.hasTombstone && isCovered
  }

  private rewritten(horizonMs: number | undefined): Buffer {
    const { batch } = this
    const baseTimestamp = horizonMs ?? this.firstTimestamp
    const payload = compress(compressionNames[batch.compressionId]!, this.retainedRecords(baseTimestamp))
    const bytes = Buffer.allocUnsafe(batchHeaderBytes + payload.length)
    batch.buffer.copy(bytes, 0, batch.start, batch.start + batchHeaderBytes)
    payload.copy(bytes, batchHeaderBytes)
    const flags = batch.attributes & ~deleteHorizonBit
    bytes.writeInt16BE(horizonMs === undefined ? flags : flags | deleteHorizonBit, 21)
    writeInt64(bytes, baseTimestamp, 27)
    writeInt64(bytes, batch.isLogAppendTime ? batch.maxTimestamp : this.maxTimestamp, 35)
    bytes.writeInt32BE(this.retained, 57)
    return sealed(bytes)
  }

  /** The records that stay, with timestamps relative to `baseTimestamp`. */
  private retainedRecords(baseTimestamp: number): Buffer {
    const { batch, ranges } = this
    const { bytes } = this.cursor!
    const parts: Buffer[] = []
    if (batch.baseTimestamp === baseTimestamp && !batch.isLogAppendTime) {
      for (let index = 0; index < ranges.length; index += 2)
        parts.push(bytes.subarray(ranges[index], ranges[index + 1]))
      return Buffer.concat(parts)
    }
    for (let index = 0; index < ranges.length; index += 2) {
      const range = bytes.subarray(ranges[index], ranges[index + 1])
      const cursor = new RecordCursor(range, range.length, batch.lastOffsetDelta)
      while (cursor.end < range.length && cursor.next()) {
        const timestamp = batch.isLogAppendTime ? batch.maxTimestamp : batch.baseTimestamp + cursor.timestampDelta
        const delta = varlong(timestamp - baseTimestamp)
        const rest = range.subarray(cursor.afterTimestamp, cursor.end)
        const attributes = range.subarray(cursor.body, cursor.body + 1)
        parts.push(varlong(1 + delta.length + rest.length), attributes, delta, rest)
      }
    }
    return Buffer.concat(parts)
  }
}

/** When the tombstones and markers of a batch may go; undefined when that is not settled yet. */
export function deleteHorizonOf(batch: BatchView): number | undefined {
  return (batch.attributes & deleteHorizonBit) === 0 ? undefined : batch.baseTimestamp
}

/** The records section, decompressed. Throws MalformedBatchError. */
export function payloadOf(batch: BatchView): Buffer {
  // An emptied batch says that it is not compressed; one of Kafka's may say otherwise.
  if (!batch.isCompressed || batch.recordsCount === 0) return batch.payload
  try {
    return decompress(batch.compressionId, batch.payload, maxDecompressedBytes)
  } catch (error) {
    if (!(error instanceof CompressedDataError)) throw error
    throw new MalformedBatchError(error.message)
  }
}

/** The header alone: it keeps the producer's last sequence and the place in the log. */
function emptied(batch: BatchView): Buffer {
  const bytes = Buffer.from(batch.buffer.subarray(batch.start, batch.start + batchHeaderBytes))
  bytes.writeInt16BE(batch.attributes & ~(compressionMask | deleteHorizonBit), 21)
  writeInt64(bytes, noTimestamp, 27)
  bytes.writeInt32BE(0, 57)
  return sealed(bytes)
}

function sealed(bytes: Buffer): Buffer {
  bytes.writeInt32BE(bytes.length - logOverheadBytes, 8)
  stampCrc(bytes, 0)
  return bytes
}
