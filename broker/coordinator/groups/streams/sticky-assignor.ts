/**
 * The task assignor `sticky`: active tasks stay where they were, or go to a member that has a standby of them, as long as members are loaded
 * evenly; what is left goes to the least loaded process, and in it to the least loaded member. Standbys come after, never twice into
 * one process. A process counts as many members as it has threads.
 * Source: KIP-1071; Kafka 4.3's StickyTaskAssignor.
 */
import type { Assignment } from '../modern/assignment.ts'
import { taskKey, type TaskKind } from './tasks.ts'

export interface TaskMember {
  readonly memberId: string
  readonly processId: string
  /** Its part of the last target. */
  readonly assignment: Assignment
}

interface Task {
  readonly subtopologyId: string
  readonly partition: number
}

interface Worker {
  readonly memberId: string
  readonly process: Process
  readonly tasks: Map<string, Set<number>>
  count: number
}

interface Process {
  readonly workers: Worker[]
  readonly held: Set<string>
  count: number
}

const nameOf = ({ subtopologyId, partition }: Task): string => `${partition}/${subtopologyId}`

export function assignTasks(
  members: readonly TaskMember[],
  subtopologies: ReadonlyMap<string, { readonly tasks: number; readonly isStateful: boolean }>,
  standbyReplicas: number,
): ReadonlyMap<string, Assignment> {
  const workers = workersOf(members)
  const all = tasksIn(subtopologies, () => true)
  const stateful = tasksIn(subtopologies, ({ isStateful }) => isStateful)
  const former = { active: holders(members, workers, 'active'), standby: holders(members, workers, 'standby') }
  const activeQuota = Math.ceil(all.length / Math.max(1, workers.length))
  const open: Task[] = []
  for (const task of all) {
    const fits = (worker: Worker): boolean => worker.count < activeQuota
    const worker = former.active.get(nameOf(task))?.find(fits)
    if (worker === undefined) open.push(task)
    else give(worker, task, 'active')
  }
  const left: Task[] = []
  for (const task of open) {
    const worker = leastLoaded((former.standby.get(nameOf(task)) ?? []).filter(each => each.count < activeQuota))
    if (worker === undefined) left.push(task)
    else give(worker, task, 'active')
  }
  for (const task of left) give(leastLoaded(workers), task, 'active')
  const quota = Math.ceil((all.length + stateful.length * standbyReplicas) / Math.max(1, workers.length))
  for (let replica = 0; replica < standbyReplicas; replica++)
    for (const task of stateful) {
      const free = workers.filter(({ process }) => !process.held.has(nameOf(task)))
      const known = [...(former.active.get(nameOf(task)) ?? []), ...(former.standby.get(nameOf(task)) ?? [])]
      const worker = known.find(each => free.includes(each) && each.count < quota) ?? leastLoaded(free)
      // Not enough processes for so many replicas.
      if (worker !== undefined) give(worker, task, 'standby')
    }
  return new Map(workers.map(({ memberId, tasks }) => [memberId, tasks]))
}

function workersOf(members: readonly TaskMember[]): Worker[] {
  const processes = new Map<string, Process>()
  return members.map(({ memberId, processId }) => {
    const process = processes.get(processId) ?? { workers: [], held: new Set<string>(), count: 0 }
    processes.set(processId, process)
    const worker: Worker = { memberId, process, tasks: new Map<string, Set<number>>(), count: 0 }
    process.workers.push(worker)
    return worker
  })
}

function tasksIn(
  subtopologies: ReadonlyMap<string, { readonly tasks: number; readonly isStateful: boolean }>,
  isWanted: (subtopology: { readonly isStateful: boolean }) => boolean,
): Task[] {
  const tasks: Task[] = []
  for (const [subtopologyId, subtopology] of subtopologies)
    if (isWanted(subtopology))
      for (let partition = 0; partition < subtopology.tasks; partition++) tasks.push({ subtopologyId, partition })
  return tasks
}

/** Who had each task. */
function holders(members: readonly TaskMember[], workers: readonly Worker[], kind: TaskKind): Map<string, Worker[]> {
  const holding = new Map<string, Worker[]>()
  members.forEach(({ assignment }, index) => {
    const worker = workers[index]
    if (worker === undefined) return
    for (const [key, partitions] of assignment) {
      if (!key.startsWith(`${kind}/`)) continue
      const subtopologyId = key.slice(kind.length + 1)
      for (const partition of partitions) {
        const name = nameOf({ subtopologyId, partition })
        holding.set(name, [...(holding.get(name) ?? []), worker])
      }
    }
  })
  return holding
}

/** By the load of the process first, tasks per thread, then by its own. */
function leastLoaded(workers: readonly Worker[]): Worker | undefined {
  let least: Worker | undefined
  for (const worker of workers) if (least === undefined || isLess(worker, least)) least = worker
  return least
}

function isLess(left: Worker, right: Worker): boolean {
  const difference =
    left.process.count / left.process.workers.length - right.process.count / right.process.workers.length
  return difference === 0 ? left.count < right.count : difference < 0
}

function give(worker: Worker | undefined, task: Task, kind: TaskKind): void {
  if (worker === undefined) throw new Error('tasks are assigned to members only')
  const key = taskKey(kind, task.subtopologyId)
  worker.tasks.set(key, (worker.tasks.get(key) ?? new Set<number>()).add(task.partition))
  worker.count++
  worker.process.count++
  worker.process.held.add(nameOf(task))
}
