/** The clock of clusters that run in real time. */
import { setTimeout as delay } from 'node:timers/promises'
import type { LabClock } from './cluster.ts'

export const realClock: LabClock = {
  nowMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, signal === undefined ? {} : { signal }),
}

/**
 * Asks again every `everyMs` until the answer is not undefined.
 *
 * @returns the answer, or undefined when `timeoutMs` have passed without one
 */
export async function poll<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  options: {
    readonly clock?: LabClock
    readonly everyMs?: number
    readonly timeoutMs: number
    readonly signal?: AbortSignal | undefined
  },
): Promise<T | undefined> {
  const clock = options.clock ?? realClock
  const end = clock.nowMs() + options.timeoutMs
  for (;;) {
    options.signal?.throwIfAborted()
    const answer = await ask()
    if (answer !== undefined) return answer
    if (clock.nowMs() >= end) return undefined
    await clock.sleep(options.everyMs ?? 10)
  }
}
