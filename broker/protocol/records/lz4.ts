/**
 * The LZ4 frame format. Reads every frame that clients write (blocks that refer to earlier ones included); writes frames
 * as Kafka does: independent blocks of 64 KiB, no content checksum. Output never grows beyond `maxBytes`.
 *
 * Source: LZ4 frame format 1.6, LZ4 block format; KIP-57 (the header checksum is the right one in message format 2).
 */
import { CompressedDataError, growTo } from './compressed-data.ts'
import { copyWithin } from './snappy.ts'
import { xxHash32 } from './xxhash32.ts'

const frameMagic = 0x184d2204
const blockBytes = 64 * 1024
const uncompressedBit = 0x8000_0000
const hashBits = 14
const minimumMatch = 4
/** The format wants the last five bytes, and matches that begin twelve bytes before the end, as literals. */
const lastLiterals = 5
const matchMargin = 12

export function decompressLz4(input: Buffer, maxBytes: number): Buffer {
  const frame = readHeader(input)
  let output: Buffer = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(1024, input.length * 3)))
  let end = 0
  let at = frame.headerBytes
  for (;;) {
    if (input.length - at < 4) throw new CompressedDataError('an lz4 frame has no end')
    const word = input.readUInt32LE(at)
    at += 4
    if (word === 0) break
    const size = word & ~uncompressedBit & 0x7fff_ffff
    if (size > input.length - at) throw new CompressedDataError(`an lz4 block claims ${size} bytes`)
    const block = input.subarray(at, at + size)
    at += size + (frame.hasBlockChecksums ? 4 : 0)
    const room = Math.min(end + frame.maxBlockBytes, maxBytes)
    output = growTo(output, end, room)
    if ((word & uncompressedBit) !== 0) {
      if (size > room - end) throw new CompressedDataError(`more than ${maxBytes} bytes come out`)
      block.copy(output, end)
      end += size
    } else {
      const from = frame.isLinked ? 0 : end
      end = decompressBlock(block, output, end, from, room)
    }
  }
  return output.subarray(0, end)
}

function readHeader(input: Buffer): {
  readonly headerBytes: number
  readonly maxBlockBytes: number
  readonly hasBlockChecksums: boolean
  readonly isLinked: boolean
} {
  if (input.length < 7 || input.readUInt32LE(0) !== frameMagic)
    throw new CompressedDataError('no lz4 frame begins here')
  const flags = input[4]!
  const sizeCode = (input[5]! >>> 4) & 7
  if (flags >>> 6 !== 1 || sizeCode < 4) throw new CompressedDataError('the lz4 frame is of an unknown version')
  if ((flags & 1) !== 0) throw new CompressedDataError('the lz4 frame needs a dictionary')
  const headerBytes = 7 + ((flags & 0x08) !== 0 ? 8 : 0)
  if (input.length < headerBytes) throw new CompressedDataError('the header of an lz4 frame is cut off')
  const checksum = (xxHash32(input.subarray(4, headerBytes - 1)) >>> 8) & 0xff
  if (checksum !== input[headerBytes - 1]) throw new CompressedDataError('the header of an lz4 frame is damaged')
  return {
    headerBytes,
    maxBlockBytes: 1 << (8 + 2 * sizeCode),
    hasBlockChecksums: (flags & 0x10) !== 0,
    isLinked: (flags & 0x20) === 0,
  }
}

/** Returns the end of the output; copies reach back to `from`. */
function decompressBlock(block: Buffer, output: Buffer, start: number, from: number, room: number): number {
  let end = start
  let at = 0
  while (at < block.length) {
    const token = block[at++]!
    let literals = token >>> 4
    if (literals === 15) {
      let byte: number | undefined
      do {
        byte = block[at++]
        if (byte === undefined) throw new CompressedDataError('an lz4 length is cut off')
        literals += byte
      } while (byte === 255)
    }
    if (literals > block.length - at || literals > room - end)
      throw new CompressedDataError('the literals of an lz4 block do not fit')
    block.copy(output, end, at, at + literals)
    at += literals
    end += literals
    if (at === block.length) return end
    if (block.length - at < 2) throw new CompressedDataError('an lz4 offset is cut off')
    const offset = block.readUInt16LE(at)
    at += 2
    let length = (token & 15) + minimumMatch
    if ((token & 15) === 15) {
      let byte: number | undefined
      do {
        byte = block[at++]
        if (byte === undefined) throw new CompressedDataError('an lz4 length is cut off')
        length += byte
      } while (byte === 255)
    }
    if (offset === 0 || offset > end - from || length > room - end)
      throw new CompressedDataError('a match of an lz4 block does not fit')
    copyWithin(output, end, offset, length)
    end += length
  }
  throw new CompressedDataError('an lz4 block ends without literals')
}

export function compressLz4(input: Buffer): Buffer {
  const header = Buffer.alloc(7)
  header.writeUInt32LE(frameMagic, 0)
  header[4] = 0x60
  header[5] = 0x40
  header[6] = (xxHash32(header.subarray(4, 6)) >>> 8) & 0xff
  const parts: Buffer[] = [header]
  for (let from = 0; from < input.length; from += blockBytes) {
    const plain = input.subarray(from, from + blockBytes)
    const packed = compressBlock(plain)
    const isSmaller = packed.length < plain.length
    const size = Buffer.alloc(4)
    size.writeUInt32LE(isSmaller ? packed.length : (plain.length | uncompressedBit) >>> 0)
    parts.push(size, isSmaller ? packed : plain)
  }
  parts.push(Buffer.alloc(4))
  return Buffer.concat(parts)
}

function compressBlock(input: Buffer): Buffer {
  const output = Buffer.allocUnsafe(input.length + Math.ceil(input.length / 255) + 16)
  const table = new Int32Array(1 << hashBits).fill(-1)
  let end = 0
  let literalFrom = 0
  let at = 0
  const limit = input.length - matchMargin
  while (at < limit) {
    const word = input.readUInt32LE(at)
    const hash = Math.imul(word, 0x9e3779b1) >>> (32 - hashBits)
    const candidate = table[hash]!
    table[hash] = at
    if (candidate < 0 || at - candidate > 0xffff || input.readUInt32LE(candidate) !== word) {
      at += 1
      continue
    }
    let length = minimumMatch
    const longest = input.length - lastLiterals - at
    while (length < longest && input[candidate + length] === input[at + length]) length++
    end = writeSequence(input, output, end, { literalFrom, literalTo: at, offset: at - candidate, length })
    at += length
    literalFrom = at
  }
  end = writeSequence(input, output, end, { literalFrom, literalTo: input.length, offset: 0, length: 0 })
  return output.subarray(0, end)
}

/** Literals and the match that follows them; the last sequence has none (length 0). */
function writeSequence(
  input: Buffer,
  output: Buffer,
  start: number,
  sequence: { literalFrom: number; literalTo: number; offset: number; length: number },
): number {
  const { literalFrom, literalTo, offset, length } = sequence
  const literals = literalTo - literalFrom
  const match = Math.max(0, length - minimumMatch)
  let end = start
  output[end++] = (Math.min(literals, 15) << 4) | Math.min(match, 15)
  if (literals >= 15) end = writeLength(output, end, literals - 15)
  input.copy(output, end, literalFrom, literalTo)
  end += literals
  if (length === 0) return end
  output.writeUInt16LE(offset, end)
  end += 2
  return match >= 15 ? writeLength(output, end, match - 15) : end
}

function writeLength(output: Buffer, start: number, value: number): number {
  let end = start
  let left = value
  for (; left >= 255; left -= 255) output[end++] = 255
  output[end++] = left
  return end
}
