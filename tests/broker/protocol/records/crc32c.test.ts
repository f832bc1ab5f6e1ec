/** CRC-32C: known values, and the two implementations against each other and against a bitwise one. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32c, crc32cTable, nativeCrc32c } from '#broker/protocol/records/crc32c.ts'

function bitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}

describe('CRC-32C', () => {
  test.each<[string, Buffer, number]>([
    ['nothing', Buffer.alloc(0), 0],
    ['the digits of RFC 3720', Buffer.from('123456789'), 0xe3069283],
    ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
    ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['rising bytes', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
  ])('%s', (_, bytes, expected) => {
    expect(crc32cTable(bytes)).toBe(expected)
    expect(crc32c(bytes)).toBe(expected)
  })

  test('the native module is installed here, so that both are tested', () => {
    expect(nativeCrc32c).toBeDefined()
  })

  test('table, native and bitwise computation agree on any range of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000, size: 'max' }), fc.nat(), fc.nat(), (bytes, a, b) => {
        const start = a % (bytes.length + 1)
        const end = start + (b % (bytes.length - start + 1))
        const expected = bitwise(bytes.subarray(start, end))
        expect([
          crc32cTable(bytes, start, end),
          crc32c(bytes, start, end),
          nativeCrc32c!(bytes.subarray(start, end)),
        ]).toEqual([expected, expected, expected])
      }),
    )
  })

  test('a seed continues a checksum', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 100 }), (a, b) => {
        expect(crc32cTable(b, 0, b.length, crc32cTable(a))).toBe(crc32cTable(Buffer.concat([a, b])))
      }),
    )
  })
})
