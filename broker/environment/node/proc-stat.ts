/** A process as Linux tells of it in /proc/PID/stat. */
import { readFileSync } from 'node:fs'

export type ProcessCondition = 'running' | 'paused' | 'gone'

export interface ProcStat {
  readonly condition: ProcessCondition
  /** Clock ticks after boot at which it began. */
  readonly began: string
}

/** Undefined when there is no such process, or no /proc. */
export function procStat(pid: number): ProcStat | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
  // The name in field 2 may hold blanks and brackets: what follows its last bracket begins with field 3, the state.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { condition: conditionFromState(fields[0] ?? '', Number(fields[17])), began: fields[19] ?? '' }
}

/**
 * A process of many threads shows as a zombie as soon as its first thread has ended; until the others have, its sockets are open, its
 * ports taken, and a write to a file that one of them is in may still come. With its last thread all is over, whoever still has to ask for its end.
 */
export function conditionFromState(state: string, threads = 0): ProcessCondition {
  if (state.startsWith('T')) return 'paused'
  return (/^z/i.test(state) && threads <= 1) || /^x/i.test(state) ? 'gone' : 'running'
}
