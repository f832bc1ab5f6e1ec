/**
 * The append workload: unique values go in, everything that comes out is written down. Jepsen's list-append for logs, with real clients.
 *
 * It touches the cluster only through `Cluster` (clock, random, connections), so it runs unmodified under virtual time.
 */
import { consumer, latest, listOffsets, topicMetadata } from './observe-requests.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Offset } from '../history/operation.ts'
import type { HistoryRecorder } from '../history/recorder.ts'
import { GroupConsumers, readEverything } from './consumers.ts'
import { kafkaClient } from './kafkajs-client.ts'
import { Links } from './links.ts'
import { Producers, type ProducerOptions } from './producers.ts'
import type { Workload } from './workload.ts'

export interface AppendOptions extends ProducerOptions {
  readonly partitions: number
  readonly replicationFactor: number
  /** Topic settings by Kafka's names. */
  readonly settings: Readonly<Record<string, string>>
  /** Members of the consumer group. */
  readonly consumers: number
}

/** What Kafka promises most for: acknowledged by all in-sync replicas, recognised when sent twice. */
export const appendDefaults: AppendOptions = {
  acks: -1,
  idempotent: true,
  producers: 3,
  recordKeys: 2,
  recordsPerSendMax: 4,
  pauseMaxMs: 40,
  retries: 60,
  loseOneResponseIn: 0,
  partitions: 3,
  replicationFactor: 3,
  settings: { 'min.insync.replicas': '2' },
  consumers: 2,
}

/** Which of these settings of a topic let records go; undefined: none. What brokers do by default takes a week. */
export function removing(settings: Readonly<Record<string, string>>): string | undefined {
  const found = ['retention.ms', 'retention.bytes'].filter(name => (settings[name] ?? '-1') !== '-1')
  return found.length === 0 ? undefined : found.map(name => `${name}=${settings[name]}`).join(', ')
}

export class AppendWorkload implements Workload {
  readonly topic: string
  readonly options: AppendOptions
  readonly producers: Producers
  readonly #consumers: GroupConsumers
  readonly #cluster: Cluster
  readonly #recorder: HistoryRecorder

  constructor(cluster: Cluster, recorder: HistoryRecorder, topic: string, options: AppendOptions) {
    this.#cluster = cluster
    this.#recorder = recorder
    this.topic = topic
    this.options = options
    const place = { topic, partitions: options.partitions }
    this.producers = new Producers(cluster, recorder, place, options)
    this.#consumers = new GroupConsumers(cluster, recorder, place, options.consumers)
  }

  get acknowledged(): number {
    return this.producers.acknowledged
  }

  /** Creates the topic and waits until every partition has a leader and all its replicas in sync. */
  async prepare(): Promise<void> {
    const { partitions, replicationFactor, settings } = this.options
    const admin = kafkaClient(this.#cluster, 'lab-admin').admin()
    await admin.connect()
    try {
      await admin.createTopics({
        waitForLeaders: false,
        topics: [
          {
            topic: this.topic,
            numPartitions: partitions,
            replicationFactor,
            configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
          },
        ],
      })
    } finally {
      await admin.disconnect()
    }
    const by = removing(settings)
    if (by !== undefined) this.#recorder.removal({ topic: this.topic, by })
    await this.untilInSync(30_000)
  }

  start(): void {
    this.producers.start()
    this.#consumers.start()
  }

  /** Waits until this many more records have been acknowledged. */
  async moreAcknowledged(count: number, timeoutMs = 60_000): Promise<void> {
    await this.#more(`${count} more acknowledged records`, count, () => this.producers.acknowledged, timeoutMs)
  }

  /** Waits until this many more sends have ended without an acknowledgement. */
  async moreUnacknowledged(count: number, timeoutMs = 60_000): Promise<void> {
    await this.#more(`${count} more sends that fail`, count, () => this.producers.unacknowledged, timeoutMs)
  }

  async #more(what: string, count: number, counted: () => number, timeoutMs: number): Promise<void> {
    const goal = counted() + count
    const endMs = this.#cluster.clock.nowMs() + timeoutMs
    while (counted() < goal) {
      if (this.#cluster.clock.nowMs() >= endMs)
        throw new Error(`waited ${timeoutMs} ms for ${what}, got ${counted() - goal + count}`)
      await this.#cluster.clock.sleep(20)
    }
  }

  /** Stops writing, then reads everything that is there; the cluster must be healed by now. */
  async finish(timeoutMs: number): Promise<void> {
    await this.producers.stop()
    const ends = await this.untilInSync(timeoutMs)
    this.#recorder.phase('final-read')
    const { topic } = this
    const complete = await readEverything(
      this.#cluster,
      this.#recorder,
      { topic, partitions: this.options.partitions },
      ends,
      timeoutMs,
    )
    this.#recorder.phase(complete ? 'final-read-complete' : 'final-read-incomplete')
    await this.#consumers.stop()
  }

  /** Gives up without a final read, after a failure. */
  async abandon(): Promise<void> {
    await Promise.all([this.producers.stop(), this.#consumers.stop()])
  }

  /** Waits until every replica is in sync, and answers each partition's high watermark then. */
  async untilInSync(timeoutMs: number): Promise<Offset[]> {
    const links = new Links(this.#cluster, 2_000)
    const endMs = this.#cluster.clock.nowMs() + timeoutMs
    let missing = 'no broker answered'
    try {
      while (this.#cluster.clock.nowMs() < endMs) {
        for (const broker of links.brokers) {
          const seen = await this.#inSync(links, broker)
          if (typeof seen !== 'string') return seen
          missing = seen
        }
        await this.#cluster.clock.sleep(100)
      }
    } finally {
      links.close()
    }
    throw new Error(`after ${timeoutMs} ms not all replicas of ${this.topic} were in sync: ${missing}`)
  }

  async #inSync(links: Links, broker: number): Promise<Offset[] | string> {
    const ends: Offset[] = []
    try {
      const { partitions } = await links.ask(broker, client => topicMetadata(client, this.topic))
      if (partitions.length < this.options.partitions) return `broker ${broker} knows ${partitions.length} partitions`
      for (const { index, leader, replicas, isr } of partitions) {
        if (leader < 0) return `partition ${index} has no leader`
        if (isr.length < replicas.length)
          return `partition ${index} has the in-sync replicas ${isr.join(', ') || 'none'}`
        const question = { topic: this.topic, partitions: [index], replicaId: consumer, timestamp: latest } as const
        const end = (await links.ask(leader, client => listOffsets(client, question))).get(index)
        if (end === undefined) return `broker ${leader} does not lead partition ${index} yet`
        ends[index] = end
      }
      return ends
    } catch (error) {
      return `broker ${broker}: ${error instanceof Error ? error.message : String(error)}`
    }
  }
}
