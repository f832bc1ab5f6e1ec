import { describe, expect, test } from 'vitest'
import { longestUnreadMs, readings } from '#scripts/checkers/readings.ts'
import type { Operation, PolledRecords } from '#scripts/history/operation.ts'

let index = 0
const poll = (client: string, timeMs: number, polled: PolledRecords): Operation => ({
  index: index++,
  timeMs,
  process: 1,
  client,
  type: 'ok',
  f: 'poll',
  value: [['poll', polled]],
})
const some = [[0, 'x']] as const
const history = [
  poll('fast', 100, { 'a-0': some, 'a-1': some }),
  poll('fast', 150, { 'a-0': some }),
  poll('fast', 200, { 'a-0': [] }),
  poll('other', 900, { 'a-1': some }),
  poll('fast', 1_000, { 'a-0': some }),
  poll('fast', 1_010, { 'a-0': some }),
]

describe('readings', () => {
  test('are the polls that gave records, and of which partitions', () => {
    expect(readings(history).map(({ client, timeMs, names }) => `${client} ${timeMs} ${names.join()}`)).toEqual([
      'fast 100 a-0,a-1',
      'fast 150 a-0',
      'other 900 a-1',
      'fast 1000 a-0',
      'fast 1010 a-0',
    ])
  })

  test('show for how long a partition was not read, by whomever', () => {
    expect(longestUnreadMs(history, 'a-0', 0)).toBe(850)
    expect(longestUnreadMs(history, 'a-1', 0)).toBe(800)
  })

  test('count a time that began before, and none that had ended', () => {
    expect(longestUnreadMs(history, 'a-0', 500)).toBe(850)
    expect(longestUnreadMs(history, 'a-0', 1_001)).toBe(10)
    expect(longestUnreadMs(history, 'a-2', 0)).toBe(0)
  })
})
