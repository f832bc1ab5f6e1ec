/**
 * Tasks of a streams group in the form of an assignment: what topic ids are to consumers, the kind of the task and its subtopology are to
 * members of streams groups. So both are reconciled by one machine.
 */
import type { Assignment } from '../modern/assignment.ts'

export type TaskKind = 'active' | 'standby' | 'warmup'

export const taskKinds: readonly TaskKind[] = ['active', 'standby', 'warmup']

export interface TaskIds {
  readonly subtopologyId: string
  readonly partitions: readonly number[]
}

export interface Tasks {
  readonly active: readonly TaskIds[]
  readonly standby: readonly TaskIds[]
  readonly warmup: readonly TaskIds[]
}

export const taskKey = (kind: TaskKind, subtopologyId: string): string => `${kind}/${subtopologyId}`

export function kindOf(key: string): { readonly kind: TaskKind; readonly subtopologyId: string } {
  const slash = key.indexOf('/')
  const kind = taskKinds.find(each => each === key.slice(0, slash))
  if (kind === undefined) throw new Error(`${key} names no kind of task`)
  return { kind, subtopologyId: key.slice(slash + 1) }
}

export function assignmentFromTasks(tasks: Tasks): Assignment {
  const assignment = new Map<string, ReadonlySet<number>>()
  for (const kind of taskKinds)
    for (const { subtopologyId, partitions } of tasks[kind])
      assignment.set(taskKey(kind, subtopologyId), new Set(partitions))
  return assignment
}

/** Ordered, so that equal tasks make equal bytes. */
export function tasksOf(
  assignment: ReadonlyMap<string, Iterable<number>>,
): Record<TaskKind, { subtopologyId: string; partitions: number[] }[]> {
  const tasks = { active: [], standby: [], warmup: [] } as ReturnType<typeof tasksOf>
  for (const [key, partitions] of [...assignment].sort(([left], [right]) => (left < right ? -1 : 1))) {
    const { kind, subtopologyId } = kindOf(key)
    tasks[kind].push({ subtopologyId, partitions: [...partitions].sort((left, right) => left - right) })
  }
  return tasks
}
