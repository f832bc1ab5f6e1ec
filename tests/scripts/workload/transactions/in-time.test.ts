import { expect, test } from 'vitest'
import { inTime } from '#scripts/workload/transactions/in-time.ts'

/** An attempt that takes that long. */
const taking = (ms: number, had: number[]) => (timeoutMs: number, round: number) => {
  had.push(timeoutMs)
  return Promise.resolve(ms < timeoutMs ? { round } : undefined)
}

test('an attempt that came too late is made again with twice the time', async () => {
  const had: number[] = []
  expect(await inTime(1_000, taking(3_000, had))).toEqual({ round: 2 })
  expect(had).toEqual([1_000, 2_000, 4_000])
})

test('it gives up after four, and says so', async () => {
  const had: number[] = []
  await expect(inTime(1_000, taking(9_000, had))).rejects.toThrow('4 attempts came too late, the last with 8000 ms')
  expect(had).toHaveLength(4)
})
