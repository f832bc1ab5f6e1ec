import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { DiskError, type Logger } from '#broker/environment/environment.ts'
import { EpochFile, type LogWithEpochs } from '#broker/log/epoch-file.ts'
import type { Segment } from '#broker/log/segment.ts'
import { LeaderEpochs } from '#broker/log/leader-epochs.ts'
import { batchOf } from './harness.ts'

const saved = [
  { epoch: 1, startOffset: 0 },
  { epoch: 4, startOffset: 70 },
]

test.each([
  ['the same', [[4, 70]], Infinity],
  [
    'one more',
    [
      [4, 70],
      [5, 100],
    ],
    100,
  ],
  ['one less', [], 70],
  ['another instead', [[5, 60]], 60],
])('after changes that led to %s, the file differs from there on', (_, entries, unsavedFrom) => {
  const epochs = new LeaderEpochs(saved)
  epochs.clear()
  epochs.assign(1, 0)
  for (const [epoch, startOffset] of entries) epochs.assign(epoch!, startOffset!)
  expect(epochs.unsavedFrom).toBe(0)
  epochs.compareWith(saved)
  expect(epochs.unsavedFrom).toBe(unsavedFrom)
})

test('an epoch in which nothing was written leaves no trace, and what was before it goes on from where it began', () => {
  const leadersWithWrites = fc.array(
    fc.record({ skip: fc.integer({ min: 1, max: 3 }), records: fc.integer({ min: 0, max: 3 }) }),
  )
  fc.assert(
    fc.property(leadersWithWrites, leaders => {
      const epochs = new LeaderEpochs()
      const written: number[] = []
      let epoch = 0
      for (const { skip, records } of leaders) {
        epoch += skip
        // It leads, writes, and then hears of what another leader of an earlier epoch had written: as a follower that was leader meanwhile.
        epochs.assign(epoch, written.length)
        const writer = records % 2 === 0 ? epoch : (written.at(-1) ?? epoch)
        for (let count = 0; count < records; count++) {
          epochs.assign(writer, written.length)
          written.push(writer)
        }
      }
      for (const [offset, writer] of written.entries()) {
        expect(epochs.epochAt(offset)).toBe(writer)
        const end = written.lastIndexOf(writer) + 1
        if (end < written.length)
          expect(epochs.endOffsetFor(writer, written.length)).toEqual({ leaderEpoch: writer, endOffset: end })
      }
    }),
  )
})

test('epochs that are not those of the batches stay until the batches can be read, and are checked again then', () => {
  const bytes = batchOf(['a'])
  // Its leader epoch.
  bytes.writeInt32BE(5, 12)
  const epochs = new LeaderEpochs([{ epoch: 3, startOffset: 0 }])
  let scans = 0
  const scan = (_position: number, visit: (bytes: Buffer, at: number) => boolean): void => {
    if (++scans === 2) throw new DiskError('EMFILE', 'open', '/data/events-0')
    visit(bytes, 0)
  }
  const segment = { baseOffset: 0, damaged: [], positionOf: () => 0, scan, scanThrough: scan } as unknown as Segment
  const log = { warn() {} } as unknown as Logger
  const about = {
    log,
    directory: '/data/events-0',
    epochs,
    currentSegments: [segment],
    logStartOffset: 0,
    logEndOffset: 1,
  }
  const file = new EpochFile(about as unknown as LogWithEpochs)
  expect(() => file.check()).toThrow('EMFILE')
  expect(epochs.all).toEqual([{ epoch: 3, startOffset: 0 }])
  file.check()
  expect(epochs.all).toEqual([{ epoch: 5, startOffset: 0 }])
})
