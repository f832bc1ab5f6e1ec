/**
 * Waits until everything that one event set off has run, before the next event starts: else the order of promise callbacks of two events
 * would depend on how they interleave.
 *
 * The functions are taken when the module loads, before a simulation replaces the globals.
 *
 * Why `microtask` is complete for promises: Node.js runs the tick queue first, then *all* microtasks, including those that microtasks
 * queue, and looks at the tick queue again only when none is left. The last microtask to be queued here asks for a tick, so that tick
 * finds an empty microtask queue. Not covered: chains of `process.nextTick` started in promise callbacks, which neither the broker nor
 * kafkajs has; `immediate` waits for those too, at three times the price.
 */
const realNextTick = process.nextTick.bind(process)
const realSetImmediate = setImmediate
const realQueueMicrotask = queueMicrotask

export type Drain = 'microtask' | 'immediate'

/** Every so many events the real event loop gets its turn: test runners have timers, and rejections nobody handled are reported there. */
const eventsPerTurn = 512

export class Drainer {
  readonly #mode: Drain
  #events = 0

  constructor(mode: Drain) {
    this.#mode = mode
  }

  /** Calls `next` when nothing of the current event is left to run. Never calls it from within. */
  whenQuiet(next: () => void): void {
    if (this.#mode === 'immediate' || ++this.#events % eventsPerTurn === 0) realSetImmediate(next)
    else realQueueMicrotask(() => realNextTick(next))
  }
}
