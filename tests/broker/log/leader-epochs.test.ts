import { expect, test } from 'vitest'
import { LeaderEpochs } from '#broker/log/leader-epochs.ts'

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
