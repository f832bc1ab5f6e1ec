/** Memory and CPU time of a process of this machine, from /proc (proc_pid_stat(5), proc_pid_status(5)). */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export interface Memory {
  /** Resident now. */
  readonly rssMiB: number
  /** The most that ever was resident. */
  readonly peakMiB: number
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return { rssMiB: statusMiB(status, 'VmRSS'), peakMiB: statusMiB(status, 'VmHWM') }
}

function statusMiB(status: string, field: string): number {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]
  if (kilobytes === undefined) throw new Error(`/proc/PID/status has no ${field}: has the process ended?`)
  return Number(kilobytes) / 1024
}

let ticksPerSecond: number | undefined

/** User and system time of all its threads so far; in steps of a tick, mostly 10 ms. */
export function cpuSecondsOf(pid: number): number {
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name in field 2 may hold spaces and brackets: what follows its last bracket begins with field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}
