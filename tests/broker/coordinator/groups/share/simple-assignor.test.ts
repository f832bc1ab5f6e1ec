import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Assignment } from '#broker/coordinator/groups/modern/assignment.ts'
import type { GroupAssignment, MemberSpec } from '#broker/coordinator/groups/modern/assignors/assignor.ts'
import { simpleAssignor } from '#broker/coordinator/groups/share/simple-assignor.ts'

const spec = (memberId: string, topicIds: readonly string[], assignment: Assignment): MemberSpec => ({
  memberId,
  instanceId: null,
  rackId: null,
  topicIds: new Set(topicIds),
  assignment,
})

function assign(counts: Readonly<Record<string, number>>, members: readonly MemberSpec[]): GroupAssignment {
  const topics = { partitions: (topicId: string) => Array.from({ length: counts[topicId] ?? 0 }, (_, index) => index) }
  return simpleAssignor.assign({ members, isHomogeneous: true }, topics)
}

const sizes = (given: GroupAssignment): number[] =>
  [...given.values()].map(topics => [...topics.values()].reduce((sum, { size }) => sum + size, 0))

test('every partition has a member, every member a partition, and the load is even, whatever was before', () => {
  const ids = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 1, maxLength: 9 })
  fc.assert(
    fc.property(ids, ids, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 5 }), (before, after, a, b) => {
      const counts = { one: a, two: b }
      const first = assign(
        counts,
        before.map(id => spec(id, ['one', 'two'], new Map())),
      )
      const given = assign(
        counts,
        after.map(id => spec(id, ['one', 'two'], first.get(id) ?? new Map())),
      )
      const loads = sizes(given)
      expect(Math.min(...loads)).toBeGreaterThanOrEqual(1)
      expect(Math.max(...loads)).toBeLessThanOrEqual(Math.max(1, Math.ceil((a + b) / after.length)))
      const places = Object.entries(counts).flatMap(([topicId, count]) =>
        Array.from({ length: count }, (_, partition) => ({ topicId, partition })),
      )
      for (const { topicId, partition } of places) {
        const sharers = [...given.values()].filter(topics => topics.get(topicId)?.has(partition) === true).length
        expect(sharers).toBeGreaterThanOrEqual(1)
        expect(sharers).toBeLessThanOrEqual(Math.max(1, Math.ceil(after.length / (a + b))))
      }
    }),
  )
})

test('nothing moves while nothing changes', () => {
  const members = ['a', 'b', 'c'].map(id => spec(id, ['one'], new Map()))
  const first = assign({ one: 7 }, members)
  const again = assign(
    { one: 7 },
    ['a', 'b', 'c'].map(id => spec(id, ['one'], first.get(id) ?? new Map())),
  )
  expect(again).toEqual(first)
})
