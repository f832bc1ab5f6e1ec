import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Framer, FrameSlab } from '#broker/net/framer.ts'

const maxBytes = 300_000

function framed(bodies: readonly Buffer[]): Buffer {
  return Buffer.concat(
    bodies.flatMap(body => {
      const length = Buffer.alloc(4)
      length.writeInt32BE(body.length)
      return [length, body]
    }),
  )
}

/** The stream cut at the given places, in order. */
function* pieces(stream: Buffer, sizes: readonly number[]): Generator<Buffer> {
  let at = 0
  for (let index = 0; at < stream.length; index++) {
    const size = Math.max(1, sizes[index % Math.max(1, sizes.length)] ?? 1000)
    yield stream.subarray(at, at + size)
    at += size
  }
}

const bodies = fc.array(
  fc.oneof(fc.nat(200), fc.integer({ min: 60_000, max: 70_000 }), fc.integer({ min: 0, max: maxBytes })).map(size => {
    const body = Buffer.alloc(size)
    for (let index = 0; index < size; index += 97) body[index] = (index * 7 + size) & 0xff
    return body
  }),
  { maxLength: 8 },
)

const same = (left: readonly Buffer[], right: readonly Buffer[]): boolean =>
  left.length === right.length && left.every((each, index) => each.equals(right[index] ?? Buffer.alloc(0)))

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        bodies,
        fc.array(fc.integer({ min: 700, max: 90_000 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(undefined, 100_000, 2 * maxBytes),
        (sent, sizes, trustedBytes) => {
          const stream = framed(sent)
          const byFramer: Buffer[] = []
          const bySlab: Buffer[] = []
          const framer = new Framer(maxBytes, trustedBytes)
          const slab = new FrameSlab(maxBytes)
          for (const piece of pieces(stream, sizes)) {
            framer.push(Buffer.from(piece), body => byFramer.push(Buffer.from(body)))
            slab.push(piece, body => bySlab.push(Buffer.from(body)))
          }
          expect(byFramer).toEqual(sent)
          expect(bySlab).toEqual(sent)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('come out of single bytes too', () => {
    const sent = [Buffer.from('a'), Buffer.alloc(0), Buffer.from('longer than the others')]
    const got: Buffer[] = []
    const slab = new FrameSlab(maxBytes)
    for (const piece of pieces(framed(sent), [1])) slab.push(piece, body => got.push(Buffer.from(body)))
    expect(same(got, sent)).toBe(true)
  })

  it.each([-1, maxBytes + 1, 0x7fff_ffff])('of %i bytes are refused before anything is allocated for them', length => {
    const head = Buffer.alloc(4)
    head.writeInt32BE(length)
    const never = (): never => {
      throw new Error('a frame came out')
    }
    expect(() => new Framer(maxBytes).push(head, never)).toThrow('expected a frame of 0 to 300000 bytes')
    expect(() => new FrameSlab(maxBytes).push(head, never)).toThrow('expected a frame of 0 to 300000 bytes')
  })

  it('that are announced large and come slowly take memory only as they come', () => {
    const slab = new FrameSlab(100_000_000)
    const head = Buffer.alloc(4)
    head.writeInt32BE(100_000_000)
    slab.push(head, () => undefined)
    slab.push(Buffer.alloc(1000), () => undefined)
    expect(slab.space().length).toBeLessThan(70_000)
  })
})
