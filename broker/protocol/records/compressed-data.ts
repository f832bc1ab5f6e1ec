/** What the codecs share: how they refuse data, and a buffer that grows. */

/** Compressed bytes that cannot be decompressed, or only to more than is allowed. */
export class CompressedDataError extends Error {
  constructor(problem: string, cause?: Error) {
    super(`The records cannot be decompressed: ${problem}.`, { cause })
    this.name = 'CompressedDataError'
  }
}

/** The buffer, or a larger one with its first `used` bytes, so that `needed` fit. */
export function growTo(buffer: Buffer, used: number, needed: number): Buffer {
  if (needed <= buffer.length) return buffer
  const grown = Buffer.allocUnsafe(Math.max(needed, buffer.length * 2))
  buffer.copy(grown, 0, 0, used)
  return grown
}
