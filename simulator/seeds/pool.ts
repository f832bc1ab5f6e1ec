/**
 * Runs seeds in several processes at a time, since a simulation owns the globals of its process. A process that dies or hangs counts as a
 * failure of the seed it was at, and is replaced.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { SeedReport } from './run-twice.ts'

export interface SeedTask {
  readonly seed: number
  readonly safetyMs: number | undefined
}

export type SeedOutcome = { readonly seed: number } & ({ readonly report: SeedReport } | { readonly broken: string })

const workerFile = fileURLToPath(new URL('./worker.ts', import.meta.url))
/** Two runs of one seed take seconds. */
const hangMs = 10 * 60_000

export interface PoolOptions {
  readonly tasks: readonly SeedTask[]
  readonly workers: number
  /** Asked before each seed; false ends the run after those under way. */
  readonly goOn: (begun: number) => boolean
  readonly done: (outcome: SeedOutcome) => void
}

export async function runPool(options: PoolOptions): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    let worker: Worker | undefined
    while (next < options.tasks.length && options.goOn(next)) {
      const task = options.tasks[next++]!
      worker ??= new Worker()
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
  readonly #child: ChildProcess = fork(workerFile, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })

  run(task: SeedTask): Promise<SeedOutcome> {
    const { seed } = task
    const child = this.#child
    return new Promise(resolve => {
      const finish = (outcome: SeedOutcome): void => {
        clearTimeout(watchdog)
        child.off('message', message)
        child.off('exit', exit)
        resolve(outcome)
      }
      const message = (report: unknown): void => finish({ seed, report: report as SeedReport })
      const exit = (code: number | null, signal: string | null): void => {
        finish({ seed, broken: `its process ended with ${signal ?? `code ${code}`}` })
      }
      const watchdog = setTimeout(() => finish({ seed, broken: `no result after ${hangMs / 60_000} minutes` }), hangMs)
      child.on('message', message)
      child.on('exit', exit)
      child.send(task)
    })
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }
}
