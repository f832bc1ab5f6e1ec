import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { placeReplicas } from '#broker/controller/replica-placer.ts'
import type { UsableBroker } from '#broker/controller/replica-placer.ts'
import { seededRandom } from './harness.ts'

const brokers = (count: number, change: (id: number) => Partial<UsableBroker> = () => ({})): UsableBroker[] =>
  Array.from({ length: count }, (_, id) => ({ id, rack: null, fenced: false, ...change(id) }))

function place(usable: readonly UsableBroker[], partitions: number, replicationFactor: number, seed = 7): number[][] {
  const placed = placeReplicas(seededRandom(seed), usable, { partitions, replicationFactor })
  if ('impossible' in placed) throw new Error(placed.impossible)
  return placed
}

describe('replica placement', () => {
  it('gives every broker as many leaders and as many replicas', () => {
    const placed = place(brokers(4), 12, 3)
    const count = (ids: number[]) => [0, 1, 2, 3].map(id => ids.filter(other => other === id).length)
    expect(count(placed.map(replicas => replicas[0]!))).toEqual([3, 3, 3, 3])
    expect(count(placed.flat())).toEqual([9, 9, 9, 9])
  })

  it('spreads the replicas of a partition over racks before it takes two of one rack', () => {
    const placed = place(
      brokers(6, id => ({ rack: `rack${id % 3}` })),
      9,
      3,
    )
    for (const replicas of placed) expect(new Set(replicas.map(id => id % 3)).size).toBe(3)
  })

  it('takes fenced brokers only when the others do not suffice, and never first', () => {
    const usable = brokers(4, id => ({ fenced: id === 3 }))
    for (const replicas of place(usable, 8, 3)) expect(replicas).not.toContain(3)
    for (const replicas of place(usable, 8, 4)) expect(replicas.indexOf(3)).toBe(3)
  })

  it('says why it cannot be done', () => {
    const random = seededRandom(1)
    const impossible = (usable: readonly UsableBroker[], replicationFactor: number) =>
      placeReplicas(random, usable, { partitions: 1, replicationFactor })
    expect(impossible(brokers(2), 3)).toEqual({
      impossible:
        'The target replication factor of 3 cannot be reached because only 2 broker(s) are registered or some brokers have all their log directories cordoned.',
    })
    expect(
      impossible(
        brokers(2, () => ({ fenced: true })),
        1,
      ),
    ).toEqual({ impossible: 'All brokers are currently fenced, or have all their log directories cordoned.' })
    expect(impossible(brokers(2), 0)).toMatchObject({
      impossible: expect.stringContaining('must be positive') as string,
    })
  })

  it('always gives distinct known brokers, an unfenced one first', () => {
    const cluster = fc.array(fc.record({ rack: fc.constantFrom(null, 'a', 'b', 'c'), fenced: fc.boolean() }), {
      minLength: 1,
      maxLength: 9,
    })
    fc.assert(
      fc.property(cluster, fc.nat(8), fc.integer({ min: 1, max: 20 }), fc.nat(), (shape, extra, partitions, seed) => {
        const usable = shape.map((broker, id) => ({ id, ...broker }))
        fc.pre(usable.some(broker => !broker.fenced))
        const replicationFactor = 1 + (extra % usable.length)
        for (const replicas of place(usable, partitions, replicationFactor, seed)) {
          expect(new Set(replicas).size).toBe(replicationFactor)
          expect(usable[replicas[0]!]?.fenced).toBe(false)
        }
      }),
      { seed: 1, numRuns: 200 },
    )
  })
})
