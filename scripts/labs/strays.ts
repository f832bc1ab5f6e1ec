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

export interface ScriptBounds {
  readonly realMs?: number | undefined
  readonly virtual?: { readonly clock: LabClock; readonly ms: number } | undefined
  readonly signal?: AbortSignal | undefined
  /** Of a thread that is never given back; left out: a minute. */
  readonly stallMs?: number
}

export class Strays {
  readonly #hasNodes: boolean
  #fail: ((reason: unknown) => void) | undefined
  #isWatching = false
  /** Of scripts that are over. */
  #left: unknown[] = []

  /** @param hasNodes  nodes run in this process, so an error may be one of theirs */
  constructor({ hasNodes }: { readonly hasNodes: boolean }) {
    this.#hasNodes = hasNodes
  }

  /**
   * Takes an error that nobody handled: it ends the script that runs, or is kept for `leftBehind` after it. False: no script has run yet, or it is
   * one of nodes, which somebody else is to know of.
   */
  readonly take = (error: unknown): boolean => {
    if (!this.#isWatching || (this.#hasNodes && isOfNodes(error))) return false
    if (this.#fail === undefined) this.#left.push(error)
    else this.#fail(error)
    return true
  }

  /** Rejections that nobody handles come here too, except in a simulation, which asks `take` itself. */
  readonly #uncaught = (error: unknown): void => {
    if (!this.take(error)) throw error
  }

  /** What went wrong since the last call without a script that runs: the work of those before. */
  leftBehind(): readonly unknown[] {
    return this.#left.splice(0)
  }

  /** When the cluster is taken away. Until then what a script began may go on after its end. */
  close(): void {
    if (!this.#isWatching) return
    this.#isWatching = false
    process.exit = endProcess
    process.off('uncaughtException', this.#uncaught)
  }

  #watch(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    process.on('uncaughtException', this.#uncaught)
    process.exit = code => {
      const error = new Error(`process.exit(${code ?? ''}) was called`)
      this.take(error)
      throw error
    }
  }

  /**
   * Runs the script. Rejects with what it throws, with what goes astray meanwhile, once it has taken too long, or when it is interrupted; the script
   * itself is not ended by that. Watches over what it leaves until `close`.
   */
  async during(script: () => Promise<void>, bounds: ScriptBounds): Promise<void> {
    const { promise: astray, reject } = Promise.withResolvers<never>()
    // The race below waits for it, and so nobody does where the watch over the thread cannot begin: that has an error of its own.
    astray.catch(() => undefined)
    const taken: unknown[] = []
    this.#watch()
    this.#fail = error => {
      taken.push(error)
      reject(error)
    }
    const { realMs, virtual, signal, stallMs } = bounds
    const late = (ms: number, time: string) => () =>
      reject(new Error(`it has not ended in ${ms / 1_000} s of ${time} time`))
    const timer = realMs === undefined ? undefined : setTimeout(late(realMs, 'real'), realMs)
    // What is left of it at the end of the script happens in vain, or never.
    if (virtual !== undefined) void virtual.clock.sleep(virtual.ms).then(late(virtual.ms, 'virtual'))
    const interrupted = () => reject(signal?.reason)
    if (signal?.aborted === true) interrupted()
    signal?.addEventListener('abort', interrupted, { once: true })
    let rest: (() => void) | undefined
    try {
      rest = watchForStandstill(stallMs)
      await Promise.race([script(), astray])
      // A script that ends in the moment in which something beside it goes wrong is first in that race.
      if (taken.length > 0) throw taken[0]
    } catch (error) {
      this.#left.push(...taken.filter(other => other !== error))
      throw error
    } finally {
      rest?.()
      clearTimeout(timer)
      signal?.removeEventListener('abort', interrupted)
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
