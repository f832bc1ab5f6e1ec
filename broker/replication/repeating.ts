/** Work that is done again and again until all of it is stopped: the interval begins anew when the work is done. */
import type { Environment, Timer } from '../environment/environment.ts'

export class Repeating {
  private readonly environment: Pick<Environment, 'timers'>
  private readonly timers: Timer[] = []
  private isStopped = false

  constructor(environment: Pick<Environment, 'timers'>) {
    this.environment = environment
  }

  every(intervalMs: number, run: () => void): void {
    const index = this.timers.length
    const next = (): Timer =>
      this.environment.timers.after(intervalMs, () => {
        if (this.isStopped) return
        run()
        this.timers[index] = next()
      })
    this.timers.push(next())
  }

  stop(): void {
    this.isStopped = true
    for (const timer of this.timers) timer.cancel()
  }
}
