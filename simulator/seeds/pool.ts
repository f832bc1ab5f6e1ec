/**
 * Runs seeds in several processes at a time, since a simulation owns the globals of its process. A process that dies or hangs counts as a
 * failure of the seed it was at, and is replaced.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Readable } from 'node:stream'
import type { SeedReport } from './run-twice.ts'
import { type SeedTask, standstillReports } from './worker-channel.ts'

export type SeedOutcome = { readonly seed: number } & ({ readonly report: SeedReport } | { readonly broken: string })

const workerFile = fileURLToPath(new URL('./worker.ts', import.meta.url))
/** Two runs of one seed take seconds. What stands still at one event is seen much earlier, by the process itself. */
const hangMs = 10 * 60_000

export interface PoolOptions {
  readonly tasks: readonly SeedTask[]
  readonly workers: number
  /** Asked before each seed; false ends the run after those under way. */
  readonly goOn: (begun: number) => boolean
  readonly done: (outcome: SeedOutcome) => void
  /** What its processes run; default: `worker.ts`. */
  readonly workerFile?: string
}

export async function runPool(options: PoolOptions): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    let worker: Worker | undefined
    while (next < options.tasks.length && options.goOn(next)) {
      const task = options.tasks[next++]!
      worker ??= new Worker(options.workerFile ?? workerFile)
      const outcome = await worker.run(task)
      if ('broken' in outcome) {
        worker.end()
        worker = undefined
      }
      options.done(outcome)
    }
    worker?.end()
  }
  await Promise.all(Array.from({ length: Math.min(options.workers, options.tasks.length) }, lane))
}

class Worker {
  readonly #child: ChildProcess
  #standstill = ''

  constructor(file: string) {
    this.#child = fork(file, { stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'] })
    const reports = this.#child.stdio[standstillReports] as Readable
    reports.setEncoding('utf8')
    reports.on('data', (text: string) => (this.#standstill += text))
  }

  run(task: SeedTask): Promise<SeedOutcome> {
    const { seed } = task
    const child = this.#child
    return new Promise(resolve => {
      const finish = (outcome: SeedOutcome): void => {
        clearTimeout(watchdog)
        child.off('message', message)
        child.off('close', exit)
        resolve(outcome)
      }
      const message = (report: unknown): void => finish({ seed, report: report as SeedReport })
      // 'close' comes after the last byte of the report.
      const exit = (code: number | null, signal: string | null): void => {
        const reason = this.#standstill.trim()
        finish({ seed, broken: reason === '' ? `its process ended with ${signal ?? `code ${code}`}` : reason })
      }
      const watchdog = setTimeout(() => finish({ seed, broken: `no result after ${hangMs / 60_000} minutes` }), hangMs)
      child.on('message', message)
      child.on('close', exit)
      child.send(task)
    })
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }
}
