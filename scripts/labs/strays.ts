/**
 * What goes wrong beside the path that a script awaits: an error in a timer of its, a promise that it left alone, or an end of the process. Each is
 * the end of that script as an error it throws is, and never of the toolkit, which has a cluster to take away.
 */
// Those of the machine: while a simulation runs, the global ones belong to it.
import { clearTimeout, setTimeout } from 'node:timers'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LabClock } from '../cluster/cluster.ts'
import { installation } from '../installation/here.ts'
import { watchForStandstill } from './standstill.ts'

/** Ends the process whatever a script has put in its place: for who was interrupted twice. */
export const endProcess = process.exit.bind(process)

/** How long one script may take. */
export interface ScriptLimits {
  readonly realMs: number
  /** On a simulator. */
  readonly virtualMs: number
}

/** Many times what the longest lab takes at full scale; in virtual time a script may wait for a retention of hours. */
export const scriptLimits: ScriptLimits = { realMs: 30 * 60_000, virtualMs: 24 * 3_600_000 }

interface Bounds {
  readonly realMs?: number | undefined
  readonly virtual?: { readonly clock: LabClock; readonly ms: number } | undefined
  readonly signal?: AbortSignal | undefined
  /** Of a thread that is never given back; left out: a minute. */
  readonly stallMs?: number
}

export class Strays {
  #fail: ((reason: unknown) => void) | undefined

  /** Takes an error that nobody handled; false: no script runs, or it is one of nodes, which somebody else is to know of. */
  readonly take = (error: unknown): boolean => {
    if (this.#fail === undefined || isOfNodes(error)) return false
    this.#fail(error)
    return true
  }

  /**
   * Runs the script. Rejects with what it throws, with what goes astray meanwhile, once it has taken too long, or when it is interrupted; the script
   * itself is not ended by that.
   */
  async during(script: () => Promise<void>, bounds: Bounds): Promise<void> {
    const { promise: astray, reject } = Promise.withResolvers<never>()
    // Nobody may be waiting any more.
    astray.catch(() => undefined)
    this.#fail = reject
    // Rejections that nobody handles come here too, except in a simulation, which asks `take` itself.
    const uncaught = (error: unknown): void => {
      if (!this.take(error)) throw error
    }
    process.on('uncaughtException', uncaught)
    process.exit = code => {
      const error = new Error(`process.exit(${code ?? ''}) was called`)
      reject(error)
      throw error
    }
    const { realMs, virtual, signal, stallMs } = bounds
    const late = (ms: number, time: string) => () =>
      reject(new Error(`it has not ended in ${ms / 1_000} s of ${time} time`))
    const timer = realMs === undefined ? undefined : setTimeout(late(realMs, 'real'), realMs)
    // What is left of it at the end of the script happens in vain, or never.
    if (virtual !== undefined) void virtual.clock.sleep(virtual.ms).then(late(virtual.ms, 'virtual'))
    const interrupted = () => reject(signal?.reason)
    signal?.addEventListener('abort', interrupted, { once: true })
    const rest = watchForStandstill(stallMs)
    try {
      await Promise.race([script(), astray])
    } finally {
      rest()
      clearTimeout(timer)
      signal?.removeEventListener('abort', interrupted)
      process.exit = endProcess
      process.off('uncaughtException', uncaught)
      this.#fail = undefined
    }
  }
}

/** Folders of what a node runs. An error that begins there is no script's, wherever it comes up. */
const nodeFolders = ['broker', 'simulator'].map(folder => join(installation.root, folder) + sep)

function isOfNodes(error: unknown): boolean {
  const first = error instanceof Error ? /file:\/\/[^\s)]+?(?=:\d+:\d+)/.exec(error.stack ?? '')?.[0] : undefined
  return (
    first !== undefined && nodeFolders.some(folder => fileURLToPath(first.split('?')[0] ?? first).startsWith(folder))
  )
}
