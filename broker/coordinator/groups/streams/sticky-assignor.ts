/**
 * The task assignor `sticky`. A task is moved only for one of these, in this order:
 *
 * 1. Every active task has one member, and the numbers of active tasks of any two members differ by at most one. A member is a thread: a
 *    process gets its share by the threads it has.
 * 2. A task that has to change its member goes where its state is: to another thread of the same process, else to a process that has a
 *    standby of it, else to the process with the least to do.
 * 3. Every stateful task has as many standbys as are asked for, or as there are other processes: a process has a task once at most, since
 *    its threads share one state directory.
 * 4. No standby can be given to a member that has two tasks less (active and standby) than the one that has it.
 *
 * Under these, as many active tasks as possible stay with their members, and standbys stay where they are. Racks and client tags are not
 * looked at. Source: KIP-1071, "sticky" assignor; KIP-924 for the names of the goals.
 */
import type { Assignment } from '../modern/assignment.ts'
import { kindOf, taskKey, type TaskKind } from './tasks.ts'

export interface TaskMember {
  readonly memberId: string
  readonly processId: string
  /** Its part of the last target. */
  readonly assignment: Assignment
}

export type TaskCounts = ReadonlyMap<string, { readonly tasks: number; readonly isStateful: boolean }>

interface Task {
  readonly subtopologyId: string
  readonly partition: number
  readonly isStateful: boolean
  /** Of the last target, by kind. */
  readonly former: Readonly<Record<'active' | 'standby', Worker[]>>
  /** In which it is now, as active or standby. */
  readonly processes: Set<Process>
}

interface Worker {
  readonly memberId: string
  readonly process: Process
  readonly active: Set<Task>
  readonly standby: Set<Task>
}

interface Process {
  /** By which equals are told apart: the order of first members. */
  readonly index: number
  readonly workers: Worker[]
  /** Tasks of all its threads. */
  load: number
}

const loadOf = ({ active, standby }: Worker): number => active.size + standby.size

/** Tasks per thread. */
const pressureOf = ({ workers, load }: Process): number => load / workers.length

function take(worker: Worker, task: Task, kind: 'active' | 'standby'): void {
  worker[kind].add(task)
  worker.process.load++
  task.processes.add(worker.process)
}

function dropStandby(worker: Worker, task: Task): void {
  worker.standby.delete(task)
  worker.process.load--
  task.processes.delete(worker.process)
}

export function assignTasks(
  members: readonly TaskMember[],
  subtopologies: TaskCounts,
  standbyReplicas: number,
): ReadonlyMap<string, Assignment> {
  const workers = workersOf(members)
  const tasks = tasksOf(subtopologies)
  recall(members, workers, tasks)
  const all = [...tasks.values()]
  if (workers.length > 0) placeActive(all, workers)
  const stateful = all.filter(({ isStateful }) => isStateful)
  if (standbyReplicas > 0) placeStandbys(stateful, workers, standbyReplicas)
  return new Map(workers.map(worker => [worker.memberId, assignmentOf(worker)]))
}

// ----------------------------------------------------------------------------------------------------- what there is

function workersOf(members: readonly TaskMember[]): Worker[] {
  const processes = new Map<string, Process>()
  return members.map(({ memberId, processId }) => {
    const process = processes.get(processId) ?? { index: processes.size, workers: [], load: 0 }
    processes.set(processId, process)
    const worker = { memberId, process, active: new Set<Task>(), standby: new Set<Task>() }
    process.workers.push(worker)
    return worker
  })
}

const nameOf = (subtopologyId: string, partition: number): string => `${partition}/${subtopologyId}`

/** One subtopology after the other, so that dealing them out in this order spreads each over the members. */
function tasksOf(subtopologies: TaskCounts): Map<string, Task> {
  const tasks = new Map<string, Task>()
  for (const [subtopologyId, { tasks: count, isStateful }] of subtopologies)
    for (let partition = 0; partition < count; partition++) {
      const former = { active: [], standby: [] }
      const task = { subtopologyId, partition, isStateful, former, processes: new Set<Process>() }
      tasks.set(nameOf(subtopologyId, partition), task)
    }
  return tasks
}

/** Who had what. Tasks that are no more are forgotten. */
function recall(members: readonly TaskMember[], workers: readonly Worker[], tasks: ReadonlyMap<string, Task>): void {
  for (const [index, worker] of workers.entries())
    for (const [key, partitions] of members[index]?.assignment ?? []) {
      const { kind, subtopologyId } = kindOf(key)
      if (kind === 'warmup') continue
      for (const partition of partitions) tasks.get(nameOf(subtopologyId, partition))?.former[kind].push(worker)
    }
}

function assignmentOf({ active, standby }: Worker): Assignment {
  const assignment = new Map<string, Set<number>>()
  const add = (kind: TaskKind, { subtopologyId, partition }: Task): void => {
    const key = taskKey(kind, subtopologyId)
    assignment.set(key, (assignment.get(key) ?? new Set<number>()).add(partition))
  }
  for (const task of active) add('active', task)
  for (const task of standby) add('standby', task)
  return assignment
}

// ------------------------------------------------------------------------------------------------------------ active

/** Shares of n things among m: the whole part for each, and one more for as many as there is a remainder. */
class Shares {
  readonly #least: number
  #extra: number

  constructor(count: number, among: number) {
    this.#least = Math.floor(count / among)
    this.#extra = count % among
  }

  hasRoom({ active }: Worker): boolean {
    return active.size < this.#least || (active.size === this.#least && this.#extra > 0)
  }

  give(worker: Worker, task: Task): void {
    if (worker.active.size >= this.#least) this.#extra--
    take(worker, task, 'active')
  }
}

function placeActive(all: readonly Task[], workers: readonly Worker[]): void {
  const shares = new Shares(all.length, workers.length)
  const open = keepActive(all, shares)
  const homeless: Task[] = []
  for (const task of open) {
    const near = [...task.former.active, ...task.former.standby].flatMap(({ process }) => process.workers)
    const worker = least(near.filter(each => shares.hasRoom(each)))
    if (worker === undefined) homeless.push(task)
    else shares.give(worker, task)
  }
  const queue = new ProcessQueue(workers)
  for (const task of homeless) {
    const process = queue.find(({ workers: threads }) => threads.some(each => shares.hasRoom(each)))
    const worker = least(process?.workers.filter(each => shares.hasRoom(each)) ?? [])
    if (worker === undefined) throw new Error('the shares of all members make up all tasks')
    shares.give(worker, task)
    queue.loaded(worker.process)
  }
}

/**
 * Everybody keeps what fits into its share, and the larger shares go to those that have something to keep in them: so no other choice
 * keeps more. Low partitions of every subtopology are kept rather than all of one, to leave a mixture behind.
 * @returns those that were not kept
 */
function keepActive(all: readonly Task[], shares: Shares): Task[] {
  const byPartition = [...all].sort((left, right) => left.partition - right.partition)
  const open = new Set(all)
  for (const task of byPartition) {
    const [worker] = task.former.active
    if (worker === undefined || !shares.hasRoom(worker)) continue
    shares.give(worker, task)
    open.delete(task)
  }
  return [...open]
}

// ---------------------------------------------------------------------------------------------------------- standbys

function placeStandbys(stateful: readonly Task[], workers: readonly Worker[], replicas: number): void {
  const missing = new Map<Task, number>()
  for (const task of stateful) {
    let wanted = replicas
    for (const worker of task.former.standby) if (wanted > 0 && giveStandby(worker, task)) wanted--
    missing.set(task, wanted)
  }
  const queue = new ProcessQueue(workers)
  for (const [task, wanted] of missing)
    for (let replica = 0; replica < wanted; replica++) {
      // The state is still there, where the task was until now.
      const former = task.former.active.find(({ process }) => !task.processes.has(process))
      const worker = former ?? least(queue.find(process => !task.processes.has(process))?.workers ?? [])
      // Not enough processes for so many standbys.
      if (worker === undefined) break
      giveStandby(worker, task)
      queue.loaded(worker.process)
    }
  level(workers)
}

/** False when the process has the task already. */
function giveStandby(worker: Worker, task: Task): boolean {
  if (task.processes.has(worker.process)) return false
  take(worker, task, 'standby')
  return true
}

/** Moves standbys from the loaded to the less loaded. Ends, because every move makes the sum of the squares of the loads smaller. */
function level(workers: readonly Worker[]): void {
  const byLoad = (left: Worker, right: Worker): number => loadOf(left) - loadOf(right)
  for (let moved = true; moved;) {
    const rising = [...workers].sort(byLoad)
    moved = [...rising].reverse().some(from => shed(from, rising))
  }
}

function shed(from: Worker, rising: readonly Worker[]): boolean {
  for (const to of rising) {
    if (loadOf(to) > loadOf(from) - 2) return false
    for (const task of from.standby) {
      if (to.process !== from.process && task.processes.has(to.process)) continue
      dropStandby(from, task)
      take(to, task, 'standby')
      return true
    }
  }
  return false
}

/** In the process with the least to do for each of its threads, the thread with the least. */
function least(workers: readonly Worker[]): Worker | undefined {
  let found: Worker | undefined
  for (const worker of workers) if (found === undefined || isLess(worker, found)) found = worker
  return found
}

function isLess(left: Worker, right: Worker): boolean {
  const difference = pressureOf(left.process) - pressureOf(right.process)
  return difference === 0 ? loadOf(left) < loadOf(right) : difference < 0
}

/** Processes by the tasks per thread, least first: a binary heap, so that thousands of tasks are placed in milliseconds. */
class ProcessQueue {
  readonly #heap: Process[]
  readonly #places = new Map<Process, number>()

  constructor(workers: readonly Worker[]) {
    this.#heap = [...new Set(workers.map(({ process }) => process))].sort(byPressure)
    for (const [place, process] of this.#heap.entries()) this.#places.set(process, place)
  }

  /** The first that is suitable. */
  find(isSuitable: (process: Process) => boolean): Process | undefined {
    // Places whose parents were looked at: a process is never less than its parent.
    const open = [0]
    while (open.length > 0) {
      let next = 0
      for (let each = 1; each < open.length; each++) if (this.#isLess(open[each], open[next])) next = each
      const [place = 0] = open.splice(next, 1)
      const process = this.#heap[place]
      if (process === undefined) continue
      if (isSuitable(process)) return process
      open.push(...[2 * place + 1, 2 * place + 2].filter(child => child < this.#heap.length))
    }
    return undefined
  }

  #isLess(left = 0, right = 0): boolean {
    const [one, two] = [this.#heap[left], this.#heap[right]]
    return one !== undefined && two !== undefined && byPressure(one, two) < 0
  }

  /** It has more to do than before. */
  loaded(process: Process): void {
    let place = this.#places.get(process) ?? 0
    for (;;) {
      let least = place
      for (const child of [2 * place + 1, 2 * place + 2])
        if (child < this.#heap.length && this.#isLess(child, least)) least = child
      if (least === place) return
      const lesser = this.#heap[least]
      if (lesser === undefined) return
      this.#set(place, lesser)
      this.#set(least, process)
      place = least
    }
  }

  #set(place: number, process: Process): void {
    this.#heap[place] = process
    this.#places.set(process, place)
  }
}

function byPressure(left: Process, right: Process): number {
  const difference = pressureOf(left) - pressureOf(right)
  return difference === 0 ? left.index - right.index : difference
}
