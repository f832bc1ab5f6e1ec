/**
 * Batches that the leader cannot store as they came: compressed in another way than the topic asks for
 * (compression.type), or with offsets that do not count 0, 1, 2, … (Kafka repairs those of old clients too). The records
 * stay as they are, byte for byte, except for the numbers that are wrong.
 */
import { batchHeaderBytes, compressionMask, logOverheadBytes, stampCrc } from '../protocol/records/batch.ts'
import type { BatchView, CompressionName } from '../protocol/records/batch.ts'
import { varint } from '../protocol/records/batch-build.ts'
import { compress, compressionId } from '../protocol/records/compression.ts'
import type { CompressionLevels } from '../protocol/records/compression.ts'

/** The batch with these records, compressed with `codec`; in memory of its own, CRC included. */
export function rewriteBatch(
  batch: BatchView,
  records: Buffer,
  codec: CompressionName,
  levels: CompressionLevels,
): Buffer {
  const payload = compress(codec, records, levels)
  const bytes = Buffer.allocUnsafeSlow(batchHeaderBytes + payload.length)
  batch.buffer.copy(bytes, 0, batch.start, batch.start + batchHeaderBytes)
  payload.copy(bytes, batchHeaderBytes)
  bytes.writeInt32BE(bytes.length - logOverheadBytes, 8)
  bytes.writeInt16BE((batch.attributes & ~compressionMask) | compressionId(codec), 21)
  stampCrc(bytes, 0)
  return bytes
}

/** The same records, numbered 0, 1, 2, …; they have been walked, so that every length in them is right. */
export function renumber(records: Buffer, count: number): Buffer {
  const parts: Buffer[] = []
  let at = 0
  for (let index = 0; index < count; index++) {
    const size = readVarint(records, at)
    const body = size.end
    const end = body + size.value
    const timestampEnd = readVarint(records, body + 1).end
    const offsetEnd = readVarint(records, timestampEnd).end
    const head = records.subarray(body, timestampEnd)
    const delta = varint(index)
    const rest = records.subarray(offsetEnd, end)
    parts.push(varint(head.length + delta.length + rest.length), head, delta, rest)
    at = end
  }
  return Buffer.concat(parts)
}

/** Also of a varlong, whose value nobody asks for here. */
function readVarint(bytes: Buffer, from: number): { readonly value: number; readonly end: number } {
  let sum = 0
  let scale = 1
  let at = from
  for (;;) {
    const byte = bytes[at++] ?? 0
    sum += (byte & 0x7f) * scale
    if (byte < 0x80) return { value: sum % 2 === 0 ? sum / 2 : -(sum + 1) / 2, end: at }
    scale *= 128
  }
}
