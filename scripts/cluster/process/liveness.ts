/**
 * Whether a process that we started earlier still is that process. A bare pid is not enough: the system hands numbers out again, so we
 * keep the time of its start as well and never signal a process whose start differs.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { codeOf } from '../../errors.ts'
import { poll } from '../clock.ts'

export interface ProcessHandle {
  readonly pid: number
  /** Opaque; equal for the same process only. */
  readonly identity: string
}

export type ProcessCondition = 'running' | 'paused' | 'gone'

interface Look {
  readonly identity: string
  readonly condition: ProcessCondition
}

/** Names a process that has just been started; undefined when it is gone already. */
export async function identify(pid: number): Promise<ProcessHandle | undefined> {
  const found = await look(pid)
  return found === undefined || found.condition === 'gone' ? undefined : { pid, identity: found.identity }
}

export async function conditionOf(handle: ProcessHandle): Promise<ProcessCondition> {
  const found = await look(handle.pid)
  return found === undefined || found.identity !== handle.identity ? 'gone' : found.condition
}

/** What the process was started as, arguments joined by blanks; undefined when it is gone. */
export async function commandLineOf(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)], {
      env: { LC_ALL: 'C', PATH: process.env['PATH'] },
      maxBuffer: 1 << 20,
    })
    return stdout.trim() === '' ? undefined : stdout.trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 1) return undefined
    throw error
  }
}

/** Sends a signal, unless the process is gone or its number belongs to another one now. Returns whether it was sent. */
export async function signalProcess(handle: ProcessHandle, signal: NodeJS.Signals): Promise<boolean> {
  if ((await conditionOf(handle)) === 'gone') return false
  try {
    process.kill(handle.pid, signal)
    return true
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false
    throw error
  }
}

/** Resolves with true when the process is as wanted, with false when it still is not after `timeoutMs`. Signals take a moment. */
export async function waitFor(handle: ProcessHandle, wanted: ProcessCondition, timeoutMs: number): Promise<boolean> {
  const ask = async () => ((await conditionOf(handle)) === wanted ? true : undefined)
  return (await poll(ask, { everyMs: 5, timeoutMs })) ?? false
}

function look(pid: number): Promise<Look | undefined> {
  return process.platform === 'linux' ? Promise.resolve(lookInProc(pid)) : lookWithPs(pid)
}

let bootId: string | undefined

/** Linux: field 22 of /proc/PID/stat is the start in clock ticks since boot, field 3 the state. */
function lookInProc(pid: number): Look | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return undefined
    throw error
  }
  // The name in field 2 may hold spaces and brackets: what follows its last bracket begins with field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  return { identity: `${bootId}/${fields[19]}`, condition: conditionFromState(fields[0] ?? '', Number(fields[17])) }
}

async function lookWithPs(pid: number): Promise<Look | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
      env: { LC_ALL: 'C', PATH: process.env['PATH'] },
    })
    const [state = '', ...start] = stdout.trim().split(/\s+/)
    return state === '' ? undefined : { identity: start.join(' '), condition: conditionFromState(state) }
  } catch (error) {
    // ps ends with 1 when there is no such process.
    if (error instanceof Error && 'code' in error && error.code === 1) return undefined
    throw error
  }
}

/**
 * A process of many threads shows as a zombie as soon as its first thread has ended; until the others have, its sockets are open and its
 * ports taken.
 */
function conditionFromState(state: string, threads = 0): ProcessCondition {
  if (state.startsWith('T')) return 'paused'
  return (state.startsWith('Z') && threads <= 1) || state.startsWith('X') ? 'gone' : 'running'
}
