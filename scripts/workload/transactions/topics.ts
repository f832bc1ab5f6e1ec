/**
 * A workload of several topics, for pipelines: the script writes and reads them itself (see `by-hand.ts`), and at the end a client reads every one
 * of them as a reader of committed records. The topics are named after the variant: `lab-main-in`.
 */
import type { Cluster } from '../../cluster/cluster.ts'
import type { HistoryRecorder } from '../../history/recorder.ts'
import { HandWorkload, type HandOptions } from '../by-hand.ts'
import type { Workload, WorkloadParts } from '../workload.ts'
import type { StageParts } from './stage.ts'

/** What every topic of a pipeline has unless it says otherwise. */
const usual: Partial<HandOptions> = {
  replicationFactor: 3,
  settings: { 'min.insync.replicas': '2' },
  transactional: true,
}

export class HandTopics<Name extends string> implements Workload {
  /** The one named last: the end of the pipeline. */
  readonly topic: string
  /** Of all topics. */
  readonly prefix: string
  readonly recorder: HistoryRecorder
  readonly #topics: ReadonlyMap<string, HandWorkload>
  /** Records of stages. */
  #acknowledged = 0

  constructor(parts: WorkloadParts, topics: Readonly<Record<Name, Partial<HandOptions>>>) {
    this.prefix = parts.topic
    this.recorder = parts.recorder
    const each = Object.entries<Partial<HandOptions>>(topics)
    this.#topics = new Map(
      each.map(([name, options]) => [
        name,
        new HandWorkload({ ...parts, topic: `${parts.topic}-${name}` }, { ...usual, ...options, finalRead: false }),
      ]),
    )
    this.topic = [...this.#topics.values()].at(-1)?.topic ?? parts.topic
  }

  get acknowledged(): number {
    return [...this.#topics.values()].reduce((sum, { acknowledged }) => sum + acknowledged, this.#acknowledged)
  }

  /** For a stage that reads and writes these topics. */
  stageParts(cluster: Cluster): StageParts {
    const countAcknowledged = (records: number) => void (this.#acknowledged += records)
    return { cluster, recorder: this.recorder, countAcknowledged }
  }

  of(name: Name): HandWorkload {
    return this.#topics.get(name) as HandWorkload
  }

  async prepare(): Promise<void> {
    for (const topic of this.#topics.values()) await topic.prepare()
  }

  start(): void {
    // Nobody works but the script.
  }

  moreAcknowledged(): Promise<void> {
    return Promise.reject(
      new Error('nothing is written but what the script itself writes: there is nothing to wait for'),
    )
  }

  async finish(timeoutMs: number): Promise<void> {
    this.recorder.phase('final-read')
    let isComplete = true
    for (const topic of this.#topics.values()) if (!(await topic.readEverything(timeoutMs))) isComplete = false
    this.recorder.phase(isComplete ? 'final-read-complete' : 'final-read-incomplete')
    for (const topic of this.#topics.values()) await topic.finish(timeoutMs)
  }

  async abandon(): Promise<void> {
    for (const topic of this.#topics.values()) await topic.abandon()
  }
}
