import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { partitionsOf, type Assignment } from '#broker/coordinator/groups/modern/assignment.ts'
import { assignTasks, type TaskMember } from '#broker/coordinator/groups/streams/sticky-assignor.ts'

const topology = (a: number, b: number) =>
  new Map([
    ['a', { tasks: a, isStateful: true }],
    ['b', { tasks: b, isStateful: false }],
  ])

const members = (processes: readonly number[], last: ReadonlyMap<string, Assignment> = new Map()): TaskMember[] =>
  processes.flatMap((threads, process) =>
    Array.from({ length: threads }, (_, thread) => {
      const memberId = `p${process}-${thread}`
      return { memberId, processId: `p${process}`, assignment: last.get(memberId) ?? new Map() }
    }),
  )

const tasks = (assignment: Assignment | undefined, kind: string): string[] =>
  [...partitionsOf(assignment ?? new Map())]
    .filter(([key]) => key.startsWith(`${kind}/`))
    .map(([key, partition]) => `${key.slice(kind.length + 1)}${partition}`)

const processesGiven = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 })

describe('the task assignor sticky', () => {
  it('gives every active task to one member, and no process a task twice, through the life of a group', () => {
    const step = fc.record({ processes: processesGiven, a: fc.nat(6), b: fc.nat(6), standbys: fc.nat(2) })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), steps => {
        let last: ReadonlyMap<string, Assignment> = new Map()
        for (const { processes, a, b, standbys } of steps) {
          last = assignTasks(members(processes, last), topology(a, b), standbys)
          const active = [...last.values()].flatMap(each => tasks(each, 'active'))
          expect(active.length).toBe(a + b)
          expect(new Set(active).size).toBe(a + b)
          for (const [process] of processes.entries()) {
            const held = [...last].filter(([memberId]) => memberId.startsWith(`p${process}-`))
            const all = held.flatMap(([, each]) => [...tasks(each, 'active'), ...tasks(each, 'standby')])
            expect(new Set(all).size).toBe(all.length)
          }
          const standby = [...last.values()].flatMap(each => tasks(each, 'standby'))
          expect(standby.length).toBe(a * Math.min(standbys, processes.length - 1))
        }
      }),
    )
  })

  it('spreads active tasks evenly over members, and leaves them where they are', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.nat(9), fc.nat(9), (count, a, b) => {
        const alone = Array.from({ length: count }, () => 1)
        const first = assignTasks(members(alone), topology(a, b), 0)
        const loads = [...first.values()].map(each => tasks(each, 'active').length)
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
        const again = assignTasks(members(alone, first), topology(a, b), 0)
        for (const [memberId, assignment] of first)
          expect(tasks(again.get(memberId), 'active').sort()).toEqual(tasks(assignment, 'active').sort())
      }),
    )
  })

  it('makes a standby active when the member that had the task is gone', () => {
    const first = assignTasks(members([1, 1]), topology(2, 0), 1)
    const [kept] = [...first.keys()]
    const alone = members([1, 1], first).filter(({ memberId }) => memberId === kept)
    const second = assignTasks(alone, topology(2, 0), 1)
    expect(tasks(second.get(kept ?? ''), 'active').sort()).toEqual(['a0', 'a1'])
  })
})
