/**
 * The end of a cluster whose files cannot be read: its processes are known by what they were started with, its containers by their labels.
 */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { basename } from 'node:path'
import { promisify } from 'node:util'
import { failure } from '../errors.ts'
import { poll } from './clock.ts'
import { identify, signalProcess, waitFor } from './process/liveness.ts'
import { removeState, requireOwnState, stateDirectory, stateEntry } from './state.ts'

const endMs = 10_000

/**
 * Ends what belongs to the cluster, and removes its state; data outside of it stays. Where something else lies in it, it may never have been a
 * cluster: that is refused before anything is done.
 *
 * @returns the processes that were ended
 */
export async function salvage(name: string): Promise<readonly number[]> {
  requireOwnState(name)
  const directory = stateDirectory(name)
  // What kills and starts nodes by itself ends with its orders.
  rmSync(stateEntry(name, 'faults'), { recursive: true, force: true })
  const ended = new Set<number>()
  let isQuiet = false
  const gone = await poll(
    async () => {
      const found = await processesOf(directory)
      for (const pid of found) {
        await end(pid)
        ended.add(pid)
      }
      const wasQuiet = isQuiet
      isQuiet = found.length === 0
      return (wasQuiet && isQuiet) || undefined
    },
    { everyMs: 100, timeoutMs: endMs },
  )
  if (gone === undefined) throw failure(`Processes of ${name} come again and again, so ${directory} stays.`)
  if (existsSync(stateEntry(name, 'compose.yaml'))) {
    const { sweepProject } = await import('./compose/sweep.ts')
    await sweepProject(`faultline-${name}`, { keepVolumes: false, isCutOff: true })
  }
  removeState(name)
  return [...ended]
}

async function end(pid: number): Promise<void> {
  const handle = await identify(pid)
  if (handle !== undefined && (await signalProcess(handle, 'SIGKILL'))) await waitFor(handle, 'gone', endMs)
}

async function processesOf(directory: string): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-ww', '-eo', 'pid=,state=,args='], {
    env: { LC_ALL: 'C', PATH: process.env['PATH'] },
    maxBuffer: 1 << 24,
  })
  return stdout.split('\n').flatMap(line => {
    const [, pid = '', state = '', shown = ''] = /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? []
    if (state.startsWith('Z') || Number(pid) === process.pid) return []
    const exact = commandLineOf(pid)
    const isOurs = exact === undefined ? isCommandOf(directory, shown, ' ') : isCommandOf(directory, exact, '\0')
    return isOurs ? [Number(pid)] : []
  })
}

/** Its arguments, each ended by a zero byte. Undefined where the system does not tell them so. */
function commandLineOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    // No Linux, or it has ended since.
    return undefined
  }
}

/**
 * Node.js or Java with a file of ours in the state of the cluster: an editor or a pager of the same file is none. Nodes have their properties as an
 * argument, the fault proxy and the host of simulated nodes a folder. There may be spaces in all of them.
 *
 * @param gap  what stands between two arguments
 */
export function isCommandOf(directory: string, commandLine: string, gap: ' ' | '\0'): boolean {
  const isRunner =
    commandLine.startsWith(`${process.execPath}${gap}`) ||
    ['node', 'java'].includes(basename(commandLine.split(gap, 1)[0] ?? ''))
  const files = String.raw`(/node-\d+/server\.properties|/proxy)?`
  return isRunner && new RegExp(`${gap}${RegExp.escape(directory)}${files}(${gap}|$)`).test(commandLine)
}
