/** What a leader is asked about a log to which others write meanwhile. */
import { expect, test } from 'vitest'
import type { Line } from '#scripts/observe/lines.ts'
import { unknown } from '#scripts/observe/model.ts'
import { askWatermarks } from '#scripts/observe/offsets.ts'

interface Asked {
  readonly isolationLevel: number
  readonly topics: readonly { readonly partitions: readonly { readonly timestamp: number }[] }[]
}

const earliest = -2
const readCommitted = 1
const notAvailable = 78

/** A leader of orders-0 whose log has ten records more at each question, of which readers may see those below `openSince`. */
function leader({ openSince = Infinity, knowsHighWatermark = true } = {}): Line {
  let highWatermark = 100
  const answer = ({ isolationLevel, topics }: Asked) => {
    highWatermark += 10
    const isEarliest = topics[0]?.partitions[0]?.timestamp === earliest
    const latest = isolationLevel === readCommitted ? Math.min(openSince, highWatermark) : highWatermark
    const errorCode = isEarliest || isolationLevel === readCommitted || knowsHighWatermark ? 0 : notAvailable
    return { partitionIndex: 0, errorCode, offset: isEarliest ? 0 : latest, leaderEpoch: 0 }
  }
  const ask = (_: unknown, body: Asked) => Promise.resolve({ topics: [{ name: 'orders', partitions: [answer(body)] }] })
  return { broker: 1, ask } as unknown as Line
}

const watermarksOf = async (line: Line) =>
  (await askWatermarks(line, [{ topic: 'orders', index: 0, leaderEpoch: 0 }])).get('orders-0')

test('without a transaction the last stable offset is the high watermark, however much is written between two questions', async () => {
  expect(await watermarksOf(leader())).toEqual({ highWatermark: 120, lastStableOffset: 120, logStartOffset: 0 })
})

test('an open transaction is seen by what it holds back', async () => {
  expect(await watermarksOf(leader({ openSince: 105 }))).toMatchObject({ highWatermark: 120, lastStableOffset: 105 })
})

test('the last stable offset is told also where the high watermark is not known', async () => {
  expect(await watermarksOf(leader({ knowsHighWatermark: false }))).toMatchObject({
    highWatermark: unknown('broker 1 answers OFFSET_NOT_AVAILABLE'),
    lastStableOffset: 130,
  })
})
