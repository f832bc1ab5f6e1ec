/** What a follower asks its leader when compaction took the beginnings of leader epochs. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { LeaderEpochs, type EpochEntry } from '#broker/log/leader-epochs.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { earlierEpochs } from '#broker/replication/earlier-epochs.ts'
import { gapBeforeEpoch } from '#broker/replication/record-batches.ts'

const batch = (baseOffset: number, partitionLeaderEpoch: number, count = 1): Buffer => {
  const values = Array.from({ length: count }, (_, index) => ({ value: String(index) }))
  return buildBatch(values, { baseOffset, partitionLeaderEpoch, timestamp: 1 })
}

test('a gap is where offsets are missing before a batch of a newer epoch', () => {
  const has = { endOffset: 4, epoch: 1 }
  const gapIn = (...records: Buffer[]) => gapBeforeEpoch(Buffer.concat(records), has)
  expect(gapIn()).toBeUndefined()
  expect(gapIn(batch(4, 1), batch(5, 2))).toBeUndefined()
  // Of the same epoch: where that began is known.
  expect(gapIn(batch(9, 1), batch(10, 2))).toBeUndefined()
  expect(gapIn(batch(6, 2))).toEqual({ position: 0, epoch: 2, baseOffset: 6 })
  const first = batch(4, 1, 3)
  expect(gapIn(first, batch(8, 3))).toEqual({ position: first.length, epoch: 3, baseOffset: 8 })
})

/** Epochs of a leader with where they begin, rising; the log is compacted up to somewhere in the last of them. */
const histories = fc
  .array(fc.record({ skip: fc.integer({ min: 1, max: 4 }), records: fc.integer({ min: 1, max: 5 }) }), {
    minLength: 1,
    maxLength: 8,
  })
  .map(leaders => {
    const entries: EpochEntry[] = []
    let [epoch, offset] = [-1, 0]
    for (const { skip, records } of leaders) {
      epoch += skip
      entries.push({ epoch, startOffset: offset })
      offset += records
    }
    return { entries, logEndOffset: offset }
  })

test('a follower learns from the leader where each epoch began that it has nothing of', async () => {
  await fc.assert(
    fc.asyncProperty(histories, fc.nat(), fc.nat(), async ({ entries, logEndOffset }, known, behind) => {
      const leader = new LeaderEpochs(entries)
      const ask = (epoch: number) => Promise.resolve(leader.endOffsetFor(epoch, logEndOffset))
      // The follower has all of some epochs, and the next batch that is left is of a later one.
      const has = known % entries.length
      const last = has + (behind % (entries.length - has))
      const gap = { epoch: entries[last]!.epoch, baseOffset: entries[last]!.startOffset + 1 }
      const own = { endOffset: entries[has]!.startOffset, epoch: entries[has - 1]?.epoch ?? -1 }
      expect(await earlierEpochs(gap, own, ask)).toEqual(entries.slice(has, last + 1))
    }),
  )
})

test('a leader that knows no better is believed as Kafka’s replicas would; one that does not answer is asked again', async () => {
  const gap = { epoch: 5, baseOffset: 20 }
  const has = { endOffset: 10, epoch: 3 }
  const answers = (endOffset: number, leaderEpoch: number) => () => Promise.resolve({ leaderEpoch, endOffset })
  const itself = [{ epoch: 5, startOffset: 20 }]
  expect(await earlierEpochs(gap, has, answers(-1, -1))).toEqual(itself)
  expect(await earlierEpochs(gap, has, answers(9, 3))).toEqual(itself)
  expect(await earlierEpochs(gap, has, answers(21, 3))).toEqual(itself)
  expect(await earlierEpochs(gap, has, () => Promise.resolve(undefined))).toBeUndefined()
  expect(await earlierEpochs({ epoch: 0, baseOffset: 7 }, { endOffset: 2, epoch: -1 }, answers(-1, -1))).toEqual([
    { epoch: 0, startOffset: 2 },
  ])
})
