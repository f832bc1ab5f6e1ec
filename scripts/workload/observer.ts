/**
 * Watches the cluster over the wire while a lab runs: leaders and their epochs, in-sync replicas, the log end offset of every replica, the
 * high watermark, the controller. Every broker is asked on its own, so a paused or dead one never delays what the others say. What was
 * seen goes into the history, and faults can wait for it ("until follower 2 has left the ISR").
 *
 * Works on any Kafka; nothing is asked of a log file or a process.
 */
import type { Cluster, QuorumView } from '../cluster/cluster.ts'
import type { WireClient } from '../cluster/wire.ts'
import { describeQuorum } from '../cluster/wire-requests.ts'
import type { Observation, ObservedPartition } from '../history/operation.ts'
import type { HistoryRecorder } from '../history/recorder.ts'
import { Links } from './links.ts'
import {
  consumer,
  debuggingReplica,
  latest,
  listOffsets,
  topicMetadata,
  type PartitionView,
  type TopicView,
} from './observe-requests.ts'

interface BrokerView {
  readonly seenAtMs: number
  readonly topic: TopicView
  readonly logEndOffsets: ReadonlyMap<number, number>
  readonly highWatermarks: ReadonlyMap<number, number>
}

const everyMs = 200
const answerMs = 1_000
/** What a broker said longer ago than this is no longer true. */
const freshMs = 1_500

export class Observer {
  readonly #cluster: Cluster
  readonly #recorder: HistoryRecorder
  readonly #topic: string
  readonly #links: Links
  readonly #quorumLinks: Links
  readonly #views = new Map<number, BrokerView>()
  #quorum: { view: QuorumView; seenAtMs: number } | undefined
  #running = false
  #loops: Promise<void>[] = []
  #last: Observation | undefined
  #lastText = ''

  constructor(cluster: Cluster, recorder: HistoryRecorder, topic: string) {
    this.#cluster = cluster
    this.#recorder = recorder
    this.#topic = topic
    this.#links = new Links(cluster, answerMs)
    this.#quorumLinks = new Links(cluster, answerMs)
  }

  /** What was seen last; undefined before the first look. */
  get latest(): Observation | undefined {
    return this.#last
  }

  start(): void {
    this.#running = true
    const watch = (look: () => Promise<void>) => this.#loop(look)
    this.#loops = [
      ...this.#links.brokers.map(broker => watch(() => this.#lookAt(broker))),
      watch(() => this.#lookAtQuorum()),
      watch(async () => this.#record()),
    ]
  }

  async stop(): Promise<void> {
    this.#running = false
    await Promise.all(this.#loops)
    this.#links.close()
    this.#quorumLinks.close()
  }

  /**
   * Waits until what is observed satisfies `predicate`.
   *
   * @param what  for the message when it does not come true, e.g. "broker 2 has left the ISR"
   */
  async until(what: string, predicate: (observation: Observation) => boolean, timeoutMs: number): Promise<Observation> {
    const endMs = this.#cluster.clock.nowMs() + timeoutMs
    for (;;) {
      if (this.#last && predicate(this.#last)) return this.#last
      if (this.#cluster.clock.nowMs() >= endMs) {
        throw new Error(
          `waited ${timeoutMs} ms in vain until ${what}; last seen: ${JSON.stringify(this.#last ?? 'nothing')}`,
        )
      }
      await this.#cluster.clock.sleep(50)
    }
  }

  async #loop(look: () => Promise<void>): Promise<void> {
    while (this.#running) {
      await look()
      await this.#cluster.clock.sleep(everyMs)
    }
  }

  async #lookAt(broker: number): Promise<void> {
    const ask = <T>(question: (client: WireClient) => Promise<T>) => this.#links.ask(broker, question)
    try {
      const topic = await ask(client => topicMetadata(client, this.#topic))
      const hosted = topic.partitions.filter(partition => partition.replicas.includes(broker)).map(({ index }) => index)
      const led = topic.partitions.filter(partition => partition.leader === broker).map(({ index }) => index)
      const question = { topic: this.#topic, timestamp: latest } as const
      const logEndOffsets = await ask(client =>
        listOffsets(client, { ...question, partitions: hosted, replicaId: debuggingReplica }),
      )
      const highWatermarks = await ask(client =>
        listOffsets(client, { ...question, partitions: led, replicaId: consumer }),
      )
      this.#views.set(broker, { seenAtMs: this.#cluster.clock.nowMs(), topic, logEndOffsets, highWatermarks })
    } catch {
      // A broker that is down, paused or starting does not answer: that is an observation, not a fault of the observer.
      this.#views.delete(broker)
    }
  }

  async #lookAtQuorum(): Promise<void> {
    for (const broker of [...this.#views.keys()].sort((a, b) => a - b)) {
      try {
        const view = await this.#quorumLinks.ask(broker, describeQuorum)
        if (!view) continue
        this.#quorum = { view, seenAtMs: this.#cluster.clock.nowMs() }
        return
      } catch {
        // As above: the next broker may know.
      }
    }
  }

  #record(): void {
    const seen = this.#compose()
    if (!seen) return
    const text = JSON.stringify(seen)
    this.#last = seen
    if (text === this.#lastText) return
    this.#lastText = text
    this.#recorder.observe(seen)
  }

  #compose(): Observation | undefined {
    const nowMs = this.#cluster.clock.nowMs()
    const fresh = new Map(
      [...this.#views].filter(([, view]) => nowMs - view.seenAtMs <= freshMs).sort(([a], [b]) => a - b),
    )
    if (fresh.size === 0 && !this.#last) return undefined
    const quorum = this.#quorum && nowMs - this.#quorum.seenAtMs <= 2 * freshMs ? this.#quorum.view : undefined
    const controller = quorum?.leaderId ?? -1
    // The controller knows first; a broker that was paused may still tell an old story.
    const teller = fresh.get(controller) ?? [...fresh.values()].sort((a, b) => newest(b) - newest(a))[0]
    const partitions: Record<string, ObservedPartition> = {}
    for (const index of new Set(
      [...fresh.values()].flatMap(view => view.topic.partitions.map(partition => partition.index)),
    )) {
      partitions[`${this.#topic}-${index}`] = composePartition(index, fresh, teller)
    }
    return {
      brokers: teller ? [...teller.topic.brokers].sort((a, b) => a - b) : [],
      reachable: [...fresh.keys()],
      controller,
      ...(quorum ? { controllerEpoch: quorum.leaderEpoch } : {}),
      partitions,
    }
  }
}

function newest(view: BrokerView): number {
  return view.topic.partitions.reduce((sum, { leaderEpoch }) => sum + leaderEpoch, 0)
}

function composePartition(
  index: number,
  views: ReadonlyMap<number, BrokerView>,
  teller: BrokerView | undefined,
): ObservedPartition {
  const of = (view: BrokerView | undefined) => view?.topic.partitions.find(partition => partition.index === index)
  let told = of(teller)
  for (const view of views.values()) {
    const candidate = of(view)
    if (candidate && (!told || candidate.leaderEpoch > told.leaderEpoch)) told = candidate
  }
  const { leader, leaderEpoch, replicas, isr } = told as PartitionView
  const logEndOffsets: Record<string, number> = {}
  for (const [broker, view] of views) {
    const offset = view.logEndOffsets.get(index)
    if (offset !== undefined) logEndOffsets[broker] = offset
  }
  return {
    leader,
    leaderEpoch,
    replicas,
    isr: [...isr].sort((a, b) => a - b),
    highWatermark: views.get(leader)?.highWatermarks.get(index) ?? null,
    logEndOffsets,
  }
}
