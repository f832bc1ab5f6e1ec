/**
 * Bytes to frames: int32 length, then that many bytes (protocol guide, "Protocol Primitives"). Pure. A frame that lies within one chunk
 * is a view of it; one that spans several is assembled in a buffer that grows with the bytes that really came, so that a claimed length
 * costs a liar nothing of our memory.
 */
import { ProtocolError } from '../protocol/errors.ts'

const lengthBytes = 4
/** Of a frame whose sender is not trusted. */
const firstPartBytes = 64 * 1024

function frameLength(bytes: Buffer, at: number, maxBytes: number): number {
  const length = bytes.readInt32BE(at)
  if (length < 0 || length > maxBytes)
    throw new ProtocolError(
      `expected a frame of 0 to ${maxBytes} bytes (socket.request.max.bytes), got a length of ${length}`,
    )
  return length
}

export class Framer {
  readonly #maxBytes: number
  readonly #trustedBytes: number
  /** Bytes of an unfinished frame (length prefix included) and how many of them are filled. */
  #partial: Buffer | undefined
  #filled = 0

  /** @param trustedBytes  up to here a claimed length is believed and its memory made at once, which spares copies and garbage */
  constructor(maxBytes: number, trustedBytes = firstPartBytes) {
    this.#maxBytes = maxBytes
    this.#trustedBytes = trustedBytes
  }

  /** Calls `emit` with each complete frame, without its length prefix. Throws ProtocolError on an impossible length. */
  push(chunk: Buffer, emit: (frame: Buffer) => void): void {
    let rest = chunk
    if (this.#partial !== undefined) rest = this.#continue(rest, emit)
    while (rest.length >= lengthBytes) {
      const end = lengthBytes + this.#length(rest)
      if (rest.length < end) break
      emit(rest.subarray(lengthBytes, end))
      rest = rest.subarray(end)
    }
    if (rest.length > 0) this.#keep(rest)
  }

  /** True between frames: the peer may close without having lost anything. */
  get atBoundary(): boolean {
    return this.#partial === undefined
  }

  #length(bytes: Buffer): number {
    return frameLength(bytes, 0, this.#maxBytes)
  }

  #keep(bytes: Buffer): void {
    const wanted = bytes.length < lengthBytes ? lengthBytes : lengthBytes + this.#length(bytes)
    this.#partial = Buffer.allocUnsafeSlow(Math.min(wanted, Math.max(bytes.length * 2, this.#trustedBytes)))
    bytes.copy(this.#partial)
    this.#filled = bytes.length
  }

  #continue(bytes: Buffer, emit: (frame: Buffer) => void): Buffer {
    let rest = bytes
    if (this.#filled < lengthBytes) rest = this.#fill(rest, lengthBytes)
    if (this.#filled < lengthBytes || this.#partial === undefined) return rest
    const end = lengthBytes + this.#length(this.#partial)
    rest = this.#fill(rest, end)
    if (this.#filled < end) return rest
    const frame = this.#partial.subarray(lengthBytes, end)
    this.#partial = undefined
    this.#filled = 0
    emit(frame)
    return rest
  }

  /** Moves bytes over until `end` of the frame is filled or the bytes are used up; returns what is left of them. */
  #fill(bytes: Buffer, end: number): Buffer {
    const count = Math.min(bytes.length, end - this.#filled)
    const needed = this.#filled + count
    let target = this.#partial ?? Buffer.alloc(0)
    if (target.length < needed) {
      const larger = Math.max(needed, target.length * 2, this.#trustedBytes)
      const grown = Buffer.allocUnsafeSlow(Math.min(end, larger))
      target.copy(grown, 0, 0, this.#filled)
      target = grown
    }
    bytes.copy(target, this.#filled, 0, count)
    this.#partial = target
    this.#filled = needed
    return bytes.subarray(count)
  }
}

/** Most connections are idle, and ten thousand of them should not cost much. */
const firstSlabBytes = 4 * 1024
const smallSlabBytes = 64 * 1024
/** A slab that grew beyond this for one large frame is given back when it is empty. */
const keptSlabBytes = 1024 * 1024
const leastSpaceBytes = 16 * 1024

/**
 * The same for a connection that reads into memory of ours: bytes land in one slab, frames are views of it. A view is good until the
 * callback returns; who keeps a frame longer copies it.
 */
export class FrameSlab {
  #maxBytes: number
  #slab: Buffer = Buffer.allocUnsafeSlow(firstSlabBytes)
  #start = 0
  #end = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Longest frame from now on. */
  limit(maxBytes: number): void {
    this.#maxBytes = maxBytes
  }

  /** Where the next bytes go. */
  space(): Buffer {
    const kept = this.#end - this.#start
    const isBusy = this.#end === this.#slab.length && this.#slab.length < smallSlabBytes
    if (kept === 0) {
      this.#start = 0
      this.#end = 0
      if (isBusy || this.#slab.length > keptSlabBytes) this.#slab = Buffer.allocUnsafeSlow(smallSlabBytes)
    } else if (isBusy) this.#moveTo(Buffer.allocUnsafeSlow(smallSlabBytes))
    else if (this.#slab.length - this.#end < Math.max(leastSpaceBytes, this.#missing())) this.#makeRoom(kept)
    return this.#slab.subarray(this.#end)
  }

  /** So many bytes of the space last given out are there: calls `emit` with each frame that is complete now. */
  filled(count: number, emit: (frame: Buffer) => void): void {
    this.#end += count
    while (this.#end - this.#start >= lengthBytes) {
      const bodyStart = this.#start + lengthBytes
      const bodyEnd = bodyStart + frameLength(this.#slab, this.#start, this.#maxBytes)
      if (bodyEnd > this.#end) break
      this.#start = bodyEnd
      emit(this.#slab.subarray(bodyStart, bodyEnd))
    }
  }

  /** Bytes that come in a chunk, for environments that cannot read into our memory. */
  push(chunk: Buffer, emit: (frame: Buffer) => void): void {
    let rest = chunk
    while (rest.length > 0) {
      const space = this.space()
      const count = Math.min(space.length, rest.length)
      rest.copy(space, 0, 0, count)
      rest = rest.subarray(count)
      this.filled(count, emit)
    }
  }

  /** Bytes that the unfinished frame still lacks, as far as its length is known. */
  #missing(): number {
    const kept = this.#end - this.#start
    if (kept < lengthBytes) return lengthBytes - kept
    return lengthBytes + this.#slab.readInt32BE(this.#start) - kept
  }

  /** Moves the unfinished frame to the front, of a larger slab if need be; growing only with what really came. */
  #makeRoom(kept: number): void {
    const wanted = kept + Math.max(leastSpaceBytes, this.#missing())
    let target = this.#slab
    if (wanted > target.length && kept * 2 > target.length)
      target = Buffer.allocUnsafeSlow(Math.min(target.length * 4, this.#maxBytes + lengthBytes + leastSpaceBytes))
    // What is at the front already must not be copied onto itself at every read of a long frame.
    if (target !== this.#slab || this.#start > 0) this.#moveTo(target)
  }

  #moveTo(target: Buffer): void {
    this.#end = this.#slab.copy(target, 0, this.#start, this.#end)
    this.#slab = target
    this.#start = 0
  }
}

/** Bytes that are a response or request already, as chunks with the length in front. */
export function frame(chunks: readonly Uint8Array[]): Uint8Array[] {
  let bytes = 0
  for (const chunk of chunks) bytes += chunk.length
  const prefix = Buffer.allocUnsafe(lengthBytes)
  prefix.writeInt32BE(bytes, 0)
  return [prefix, ...chunks]
}
