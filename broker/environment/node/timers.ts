/** Timers of the real event loop. `setTimeout` counts in 32 bits: longer delays run in stages. */
import type { Timer, Timers } from '../environment.ts'

/** Largest delay that setTimeout honours; above it, it would fire at once. */
const stageMsMax = 2 ** 31 - 1

class NodeTimer implements Timer {
  #handle: NodeJS.Timeout | undefined
  #run: (() => void) | undefined

  constructor(delayMs: number, run: () => void) {
    this.#run = run
    this.#wait(delayMs)
  }

  cancel(): void {
    this.#run = undefined
    clearTimeout(this.#handle)
  }

  #wait(delayMs: number): void {
    const stageMs = Math.min(delayMs, stageMsMax)
    this.#handle = setTimeout(() => this.#elapsed(delayMs - stageMs), stageMs)
  }

  #elapsed(restMs: number): void {
    const run = this.#run
    if (run === undefined) return
    if (restMs > 0) return this.#wait(restMs)
    this.#run = undefined
    run()
  }
}

const never: Timer = { cancel: () => {} }

export const nodeTimers: Timers = {
  after(delayMs, run) {
    if (!(delayMs >= 0)) throw new RangeError(`Expected a delay of 0 ms or more, got ${delayMs}`)
    return delayMs === Infinity ? never : new NodeTimer(delayMs, run)
  },
  soon(run) {
    setImmediate(run)
  },
}
