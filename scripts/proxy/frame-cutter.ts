/**
 * Finds the frames in a stream of bytes without holding it up: what nobody wants to look at passes as the very chunks that came, cut only
 * where a frame begins that somebody does. Pure; one per way of a connection.
 *
 * Of each frame only the start is read (length, API key, version, correlation id). A start that spans two chunks waits for the second one.
 */
import { decodeFrameStart, NotKafkaError, type FrameStart } from './frame-start.ts'
import type { Way } from './model.ts'

/** pass: as it is, piece by piece. collect: whole, to be looked at; at most `collectedBytesMax`. skip: nobody gets it. */
export type FrameAction = 'pass' | 'collect' | 'skip'

export interface FrameHandler {
  /** A frame begins. */
  begin(start: FrameStart): FrameAction
  /** Bytes of frames that pass, in order. */
  pass(bytes: Buffer): void
  /** A frame that was collected, its length in front. Good for as long as anybody keeps it. */
  frame(bytes: Buffer, start: FrameStart): void
  /** True: `boundary` is called at the end of each frame, and nothing of the next one has passed by then. */
  wantsBoundaries(): boolean
  /** True: `begin` is told the client id. */
  wantsClientIds(): boolean
  boundary(): void
}

/** Longer frames cannot be collected: memory of a connection has a limit. */
export const collectedBytesMax = 64 * 1024 * 1024

export class FrameCutter {
  readonly #way: Way
  readonly #handler: FrameHandler
  #carry: Buffer | undefined
  /** Of the frame under way, length prefix included. */
  #left = 0
  #action: FrameAction = 'pass'
  #start: FrameStart | undefined
  #collected: Buffer[] = []
  #isOpaque = false

  constructor(way: Way, handler: FrameHandler) {
    this.#way = way
    this.#handler = handler
  }

  /** True between frames. */
  get atBoundary(): boolean {
    return this.#left === 0 && this.#carry === undefined && !this.#isOpaque
  }

  /** True once something came that cannot be a frame: the stream is not Kafka's, and all of it passes from then on. */
  get isOpaque(): boolean {
    return this.#isOpaque
  }

  push(chunk: Buffer): void {
    if (this.#isOpaque) return this.#handler.pass(chunk)
    const bytes = this.#carry === undefined ? chunk : Buffer.concat([this.#carry, chunk])
    this.#carry = undefined
    let passFrom = 0
    let at = 0
    const flush = () => {
      if (passFrom < at)
        this.#handler.pass(passFrom === 0 && at === bytes.length ? bytes : bytes.subarray(passFrom, at))
      passFrom = at
    }
    while (at < bytes.length) {
      if (this.#left === 0) {
        const start = this.#startAt(bytes, at)
        if (start === 'not Kafka') {
          at = bytes.length
          break
        }
        if (start === undefined) {
          flush()
          // A copy: a few bytes should not keep the whole chunk.
          this.#carry = Buffer.from(bytes.subarray(at))
          return
        }
        this.#begin(start)
        if (this.#action !== 'pass') flush()
      }
      const count = Math.min(this.#left, bytes.length - at)
      if (this.#action === 'collect') this.#collected.push(bytes.subarray(at, at + count))
      at += count
      if (this.#action !== 'pass') passFrom = at
      this.#left -= count
      if (this.#left > 0) continue
      if (this.#action === 'collect') this.#deliver()
      if (this.#handler.wantsBoundaries()) {
        flush()
        this.#handler.boundary()
      }
    }
    flush()
  }

  /** Bytes of a frame start that is not complete; they are gone from here. */
  takeRest(): Buffer | undefined {
    const rest = this.#carry
    this.#carry = undefined
    return rest
  }

  #startAt(bytes: Buffer, at: number): FrameStart | 'not Kafka' | undefined {
    try {
      return decodeFrameStart(this.#way, bytes, at, this.#handler.wantsClientIds())
    } catch (error) {
      if (!(error instanceof NotKafkaError)) throw error
      this.#isOpaque = true
      return 'not Kafka'
    }
  }

  #begin(start: FrameStart): void {
    this.#action = this.#handler.begin(start)
    this.#left = start.frameBytes
    this.#start = start
  }

  #deliver(): void {
    const [first, ...more] = this.#collected
    this.#collected = []
    if (first === undefined || this.#start === undefined) return
    this.#handler.frame(more.length === 0 ? first : Buffer.concat([first, ...more]), this.#start)
  }
}
