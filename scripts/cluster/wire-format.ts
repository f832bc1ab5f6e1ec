/** The primitive types of the Kafka protocol that `wire-requests.ts` needs (protocol guide, "Protocol Primitive Types"). */

export class Writer {
  readonly #chunks: Buffer[] = []

  int8(value: number): this {
    return this.bytes(Buffer.of(value & 0xff))
  }
  int16(value: number): this {
    const chunk = Buffer.allocUnsafe(2)
    chunk.writeInt16BE(value)
    return this.bytes(chunk)
  }
  int32(value: number): this {
    const chunk = Buffer.allocUnsafe(4)
    chunk.writeInt32BE(value)
    return this.bytes(chunk)
  }
  uint32(value: number): this {
    const chunk = Buffer.allocUnsafe(4)
    chunk.writeUInt32BE(value)
    return this.bytes(chunk)
  }
  int64(value: bigint): this {
    const chunk = Buffer.allocUnsafe(8)
    chunk.writeBigInt64BE(value)
    return this.bytes(chunk)
  }
  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }
  string(value: string): this {
    const text = Buffer.from(value)
    return this.int16(text.length).bytes(text)
  }
  nullString(): this {
    return this.int16(-1)
  }
  array<T>(items: readonly T[], write: (item: T, writer: this) => void): this {
    this.int32(items.length)
    for (const item of items) write(item, this)
    return this
  }
  unsignedVarint(value: number): this {
    let rest = value
    while (rest >= 0x80) {
      this.int8((rest & 0x7f) | 0x80)
      rest >>>= 7
    }
    return this.int8(rest)
  }
  /** Zigzag, as inside records. */
  varint(value: number): this {
    return this.unsignedVarint(value >= 0 ? value * 2 : -value * 2 - 1)
  }
  compactString(value: string): this {
    const text = Buffer.from(value)
    return this.unsignedVarint(text.length + 1).bytes(text)
  }
  compactArray<T>(items: readonly T[], write: (item: T, writer: this) => void): this {
    this.unsignedVarint(items.length + 1)
    for (const item of items) write(item, this)
    return this
  }
  noTags(): this {
    return this.unsignedVarint(0)
  }
  bytes(chunk: Buffer): this {
    this.#chunks.push(chunk)
    return this
  }
  toBuffer(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}

/** Throws RangeError when the message ends too early. */
export class Reader {
  readonly #buffer: Buffer
  #at = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }
  #take(count: number): number {
    const from = this.#at
    this.#at += count
    return from
  }
  int8(): number {
    return this.#buffer.readInt8(this.#take(1))
  }
  int16(): number {
    return this.#buffer.readInt16BE(this.#take(2))
  }
  int32(): number {
    return this.#buffer.readInt32BE(this.#take(4))
  }
  int64(): bigint {
    return this.#buffer.readBigInt64BE(this.#take(8))
  }
  boolean(): boolean {
    return this.int8() !== 0
  }
  /** An empty string stands for null. */
  string(): string {
    return this.#text(this.int16())
  }
  compactString(): string {
    return this.#text(this.unsignedVarint() - 1)
  }
  #text(length: number): string {
    if (length <= 0) return ''
    const from = this.#take(length)
    if (this.#at > this.#buffer.length) throw new RangeError('the message ends inside a string')
    return this.#buffer.toString('utf8', from, this.#at)
  }
  bytes(length: number): Buffer {
    if (length <= 0) return Buffer.alloc(0)
    const from = this.#take(length)
    if (this.#at > this.#buffer.length) throw new RangeError('the message ends inside a byte field')
    return this.#buffer.subarray(from, this.#at)
  }
  /** All that was not read yet. */
  rest(): Buffer {
    return this.#buffer.subarray(this.#take(this.#buffer.length - this.#at))
  }
  array<T>(read: (reader: this) => T): T[] {
    return this.#items(this.int32(), read)
  }
  compactArray<T>(read: (reader: this) => T): T[] {
    return this.#items(this.unsignedVarint() - 1, read)
  }
  #items<T>(count: number, read: (reader: this) => T): T[] {
    const items: T[] = []
    for (let index = 0; index < count; index++) items.push(read(this))
    return items
  }
  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#buffer.readUInt8(this.#take(1))
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new RangeError('a varint of more than five bytes')
  }
  /** Skips tagged fields. */
  tags(): void {
    const count = this.unsignedVarint()
    for (let index = 0; index < count; index++) {
      this.unsignedVarint()
      this.bytes(this.unsignedVarint())
    }
  }
}

const crc32cTable = Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  return value >>> 0
})

/** CRC-32C (Castagnoli), the checksum of record batches. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (crc32cTable[(crc ^ byte) & 0xff] ?? 0)
  return (crc ^ 0xffffffff) >>> 0
}
