/** The pace of a link that is slow, in a time that passes only when it is told to. */
import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { seededRandom } from '#scripts/cluster/random.ts'
import { wayBehaviour } from '#scripts/proxy/byte-faults.ts'
import { Outlet, type WayFault } from '#scripts/proxy/outlet.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** A way of a connection, and what has gone out of it. */
class End {
  readonly outlet = new Outlet(() => undefined)
  sentBytes = 0

  constructor(...faults: WayFault[]) {
    const write = (bytes: Buffer) => {
      this.sentBytes += bytes.length
      return true
    }
    this.outlet.attach({ destroyed: false, writableNeedDrain: false, on: () => undefined, write } as unknown as Socket)
    this.outlet.replan(faults)
  }

  push(bytes: number): void {
    this.outlet.push(Buffer.alloc(bytes))
  }
}

function fault(kind: string, parameters: Readonly<Record<string, number | string>>): WayFault {
  return { behaviour: wayBehaviour(kind, parameters, seededRandom(1))!, hit: () => undefined }
}

/** In pieces of 5,000 bytes, of which one takes 50 ms. */
const bandwidth = () => fault('bandwidth', { rate: 100_000 })
const slice = () => fault('slice', { size: 100, variation: 0, delay: 10 })
const latency = (delay: number) => fault('latency', { delay, jitter: 0, distribution: 'uniform' })

describe('bytes that wait for a slow link', () => {
  test.each([
    ['bandwidth', bandwidth(), 100_000, 5_000],
    ['slice', slice(), 10_000, 100],
  ])('take its time once, though another fault heals meanwhile: %s', (_, slow, bytes, pieceBytes) => {
    const healing = latency(10)
    const end = new End(slow, healing)
    end.push(bytes)
    vi.advanceTimersByTime(300)
    const before = end.sentBytes
    expect(before).toBeGreaterThan(0)
    end.outlet.replan([slow])
    vi.advanceTimersByTime(300)
    expect(end.sentBytes).toBeGreaterThanOrEqual(2 * before)
    expect(end.sentBytes).toBeLessThanOrEqual(2 * before + 2 * pieceBytes)
    vi.advanceTimersByTime(500)
    expect(end.sentBytes).toBe(bytes)
  })

  test('do not wait for what another fault would have made of the link when that heals', () => {
    const [slow, healing] = [bandwidth(), latency(600_000)]
    const end = new End(healing, slow)
    end.push(10_000)
    vi.advanceTimersByTime(100)
    expect(end.sentBytes).toBe(0)
    end.outlet.replan([slow])
    vi.advanceTimersByTime(200)
    expect(end.sentBytes).toBe(10_000)
  })

  test('of a connection that has gone take none of it from the others', () => {
    const slow = bandwidth()
    const [gone, other] = [new End(slow), new End(slow)]
    gone.push(1_000_000)
    gone.outlet.discard()
    other.push(5_000)
    vi.advanceTimersByTime(51)
    expect(other.sentBytes).toBe(5_000)
  })

  test('of all its connections share it piece by piece, and pass no faster than one alone', () => {
    const slow = bandwidth()
    const ends = [new End(slow), new End(slow)]
    for (const end of ends) end.push(50_000)
    vi.advanceTimersByTime(505)
    const sent = ends.map(({ sentBytes }) => sentBytes)
    expect(sent[0]! + sent[1]!).toBe(50_000)
    expect(Math.abs(sent[0]! - sent[1]!)).toBeLessThanOrEqual(5_000)
    vi.advanceTimersByTime(505)
    expect(ends.map(({ sentBytes }) => sentBytes)).toEqual([50_000, 50_000])
  })
})
