/** In which log directory a new log goes. */
import { expect, test } from 'vitest'
import { LogPlacement } from '#broker/log/log-placement.ts'

const directory = (path: string, size: number) => ({
  path,
  id: `id of ${path}`,
  online: true,
  room: { full: undefined },
  logs: { size },
})
const topic = (index: number) => ({ topic: `t${index}`, partition: 0 })

test('of the wishes for partitions that never came the last ten thousand are kept', () => {
  const placement = new LogPlacement([directory('/a', 0), directory('/b', 1)])
  const pathOf = (index: number) => placement.choose(topic(index), undefined)?.path
  for (let index = 0; index < 10_000; index += 1) placement.prefer(topic(index), '/b')
  expect([0, 1, 9_999].map(pathOf)).toEqual(['/b', '/b', '/b'])
  // Said again, it is the last one.
  placement.prefer(topic(0), '/b')
  placement.prefer(topic(10_000), '/b')
  expect([0, 1, 2, 10_000].map(pathOf)).toEqual(['/b', '/a', '/b', '/b'])
  placement.placed(topic(2))
  expect(pathOf(2)).toBe('/a')
})
