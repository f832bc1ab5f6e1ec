/**
 * Whether a process that we started earlier still is that process. A bare pid is not enough: the system hands numbers out again, so we
 * keep the time of its start as well and never signal a process whose start differs.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { conditionFromState, procStat, type ProcessCondition } from '#broker/environment/node/proc-stat.ts'
import { codeOf } from '../../errors.ts'
import { poll } from '../clock.ts'

export interface ProcessHandle {
  readonly pid: number
  /** Opaque; equal for the same process only. */
  readonly identity: string
}

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

function lookInProc(pid: number): Look | undefined {
  const found = procStat(pid)
  if (found === undefined) return undefined
  bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  return { identity: `${bootId}/${found.began}`, condition: found.condition }
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
