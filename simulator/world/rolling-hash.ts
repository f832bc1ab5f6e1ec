/** Fingerprint of a run: two 32-bit lanes over every event. Equal runs are equal in every byte sent, written and delivered, in order. */
import { crc32 } from 'node:zlib'

export class RollingHash {
  #left = 0x2545f491
  #right = 0x9e3779b9

  add(value: number): void {
    const low = value | 0
    const high = Math.floor(value / 2 ** 32) | 0
    this.#left = Math.imul(rotateLeft(this.#left, 5) ^ low, 0x01000193) ^ high
    this.#right = Math.imul(rotateLeft(this.#right, 13) ^ high ^ low, 0x85ebca6b) + low
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    return hex(this.#left) + hex(this.#right)
  }
}

/** CRC-32 over all chunks, as if they were one. */
export function chunksCrc(chunks: readonly Uint8Array[]): number {
  let crc = 0
  for (const chunk of chunks) crc = crc32(chunk, crc)
  return crc
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0')
}
