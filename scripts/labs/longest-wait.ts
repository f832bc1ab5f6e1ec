/** How long writers wait while something lasts, by the clock of the cluster. */
import type { LabRun } from './script.ts'

const lookMs = 20

export interface Waited {
  /** The longest time in which nothing at all was acknowledged. */
  readonly waitMs: number
  /** How long it took until the end. */
  readonly tookMs: number
}

/** @param end  what is waited for; its failure is ours */
export async function longestWaitUntil(run: Pick<LabRun, 'cluster' | 'workload'>, end: Promise<void>): Promise<Waited> {
  const { clock } = run.cluster
  const beganMs = clock.nowMs()
  let [seen, sinceMs, longestMs] = [run.workload.acknowledged, beganMs, 0]
  const state = { isOver: false }
  const watching = end.finally(() => (state.isOver = true))
  // It is awaited, and thrown, below: only not while somebody looks at what is acknowledged.
  watching.catch(() => undefined)
  while (!state.isOver) {
    const now = run.workload.acknowledged
    longestMs = Math.max(longestMs, clock.nowMs() - sinceMs)
    if (now !== seen) [seen, sinceMs] = [now, clock.nowMs()]
    await clock.sleep(lookMs)
  }
  await watching
  return { waitMs: Math.round(longestMs), tookMs: Math.round(clock.nowMs() - beganMs) }
}
