/**
 * A bounded cursor over the bytes of one frame. Every read is checked against what remains, every count against the bytes it would need,
 * before anything is allocated; anything else is a ProtocolError that says what was expected, what was found and where.
 *
 * Must never: read beyond its end, copy payloads (bytes and records are views), or throw anything but ProtocolError.
 * Source: Kafka protocol guide, "Protocol Primitive Types".
 */
import { ProtocolError } from './errors.ts'

const twoTo32 = 0x1_0000_0000
/** The high words of safe integers lie in [-2^21, 2^21). */
const safeHighWord = 0x20_0000
/** Kafka has no longer strings, also where the length is a varint. */
export const stringBytesMax = 0x7fff

/** Joins the words of an int64: a safe integer, or Infinity for INT64_MAX. Anything else is refused. */
export function joinOffset(high: number, low: number): number {
  if (high >= -safeHighWord && high < safeHighWord) {
    const value = high * twoTo32 + (low >>> 0)
    if (value >= Number.MIN_SAFE_INTEGER) return value
  }
  if (high === 0x7fffffff && low >>> 0 === 0xffffffff) return Infinity
  throw new ProtocolError(`expected a 64-bit number within ±2^53, found ${(BigInt(high) << 32n) | BigInt(low >>> 0)}`)
}

export class Reader {
  readonly buffer: Buffer
  /** Index of the next byte in `buffer`. */
  position: number
  /** Index behind the last byte that may be read. */
  end: number
  /** So many elements of arrays may still be read: what a peer sends can grow a hundredfold when it is decoded. */
  elementsLeft = Infinity

  constructor(buffer: Buffer, position = 0, end: number = buffer.length) {
    this.buffer = buffer
    this.position = position
    this.end = end
  }

  get remaining(): number {
    return this.end - this.position
  }

  /** Moves past `count` bytes and returns where they begin. */
  take(count: number): number {
    const start = this.position
    if (count > this.end - start) this.short(count)
    this.position = start + count
    return start
  }

  private short(count: number): never {
    throw this.error(`${count} byte${count === 1 ? '' : 's'}`, `only ${this.remaining}`)
  }

  /** A ProtocolError about the current position. */
  error(expected: string, found: string): ProtocolError {
    return new ProtocolError(`expected ${expected}, found ${found} at byte ${this.position} of ${this.end}`)
  }

  int8(): number {
    return ((this.buffer[this.take(1)] as number) << 24) >> 24
  }

  bool(): boolean {
    return this.buffer[this.take(1)] !== 0
  }

  int16(): number {
    return this.buffer.readInt16BE(this.take(2))
  }

  uint16(): number {
    return this.buffer.readUInt16BE(this.take(2))
  }

  int32(): number {
    return this.buffer.readInt32BE(this.take(4))
  }

  uint32(): number {
    return this.buffer.readUInt32BE(this.take(4))
  }

  int64(): bigint {
    return this.buffer.readBigInt64BE(this.take(8))
  }

  offset(): number {
    const at = this.take(8)
    return joinOffset(this.buffer.readInt32BE(at), this.buffer.readInt32BE(at + 4))
  }

  float64(): number {
    return this.buffer.readDoubleBE(this.take(8))
  }

  uuid(): string {
    const at = this.take(16)
    return this.buffer.toString('base64url', at, at + 16)
  }

  /** Unsigned varint of at most 32 bits. */
  uvarint(): number {
    const first = this.buffer[this.take(1)] as number
    if (first < 0x80) return first
    let value = first & 0x7f
    for (let shift = 7; shift <= 28; shift += 7) {
      const byte = this.buffer[this.take(1)] as number
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw this.error('a varint of at most 5 bytes', 'a longer one')
  }

  /** Zigzag-coded varint of 32 bits, as inside record batches and metadata record frames. */
  varint(): number {
    const value = this.uvarint()
    return (value >>> 1) ^ -(value & 1)
  }

  /** Zigzag-coded varint of 64 bits that holds a safe integer. */
  varlong(): number {
    let value = 0n
    for (let shift = 0n; shift <= 63n; shift += 7n) {
      const byte = this.buffer[this.take(1)] as number
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        const unsigned = BigInt.asUintN(64, value)
        const signed = (unsigned >> 1n) ^ -(unsigned & 1n)
        return joinOffset(Number(signed >> 32n), Number(signed & 0xffffffffn))
      }
    }
    throw this.error('a varlong of at most 10 bytes', 'a longer one')
  }

  // Lengths: -1 means null, and so does every other negative number, as to Kafka's own readers. The two spellings, int and compact (varint of length + 1), are told apart by the method.

  private checkLength(length: number, what: string): number {
    if (length > this.remaining) throw this.error(`${what} of ${length} bytes`, `only ${this.remaining}`)
    return length
  }

  shortLength(what: string): number {
    return this.checkLength(this.int16(), what)
  }

  intLength(what: string): number {
    return this.checkLength(this.int32(), what)
  }

  compactLength(what: string): number {
    return this.checkLength((this.uvarint() - 1) | 0, what)
  }

  /** Number of elements, negative for null; refused when that many elements cannot fit into the bytes that remain. */
  count(minimumElementBytes: number): number {
    return this.checkCount(this.int32(), minimumElementBytes)
  }

  compactCount(minimumElementBytes: number): number {
    return this.checkCount((this.uvarint() - 1) | 0, minimumElementBytes)
  }

  private checkCount(count: number, minimumElementBytes: number): number {
    if (count * minimumElementBytes > this.remaining) {
      throw this.error(
        `${count} elements of at least ${minimumElementBytes} byte${minimumElementBytes === 1 ? '' : 's'}`,
        `only ${this.remaining} bytes`,
      )
    }
    if (count > this.elementsLeft) throw this.error(`at most ${this.elementsLeft} elements more`, `${count}`)
    if (count > 0) this.elementsLeft -= count
    return count
  }

  /** Text of `length` bytes, already checked. What is let in can be written again: a byte that is not UTF-8 takes three then. */
  text(length: number): string {
    const start = this.position
    const text = this.buffer.toString('utf8', start, start + length)
    const isDoubtful = length * 3 > stringBytesMax
    if (isDoubtful && Buffer.byteLength(text) > stringBytesMax)
      throw this.error(`a string of at most ${stringBytesMax} bytes`, `one of ${Buffer.byteLength(text)}`)
    this.position = start + length
    return text
  }

  /** View of `length` bytes, already checked. */
  view(length: number): Buffer {
    const start = this.position
    this.position = start + length
    return this.buffer.subarray(start, start + length)
  }

  /** View of the next `count` bytes, checked. */
  bytes(count: number): Buffer {
    const start = this.take(count)
    return this.buffer.subarray(start, start + count)
  }

  /** What null means where a value has to be. */
  refuseNull(what: string): never {
    throw this.error(what, 'null')
  }

  /** Narrows the reader to the next `size` bytes (a tagged field); returns the end to give back to `leave`. */
  enter(size: number): number {
    if (size > this.remaining) throw this.error(`a tagged field of ${size} bytes`, `only ${this.remaining}`)
    const end = this.end
    this.end = this.position + size
    return end
  }

  /** Undoes `enter`; the tagged field must have been read to its end. */
  leave(end: number): void {
    if (this.position !== this.end) throw this.error('the end of a tagged field', `${this.remaining} bytes more`)
    this.end = end
  }

  /** Skips a tagged section none of whose fields is known. */
  skipTags(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint()
      this.take(this.uvarint())
    }
  }

  /** Refuses bytes that nobody asked for. */
  expectEnd(): void {
    if (this.position !== this.end) throw this.error('the end', `${this.remaining} bytes more`)
  }
}
