/** Wall clocks that are wrong. Monotonic time stays right: no timeout may depend on the calendar. */
import type { Fault } from './fault.ts'

/** The clock is ahead (behind, when negative) by that much, from one moment to the next. */
export function clockJump(options: { readonly offsetMs: number }): Fault {
  return {
    kind: 'clock-jump',
    summary: `wall clock ${Math.abs(options.offsetMs)} ms ${options.offsetMs < 0 ? 'behind' : 'ahead'}`,
    wallOffsetMs: () => options.offsetMs,
  }
}

/** The clock gains (loses, when negative) that many ms per second, from now on. */
export function clockDrift(options: { readonly msPerSecond: number }): Fault {
  let sinceMs: number | undefined
  return {
    kind: 'clock-drift',
    summary: `wall clock ${options.msPerSecond < 0 ? 'loses' : 'gains'} ${Math.abs(options.msPerSecond)} ms per second`,
    wallOffsetMs(nowMs) {
      sinceMs ??= nowMs
      return Math.trunc(((nowMs - sinceMs) * options.msPerSecond) / 1000)
    },
  }
}

/** The clock jumps there and back all the time. */
export function clockStrobe(options: { readonly offsetMs: number; readonly periodMs: number }): Fault {
  return {
    kind: 'clock-strobe',
    summary: `wall clock off by ${options.offsetMs} ms every other ${options.periodMs} ms`,
    wallOffsetMs: nowMs => (Math.floor(nowMs / options.periodMs) % 2 === 0 ? options.offsetMs : 0),
  }
}
