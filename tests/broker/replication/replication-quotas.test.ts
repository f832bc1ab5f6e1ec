import { describe, expect, test } from 'vitest'
import * as fc from 'fast-check'
import { errorCode } from '#broker/protocol/errors.ts'
import { throttledPartitions, WindowedRate } from '#broker/replication/replication-quotas.ts'
import { TestCluster } from './test-cluster.ts'

const windows = { count: 11, lengthMs: 1000 }

describe('the rate over windows', () => {
  test('is that of one whole window at first, and of the time since the oldest window after that', () => {
    const rate = new WindowedRate(windows)
    expect(rate.bytesPerSecond(0)).toBe(0)
    rate.record(5_000, 0)
    expect(rate.bytesPerSecond(10)).toBe(5_000)
    expect(rate.bytesPerSecond(2_000)).toBe(2_500)
    rate.record(5_000, 5_000)
    expect(rate.bytesPerSecond(5_000)).toBe(2_000)
  })

  test('forgets a window as long after its last record as all windows are long', () => {
    const rate = new WindowedRate(windows)
    rate.record(1_000, 0)
    rate.record(1_000, 900)
    expect(rate.bytesPerSecond(11_899)).toBeGreaterThan(0)
    expect(rate.bytesPerSecond(11_900)).toBe(0)
  })

  test('never exceeds what was recorded within a second, and keeps a bounded number of windows', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5_000), fc.nat(100_000)), { minLength: 1, maxLength: 100 }), steps => {
        const rate = new WindowedRate(windows)
        let nowMs = 0
        let total = 0
        for (const [passMs, bytes] of steps) {
          nowMs += passMs
          total += bytes
          rate.record(bytes, nowMs)
          expect(rate.bytesPerSecond(nowMs)).toBeLessThanOrEqual(total)
        }
      }),
    )
  })
})

test('the list of throttled replicas names partitions and brokers, or all', () => {
  expect(throttledPartitions('', 1)).toBeUndefined()
  expect(throttledPartitions(' * ', 1)).toBe('all')
  expect(throttledPartitions('0:1,0:2,3:1', 1)).toEqual(new Set([0, 3]))
  expect(throttledPartitions('0:2', 1)).toEqual(new Set())
})

describe.each(['leader', 'follower'] as const)('a throttle on the side of the %s', side => {
  const bytesPerSecond = 20_000
  const value = 'x'.repeat(5_000)

  async function reassigning(): Promise<TestCluster> {
    const cluster = new TestCluster(3, {
      'replica.fetch.max.bytes': '10000',
      'replica.fetch.response.max.bytes': '10000',
    })
    cluster.createTopic('events', [1, 2])
    for (let count = 0; count < 30; count++) await cluster.until(cluster.broker(1).produce('events', [value]))
    cluster.configure('topic', 'events', `${side}.replication.throttled.replicas`, side === 'leader' ? '0:1' : '0:3')
    cluster.configure('broker', '', `${side}.replication.throttled.rate`, String(bytesPerSecond))
    cluster.change('events', { replicas: [1, 2, 3], addingReplicas: [3], directories: [] })
    return cluster
  }
  const held = (cluster: TestCluster): number => cluster.broker(3).replica('events').log.sizeBytes

  test('lets a new replica fetch at its rate, not faster, and lets it catch up', async () => {
    const cluster = await reassigning()
    const startMs = cluster.time.nowMs
    for (let second = 1; second <= 10; second++) {
      await cluster.time.run(startMs + second * 1000 - cluster.time.nowMs)
      // One window ahead, and the answer that went over the limit.
      expect(held(cluster)).toBeLessThanOrEqual((second + 1) * bytesPerSecond + 15_000)
    }
    expect(held(cluster)).toBeGreaterThan(8 * bytesPerSecond)
    expect(cluster.partition('events').isr).toEqual([1, 2])
    await cluster.time.run(10_000)
    expect(cluster.partition('events').isr).toEqual([1, 2, 3])
  })

  test('never holds back replicas in sync: a burst is committed at once', async () => {
    const cluster = await reassigning()
    cluster.configure('topic', 'events', `${side}.replication.throttled.replicas`, '*')
    await cluster.time.run(2_000)
    const startMs = cluster.time.nowMs
    for (let count = 0; count < 20; count++) {
      const answer = await cluster.until(cluster.broker(1).produce('events', [value]))
      expect(answer.errorCode).toBe(errorCode('NONE'))
    }
    expect(cluster.time.nowMs - startMs).toBeLessThan(1_000)
    expect(cluster.partition('events').isr).toEqual([1, 2])
  })

  test('is over when it is taken away', async () => {
    const cluster = await reassigning()
    await cluster.time.run(1_000)
    cluster.configure('topic', 'events', `${side}.replication.throttled.replicas`, null)
    await cluster.time.run(2_500)
    expect(cluster.partition('events').isr).toEqual([1, 2, 3])
  })
})
