/**
 * One node as a detached child process that outlives the command which started it, and its file `process.json`: which process it is and
 * what we last wanted of it; `start.lock` says which command starts it. Plain `spawn` and not execa: execa looks after children that end with
 * us, these must not.
 */
import { spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { ProcessCondition } from '#broker/environment/node/proc-stat.ts'
import { failure } from '../../errors.ts'
import type { NodeStatus } from '../cluster.ts'
import { inTurnOfFile } from '../file-lock.ts'
import { nodeDirectory, readJson, writeJson } from '../state.ts'
import type { Launch, LaunchOptions } from './engine.ts'
import type { ProcessHandle } from './liveness.ts'
import { conditionOf, identify, signalProcess, waitFor } from './liveness.ts'

interface ProcessFile {
  readonly process: ProcessHandle
  /** 'down': its end is what we wanted. */
  readonly intent: 'up' | 'down'
  /** Bytes of the log from earlier starts; files of older versions do not say. */
  readonly logFrom?: number
}

const SIGNAL_TIMEOUT_MS = 10_000
const RUNNING = new Set<NodeStatus>(['running', 'starting', 'paused'])

export class NodeProcess {
  readonly id: number
  readonly directory: string
  readonly logFile: string
  readonly #file: string
  /** For the commands that messages propose. */
  readonly #of: string

  constructor(clusterName: string, id: number) {
    this.id = id
    this.#of = `${id} --name ${clusterName}`
    this.directory = nodeDirectory(clusterName, id)
    this.logFile = join(this.directory, 'broker.log')
    this.#file = join(this.directory, 'process.json')
  }

  /** 'running' says that the process lives; whether it serves is another question. */
  async status(): Promise<{ state: NodeStatus; pid?: number }> {
    const file = this.#read()
    if (file === undefined) return { state: 'stopped' }
    const condition = await conditionOf(file.process)
    if (condition === 'gone') return { state: file.intent === 'up' ? 'dead' : 'stopped' }
    return { state: condition, pid: file.process.pid }
  }

  /** Starts the process; its output is appended to the log file. */
  async start(launch: Launch, options: Pick<LaunchOptions, 'tied'>): Promise<void> {
    // Of two that are started at the same time, one would be named by no file, and stay.
    await inTurnOfFile(join(this.directory, 'start.lock'), async () => {
      await this.requireDown()
      await this.#spawn(launch, options)
    })
  }

  async #spawn(launch: Launch, { tied }: Pick<LaunchOptions, 'tied'>): Promise<void> {
    const log = openSync(this.logFile, 'a')
    const logFrom = fstatSync(log).size
    try {
      const child = spawn(launch.command, launch.args, {
        cwd: this.directory,
        detached: true,
        stdio: [tied ? 'pipe' : 'ignore', log, log],
        env: { ...process.env, ...launch.environment },
      })
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve)
        child.once('error', reject)
      })
      child.unref()
      // Nothing is ever written there; that it ends is the message.
      ;(child.stdin as Socket | null)?.unref()
      const handle = child.pid === undefined ? undefined : await identify(child.pid)
      if (handle === undefined)
        throw failure(`Node ${this.id} ended at once. The end of its log:\n${await tailOf(this.logFile, 15, logFrom)}`)
      writeJson(this.#file, { process: handle, intent: 'up', logFrom } satisfies ProcessFile)
    } finally {
      closeSync(log)
    }
  }

  /** Refuses a node that has a process. */
  async requireDown(): Promise<void> {
    const { state } = await this.status()
    if (RUNNING.has(state)) throw failure(`Node ${this.id} is ${state} already.`)
  }

  /** Refuses a node that has none. */
  async requireAlive(verb: string): Promise<void> {
    this.#expectAlive(await this.status(), verb)
  }

  async kill(): Promise<void> {
    const file = this.#expectAlive(await this.status(), 'kill')
    writeJson(this.#file, { ...file, intent: 'down' })
    await this.#signal(file, 'SIGKILL', 'gone')
  }

  /** SIGTERM; the node says goodbye to its controller and closes its files. */
  async stop(timeoutMs: number): Promise<void> {
    const status = await this.status()
    if (status.state === 'paused')
      throw failure(`Node ${this.id} is paused and cannot shut down.`, `./faultline resume ${this.#of}, or kill it.`)
    const file = this.#expectAlive(status, 'stop')
    writeJson(this.#file, { ...file, intent: 'down' })
    await signalProcess(file.process, 'SIGTERM')
    if (await waitFor(file.process, 'gone', timeoutMs)) return
    throw failure(
      `Node ${this.id} (process ${file.process.pid}) has not shut down within ${timeoutMs / 1000} s.`,
      `./faultline logs ${this.#of} shows what it waits for; ./faultline kill ${this.#of} ends it.`,
    )
  }

  async pause(): Promise<void> {
    const status = await this.status()
    if (status.state === 'paused') throw failure(`Node ${this.id} is paused already.`, `./faultline resume ${this.#of}`)
    await this.#signal(this.#expectAlive(status, 'pause'), 'SIGSTOP', 'paused')
  }

  async resume(): Promise<void> {
    const status = await this.status()
    if (status.state !== 'paused') throw failure(`Node ${this.id} is not paused: it is ${status.state}.`)
    await this.#signal(this.#expectAlive(status, 'resume'), 'SIGCONT', 'running')
  }

  async #signal(file: ProcessFile, signal: NodeJS.Signals, wanted: ProcessCondition): Promise<void> {
    await signalProcess(file.process, signal)
    if (await waitFor(file.process, wanted, SIGNAL_TIMEOUT_MS)) return
    throw failure(
      `Node ${this.id} (process ${file.process.pid}) is not ${wanted} ${SIGNAL_TIMEOUT_MS / 1000} s after ${signal}.`,
    )
  }

  /** Ends the process if it is there, whatever its state; for taking a cluster away. */
  async end(): Promise<void> {
    const file = this.#read()
    if (file === undefined) return
    writeJson(this.#file, { ...file, intent: 'down' })
    if (await signalProcess(file.process, 'SIGKILL')) await waitFor(file.process, 'gone', SIGNAL_TIMEOUT_MS)
  }

  /** Empties the log file's memory of earlier lives; only for a cluster that starts anew. */
  removeLog(): void {
    rmSync(this.logFile, { force: true })
  }

  /** The newest lines of the log, read from its end. */
  async tail(lines: number): Promise<string> {
    return await tailOf(this.logFile, lines)
  }

  /** The same of what the process wrote since its last start: what earlier ones said explains nothing about this one. */
  async tailOfStart(lines: number): Promise<string> {
    return await tailOf(this.logFile, lines, this.#read()?.logFrom)
  }

  #read(): ProcessFile | undefined {
    return readJson(this.#file) as ProcessFile | undefined
  }

  #expectAlive(status: { state: NodeStatus }, verb: string): ProcessFile {
    const file = this.#read()
    if (file !== undefined && RUNNING.has(status.state)) return file
    const why = status.state === 'dead' ? 'it has ended by itself' : 'it is stopped'
    throw failure(`Cannot ${verb} node ${this.id}: ${why}.`, `./faultline start ${this.#of}`)
  }
}

/** The last lines of a file from a byte on, at most the last MiB. */
export async function tailOf(path: string, lines: number, from = 0): Promise<string> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const length = Math.min(Math.max(0, size - from), 1 << 20)
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length)
    const all = buffer.toString('utf8').split('\n')
    if (all.at(-1) === '') all.pop()
    const kept = all.slice(-lines)
    return kept.length === 0 ? '' : `${kept.join('\n')}\n`
  } finally {
    await file.close()
  }
}
