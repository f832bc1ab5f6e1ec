/** The codecs: what one side writes the other reads, bytes that Kafka's own libraries wrote are read, and nothing grows without bound. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CompressedDataError } from '#broker/protocol/records/compressed-data.ts'
import { compress, compressionId, decompress } from '#broker/protocol/records/compression.ts'
import { xxHash32 } from '#broker/protocol/records/xxhash32.ts'

const codecs = ['gzip', 'snappy', 'lz4', 'zstd'] as const

/** Text-like data with repetitions near and far, beside noise. */
const payloads = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .tuple(fc.string({ minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 3000 }))
        .map(([text, times]) => Buffer.from(text.repeat(times))),
    ),
    { maxLength: 8 },
  )
  .map(parts => Buffer.concat([...parts, ...parts]))

describe.each(codecs)('%s', codec => {
  test('gives back what went in', () => {
    fc.assert(
      fc.property(payloads, payload => {
        const packed = compress(codec, payload)
        expect(decompress(compressionId(codec), packed, payload.length + 1).equals(payload)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  test('makes repetitive data small', () => {
    const payload = Buffer.from('{"user":"someone","action":"click"}'.repeat(5000))
    expect(compress(codec, payload).length).toBeLessThan(payload.length / 10)
  })

  test('never yields more than is allowed', () => {
    const bomb = compress(codec, Buffer.alloc(4_000_000))
    expect(() => decompress(compressionId(codec), bomb, 1_000_000)).toThrow(CompressedDataError)
  })

  test('refuses damaged data, whatever the damage', () => {
    fc.assert(
      fc.property(
        payloads,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1 }),
        fc.nat(),
        (payload, flips, cut) => {
          const packed = Buffer.from(compress(codec, payload))
          for (const [at, value] of flips) if (packed.length > 0) packed[at % packed.length] = value
          const damaged = cut % 3 === 0 ? packed.subarray(0, cut % (packed.length + 1)) : packed
          try {
            expect(decompress(compressionId(codec), damaged, 200_000).length).toBeLessThanOrEqual(200_000)
          } catch (error) {
            expect(error).toBeInstanceOf(CompressedDataError)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

test('a level changes the size', () => {
  const payload = Buffer.from(Array.from({ length: 5000 }, (_, index) => `${index * 7919}`).join(','))
  const fast = compress('gzip', payload, { gzip: 1, zstd: 1 })
  const small = compress('gzip', payload, { gzip: 9, zstd: 1 })
  expect(small.length).toBeLessThan(fast.length)
})

test('a bare snappy block is read too', () => {
  // "aaaaaaaaaa": size 10, one literal, a copy of nine bytes one back.
  expect(decompress(2, Buffer.from([10, 0, 0x61, 0x15, 0x01]), 100).toString()).toBe('aaaaaaaaaa')
})

test('an lz4 block may refer to the block before it', () => {
  const header = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0])
  header[6] = (xxHash32(header.subarray(4, 6)) >>> 8) & 0xff
  const first = Buffer.from([0x40, 0x61, 0x62, 0x63, 0x64])
  // No literals, a match of four bytes four back, then one literal.
  const second = Buffer.from([0x00, 0x04, 0x00, 0x10, 0x65])
  const sizeOf = (block: Buffer) => Buffer.from([block.length, 0, 0, 0])
  const frame = Buffer.concat([header, sizeOf(first), first, sizeOf(second), second, Buffer.alloc(4)])
  expect(decompress(3, frame, 100).toString()).toBe('abcdabcde')
})

test.each([
  ['', 0x02cc5d05],
  ['a', 0x550d7456],
  ['Nobody inspects the spammish repetition', 0xe2293b2f],
])('xxHash32 of "%s"', (text, hash) => {
  expect(xxHash32(Buffer.from(text))).toBe(hash)
})
