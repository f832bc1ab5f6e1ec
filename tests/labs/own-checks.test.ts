/** What checks of a lab's own tell apart, by histories by hand. */
import { describe, expect, test } from 'vitest'
import { analyse } from '#scripts/checkers/analysis.ts'
import type { OwnCheck } from '#scripts/checkers/result.ts'
import type { FactValue, ObservedPartition, Operation } from '#scripts/history/operation.ts'
import { loadLab } from '#scripts/labs/load.ts'

async function checkOf(lab: string, name: string): Promise<OwnCheck> {
  const { variants } = await loadLab(lab)
  const checks = variants.flatMap(variant => variant.checks)
  const found = checks.find(each => typeof each !== 'string' && each.name === name)
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

describe('a machine that is too slow breaks no promise: it is unknown', () => {
  const told = 'answers that told to wait'

  test('whether lab 23 held a client to its quota', async () => {
    const noFaster = await checkOf('23', 'no-faster-than-quota')
    const toldToWait = await checkOf('23', 'told-to-wait')
    const verdicts = (bytes: number, count: number) =>
      [noFaster, toldToWait].map(check =>
        judged(check, facts({ 'bytes per second': bytes, [told]: count, 'longest throttle time, ms': 0 })),
      )
    expect(verdicts(50_000, 9)).toEqual([true, true])
    expect(verdicts(900_000, 0)).toEqual([false, false])
    expect(verdicts(30_000, 0)).toEqual(['unknown', 'unknown'])
  })

  test('whether its answers came in time', async () => {
    const atOnce = await checkOf('23', 'answers-come-at-once')
    const notHeard = await checkOf('23', 'broker-does-not-listen')
    const verdict = (check: OwnCheck, inTime: number, askedLate: number, delayMs: number) =>
      judged(
        check,
        facts({
          [told]: 10,
          'of them in less than half that time': inTime,
          'answers that came half as late as the one before told': inTime,
          'of the others, how many were asked for as late': askedLate,
          'longest delay that no quota explains, ms': delayMs,
          'longest throttle time, ms': 1_000,
          'longest wait for an answer, ms': 1_000,
        }),
      )
    expect([verdict(atOnce, 6, 0, 900), verdict(atOnce, 2, 9, 20), verdict(atOnce, 2, 0, 600)]).toEqual([
      true,
      false,
      'unknown',
    ])
    expect([verdict(notHeard, 6, 4, 900), verdict(notHeard, 2, 3, 900), verdict(notHeard, 2, 4, 0)]).toEqual([
      true,
      false,
      'unknown',
    ])
  })

  test('who stopped reading in lab 19', async () => {
    const kept = 'partitions of the fast member that it kept'
    const early = 'partitions of the new member before the slow one polled again'
    const verdicts = async (unreadMs: number, partitions: number, gapMs: number) => {
      const values = facts({
        [kept]: 2,
        'longest time without reading one of them, ms': unreadMs,
        [early]: partitions,
        'ms until the new member had all that it was to have': 3_000,
        'longest time from one round of writes to the next, ms': gapMs,
      })
      const names = ['only-what-moves-stops', 'nobody-waits-for-the-slowest']
      return await Promise.all(names.map(async name => judged(await checkOf('19', name), values)))
    }
    expect(await verdicts(110, 1, 900)).toEqual([true, true])
    expect(await verdicts(2_900, 0, 60)).toEqual([false, false])
    expect(await verdicts(2_900, 0, 900)).toEqual(['unknown', 'unknown'])
  })
})
