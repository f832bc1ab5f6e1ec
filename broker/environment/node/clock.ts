/** The clock of the real machine. Monotonic time never relates to the calendar; wall time may jump with the system clock. */
import type { Clock } from '../environment.ts'

export const nodeClock: Clock = {
  monotonicMs: () => Math.floor(performance.now()),
  wallMs: () => Date.now(),
}
