import { expect, test } from 'vitest'
import { OpenFiles } from '#broker/log/open-files.ts'

test('fsyncs wait their turn, and tens of thousands that are over at once end without a deep stack', () => {
  const openFiles = new OpenFiles(8)
  const underWay: (() => void)[] = []
  for (let index = 0; index < 4; index++) openFiles.whenSyncMayStart(ended => underWay.push(ended))
  expect(underWay).toHaveLength(4)
  const order: number[] = []
  for (let index = 0; index < 50_000; index++)
    openFiles.whenSyncMayStart(ended => {
      order.push(index)
      ended()
    })
  expect(order).toEqual([])
  underWay[0]!()
  expect(order).toHaveLength(50_000)
  expect(order.slice(0, 3)).toEqual([0, 1, 2])
})
