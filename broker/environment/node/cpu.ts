/** The processor time of this process, for faults that take some of it away. */
import type { Cpu } from '../faulty/cpu-limit.ts'

const sleeper = new Int32Array(new SharedArrayBuffer(4))

export function processCpu(): Cpu {
  let stoodStillMs = 0
  return {
    usedMs() {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1_000
    },
    nowMs: () => performance.now(),
    stoodStillMs: () => stoodStillMs,
    standStill(delayMs) {
      Atomics.wait(sleeper, 0, 0, delayMs)
      stoodStillMs += delayMs
    },
    every(periodMs, run) {
      const timer = setInterval(run, periodMs).unref()
      return () => clearInterval(timer)
    },
  }
}
