/**
 * What can be seen of a cluster from outside while something is wrong with one of its brokers: whether each broker answers, what the others say of
 * it, how long it takes for a write of its own, and what time it writes down. Nothing of it asks the toolkit, which would know.
 */
import type { Cluster } from '../../cluster/cluster.ts'
import { createTopic, metadata, type MetadataView } from '../../cluster/wire-requests.ts'
import { produceBatch } from '../../workload/hand-requests.ts'
import { Links, NoAnswerError } from '../../workload/links.ts'

export interface BrokerSymptoms {
  readonly broker: number
  /** `refuses`: there is no connection, or it ends at once. `is silent`: there is one, and no answer. */
  readonly answers: 'yes' | 'refuses' | 'is silent'
  /** Whether most of the others that answer have it among the brokers that are alive; undefined: nobody else answers. */
  readonly isAliveToOthers: boolean | undefined
  /** Who is alive as it says itself. */
  readonly sees: readonly number[]
  /** In how many partitions of the topic the others have it in sync. */
  readonly inSyncIn: number
  readonly leads: number
  /** Of one record, acks=1, to the partition that lives on this broker alone. */
  readonly write:
    | {
        readonly errorCode: number
        readonly tookMs: number
        /** How far the time that it wrote down is ahead of the median of all, ms; undefined: it took no record. */
        readonly aheadMs: number | undefined
      }
    | undefined
}

export interface Symptoms {
  readonly brokers: readonly BrokerSymptoms[]
  /** Of the topic. */
  readonly partitions: number
}

/** Long enough for a busy machine, short enough to be waited for. */
const answerMs = 2_500
/** Until a new topic is led. */
const readyMs = 30_000

interface Look {
  readonly broker: number
  readonly answers: BrokerSymptoms['answers']
  readonly view: MetadataView | undefined
  readonly write: { readonly errorCode: number; readonly tookMs: number; readonly timeMs: number } | undefined
}

/** Looks at all brokers of a cluster; `prepare` comes first. */
export class Doctor {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #probes: string
  readonly #brokers: readonly number[]

  /** @param topic  whose leaders and in-sync sets are looked at; the topic for the writes is named after it */
  constructor(cluster: Cluster, topic: string) {
    this.#cluster = cluster
    this.#topic = topic
    this.#probes = `${topic}-probes`
    const links = new Links(cluster, answerMs)
    this.#brokers = links.brokers
  }

  /** A topic with a partition for each broker that nobody else has, in the order of their ids. */
  async prepare(): Promise<void> {
    const links = new Links(this.#cluster, 15_000)
    try {
      const placement = this.#brokers.map(id => [id])
      const settings = { 'message.timestamp.type': 'LogAppendTime', 'min.insync.replicas': '1' }
      const topic = { name: this.#probes, placement, settings }
      const { errorCode, message } = await links.ask(this.#brokers[0] ?? 1, client =>
        createTopic(client, topic, 10_000),
      )
      if (errorCode !== 0) throw new Error(`${this.#probes} was not created: error ${errorCode} ${message}`)
      for (const [partition, broker] of this.#brokers.entries()) await this.#untilWritable(links, broker, partition)
    } finally {
      links.close()
    }
  }

  async #untilWritable(links: Links, broker: number, partition: number): Promise<void> {
    const endMs = this.#cluster.clock.nowMs() + readyMs
    for (;;) {
      const { errorCode } = await links.ask(broker, client => this.#write(client, partition))
      if (errorCode === 0) return
      if (this.#cluster.clock.nowMs() >= endMs)
        throw new Error(`broker ${broker} took no record of ${this.#probes} for ${readyMs} ms: error ${errorCode}`)
      await this.#cluster.clock.sleep(50)
    }
  }

  async look(): Promise<Symptoms> {
    // New connections each time: whether there are any is a symptom.
    const links = new Links(this.#cluster, answerMs)
    try {
      const looks = await Promise.all(this.#brokers.map((broker, partition) => this.#lookAt(links, broker, partition)))
      return symptomsOf(looks, this.#topic)
    } finally {
      links.close()
    }
  }

  async #lookAt(links: Links, broker: number, partition: number): Promise<Look> {
    try {
      const view = await links.ask(broker, client => metadata(client, [this.#topic]))
      const write = await links.ask(broker, client => this.#write(client, partition))
      return { broker, answers: 'yes', view, write }
    } catch (error) {
      const answers = error instanceof NoAnswerError ? 'is silent' : 'refuses'
      return { broker, answers, view: undefined, write: undefined }
    }
  }

  async #write(client: Parameters<typeof produceBatch>[0], partition: number): Promise<NonNullable<Look['write']>> {
    const beganMs = this.#cluster.clock.nowMs()
    const { errorCode, logAppendTime } = await produceBatch(client, {
      topic: this.#probes,
      partition,
      records: [{ value: 'probe', timestamp: 0 }],
      acks: 1,
      timeoutMs: answerMs,
    })
    return { errorCode, tookMs: Math.round(this.#cluster.clock.nowMs() - beganMs), timeMs: logAppendTime }
  }
}

function symptomsOf(looks: readonly Look[], topic: string): Symptoms {
  const times = looks.flatMap(({ write }) => (write?.errorCode === 0 ? [write.timeMs] : []))
  const now = median(times)
  const brokers = looks.map((look): BrokerSymptoms => {
    const { broker, answers, view, write } = look
    const others = looks.flatMap(each => (each.broker === broker || each.view === undefined ? [] : [each.view]))
    const count = (holds: (view: MetadataView) => boolean) => others.filter(holds).length
    const alive = count(other => other.brokers.some(({ id }) => id === broker))
    const partitions = (other: MetadataView) => other.topics.find(({ name }) => name === topic)?.partitions ?? []
    // The one who says the least has heard the latest.
    const least = (counted: (other: MetadataView) => number) =>
      others.length === 0 ? 0 : Math.min(...others.map(counted))
    return {
      broker,
      answers,
      isAliveToOthers: others.length === 0 ? undefined : alive * 2 > others.length,
      sees: view?.brokers.map(({ id }) => id).toSorted((a, b) => a - b) ?? [],
      inSyncIn: least(other => partitions(other).filter(({ isr }) => isr.includes(broker)).length),
      leads: least(other => partitions(other).filter(({ leader }) => leader === broker).length),
      write:
        write === undefined
          ? undefined
          : {
              errorCode: write.errorCode,
              tookMs: write.tookMs,
              aheadMs: write.errorCode === 0 && now !== undefined ? write.timeMs - now : undefined,
            },
    }
  })
  const views = looks.flatMap(({ view }) => view?.topics.find(({ name }) => name === topic) ?? [])
  return { brokers, partitions: Math.max(0, ...views.map(({ partitions }) => partitions.length)) }
}

/** The lower one of two in the middle. */
export function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)]
}
