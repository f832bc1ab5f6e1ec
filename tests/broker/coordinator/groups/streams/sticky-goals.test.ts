/** The goals of the task assignor `sticky`, each as a property over groups that change step by step. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { partitionsOf, type Assignment } from '#broker/coordinator/groups/modern/assignment.ts'
import { assignTasks, type TaskMember } from '#broker/coordinator/groups/streams/sticky-assignor.ts'

type Target = ReadonlyMap<string, Assignment>

/** Threads of each process, by number: a thread keeps its name while its process has it. */
const membersOf = (processes: readonly number[], last: Target): TaskMember[] =>
  processes.flatMap((threads, process) =>
    Array.from({ length: threads }, (_, thread) => {
      const memberId = `p${process}-${thread}`
      return { memberId, processId: `p${process}`, assignment: last.get(memberId) ?? new Map() }
    }),
  )

const processOf = (memberId: string): string => memberId.replace(/-.*/, '')

const tasksOf = (target: Target, kind: 'active' | 'standby') =>
  [...target].flatMap(([memberId, assignment]) =>
    [...partitionsOf(assignment)]
      .filter(([key]) => key.startsWith(`${kind}/`))
      .map(([key, partition]) => ({ memberId, task: `${key.slice(kind.length + 1)}_${partition}` })),
  )

const loadsOf = (target: Target, kinds: readonly ('active' | 'standby')[]): Map<string, number> => {
  const loads = new Map([...target.keys()].map(memberId => [memberId, 0]))
  for (const kind of kinds)
    for (const { memberId } of tasksOf(target, kind)) loads.set(memberId, (loads.get(memberId) ?? 0) + 1)
  return loads
}

const stepGiven = fc.record({
  processes: fc
    .array(fc.nat(3), { minLength: 1, maxLength: 5 })
    .filter(processes => processes.some(threads => threads > 0)),
  stateful: fc.nat(8),
  stateless: fc.nat(8),
  replicas: fc.nat(2),
})

interface Turn {
  readonly members: readonly TaskMember[]
  readonly before: Target
  readonly after: Target
  readonly counts: Parameters<typeof assignTasks>[1]
  readonly replicas: number
}

function always(check: (turn: Turn) => void): void {
  fc.assert(
    fc.property(fc.array(stepGiven, { minLength: 1, maxLength: 6 }), steps => {
      let before: Target = new Map()
      for (const { processes, stateful, stateless, replicas } of steps) {
        const counts = new Map([
          ['a', { tasks: stateful, isStateful: true }],
          ['b', { tasks: stateless, isStateful: false }],
        ])
        const members = membersOf(processes, before)
        const after = assignTasks(members, counts, replicas)
        check({ members, before, after, counts, replicas })
        before = after
      }
    }),
    { numRuns: 300 },
  )
}

const span = (numbers: Iterable<number>): number => Math.max(...numbers) - Math.min(...numbers)

describe('the task assignor sticky', () => {
  it('shares active tasks out within one of each other, by threads', () => {
    always(({ after, counts }) => {
      const active = tasksOf(after, 'active')
      const total = [...counts.values()].reduce((sum, { tasks }) => sum + tasks, 0)
      expect(new Set(active.map(({ task }) => task)).size).toBe(total)
      expect(active.length).toBe(total)
      expect(span(loadsOf(after, ['active']).values())).toBeLessThanOrEqual(1)
    })
  })

  it('leaves as many active tasks with their members as an even share allows', () => {
    always(({ members, before, after }) => {
      const there = new Set(tasksOf(after, 'active').map(({ task }) => task))
      const former = new Map(members.map(({ memberId }) => [memberId, [] as string[]]))
      for (const { memberId, task } of tasksOf(before, 'active')) if (there.has(task)) former.get(memberId)?.push(task)
      const share = Math.floor(there.size / members.length)
      const larger = there.size % members.length
      const wouldFill = [...former.values()].filter(tasks => tasks.length > share).length
      const most = [...former.values()].reduce((sum, tasks) => sum + Math.min(tasks.length, share), 0)
      const kept = tasksOf(after, 'active').filter(({ memberId, task }) => former.get(memberId)?.includes(task))
      expect(kept.length).toBe(most + Math.min(larger, wouldFill))
    })
  })

  it('moves nothing when nothing changed', () => {
    always(({ members, after, counts, replicas }) => {
      const same = members.map(each => ({ ...each, assignment: after.get(each.memberId) ?? new Map() }))
      const again = assignTasks(same, counts, replicas)
      for (const kind of ['active', 'standby'] as const) {
        const names = (target: Target) => tasksOf(target, kind).map(({ memberId, task }) => `${memberId} ${task}`)
        expect(names(again).sort()).toEqual(names(after).sort())
      }
    })
  })

  it('has a task in a process once at most, and every standby that finds another process', () => {
    always(({ members, after, counts, replicas }) => {
      const held = (['active', 'standby'] as const).flatMap(kind =>
        tasksOf(after, kind).map(({ memberId, task }) => `${processOf(memberId)} ${task}`),
      )
      expect(new Set(held).size).toBe(held.length)
      const others = new Set(members.map(({ processId }) => processId)).size - 1
      expect(tasksOf(after, 'standby').length).toBe((counts.get('a')?.tasks ?? 0) * Math.min(replicas, others))
    })
  })

  it('leaves no standby where a member with two tasks less could have it', () => {
    always(({ after }) => {
      const loads = loadsOf(after, ['active', 'standby'])
      const held = new Set(
        (['active', 'standby'] as const).flatMap(kind =>
          tasksOf(after, kind).map(({ memberId, task }) => `${processOf(memberId)} ${task}`),
        ),
      )
      for (const { memberId: from, task } of tasksOf(after, 'standby'))
        for (const [to, load] of loads) {
          if (load > (loads.get(from) ?? 0) - 2) continue
          const mayTake = processOf(to) === processOf(from) || !held.has(`${processOf(to)} ${task}`)
          expect(mayTake, `${task} from ${from} to ${to}`).toBe(false)
        }
    })
  })

  it('takes a task over where its state is: in the process, else where its standby was', () => {
    const counts = new Map([['a', { tasks: 6, isStateful: true }]])
    const three = [1, 1, 1]
    let target = assignTasks(membersOf(three, new Map()), counts, 1)
    const standbys = new Map(tasksOf(target, 'standby').map(({ memberId, task }) => [task, memberId]))
    const orphans = tasksOf(target, 'active').filter(({ memberId }) => memberId === 'p2-0')
    expect(orphans.length).toBe(2)
    const survivors = membersOf(three, target).filter(({ memberId }) => memberId !== 'p2-0')
    target = assignTasks(survivors, counts, 1)
    const owners = new Map(tasksOf(target, 'active').map(({ memberId, task }) => [task, memberId]))
    const inherited = orphans.filter(({ task }) => owners.get(task) === standbys.get(task))
    // Both standbys may be with one survivor, which has room for one of them.
    const heirs = new Set(orphans.map(({ task }) => standbys.get(task)))
    expect(inherited.length).toBe(heirs.size)

    const two = [2, 1]
    const first = assignTasks(membersOf(two, new Map()), counts, 0)
    const gone = tasksOf(first, 'active').filter(({ memberId }) => memberId === 'p0-1')
    const left = membersOf(two, first).filter(({ memberId }) => memberId !== 'p0-1')
    const second = new Map(
      tasksOf(assignTasks(left, counts, 0), 'active').map(({ memberId, task }) => [task, memberId]),
    )
    // One thread of the process is left, and its even share is one task more.
    expect(new Set(gone.map(({ task }) => second.get(task)))).toEqual(new Set(['p0-0', 'p1-0']))
  })
})
