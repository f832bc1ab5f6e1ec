import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { partitionsOf, type Assignment } from '#broker/coordinator/groups/modern/assignment.ts'
import type {
  Assignor,
  GroupSpec,
  MemberSpec,
  TopicDescriber,
} from '#broker/coordinator/groups/modern/assignors/assignor.ts'
import { rangeAssignor } from '#broker/coordinator/groups/modern/assignors/range.ts'
import { uniformAssignor } from '#broker/coordinator/groups/modern/assignors/uniform.ts'

type Topics = Readonly<Record<string, number>>

const describer = (topics: Topics): TopicDescriber => ({
  partitions: topicId => Array.from({ length: topics[topicId] ?? 0 }, (_, index) => index),
})

const member = (memberId: string, topicIds: readonly string[], assignment: Assignment = new Map()): MemberSpec => ({
  memberId,
  instanceId: null,
  rackId: null,
  topicIds: new Set(topicIds),
  assignment,
})

function run(assignor: Assignor, members: readonly MemberSpec[], topics: Topics): ReadonlyMap<string, Assignment> {
  const isHomogeneous = new Set(members.map(({ topicIds }) => [...topicIds].sort().join())).size <= 1
  const group: GroupSpec = { members, isHomogeneous }
  return assignor.assign(group, describer(topics))
}

const names = (assignment: Assignment | undefined): string[] =>
  [...partitionsOf(assignment ?? new Map())].map(([topic, partition]) => `${topic}${partition}`).sort()

const topicsGiven = fc.dictionary(fc.constantFrom('A', 'B', 'C', 'D'), fc.nat(12), { minKeys: 1 })
const life = fc.array(
  fc.record({
    topics: topicsGiven,
    members: fc.dictionary(fc.constantFrom('m1', 'm2', 'm3', 'm4', 'm5', 'm6'), fc.subarray(['A', 'B', 'C', 'D']), {
      minKeys: 1,
    }),
  }),
  { minLength: 1, maxLength: 6 },
)

function exactlyOnce(assigned: ReadonlyMap<string, Assignment>, members: readonly MemberSpec[], topics: Topics): void {
  const subscribed = new Set(members.flatMap(({ topicIds }) => [...topicIds]))
  const wanted = [...subscribed].flatMap(topic =>
    describer(topics)
      .partitions(topic)
      .map(index => `${topic}${index}`),
  )
  expect([...assigned.values()].flatMap(names).sort()).toEqual(wanted.sort())
  for (const { memberId, topicIds } of members)
    for (const topic of assigned.get(memberId)?.keys() ?? []) expect(topicIds.has(topic)).toBe(true)
}

describe.each([rangeAssignor, uniformAssignor])('the assignor $name', assignor => {
  it('gives every partition of a subscribed topic to exactly one subscriber, through the life of a group', () => {
    fc.assert(
      fc.property(life, steps => {
        let last: ReadonlyMap<string, Assignment> = new Map()
        for (const { topics, members } of steps) {
          const before = last
          const specs = Object.entries(members).map(([id, subscribed]) => member(id, subscribed, before.get(id)))
          const existing = specs.map(each => ({
            ...each,
            topicIds: new Set([...each.topicIds].filter(topic => topics[topic] !== undefined)),
          }))
          last = run(assignor, existing, topics)
          exactlyOnce(last, existing, topics)
        }
      }),
    )
  })
})

describe('the assignor uniform', () => {
  const sizes = (assigned: ReadonlyMap<string, Assignment>) => [...assigned.values()].map(each => names(each).length)

  it('leaves nobody two partitions behind when all subscribe to the same', () => {
    fc.assert(
      fc.property(topicsGiven, fc.integer({ min: 1, max: 8 }), (topics, count) => {
        const ids = Array.from({ length: count }, (_, index) => `m${index}`)
        const loads = sizes(
          run(
            uniformAssignor,
            ids.map(id => member(id, Object.keys(topics))),
            topics,
          ),
        )
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('moves no more than it must when a member comes or goes', () => {
    fc.assert(
      fc.property(topicsGiven, fc.integer({ min: 1, max: 6 }), fc.boolean(), (topics, count, comes) => {
        const ids = Array.from({ length: count + 1 }, (_, index) => `m${index}`)
        const [before, after] = comes ? [ids.slice(1), ids] : [ids, ids.slice(1)]
        const all = Object.keys(topics)
        const first = run(
          uniformAssignor,
          before.map(id => member(id, all)),
          topics,
        )
        const second = run(
          uniformAssignor,
          after.map(id => member(id, all, first.get(id))),
          topics,
        )
        const total = Object.values(topics).reduce((sum, size) => sum + size, 0)
        const moved = after.flatMap(id => names(second.get(id)).filter(name => !names(first.get(id)).includes(name)))
        const changed = comes ? Math.ceil(total / after.length) : names(first.get('m0')).length
        expect(moved.length).toBeLessThanOrEqual(changed)
      }),
    )
  })

  it('changes nothing when nothing changed', () => {
    fc.assert(
      fc.property(life, ([step]) => {
        if (step === undefined) return
        const specs = Object.entries(step.members).map(([id, subscribed]) =>
          member(
            id,
            subscribed.filter(topic => step.topics[topic] !== undefined),
          ),
        )
        const first = run(uniformAssignor, specs, step.topics)
        const again = specs.map(each => ({ ...each, assignment: first.get(each.memberId) ?? new Map() }))
        const second = run(uniformAssignor, again, step.topics)
        for (const { memberId } of specs) expect(names(second.get(memberId))).toEqual(names(first.get(memberId)))
      }),
    )
  })

  it('balances members whose subscriptions differ as far as these allow', () => {
    const assigned = run(uniformAssignor, [member('m1', ['A', 'B']), member('m2', ['B']), member('m3', ['A'])], {
      A: 6,
      B: 6,
    })
    expect(sizes(assigned)).toEqual([4, 4, 4])
  })
})

describe('the assignor range', () => {
  it('gives the same numbers of every topic to the same member', () => {
    const assigned = run(rangeAssignor, [member('m2', ['A', 'B']), member('m1', ['A', 'B'])], { A: 5, B: 5 })
    expect(names(assigned.get('m1'))).toEqual(['A0', 'A1', 'A2', 'B0', 'B1', 'B2'])
    expect(names(assigned.get('m2'))).toEqual(['A3', 'A4', 'B3', 'B4'])
  })

  it('puts static members first, by instance id, so that a new member id moves nothing', () => {
    const make = (id: string) =>
      run(rangeAssignor, [member('a', ['A']), { ...member(id, ['A']), instanceId: 'i' }], { A: 2 })
    expect(names(make('zz').get('zz'))).toEqual(['A0'])
    expect(names(make('0').get('0'))).toEqual(['A0'])
  })
})
