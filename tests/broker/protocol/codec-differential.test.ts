/** Compiled against interpreted codecs, over every message in every version. */
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codec, interpretedCodec } from '#broker/protocol/codec.ts'
import { ProtocolError } from '#broker/protocol/errors.ts'
import { allVersions } from './all-messages.ts'
import { valueOf } from './arbitraries.ts'

const runs = 5

/** What came of an attempt, so that two can be compared. */
function outcome(run: () => unknown): { readonly value: unknown } | { readonly refused: string } {
  try {
    return { value: run() }
  } catch (error) {
    if (error instanceof ProtocolError) return { refused: error.message }
    throw error
  }
}

describe('the compiled and the interpreted codec', () => {
  it('write the same bytes and read back the value that was written', () => {
    for (const [title, message, version] of allVersions) {
      const compiled = codec(message, version)
      const interpreted = interpretedCodec(message, version)
      fc.assert(
        fc.property(valueOf(message, version), value => {
          const input = value as Parameters<typeof compiled.encode>[0]
          const written = Buffer.concat(compiled.encode(input))
          expect(written.equals(interpreted.encodeToBuffer(input)), `${title}: different bytes`).toBe(true)
          expect(isDeepStrictEqual(compiled.decode(written), value), `${title}: compiled reads another value`).toBe(
            true,
          )
          expect(
            isDeepStrictEqual(interpreted.decode(written), value),
            `${title}: interpreted reads another value`,
          ).toBe(true)
        }),
        { numRuns: runs },
      )
    }
  }, 120_000)

  it('agree on damaged bytes: the same value, or a ProtocolError with the same words', () => {
    for (const [title, message, version] of allVersions) {
      const compiled = codec(message, version)
      const interpreted = interpretedCodec(message, version)
      const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 })
      fc.assert(
        fc.property(valueOf(message, version), damage, (value, places) => {
          const bytes = compiled.encodeToBuffer(value as Parameters<typeof compiled.encode>[0])
          for (const [place, byte] of places) if (bytes.length > 0) bytes[place % bytes.length] = byte
          const left = outcome(() => compiled.decode(bytes))
          const right = outcome(() => interpreted.decode(bytes))
          expect(isDeepStrictEqual(left, right), `${title}: ${JSON.stringify([left, right].map(String))}`).toBe(true)
        }),
        { numRuns: runs },
      )
    }
  }, 120_000)
})
