import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EventQueue, WorldEvent } from '#simulator/world/event-queue.ts'
import { Prng } from '#simulator/world/prng.ts'

describe('seeded chance', () => {
  test('gives the same numbers on every machine', () => {
    const random = new Prng(1, 'stream')
    expect([random.uint32(), random.uint32(), random.below(10), random.below(2 ** 48)]).toMatchInlineSnapshot(`
      [
        2132432572,
        2234741615,
        6,
        5911346582632,
      ]
    `)
    expect(new Prng(1).bytes(5).toString('hex')).toBe(new Prng(1).bytes(5).toString('hex'))
  })

  test('streams and seeds are unrelated', () => {
    const draws = [new Prng(1, 'a'), new Prng(1, 'b'), new Prng(2, 'a'), new Prng(2 ** 32 + 1, 'a')].map(it =>
      it.uint32(),
    )
    expect(new Set(draws).size).toBe(4)
  })

  test('every value of a small range comes up about as often as the others', () => {
    const random = new Prng(9)
    const counts = Array.from({ length: 6 }, () => 0)
    for (let draw = 0; draw < 60_000; draw++) counts[random.below(6)]!++
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400)
  })
})

describe('the event queue', () => {
  test('gives events back by time, then by sequence, without the cancelled ones', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ timeUs: fc.nat(20), cancelled: fc.boolean() }), { maxLength: 200 }), list => {
        const queue = new EventQueue()
        const events = list.map(({ timeUs }, index) => new WorldEvent(timeUs, index, 'timer', undefined, () => {}))
        for (const event of events) queue.push(event)
        for (const [index, { cancelled }] of list.entries()) if (cancelled) queue.cancel(events[index]!)
        const expected = events
          .filter((_, index) => !list[index]!.cancelled)
          .sort((a, b) => a.timeUs - b.timeUs || a.sequence - b.sequence)
        const popped: WorldEvent[] = []
        for (let next = queue.pop(); next !== undefined; next = queue.pop()) popped.push(next)
        expect(popped).toEqual(expected)
        expect(queue.size).toBe(0)
      }),
    )
  })
})
