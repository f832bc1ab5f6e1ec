/**
 * Memory for the records of responses, used again when a response has been written. Fetch reads up to a MiB per response; as garbage it
 * piles up to some 64 MiB before V8 looks at it, since the objects on the heap are small. Pure.
 *
 * Must never: give memory to two loans at once. Memory whose loan is forgotten is garbage, and nothing worse.
 */
import type { ReadMemory } from '../log/log.ts'

/** Memory comes in powers of two. Below the least, garbage is cheap; above the largest it would lie idle too often. */
const leastBytes = 16 * 1024
const largestBytes = 4 * 1024 * 1024
/** The most that waits to be used again. */
const idleBytesMax = 4 * 1024 * 1024

export class MemoryPool {
  /** By the logarithm of their size; the one used last is used first, while the processor still has it at hand. */
  readonly #idle = new Map<number, Buffer[]>()
  #idleBytes = 0

  /** Bytes that wait to be used again; never more than 4 MiB. */
  get idleBytes(): number {
    return this.#idleBytes
  }

  /** Memory for one response. */
  lend(): Loan {
    return new Loan(this)
  }

  /** For Loan alone. @returns a buffer of at least `bytes`, or undefined for sizes that are not pooled */
  take(bytes: number): Buffer | undefined {
    if (bytes < leastBytes || bytes > largestBytes) return undefined
    const sizeBits = 32 - Math.clz32(bytes - 1)
    const idle = this.#idle.get(sizeBits)?.pop()
    if (idle === undefined) return Buffer.allocUnsafeSlow(2 ** sizeBits)
    this.#idleBytes -= idle.length
    return idle
  }

  /** For Loan alone, with a buffer that `take` gave. */
  give(buffer: Buffer): void {
    if (this.#idleBytes + buffer.length > idleBytesMax) return
    const sizeBits = 31 - Math.clz32(buffer.length)
    const idle = this.#idle.get(sizeBits)
    if (idle === undefined) this.#idle.set(sizeBits, [buffer])
    else idle.push(buffer)
    this.#idleBytes += buffer.length
  }
}

/** What one response uses of a pool. */
export class Loan implements ReadMemory {
  readonly #pool: MemoryPool
  /** By their memory: who took a buffer has a part of it. */
  #taken = new Map<ArrayBufferLike, Buffer>()

  constructor(pool: MemoryPool) {
    this.#pool = pool
  }

  take(bytes: number): Buffer {
    const pooled = this.#pool.take(bytes)
    if (pooled === undefined) return bytes < leastBytes ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes)
    this.#taken.set(pooled.buffer, pooled)
    return pooled.subarray(0, bytes)
  }

  release(taken: Buffer): void {
    const pooled = this.#taken.get(taken.buffer)
    if (pooled === undefined) return
    this.#taken.delete(taken.buffer)
    this.#pool.give(pooled)
  }

  giveBack(): void {
    const taken = this.#taken
    this.#taken = new Map()
    for (const buffer of taken.values()) this.#pool.give(buffer)
  }

  /** Bytes of the pool that it holds. */
  get heldBytes(): number {
    return [...this.#taken.keys()].reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  /** Whether there is anything to give back. */
  get isUsed(): boolean {
    return this.#taken.size > 0
  }
}
