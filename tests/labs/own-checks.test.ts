/** What checks of a lab's own tell apart, by histories by hand. */
import { describe, expect, test } from 'vitest'
import { analyse } from '#scripts/checkers/analysis.ts'
import type { OwnCheck } from '#scripts/checkers/result.ts'
import type { FactValue, ObservedPartition, Operation } from '#scripts/history/operation.ts'
import { loadLab } from '#scripts/labs/load.ts'

/** Of the main variant. */
async function checkOf(lab: string, name: string): Promise<OwnCheck> {
  const { variants } = await loadLab(lab)
  const found = variants[0]?.checks.find(each => typeof each !== 'string' && each.name === name)
  return found as OwnCheck
}

function judged(check: OwnCheck, entries: readonly object[]) {
  const history = entries.map((entry, index) => ({ index, timeMs: index, ...entry }) as Operation)
  return check.judge(analyse(history)).valid
}

const facts = (values: Readonly<Record<string, FactValue>>) =>
  Object.entries(values).map(([name, value]) => ({ process: 'lab', type: 'ok', f: 'fact', value: { name, value } }))

test('lab 12 sees writers that wait for the next controller', async () => {
  const check = await checkOf('12', 'writers-go-on')
  const waited = (ms: number) =>
    judged(
      check,
      facts({ 'without a controller that answers, ms': 2_000, 'longest wait of writers meanwhile, ms': ms }),
    )
  expect([waited(60), waited(1_700)]).toEqual([true, false])
})

describe('lab 06 follows the high watermark', () => {
  const seen = (leaderEpoch: number, highWatermark: number | null) => {
    const partition: ObservedPartition = {
      leader: 1,
      leaderEpoch,
      replicas: [1, 2],
      isr: [1, 2],
      highWatermark,
      logEndOffsets: {},
    }
    const value = { brokers: [1, 2], reachable: [1, 2], controller: 1, partitions: { 'x-0': partition } }
    return { process: 'observer', type: 'ok', f: 'observe', value }
  }

  test('of each leader epoch on its own: a new leader begins with an older one', async () => {
    const check = await checkOf('06', 'high-watermark-rises')
    expect(judged(check, [seen(0, 3), seen(0, 7), seen(1, 5), seen(1, 9)])).toBe(true)
    expect(judged(check, [seen(0, 3), seen(1, 5), seen(1, 4)])).toBe(false)
    expect(judged(check, [seen(0, 3), seen(0, null), seen(1, 5)])).toBe('unknown')
  })
})
