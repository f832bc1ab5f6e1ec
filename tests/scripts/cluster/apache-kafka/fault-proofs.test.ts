/** How faults inside Apache Kafka are seen to work: what is said of what the library and the probe tell. */
import { describe, expect, test } from 'vitest'
import { proveOnClock, proveOnDisk, type Probe } from '#scripts/cluster/apache-kafka/fault-proofs.ts'
import type { ClockOffset } from '#scripts/cluster/apache-kafka/fault-rules.ts'
import type { LabClock } from '#scripts/cluster/cluster.ts'

/** A call that took so long with the fault. */
const probeThatTook =
  (tookMs: number): Probe =>
  () =>
    Promise.resolve({
      exitCode: 0,
      stdout: JSON.stringify({
        before: { tookMs: 0.1, errno: 0, wrongBits: 0 },
        now: { tookMs, errno: 0, wrongBits: 0 },
        written: 0,
        bits: 0,
      }),
      stderr: '',
    })

test.each([
  [{ delay: 2_000, jitter: 0, rate: 3_000 }, 2_000, true],
  [{ delay: 2_000, jitter: 0, rate: 3_000 }, 1_900, false],
  [{ delay: 1_500, jitter: 0, rate: 3_000 }, 1_833, true],
  [{ delay: 1_500, jitter: 0, rate: 3_000 }, 1_600, false],
])('a disk that is slow by %o and took %i ms: %s', async (parameters, tookMs, shown) => {
  const run = probeThatTook(tookMs)
  expect(await proveOnDisk(run, 'slow-disk', { on: 'write', ...parameters })).toMatchObject({ shown })
})

describe('the clock', () => {
  /** What the JVM was told last, look by look; the last one stays. */
  const told = (...offsets: (ClockOffset | undefined)[]) => {
    let look = -1
    return () => Promise.resolve(offsets[(look = Math.min(look + 1, offsets.length - 1))])
  }
  /** Nobody waits for it. */
  let nowMs = 0
  const clock: LabClock = {
    nowMs: () => nowMs,
    sleep: ms => Promise.resolve(void (nowMs += ms)),
  }
  const at = (offsetMs: number, sinceMs = 0): ClockOffset => ({ offsetMs, sinceMs })

  test('jumps when the JVM asks', async () => {
    expect(await proveOnClock('clock-jump', { offset: -5_000 }, told(undefined, at(-5_000)), clock)).toEqual({
      shown: true,
      text: 'the JVM was told a time that is 5000 ms behind',
    })
  })

  test('drifts as quickly as it was ordered to, and no other way', async () => {
    const drift = (rate: number, ...offsets: ClockOffset[]) =>
      proveOnClock('clock-drift', { rate }, told(...offsets), clock)
    expect(await drift(100, at(1, 12), at(60, 600))).toEqual({
      shown: true,
      text: 'the time that the JVM is told gained 60 ms in 600 ms',
    })
    expect(await drift(-100, at(-60, 600))).toMatchObject({ shown: true })
    expect(await drift(1, at(1, 1_999), at(2, 2_001))).toMatchObject({ shown: true })
    expect(await drift(0.1, at(0, 2_001))).toMatchObject({ shown: undefined })
  })

  test.each([
    ['half as quickly', at(30, 600)],
    ['back', at(-60, 600)],
    ['not at all', at(0, 600)],
  ])('that goes %s instead is no such drift', async (_, offset) => {
    expect(await proveOnClock('clock-drift', { rate: 100 }, told(offset), clock)).toMatchObject({ shown: false })
  })

  test('is seen off and right when it goes there and back', async () => {
    const look = told(at(5_000), at(5_000), at(0))
    expect(await proveOnClock('clock-strobe', { offset: 5_000, period: 200 }, look, clock)).toEqual({
      shown: true,
      text: 'the JVM was told times that are right and 5000 ms ahead',
    })
  })
})
