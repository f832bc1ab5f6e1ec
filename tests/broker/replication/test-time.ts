/** Virtual time for drivers that use promises: `run` lets microtasks settle between events, so nothing depends on the machine's speed. */
import type { Timer, Timers } from '#broker/environment/environment.ts'

interface Due {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

export class TestTime {
  nowMs = 1_000
  private order = 0
  private soon: (() => void)[] = []
  private due = new Set<Due>()

  readonly timers: Timers = {
    after: (delayMs, run): Timer => {
      const due = { atMs: this.nowMs + delayMs, order: this.order++, run }
      this.due.add(due)
      return { cancel: () => this.due.delete(due) }
    },
    soon: run => {
      this.soon.push(run)
    },
  }

  /** Runs everything that is due within the next `ms`, in order, and moves the clock on. */
  async run(ms: number): Promise<void> {
    const endMs = this.nowMs + ms
    for (;;) {
      await this.settle()
      const next = [...this.due].sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0]
      if (next === undefined || next.atMs > endMs) break
      this.nowMs = Math.max(this.nowMs, next.atMs)
      this.due.delete(next)
      next.run()
    }
    this.nowMs = endMs
  }

  /** Runs what waits for a later turn, and microtasks, until nothing is left. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 2;) {
      for (let turn = 0; turn < 25; turn += 1) await Promise.resolve()
      const soon = this.soon.splice(0)
      quiet = soon.length === 0 ? quiet + 1 : 0
      for (const run of soon) run()
    }
  }
}
