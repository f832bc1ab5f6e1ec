/** What the pool and its processes have to agree on. */

export interface SeedTask {
  readonly seed: number
  readonly safetyMs: number | undefined
}

/** The file descriptor on which a process tells, before it ends, at what it stood still. */
export const standstillReports = 4
