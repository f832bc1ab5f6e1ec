/**
 * A world that is shown to the outside runs no faster than real time. The real clock stays outside of the simulator: who hosts a world
 * in real time brings it as a pace. Without one, virtual time passes as fast as the machine allows.
 */
export interface Pace {
  /** Microseconds of real time since the run began. */
  nowUs(): number
  /** Calls `resume` once, at `timeUs` or at the next `wake`, whichever is first; undefined: only at `wake`. Never from within. */
  wait(timeUs: number | undefined, resume: () => void): void
  /** Something came from outside. */
  wake(): void
}
