/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82F63B78): the checksum of a record batch and of a producer snapshot.
 *
 * Two implementations with the same result: a table-driven one in TypeScript (slicing by eight), always there, and the
 * native `@node-rs/crc32`, which is several times faster from a few hundred bytes on. A machine without the native
 * module silently gets the first: the result is the same, only the speed differs, and `nativeCrc32c` tells which one
 * runs.
 *
 * Source: RFC 3720 appendix B.4; Kafka protocol guide, record batch.
 */
import { createRequire } from 'node:module'

const tables = buildTables()

function buildTables(): Uint32Array[] {
  const first = new Uint32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    first[byte] = crc >>> 0
  }
  const all = [first]
  for (let slice = 1; slice < 8; slice++) {
    const previous = all[slice - 1]!
    const next = new Uint32Array(256)
    for (let byte = 0; byte < 256; byte++) next[byte] = (previous[byte]! >>> 8) ^ first[previous[byte]! & 0xff]!
    all.push(next)
  }
  return all
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
]

/** CRC-32C of `bytes[start, end)` in plain TypeScript. `seed` continues the checksum of the bytes before. */
export function crc32cTable(bytes: Uint8Array, start = 0, end = bytes.length, seed = 0): number {
  let crc = ~seed
  let at = start
  const blocksEnd = start + ((end - start) & ~7)
  while (at < blocksEnd) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!
    at += 8
  }
  while (at < end) {
    crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]!) & 0xff]!
    at++
  }
  return ~crc >>> 0
}

type NativeCrc32c = (input: Uint8Array, initialState?: number) => number

function loadNative(): NativeCrc32c | undefined {
  try {
    const native = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: NativeCrc32c }
    // "123456789" has a well-known checksum: a native module that gets it wrong is worse than none.
    return native.crc32c(Buffer.from('123456789')) === 0xe3069283 ? native.crc32c : undefined
  } catch {
    return undefined
  }
}

/** The native implementation when this machine has it. */
export const nativeCrc32c = loadNative()

/** Below this size the call into native code costs more than it saves. */
const nativeFromBytes = 256

/** CRC-32C of `bytes[start, end)`, an unsigned 32-bit integer. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  if (nativeCrc32c === undefined || end - start < nativeFromBytes) return crc32cTable(bytes, start, end)
  return nativeCrc32c(bytes.subarray(start, end))
}
