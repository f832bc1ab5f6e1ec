/**
 * Watches the cluster over the wire while a lab runs: leaders and their epochs, in-sync replicas, the log end offset of every replica, the
 * high watermark, the controller. What was seen goes into the history, and faults can wait for it ("until follower 2 has left the ISR").
 *
 * The looking itself is `scripts/observe/`; here is what labs do with it.
 */
import type { Cluster } from '../cluster/cluster.ts'
import type { Observation } from '../history/operation.ts'
import type { HistoryRecorder } from '../history/recorder.ts'
import { toHistory } from '../observe/history.ts'
import { observe } from '../observe/observe.ts'

const everyMs = 200
const answerMs = 1_000

export class Observer {
  readonly #cluster: Cluster
  readonly #recorder: HistoryRecorder
  readonly #topic: string
  #isRunning = false
  #watching: Promise<void> | undefined
  #failure: unknown
  #last: Observation | undefined
  #lastText = ''

  constructor(cluster: Cluster, recorder: HistoryRecorder, topic: string) {
    this.#cluster = cluster
    this.#recorder = recorder
    this.#topic = topic
  }

  /** What was seen last; undefined before the first look. */
  get latest(): Observation | undefined {
    return this.#last
  }

  start(): void {
    this.#isRunning = true
    this.#watching = this.#watch()
    // Told to whoever waits for an observation, or at the end.
    this.#watching.catch((error: unknown) => (this.#failure = error))
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    await this.#watching
  }

  /**
   * Waits until what is observed satisfies `predicate`.
   *
   * @param what  for the message when it does not come true, e.g. "broker 2 has left the ISR"
   */
  async until(what: string, predicate: (observation: Observation) => boolean, timeoutMs: number): Promise<Observation> {
    const endMs = this.#cluster.clock.nowMs() + timeoutMs
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      if (this.#last && predicate(this.#last)) return this.#last
      if (this.#cluster.clock.nowMs() >= endMs) {
        throw new Error(
          `waited ${timeoutMs} ms in vain until ${what}; last seen: ${JSON.stringify(this.#last ?? 'nothing')}`,
        )
      }
      await this.#cluster.clock.sleep(50)
    }
  }

  async #watch(): Promise<void> {
    const what = { topics: [this.#topic], quorum: true, intervalMs: everyMs, answerMs }
    for await (const seen of observe(this.#cluster, what)) {
      this.#record(toHistory(seen))
      if (!this.#isRunning) return
    }
  }

  #record(seen: Observation): void {
    // Before the brokers agree on the new topic there is nothing to tell.
    if (Object.keys(seen.partitions).length === 0 && !this.#last) return
    const text = JSON.stringify(seen)
    this.#last = seen
    if (text === this.#lastText) return
    this.#lastText = text
    this.#recorder.observe(seen)
  }
}
