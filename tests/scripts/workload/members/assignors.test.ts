import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  assignCooperatively,
  assignRanges,
  decodeAssignment,
  encodeAssignment,
  encodeSubscription,
  ownedIn,
  type Candidate,
} from '#scripts/workload/members/assignors.ts'

const candidate = (id: string, owned: readonly number[] = [], instanceId: string | null = null): Candidate => ({
  id,
  owned,
  instanceId,
})

describe('ranges', () => {
  test('give each member partitions in a row, the first ones one more', () => {
    expect([...assignRanges([candidate('b'), candidate('a'), candidate('c')], 7)]).toEqual([
      ['a', [0, 1, 2]],
      ['b', [3, 4]],
      ['c', [5, 6]],
    ])
  })

  test('give the last members nothing when there are more members than partitions', () => {
    expect([...assignRanges([candidate('a'), candidate('b')], 1)]).toEqual([
      ['a', [0]],
      ['b', []],
    ])
  })

  test('of static members follow their instance ids, which outlive member ids', () => {
    const members = [candidate('z', [], 'node-1'), candidate('a', [], 'node-2')]
    expect([...assignRanges(members, 2)]).toEqual([
      ['z', [0]],
      ['a', [1]],
    ])
  })
})

describe('cooperative assignments', () => {
  test('leave with their owners all that they keep, and give what changes hands to nobody yet', () => {
    const assignment = assignCooperatively([candidate('a', [0, 1, 2]), candidate('b', [3, 4, 5]), candidate('c')], 6)
    expect([...assignment]).toEqual([
      ['a', [0, 1]],
      ['b', [3, 4]],
      ['c', []],
    ])
  })

  test('give in the next generation what was let go of', () => {
    const assignment = assignCooperatively([candidate('a', [0, 1]), candidate('b', [3, 4]), candidate('c')], 6)
    expect(assignment.get('c')).toEqual([2, 5])
  })

  test('trust nobody where two say that they own the same', () => {
    const assignment = assignCooperatively([candidate('a', [0]), candidate('b', [0])], 2)
    expect([...assignment.values()].flat().toSorted((a, b) => a - b)).toEqual([0, 1])
  })

  test('come to rest after two generations: everything given, evenly, and nothing moved that need not', () => {
    const owners = fc.integer({ min: 1, max: 5 }).chain(members =>
      fc.record({
        members: fc.constant(members),
        owned: fc.array(fc.integer({ min: -1, max: members - 1 }), { minLength: 1, maxLength: 12 }),
      }),
    )
    fc.assert(
      fc.property(owners, ({ members, owned }) => {
        const before = Array.from({ length: members }, (_, index) =>
          candidate(
            `m${index}`,
            owned.flatMap((owner, partition) => (owner === index ? [partition] : [])),
          ),
        )
        const first = assignCooperatively(before, owned.length)
        // Nobody is given what somebody else still has.
        for (const [id, share] of first)
          for (const partition of share) expect(['m-1', id]).toContain(`m${owned[partition]}`)
        const second = assignCooperatively(
          before.map(({ id }) => candidate(id, first.get(id))),
          owned.length,
        )
        expect([...second.values()].flat().toSorted((a, b) => a - b)).toEqual(owned.map((_, partition) => partition))
        const counts = [...second.values()].map(share => share.length)
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
        for (const [id, share] of first) expect(second.get(id)).toEqual(expect.arrayContaining([...share]))
      }),
    )
  })
})

describe('what members tell', () => {
  test('comes back as it was said', () => {
    expect(ownedIn(encodeSubscription('orders', [3, 1]), 'orders')).toEqual([3, 1])
    expect(ownedIn(encodeSubscription('orders', [3, 1]), 'others')).toEqual([])
    expect(decodeAssignment(encodeAssignment('orders', [0, 2]), 'orders')).toEqual([0, 2])
    expect(decodeAssignment(encodeAssignment('orders', []), 'orders')).toEqual([])
  })

  test('no assignment at all is none', () => {
    expect(decodeAssignment(Buffer.alloc(0), 'orders')).toEqual([])
  })
})
