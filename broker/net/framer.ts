/**
 * Bytes to frames: int32 length, then that many bytes (protocol guide, "Protocol Primitives"). Pure. A frame that lies within one chunk
 * is a view of it; one that spans several is assembled in a buffer that grows with the bytes that really came, so that a claimed length
 * costs a liar nothing of our memory.
 */
import { ProtocolError } from '../protocol/errors.ts'

const lengthBytes = 4

export class Framer {
  readonly #maxBytes: number
  /** Bytes of an unfinished frame (length prefix included) and how many of them are filled. */
  #partial: Buffer | undefined
  #filled = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
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
    const length = bytes.readInt32BE(0)
    if (length < 0 || length > this.#maxBytes)
      throw new ProtocolError(
        `expected a frame of 0 to ${this.#maxBytes} bytes (socket.request.max.bytes), got a length of ${length}`,
      )
    return length
  }

  #keep(bytes: Buffer): void {
    const wanted = bytes.length < lengthBytes ? lengthBytes : lengthBytes + this.#length(bytes)
    this.#partial = Buffer.allocUnsafeSlow(Math.min(wanted, Math.max(bytes.length * 2, 65_536)))
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
      const grown = Buffer.allocUnsafeSlow(Math.min(end, Math.max(needed, target.length * 2)))
      target.copy(grown, 0, 0, this.#filled)
      target = grown
    }
    bytes.copy(target, this.#filled, 0, count)
    this.#partial = target
    this.#filled = needed
    return bytes.subarray(count)
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
