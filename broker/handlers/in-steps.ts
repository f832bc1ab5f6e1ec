/** Work on requests that name very many things: in steps, between which others have their turn. */
import type { Timers } from '../environment/environment.ts'

/** Runs to the end at once when there is one step only; else the others follow, each in a later turn of the event loop. */
export function inSteps<T>(timers: Pick<Timers, 'soon'>, steps: Generator<void, T, void>): T | Promise<T> {
  const first = steps.next()
  if (first.done === true) return first.value
  return new Promise((resolve, reject) => {
    const go = (): void => {
      try {
        const step = steps.next()
        if (step.done === true) resolve(step.value)
        else timers.soon(go)
      } catch (error) {
        reject(error)
      }
    }
    timers.soon(go)
  })
}
