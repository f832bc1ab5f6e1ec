/**
 * The table of keys of one cleaning: for each key the offset of its newest record. A key is held as the first 128 bits that MD5 gives for a
 * secret salt and the key, so that nobody can make up two keys that fall together; the chance that two of a billion keys do is below 10^-20.
 *
 * An entry takes 24 bytes (hash 16, offset 8), as in Kafka. The table grows with what is put into it, never beyond `maxBytes`, and counts as
 * full where a part of it has reached `loadFactor` and cannot grow. It consists of up to 256 parts that grow one by one, so that no single
 * `put` moves more than a 256th of the entries.
 */
import { hash } from 'node:crypto'

export const offsetMapEntryBytes = 24
const maxParts = 256
const firstSlots = 8
/** A part that may grow does so at this load; one that may not is filled up to the load factor. */
const growAtLoad = 0.75
const saltBytes = 16

export interface OffsetMapOptions {
  readonly maxBytes: number
  /** Above 0, at most 1. */
  readonly loadFactor: number
  /** 16 secret bytes. */
  readonly salt: Uint8Array
}

export class OffsetMap {
  /** Bytes of all parts. */
  bytes = 0
  /** Keys. */
  size = 0
  /** Offsets up to this one, inclusive, were looked at; -1: none. */
  latestOffset = -1
  private readonly options: OffsetMapOptions
  private readonly parts: (Part | undefined)[]
  private input = Buffer.alloc(256)

  constructor(options: OffsetMapOptions) {
    // Room for a few keys there must be: a cleaning has to come further each time.
    this.options = { ...options, maxBytes: Math.max(options.maxBytes, firstSlots * offsetMapEntryBytes) }
    let count = maxParts
    while (count > 1 && count * firstSlots * 8 * offsetMapEntryBytes > options.maxBytes) count /= 2
    this.parts = Array.from({ length: count }, () => undefined)
    options.salt.forEach((byte, index) => (this.input[index] = byte))
  }

  /** Notes the offset of a key, which is above every offset noted before; false when the table is full. */
  put(bytes: Buffer, start: number, end: number, offset: number): boolean {
    const key = this.hashOf(bytes, start, end)
    const index = (key[12]! | (key[13]! << 8)) & (this.parts.length - 1)
    const part = (this.parts[index] ??= this.newPart(firstSlots))
    if (part === undefined) return false
    const slot = part.find(key)
    if (slot >= 0) {
      part.offsets[slot] = offset + 1
      return true
    }
    const roomy = this.roomFor(index, part)
    if (roomy === undefined) return false
    roomy.insert(key, offset)
    this.size++
    return true
  }

  /** The newest offset of a key, -1 when it is not there. */
  get(bytes: Buffer, start: number, end: number): number {
    const key = this.hashOf(bytes, start, end)
    const part = this.parts[(key[12]! | (key[13]! << 8)) & (this.parts.length - 1)]
    const slot = part?.find(key) ?? -1
    return slot < 0 ? -1 : part!.offsets[slot]! - 1
  }

  /** Share of `maxBytes` that holds entries. */
  get utilization(): number {
    return (this.size * offsetMapEntryBytes) / Math.max(1, this.options.maxBytes)
  }

  private roomFor(index: number, part: Part): Part | undefined {
    if (part.entries + 1 <= part.slots * growAtLoad) return part
    const grown = this.newPart(part.slots * 2)
    if (grown !== undefined) {
      part.moveTo(grown)
      this.bytes -= part.slots * offsetMapEntryBytes
      this.parts[index] = grown
      return grown
    }
    // One slot stays empty: a search has to end.
    return part.entries + 1 <= Math.min(part.slots - 1, part.slots * this.options.loadFactor) ? part : undefined
  }

  private newPart(slots: number): Part | undefined {
    const bytes = slots * offsetMapEntryBytes
    if (this.bytes + bytes > this.options.maxBytes) return undefined
    this.bytes += bytes
    return new Part(slots)
  }

  private hashOf(bytes: Buffer, start: number, end: number): Buffer {
    const size = saltBytes + end - start
    if (size > this.input.length) {
      const larger = Buffer.alloc(size * 2)
      this.input.copy(larger, 0, 0, saltBytes)
      this.input = larger
    }
    bytes.copy(this.input, saltBytes, start, end)
    return hash('md5', this.input.subarray(0, size), 'buffer')
  }
}

/** A table with open addressing and a power of two of slots. */
class Part {
  readonly slots: number
  entries = 0
  /** Offset + 1; 0: nothing is here. */
  readonly offsets: Float64Array
  private readonly hashes: Int32Array

  constructor(slots: number) {
    this.slots = slots
    this.offsets = new Float64Array(slots)
    this.hashes = new Int32Array(slots * 4)
  }

  /** The slot of a key, -1 when it is not here. */
  find(key: Buffer): number {
    const { hashes, offsets } = this
    const mask = this.slots - 1
    const a = key.readInt32LE(0)
    const b = key.readInt32LE(4)
    const c = key.readInt32LE(8)
    const d = key.readInt32LE(12)
    for (let slot = a & mask; offsets[slot] !== 0; slot = (slot + 1) & mask) {
      const at = slot * 4
      if (hashes[at] === a && hashes[at + 1] === b && hashes[at + 2] === c && hashes[at + 3] === d) return slot
    }
    return -1
  }

  /** Adds a key that is not here; there is room. */
  insert(key: Buffer, offset: number): void {
    this.place(key.readInt32LE(0), key.readInt32LE(4), key.readInt32LE(8), key.readInt32LE(12), offset + 1)
  }

  moveTo(other: Part): void {
    const { hashes, offsets } = this
    for (let slot = 0; slot < this.slots; slot++) {
      if (offsets[slot] === 0) continue
      const at = slot * 4
      other.place(hashes[at]!, hashes[at + 1]!, hashes[at + 2]!, hashes[at + 3]!, offsets[slot]!)
    }
  }

  private place(a: number, b: number, c: number, d: number, value: number): void {
    const mask = this.slots - 1
    let slot = a & mask
    while (this.offsets[slot] !== 0) slot = (slot + 1) & mask
    this.hashes.set([a, b, c, d], slot * 4)
    this.offsets[slot] = value
    this.entries++
  }
}
