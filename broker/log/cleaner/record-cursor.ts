/**
 * Walks over the records of a batch without making an object for each: where a record lies, its deltas, its key. For compaction, which looks
 * at every record of a log. Throws MalformedBatchError on bytes that cannot be records.
 *
 * Source: Kafka message format, "Record".
 */
import { MalformedBatchError } from '../../protocol/records/batch-read.ts'
import type { BatchView } from '../../protocol/records/batch.ts'

export class RecordCursor {
  readonly bytes: Buffer
  /** Of the current record, its size included. */
  start = 0
  end = 0
  /** Its attributes, after the size. */
  body = 0
  timestampDelta = 0
  /** Where its offset delta begins: everything from there on depends on no timestamp. */
  afterTimestamp = 0
  offsetDelta = 0
  hasKey = false
  keyStart = 0
  keyEnd = 0
  hasValue = false
  private left: number
  private at = 0
  private readonly lastOffsetDelta: number

  /** Over the records of a batch, whose records section is `payload` when it is decompressed. */
  static over({ recordsCount, lastOffsetDelta }: BatchView, payload: Buffer): RecordCursor {
    return new RecordCursor(payload, recordsCount, lastOffsetDelta)
  }

  /** Over `count` records, whose offsets are in a batch that ends `lastOffsetDelta` after its base. */
  constructor(bytes: Buffer, count: number, lastOffsetDelta: number) {
    this.bytes = bytes
    this.left = count
    this.lastOffsetDelta = lastOffsetDelta
    if (count < 0 || count > bytes.length)
      throw new MalformedBatchError(`A batch of ${bytes.length} bytes cannot hold ${count} records.`)
  }

  /** Goes to the next record; false after the last. */
  next(): boolean {
    if (this.left === 0) return false
    this.left--
    this.start = this.at
    const size = this.varint()
    this.body = this.at
    this.end = this.body + size
    if (size < 6 || this.end > this.bytes.length)
      throw new MalformedBatchError(`A record of ${size} bytes does not fit its batch.`)
    this.at++
    this.timestampDelta = this.varint()
    this.afterTimestamp = this.at
    this.offsetDelta = this.varint()
    if (this.offsetDelta < 0 || this.offsetDelta > this.lastOffsetDelta)
      throw new MalformedBatchError(
        `A record has the offset delta ${this.offsetDelta}; its batch ends at ${this.lastOffsetDelta}.`,
      )
    const keyBytes = this.varint()
    this.hasKey = keyBytes >= 0
    this.keyStart = this.at
    this.keyEnd = this.at + Math.max(0, keyBytes)
    if (this.keyEnd > this.end) throw new MalformedBatchError(`A key of ${keyBytes} bytes goes past its record.`)
    this.at = this.keyEnd
    this.hasValue = this.varint() >= 0
    this.at = this.end
    return true
  }

  private varint(): number {
    const { bytes } = this
    const first = bytes[this.at++]
    if (first === undefined) throw new MalformedBatchError('A varint is cut off.')
    if (first < 0x80) return first % 2 === 0 ? first / 2 : -(first + 1) / 2
    let sum = first & 0x7f
    for (let scale = 128; scale < 2 ** 70; scale *= 128) {
      const byte = bytes[this.at++]
      if (byte === undefined) throw new MalformedBatchError('A varint is cut off.')
      sum += (byte & 0x7f) * scale
      if (byte < 0x80) return sum % 2 === 0 ? sum / 2 : -(sum + 1) / 2
    }
    throw new MalformedBatchError('A varint is longer than ten bytes.')
  }
}
