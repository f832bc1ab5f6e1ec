import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { limits, ShareWorld } from './world.ts'

type Step = (world: ShareWorld) => void

const member = fc.constantFrom('a', 'b', 'c')
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.integer({ min: 1, max: 6 }).map(batches => (world: ShareWorld) => void (world.logEnd += 3 * batches)),
  fc.tuple(member, fc.integer({ min: 1, max: 12 }), fc.constantFrom(0, 1)).map(
    ([who, max, mode]) =>
      (world: ShareWorld) =>
        void world.acquire(who, max, mode),
  ),
  fc
    .tuple(member, fc.nat(20), fc.nat(6), fc.constantFrom(0, 1, 1, 2, 3, 4))
    .map(([who, from, count, type]) => (world: ShareWorld) => {
      const first = world.held(who)[from % Math.max(1, world.held(who).length)] ?? from
      world.acknowledge(who, first, first + count, type)
    }),
  fc.tuple(member).map(
    ([who]) =>
      (world: ShareWorld) =>
        world.release(who),
  ),
  fc.integer({ min: 1, max: 1500 }).map(ms => (world: ShareWorld) => world.pass(ms)),
  fc.boolean().map(hold => (world: ShareWorld) => {
    world.holdWrites = hold
    world.perform()
  }),
  fc
    .constantFrom('NONE' as const, 'NONE' as const, 'COORDINATOR_NOT_AVAILABLE' as const)
    .map(outcome => (world: ShareWorld) => world.finishOne(outcome)),
  fc.nat(6).map(by => (world: ShareWorld) => world.raiseLogStart(world.logStart + by)),
  fc.boolean().map(landed => (world: ShareWorld) => world.reload(landed)),
)

function drain(world: ShareWorld): void {
  world.holdWrites = false
  world.perform()
  for (let round = 0; round < 1000 && world.partition.startOffset < world.logEnd; round++) {
    for (const { firstOffset, lastOffset } of world.acquire('last', 10))
      expect(world.acknowledge('last', firstOffset, lastOffset, 1).error).toBe('NONE')
    if (!world.partition.canAcquire() || world.partition.nextFetchOffset() >= world.logEnd)
      world.pass(limits.lockDurationMs)
  }
}

describe('a share partition', () => {
  test('gives no record to two members at once, none again that is done with, and every record to somebody', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const world = new ShareWorld()
        for (const run of steps) run(world)
        drain(world)
        expect(world.partition.startOffset).toBe(Math.max(world.logEnd, world.logStart))
        for (let offset = world.logStart; offset < world.logEnd; offset++)
          expect(world.deliveries.get(offset) ?? 0, `deliveries of ${offset}`).toBeGreaterThanOrEqual(1)
      }),
      { numRuns: 300 },
    )
  })

  it('delivers a record up to the limit, counting, and then drops it', () => {
    const world = new ShareWorld()
    world.logEnd = 3
    const counts: number[][] = []
    for (let round = 0; round < 20 && world.partition.startOffset < 3; round++) {
      for (const { firstOffset, lastOffset, deliveryCount } of world.acquire('a', 10)) {
        counts.push(
          ...Array.from({ length: lastOffset - firstOffset + 1 }, (_, index) => [firstOffset + index, deliveryCount]),
        )
        world.acknowledge('a', firstOffset, lastOffset, 2)
      }
    }
    const of = (offset: number) => counts.filter(([at]) => at === offset).map(([, count]) => count)
    expect([of(0), of(1), of(2)]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ])
  })

  it('gives a record on its last attempt alone', () => {
    const world = new ShareWorld()
    world.logEnd = 3
    world.acknowledge('a', 0, world.acquire('a', 10)[0]?.lastOffset ?? -1, 2)
    for (let round = 0; round < 6; round++)
      for (const { firstOffset, lastOffset, deliveryCount } of world.acquire('a', 10)) {
        if (deliveryCount === limits.maxDeliveryCount) expect(firstOffset).toBe(lastOffset)
        world.acknowledge('a', firstOffset, lastOffset, 2)
      }
    expect(world.partition.startOffset).toBe(3)
  })

  it('takes back what was not acknowledged in time, and refuses the late acknowledgement', () => {
    const world = new ShareWorld()
    world.logEnd = 3
    world.acquire('a', 10)
    world.pass(limits.lockDurationMs - 1)
    expect(world.acquire('b', 10)).toEqual([])
    world.pass(1)
    expect(world.acquire('b', 10)).toEqual([{ firstOffset: 0, lastOffset: 2, deliveryCount: 2 }])
    expect(world.acknowledge('a', 0, 2, 1).error).toBe('INVALID_RECORD_STATE')
    expect(world.acknowledge('b', 0, 2, 1).error).toBe('NONE')
    expect(world.partition.startOffset).toBe(3)
  })

  it('keeps a renewed lock for its whole time again', () => {
    const world = new ShareWorld()
    world.logEnd = 3
    world.acquire('a', 10)
    world.pass(900)
    expect(world.acknowledge('a', 0, 2, 4).error).toBe('NONE')
    world.pass(900)
    expect(world.acquire('b', 10)).toEqual([])
    expect(world.acknowledge('a', 0, 2, 1).error).toBe('NONE')
  })

  it('does not count a delivery whose session ended', () => {
    const world = new ShareWorld()
    world.logEnd = 3
    world.acquire('a', 10)
    world.release('a')
    expect(world.acquire('b', 10)).toEqual([{ firstOffset: 0, lastOffset: 2, deliveryCount: 1 }])
  })

  it('takes an acknowledgement back when it could not be written', () => {
    const world = new ShareWorld()
    world.logEnd = 3
    world.acquire('a', 10)
    world.holdWrites = true
    const answer = world.acknowledge('a', 0, 2, 1)
    expect(answer.error).toBeUndefined()
    world.finishOne('COORDINATOR_NOT_AVAILABLE')
    expect(answer.error).toBe('COORDINATOR_NOT_AVAILABLE')
    expect(world.partition.startOffset).toBe(0)
    world.holdWrites = false
    expect(world.acknowledge('a', 0, 2, 1).error).toBe('NONE')
  })

  it('does all of an acknowledgement or nothing of it', () => {
    const world = new ShareWorld()
    world.logEnd = 6
    world.acquire('a', 3)
    world.acquire('b', 3)
    expect(world.acknowledge('a', 0, 5, 1).error).toBe('INVALID_RECORD_STATE')
    expect(world.partition.spans.map(({ state }) => state)).toEqual(['acquired', 'acquired'])
  })

  it('stops at the limit of records in flight', () => {
    const world = new ShareWorld()
    world.logEnd = 90
    let count = 0
    for (let round = 0; round < 30; round++)
      for (const { firstOffset, lastOffset } of world.acquire('a', 3)) count += lastOffset - firstOffset + 1
    expect(count).toBe(42)
    expect(world.partition.canAcquire()).toBe(false)
  })

  it('holds the record limit exactly where it is asked to', () => {
    const world = new ShareWorld()
    world.logEnd = 9
    expect(world.acquire('a', 4, 1)).toEqual([{ firstOffset: 0, lastOffset: 3, deliveryCount: 1 }])
    expect(world.acquire('b', 1, 0)).toEqual([{ firstOffset: 4, lastOffset: 5, deliveryCount: 1 }])
  })

  it('does not give out records of aborted transactions', () => {
    const world = new ShareWorld()
    world.logEnd = 9
    const range = (baseOffset: number) => ({ baseOffset, lastOffset: baseOffset + 2 })
    const acquired = world.partition.acquire(
      {
        memberId: 'a',
        mode: 0,
        maxRecords: 10,
        batchSize: 100,
        fetchOffset: 0,
        batches: [range(0), range(3), range(6)],
        aborted: [range(3)],
      },
      0,
    )
    expect(acquired).toEqual([
      { firstOffset: 0, lastOffset: 2, deliveryCount: 1 },
      { firstOffset: 6, lastOffset: 8, deliveryCount: 1 },
    ])
    expect(world.partition.spans.map(({ state }) => state)).toEqual(['acquired', 'archived', 'acquired'])
  })

  it('tells that another leader took over', () => {
    const world = new ShareWorld()
    world.logEnd = 3
    world.acquire('a', 10)
    world.holdWrites = true
    world.acknowledge('a', 0, 2, 1)
    world.finishOne('FENCED_LEADER_EPOCH')
    expect(world.fenced).toBe(true)
  })
})
