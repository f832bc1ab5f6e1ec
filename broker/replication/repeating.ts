/** Work that is done again and again until all of it is stopped: the interval begins anew when the work is done. */
import type { Environment, Timer } from '../environment/environment.ts'

export class Repeating {
  private readonly environment: Pick<Environment, 'timers'>
  private readonly timers: Timer[] = []
  private isStopped = false

  constructor(environment: Pick<Environment, 'timers'>) {
    this.environment = environment
  }

  every(intervalMs: number, run: () => void, firstAfterMs = intervalMs): void {
    const index = this.timers.length
    const next = (delayMs: number): Timer =>
      this.environment.timers.after(delayMs, () => {
        if (this.isStopped) return
        run()
        this.timers[index] = next(intervalMs)
      })
    this.timers.push(next(firstAfterMs))
  }

  stop(): void {
    this.isStopped = true
    for (const timer of this.timers) timer.cancel()
  }
}

/** So many in one turn of the event loop: a pass over ten thousand logs must not hold up requests. */
const perTurn = 100

/** Runs for each item, some in this turn and the others in later ones; each must bear that its item is gone by then. */
export function inTurns<T>(timers: Environment['timers'], items: readonly T[], run: (item: T) => void): void {
  for (const item of items.slice(0, perTurn)) run(item)
  if (items.length > perTurn) timers.soon(() => inTurns(timers, items.slice(perTurn), run))
}
