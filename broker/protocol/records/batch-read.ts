/**
 * Reads the records of a batch: for internal topics, the metadata log, look-ups by time, compaction and tests. Never on
 * the fetch path. Throws MalformedBatchError on bytes that cannot be records; the caller decides whether that is damage
 * or a refusal.
 *
 * Source: Kafka message format, "Record".
 */
import { BatchView, batches } from './batch.ts'
import { CompressedDataError } from './compressed-data.ts'
import { decompress, maxDecompressedBytes } from './compression.ts'

/** Bytes that claim to be records and are not. */
export class MalformedBatchError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MalformedBatchError'
  }
}

/**
 * One decoded record. Key, value and header values are views of the batch (or of its decompressed payload), not copies.
 */
export interface BatchRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly { readonly key: string; readonly value: Buffer | null }[]
}

/** The records of one batch, in offset order. */
export function readRecords(batch: BatchView | Buffer): BatchRecord[] {
  const view = batch instanceof BatchView ? batch : new BatchView(batch)
  const payload = view.isCompressed ? payloadOf(view) : view.payload
  const reader = new RecordReader(payload)
  const count = view.recordsCount
  if (count < 0 || count > payload.length)
    throw new MalformedBatchError(`A batch of ${payload.length} bytes cannot hold ${count} records.`)
  const appendTime = view.isLogAppendTime ? view.maxTimestamp : undefined
  const { baseOffset, baseTimestamp } = view
  const records: BatchRecord[] = []
  for (let index = 0; index < count; index++) records.push(reader.record(baseOffset, baseTimestamp, appendTime))
  reader.expectEnd()
  return records
}

function payloadOf(view: BatchView): Buffer {
  try {
    return decompress(view.compressionId, view.payload, maxDecompressedBytes)
  } catch (error) {
    if (!(error instanceof CompressedDataError)) throw error
    throw new MalformedBatchError(error.message)
  }
}

/** The records of every whole batch of a buffer; control batches are left out unless asked for. */
export function* allRecords(buffer: Buffer, options: { readonly control?: boolean } = {}): Generator<BatchRecord> {
  for (const batch of batches(buffer)) {
    if (batch.isControl && options.control !== true) continue
    yield* readRecords(batch)
  }
}

/** The type of a control record: the second int16 of its key (0 abort, 1 commit, 2 leader change, …). */
export function controlTypeOf(record: BatchRecord): number {
  if (record.key === null || record.key.length < 4)
    throw new MalformedBatchError('A control record needs a key of at least four bytes.')
  return record.key.readInt16BE(2)
}

/** What an end-transaction marker says. */
export interface EndTransactionMarker {
  readonly type: 'abort' | 'commit'
  readonly coordinatorEpoch: number
  readonly timestamp: number
}

/** The transaction marker of a control batch; undefined for other control records. */
export function endTransactionMarkerOf(batch: BatchView): EndTransactionMarker | undefined {
  const record = readRecords(batch)[0]
  if (record === undefined) return undefined
  const type = controlTypeOf(record)
  if (type !== 0 && type !== 1) return undefined
  if (record.value === null || record.value.length < 6)
    throw new MalformedBatchError('A transaction marker needs a value of at least six bytes.')
  return {
    type: type === 0 ? 'abort' : 'commit',
    coordinatorEpoch: record.value.readInt32BE(2),
    timestamp: record.timestamp,
  }
}

class RecordReader {
  private readonly bytes: Buffer
  private at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  record(baseOffset: number, baseTimestamp: number, appendTime: number | undefined): BatchRecord {
    const size = this.varint()
    const end = this.at + size
    if (size < 6 || end > this.bytes.length)
      throw new MalformedBatchError(`A record of ${size} bytes does not fit its batch.`)
    this.at++ // attributes: unused
    const timestamp = baseTimestamp + this.varint()
    const offset = baseOffset + this.varint()
    const key = this.nullableBytes()
    const value = this.nullableBytes()
    const headersCount = this.varint()
    if (headersCount < 0 || headersCount > end - this.at)
      throw new MalformedBatchError(`A record cannot hold ${headersCount} headers.`)
    const headers: { key: string; value: Buffer | null }[] = []
    for (let index = 0; index < headersCount; index++) {
      const name = this.nullableBytes()
      if (name === null) throw new MalformedBatchError('A record header has no key.')
      headers.push({ key: name.toString('utf8'), value: this.nullableBytes() })
    }
    if (this.at !== end)
      throw new MalformedBatchError(`A record says it ends at ${end}, but its fields end at ${this.at}.`)
    return { offset, timestamp: appendTime ?? timestamp, key, value, headers }
  }

  expectEnd(): void {
    if (this.at !== this.bytes.length)
      throw new MalformedBatchError(`${this.bytes.length - this.at} bytes follow the last record.`)
  }

  private nullableBytes(): Buffer | null {
    const size = this.varint()
    if (size < 0) return null
    if (this.at + size > this.bytes.length)
      throw new MalformedBatchError(`A field of ${size} bytes goes past the end of its record.`)
    this.at += size
    return this.bytes.subarray(this.at - size, this.at)
  }

  private varint(): number {
    let sum = 0
    let scale = 1
    for (let count = 0; count < 10; count++) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) throw new MalformedBatchError('A varint is cut off.')
      sum += (byte & 0x7f) * scale
      if (byte < 0x80) return sum % 2 === 0 ? sum / 2 : -(sum + 1) / 2
      scale *= 128
    }
    throw new MalformedBatchError('A varint is longer than ten bytes.')
  }
}
