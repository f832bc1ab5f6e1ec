/** Work on requests that name very many things: in steps, between which others have their turn. */
import type { Clock, Timers } from '../environment/environment.ts'

/** The request that is worked on. */
export interface SteppedRequest {
  readonly environment: { readonly clock: Pick<Clock, 'monotonicMs'>; readonly timers: Pick<Timers, 'soon'> }
  /** A step took so long: the quota on the time of requests counts it. */
  worked(durationMs: number): void
}

/**
 * Runs to the end at once when there is one step only; else the others follow, each in a later turn of the event loop. What the last step
 * promises is awaited.
 */
export function inSteps<T>(request: SteppedRequest, steps: Generator<void, T | Promise<T>, void>): T | Promise<T> {
  const { clock, timers } = request.environment
  const next = (): IteratorResult<void, T | Promise<T>> => {
    const sinceMs = clock.monotonicMs()
    try {
      return steps.next()
    } finally {
      request.worked(clock.monotonicMs() - sinceMs)
    }
  }
  const first = next()
  if (first.done === true) return first.value
  return new Promise<T>((resolve, reject) => {
    const go = (): void => {
      try {
        const step = next()
        if (step.done === true) resolve(step.value)
        else timers.soon(go)
      } catch (error) {
        reject(error)
      }
    }
    timers.soon(go)
  })
}
