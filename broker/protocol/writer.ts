/**
 * Collects the bytes of one frame as a list of chunks for `writev`: small parts are packed into shared chunks, buffers of 1 KiB and more
 * (record batches) are passed by reference, so that serving records copies nothing.
 *
 * Must never: change a buffer that was passed by reference, or write a value that does not fit its type.
 * Source: Kafka protocol guide, "Protocol Primitive Types".
 */
import { ProtocolError } from './errors.ts'
import { stringBytesMax } from './reader.ts'

/** From here on a reference costs less than a copy. */
const referenceBytesMin = 1024
const firstChunkBytes = 512
const chunkBytes = 4096
/** UTF-16 units up to which a loop beats the call into native code. */
const shortTextUnits = 24

export class Writer {
  /** The chunk being filled; everything before `start` belongs to finished chunks. */
  buffer: Buffer
  position = 0
  private start = 0
  private readonly chunks: Buffer[] = []
  private finishedBytes = 0
  /** > 0 inside a tagged field, whose bytes must stay in one chunk until its size is known. */
  private contiguous = 0

  /** @param expectedBytes  size of the first chunk: a good guess saves the second one */
  constructor(expectedBytes: number = firstChunkBytes) {
    this.buffer = Buffer.allocUnsafe(expectedBytes)
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.finishedBytes + this.position - this.start
  }

  /** Makes room for `count` bytes and returns the index in `buffer` where they go. */
  reserve(count: number): number {
    if (this.position + count > this.buffer.length) this.grow(count)
    const at = this.position
    this.position = at + count
    return at
  }

  private grow(count: number): void {
    if (this.contiguous > 0) {
      const used = this.position - this.start
      const larger = Buffer.allocUnsafe(Math.max(chunkBytes, 2 * (used + count)))
      this.buffer.copy(larger, 0, this.start, this.position)
      this.buffer = larger
      this.start = 0
      this.position = used
    } else {
      this.closeChunk()
      this.buffer = Buffer.allocUnsafe(Math.max(chunkBytes, count))
      this.start = 0
      this.position = 0
    }
  }

  private closeChunk(): void {
    if (this.position > this.start) {
      this.chunks.push(this.buffer.subarray(this.start, this.position))
      this.finishedBytes += this.position - this.start
      this.start = this.position
    }
  }

  /** Refuses a value that does not fit; a mistake of the caller, or a field that a peer cannot understand. */
  refuse(expected: string, value: unknown): never {
    throw new ProtocolError(`expected ${expected}, found ${describe(value)}`)
  }

  int8(value: number): void {
    if ((value << 24) >> 24 !== value) this.refuse('an int8', value)
    const at = this.reserve(1)
    this.buffer[at] = value
  }

  bool(value: boolean): void {
    if (typeof value !== 'boolean') this.refuse('a bool', value)
    const at = this.reserve(1)
    this.buffer[at] = value ? 1 : 0
  }

  int16(value: number): void {
    if ((value << 16) >> 16 !== value) this.refuse('an int16', value)
    const at = this.reserve(2)
    this.buffer[at] = value >> 8
    this.buffer[at + 1] = value
  }

  uint16(value: number): void {
    if ((value & 0xffff) !== value) this.refuse('a uint16', value)
    const at = this.reserve(2)
    this.buffer[at] = value >> 8
    this.buffer[at + 1] = value
  }

  int32(value: number): void {
    if ((value | 0) !== value) this.refuse('an int32', value)
    this.word(this.reserve(4), value)
  }

  uint32(value: number): void {
    if (value >>> 0 !== value) this.refuse('a uint32', value)
    this.word(this.reserve(4), value)
  }

  int64(value: bigint): void {
    if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value) this.refuse('an int64 as bigint', value)
    const at = this.reserve(8)
    this.buffer.writeBigInt64BE(value, at)
  }

  offset(value: number): void {
    const at = this.reserve(8)
    if (Number.isSafeInteger(value)) {
      this.word(at, Math.floor(value / 0x1_0000_0000))
      this.word(at + 4, value % 0x1_0000_0000)
    } else if (value === Infinity) {
      this.word(at, 0x7fffffff)
      this.word(at + 4, -1)
    } else {
      this.refuse('a safe integer or Infinity', value)
    }
  }

  private word(at: number, value: number): void {
    const buffer = this.buffer
    buffer[at] = value >> 24
    buffer[at + 1] = value >> 16
    buffer[at + 2] = value >> 8
    buffer[at + 3] = value
  }

  float64(value: number): void {
    if (typeof value !== 'number') this.refuse('a number', value)
    const at = this.reserve(8)
    this.buffer.writeDoubleBE(value, at)
  }

  uuid(value: string): void {
    if (typeof value !== 'string' || value.length !== 22) this.refuse('a UUID of 22 base64url characters', value)
    const at = this.reserve(16)
    if (this.buffer.write(value, at, 16, 'base64url') !== 16) {
      this.refuse('a UUID of 22 base64url characters', value)
    }
  }

  uvarint(value: number): void {
    let rest = value >>> 0
    if (rest !== value) this.refuse('an unsigned 32-bit number', value)
    let at = this.reserve(uvarintBytes(rest))
    while (rest > 0x7f) {
      this.buffer[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.buffer[at] = rest
  }

  /** Zigzag-coded varint of 32 bits. */
  varint(value: number): void {
    if ((value | 0) !== value) this.refuse('an int32', value)
    this.uvarint(((value << 1) ^ (value >> 31)) >>> 0)
  }

  /** Zigzag-coded varint of 64 bits. */
  varlong(value: number): void {
    if (!Number.isSafeInteger(value)) this.refuse('a safe integer', value)
    let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
    while (rest > 0x7fn) {
      this.buffer[this.reserve(1)] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.buffer[this.reserve(1)] = Number(rest)
  }

  /** Text with an int16 length. */
  string(value: string): void {
    const length = this.textBytes(value)
    this.int16(length)
    this.text(value, length)
  }

  /** Text with a varint of its length + 1. */
  compactString(value: string): void {
    const length = this.textBytes(value)
    this.uvarint(length + 1)
    this.text(value, length)
  }

  private textBytes(value: string): number {
    if (typeof value !== 'string') this.refuse('a string', value)
    const length = asciiOnly(value) ? value.length : Buffer.byteLength(value, 'utf8')
    if (length > stringBytesMax) {
      throw new ProtocolError(`expected a string of at most ${stringBytesMax} bytes, found one of ${length}`)
    }
    return length
  }

  private text(value: string, length: number): void {
    const at = this.reserve(length)
    if (length <= shortTextUnits && length === value.length) {
      for (let i = 0; i < length; i++) this.buffer[at + i] = value.charCodeAt(i)
    } else {
      this.buffer.write(value, at, length, 'utf8')
    }
  }

  /** Raw bytes without a length: copied when small, by reference from 1 KiB on. */
  raw(value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) this.refuse('bytes', value)
    if (value.length >= referenceBytesMin && this.contiguous === 0) {
      this.closeChunk()
      this.chunks.push(Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength))
      this.finishedBytes += value.length
    } else {
      const at = this.reserve(value.length)
      this.buffer.set(value, at)
    }
  }

  /** Bytes with an int32 length. */
  bytesValue(value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) this.refuse('bytes', value)
    this.int32(value.length)
    this.raw(value)
  }

  /** Bytes with a varint of their length + 1. */
  compactBytesValue(value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) this.refuse('bytes', value)
    this.uvarint(value.length + 1)
    this.raw(value)
  }

  /**
   * Begins a tagged field; returns a token for `endTag`. One byte is kept free for the size, which is not known yet; the content moves up
   * in the rare case that it needs more.
   */
  beginTag(tag: number): number {
    this.uvarint(tag)
    this.contiguous++
    this.reserve(1)
    return this.position - this.start
  }

  endTag(token: number): void {
    const content = this.start + token
    const size = this.position - content
    const extra = uvarintBytes(size) - 1
    if (extra > 0) {
      this.reserve(extra)
      // `reserve` may have moved everything into a larger buffer.
      const from = this.start + token
      this.buffer.copyWithin(from + extra, from, from + size)
    }
    let at = this.start + token - 1
    let rest = size
    while (rest > 0x7f) {
      this.buffer[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.buffer[at] = rest
    this.contiguous--
  }

  /** Overwrites the first four bytes of the frame, which must have been written with `int32`. */
  patchFirstInt32(value: number): void {
    const first = this.chunks[0] ?? this.buffer
    first.writeInt32BE(value, 0)
  }

  /** The chunks in order; the writer must not be used afterwards. */
  finish(): Buffer[] {
    this.closeChunk()
    return this.chunks
  }

  /** Everything as one buffer: a copy only when there is more than one chunk. */
  finishBuffer(): Buffer {
    const chunks = this.finish()
    return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, this.finishedBytes)
  }
}

/** Bytes that an unsigned varint takes. */
export function uvarintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5
}

/** True for a short string without multi-byte characters; long ones are left to native code. */
function asciiOnly(value: string): boolean {
  if (value.length > shortTextUnits) return false
  for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 0x7f) return false
  return true
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return typeof value === 'bigint' ? `${value}n` : String(value)
}
