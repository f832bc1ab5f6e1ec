import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeRequestFrame } from '#broker/protocol/headers.ts'
import { messagesOf } from '#broker/protocol/messages/index.ts'
import { FrameCutter, type FrameAction } from '#scripts/proxy/frame-cutter.ts'
import { decodeFrameStart, type FrameStart } from '#scripts/proxy/frame-start.ts'
import type { Way } from '#scripts/proxy/model.ts'

const metadata = messagesOf(3)!.request
const produce = messagesOf(0)!.request

interface Seen {
  readonly out: Buffer[]
  readonly starts: FrameStart[]
  readonly collected: Buffer[]
}

/** Cuts a stream that comes in these chunks; frames that are collected are put out again, as the proxy does. */
function cut(
  way: Way,
  chunks: readonly Buffer[],
  act: (start: FrameStart) => FrameAction,
): Seen & { cutter: FrameCutter } {
  const seen: Seen = { out: [], starts: [], collected: [] }
  const cutter = new FrameCutter(way, {
    wantsBoundaries: () => false,
    wantsClientIds: () => true,
    begin(start) {
      seen.starts.push(start)
      return act(start)
    },
    pass: bytes => seen.out.push(bytes),
    frame(bytes) {
      seen.collected.push(bytes)
      seen.out.push(bytes)
    },
    boundary: () => undefined,
  })
  for (const chunk of chunks) cutter.push(chunk)
  return { ...seen, cutter }
}

function requestFrame(correlationId: number, clientId: string | null, topics: number): Buffer {
  const body = { topics: Array.from({ length: topics }, (_, index) => ({ name: `topic-${index}` })) }
  return Buffer.concat(encodeRequestFrame({ version: 12, correlationId, clientId }, metadata, body as never))
}

function produceFrame(version: number, acks: number, transactionalId: string | null): Buffer {
  const body = { acks, timeoutMs: 1, transactionalId, topicData: [] }
  return Buffer.concat(encodeRequestFrame({ version, correlationId: 5, clientId: 'p' }, produce, body as never))
}

/** A stream in chunks whose boundaries may be anywhere. */
const chunked = (bytes: Buffer) =>
  fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 40 }).map(cuts => {
    const ends = [...new Set([...cuts, bytes.length])].filter(end => end > 0).sort((a, b) => a - b)
    return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
  })

const frames = fc.array(
  fc.record({
    correlationId: fc.integer({ min: 0, max: 1 << 30 }),
    clientId: fc.option(fc.string({ maxLength: 12 }), { nil: null }),
    topics: fc.integer({ min: 0, max: 30 }),
  }),
  { minLength: 1, maxLength: 12 },
)

describe('frames in a stream', () => {
  test('are found wherever chunks begin and end, and every byte passes in order', () => {
    fc.assert(
      fc.property(
        frames.chain(list => {
          const all = list.map(({ correlationId, clientId, topics }) => requestFrame(correlationId, clientId, topics))
          return fc.record({
            list: fc.constant(list),
            all: fc.constant(all),
            chunks: chunked(Buffer.concat(all)),
            every: fc.integer({ min: 1, max: 4 }),
          })
        }),
        ({ list, all, chunks, every }) => {
          let index = 0
          const seen = cut('request', chunks, () => (index++ % every === 0 ? 'collect' : 'pass'))
          expect(Buffer.concat(seen.out)).toEqual(Buffer.concat(all))
          expect(seen.collected).toEqual(all.filter((_, at) => at % every === 0))
          expect(
            seen.starts.map(({ correlationId, clientId, apiKey }) => ({ correlationId, clientId, apiKey })),
          ).toEqual(list.map(({ correlationId, clientId }) => ({ correlationId, clientId, apiKey: 3 })))
          expect(seen.cutter.atBoundary).toBe(true)
        },
      ),
    )
  })

  test('that are skipped leave exactly the others', () => {
    const all = [1, 2, 3, 4].map(id => requestFrame(id, 'c', id))
    fc.assert(
      fc.property(chunked(Buffer.concat(all)), chunks => {
        const seen = cut('request', chunks, ({ correlationId }) => (correlationId % 2 === 0 ? 'skip' : 'pass'))
        expect(Buffer.concat(seen.out)).toEqual(Buffer.concat([all[0]!, all[2]!]))
      }),
    )
  })

  test('pass as the very chunk that came when nobody looks at them', () => {
    const chunk = Buffer.concat([requestFrame(1, 'c', 2), requestFrame(2, 'c', 0)])
    expect(cut('request', [chunk], () => 'pass').out[0]).toBe(chunk)
  })

  test('of another protocol pass untouched', () => {
    const hello = Buffer.from('\x16\x03\x01\x02\x00hello'.padEnd(400, 'x'), 'latin1')
    hello.writeInt32BE(-5, 0)
    const seen = cut('request', [hello, Buffer.from('more')], () => 'skip')
    expect(Buffer.concat(seen.out).toString('latin1')).toBe(`${hello.toString('latin1')}more`)
    expect(seen.cutter.isOpaque).toBe(true)
  })

  test.each([
    [3, 0],
    [3, 1],
    [8, -1],
    [9, 0],
    [13, 0],
    [13, -1],
  ])('of Produce v%i with acks=%i are known to be answered or not', (version, acks) => {
    for (const transactionalId of [null, '', 'some-transaction']) {
      const start = decodeFrameStart('request', produceFrame(version, acks, transactionalId), 0, false)
      expect(start?.isAnswered).toBe(acks !== 0)
    }
  })
})
