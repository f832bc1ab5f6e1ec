/** Virtual time that passes like real time, for a simulated cluster that real clients talk to. */
import type { Pace } from '#simulator/world/pace.ts'

export class RealTimePace implements Pace {
  readonly #startMs = performance.now()
  #timer: NodeJS.Timeout | undefined
  #resume: (() => void) | undefined

  nowUs(): number {
    return Math.floor((performance.now() - this.#startMs) * 1000)
  }

  wait(timeUs: number | undefined, resume: () => void): void {
    this.#resume = resume
    if (timeUs === undefined) return
    this.#timer = setTimeout(() => this.wake(), Math.max(1, Math.ceil((timeUs - this.nowUs()) / 1000)))
  }

  wake(): void {
    const resume = this.#resume
    if (resume === undefined) return
    this.#resume = undefined
    clearTimeout(this.#timer)
    // Whoever wakes the world may be in the middle of something.
    setImmediate(resume)
  }
}
