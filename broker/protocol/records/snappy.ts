/**
 * Snappy, in the block format and in the framing of snappy-java that Kafka clients use: an eight-byte magic and two
 * version numbers, then blocks of at most 32 KiB, each behind its compressed length (int32). Some clients send one bare
 * block instead; both are read, as snappy-java does. Output never grows beyond `maxBytes`.
 *
 * Source: snappy format description 1.1; the stream format of snappy-java.
 */
import { CompressedDataError, growTo } from './compressed-data.ts'

const streamMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const streamHeaderBytes = 16
const streamBlockBytes = 32 * 1024
const hashBits = 14
/** Bytes at the end of a block that are never looked up: four are compared at once. */
const inputMarginBytes = 15

export function decompressSnappy(input: Buffer, maxBytes: number): Buffer {
  if (input.length < streamHeaderBytes || !input.subarray(0, streamMagic.length).equals(streamMagic))
    return decompressBlock(input, maxBytes)
  const blocks: Buffer[] = []
  let left = maxBytes
  let at = streamHeaderBytes
  while (at < input.length) {
    if (input.length - at < 4) throw new CompressedDataError('a snappy block has no length')
    const size = input.readInt32BE(at)
    at += 4
    if (size < 0 || size > input.length - at) throw new CompressedDataError(`a snappy block claims ${size} bytes`)
    const block = decompressBlock(input.subarray(at, at + size), left)
    blocks.push(block)
    left -= block.length
    at += size
  }
  return blocks.length === 1 && blocks[0] !== undefined ? blocks[0] : Buffer.concat(blocks)
}

function decompressBlock(input: Buffer, maxBytes: number): Buffer {
  let size = 0
  let at = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = input[at++]
    if (byte === undefined || at > 5) throw new CompressedDataError('a snappy block has no size')
    size += (byte & 0x7f) * scale
    if (byte < 0x80) break
  }
  if (size > maxBytes) throw new CompressedDataError(`more than ${maxBytes} bytes come out`)
  // A copy of at most 64 bytes takes two to five bytes of input: more cannot come out, whatever the size claims.
  if (size > input.length * 64) throw new CompressedDataError(`a snappy block of ${input.length} bytes claims ${size}`)
  const output = Buffer.allocUnsafe(size)
  let end = 0
  while (at < input.length) {
    const tag = input[at++]!
    if ((tag & 3) === 0) {
      let length = (tag >>> 2) + 1
      if (length > 60) {
        const extra = length - 60
        if (extra > input.length - at) throw new CompressedDataError('a snappy literal is cut off')
        length = input.readUIntLE(at, extra) + 1
        at += extra
      }
      if (length > input.length - at || length > size - end)
        throw new CompressedDataError('a snappy literal does not fit')
      input.copy(output, end, at, at + length)
      at += length
      end += length
      continue
    }
    const extra = (tag & 3) === 3 ? 4 : tag & 3
    if (extra > input.length - at) throw new CompressedDataError('a snappy copy is cut off')
    const length = extra === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    const offset = extra === 1 ? ((tag & 0xe0) << 3) | input[at]! : input.readUIntLE(at, extra)
    at += extra
    if (offset === 0 || offset > end || length > size - end) throw new CompressedDataError('a snappy copy does not fit')
    copyWithin(output, end, offset, length)
    end += length
  }
  if (end !== size) throw new CompressedDataError(`a snappy block of ${size} bytes ends at ${end}`)
  return output
}

/** Copies what was written `offset` bytes ago; both may overlap. */
export function copyWithin(output: Buffer, end: number, offset: number, length: number): void {
  if (offset >= length) {
    output.copyWithin(end, end - offset, end - offset + length)
    return
  }
  for (let index = 0; index < length; index++) output[end + index] = output[end - offset + index]!
}

/** The stream format of snappy-java. */
export function compressSnappy(input: Buffer): Buffer {
  const header = Buffer.alloc(streamHeaderBytes)
  streamMagic.copy(header)
  header.writeInt32BE(1, 8)
  header.writeInt32BE(1, 12)
  const parts: Buffer[] = [header]
  for (let from = 0; from < input.length; from += streamBlockBytes) {
    const block = compressBlock(input.subarray(from, from + streamBlockBytes))
    const size = Buffer.alloc(4)
    size.writeInt32BE(block.length)
    parts.push(size, block)
  }
  return Buffer.concat(parts)
}

function compressBlock(input: Buffer): Buffer {
  const output = new BlockWriter(32 + input.length + Math.ceil(input.length / 6))
  output.size(input.length)
  const table = new Uint16Array(1 << hashBits)
  let literalFrom = 0
  let at = 1
  const limit = input.length - inputMarginBytes
  while (at < limit) {
    const word = input.readUInt32LE(at)
    const hash = Math.imul(word, 0x1e35a7bd) >>> (32 - hashBits)
    const candidate = table[hash]!
    table[hash] = at
    if (candidate >= at || input.readUInt32LE(candidate) !== word) {
      at += 1
      continue
    }
    let length = 4
    while (at + length < input.length && input[candidate + length] === input[at + length]) length++
    output.literal(input, literalFrom, at)
    output.copy(at - candidate, length)
    at += length
    literalFrom = at
  }
  output.literal(input, literalFrom, input.length)
  return output.taken()
}

class BlockWriter {
  private bytes: Buffer
  private end = 0

  constructor(bytes: number) {
    this.bytes = Buffer.allocUnsafe(bytes)
  }

  size(value: number): void {
    let left = value
    while (left >= 0x80) {
      this.bytes[this.end++] = (left & 0x7f) | 0x80
      left >>>= 7
    }
    this.bytes[this.end++] = left
  }

  literal(input: Buffer, from: number, to: number): void {
    const length = to - from
    if (length === 0) return
    this.bytes = growTo(this.bytes, this.end, this.end + length + 5)
    if (length <= 60) this.bytes[this.end++] = (length - 1) << 2
    else {
      const extra = length - 1 < 0x100 ? 1 : 2
      this.bytes[this.end++] = (59 + extra) << 2
      this.bytes.writeUIntLE(length - 1, this.end, extra)
      this.end += extra
    }
    input.copy(this.bytes, this.end, from, to)
    this.end += length
  }

  /** In pieces of at most 64 bytes, with two-byte offsets: a block is 32 KiB long. */
  copy(offset: number, length: number): void {
    this.bytes = growTo(this.bytes, this.end, this.end + 3 * Math.ceil(length / 64))
    for (let left = length; left > 0; left -= 64) {
      this.bytes[this.end++] = ((Math.min(left, 64) - 1) << 2) | 2
      this.bytes.writeUInt16LE(offset, this.end)
      this.end += 2
    }
  }

  taken(): Buffer {
    return this.bytes.subarray(0, this.end)
  }
}
