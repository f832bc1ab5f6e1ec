/** xxHash32 with seed 0, for the header of LZ4 frames. Source: xxHash specification. */

const prime1 = 0x9e3779b1
const prime2 = 0x85ebca77
const prime3 = 0xc2b2ae3d
const prime4 = 0x27d4eb2f
const prime5 = 0x165667b1

/** @returns an unsigned 32-bit number */
export function xxHash32(bytes: Buffer): number {
  let at = 0
  let hash = prime5
  if (bytes.length >= 16) {
    let a = (prime1 + prime2) | 0
    let b = prime2
    let c = 0
    let d = -prime1 | 0
    for (; at <= bytes.length - 16; at += 16) {
      a = round(a, bytes.readUInt32LE(at))
      b = round(b, bytes.readUInt32LE(at + 4))
      c = round(c, bytes.readUInt32LE(at + 8))
      d = round(d, bytes.readUInt32LE(at + 12))
    }
    hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0
  }
  hash = (hash + bytes.length) | 0
  for (; at <= bytes.length - 4; at += 4)
    hash = Math.imul(rotate((hash + Math.imul(bytes.readUInt32LE(at), prime3)) | 0, 17), prime4)
  for (; at < bytes.length; at++) hash = Math.imul(rotate((hash + Math.imul(bytes[at]!, prime5)) | 0, 11), prime1)
  hash = Math.imul(hash ^ (hash >>> 15), prime2)
  hash = Math.imul(hash ^ (hash >>> 13), prime3)
  return (hash ^ (hash >>> 16)) >>> 0
}

function round(accumulator: number, word: number): number {
  return Math.imul(rotate((accumulator + Math.imul(word, prime2)) | 0, 13), prime1)
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}
