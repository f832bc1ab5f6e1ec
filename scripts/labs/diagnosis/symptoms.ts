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
  /** The slowest write of a look at all brokers while they were well, in the median: machines differ, and are busy. */
  readonly usualWriteMs: number
}

/** How many looks at a healthy cluster tell what is usual. */
const usualLooks = 5
/**
 * Who has given no answer by then is silent: so many times what the slowest healthy broker took, within bounds. A slow disk, where writes of others
 * wait as well, is far below it.
 */
const answerTimes = 80
const [answerLeastMs, answerMostMs] = [2_500, 10_000]
/** While nothing is known of the machine. */
const firstAnswerMs = 15_000
/** Until a new topic is led. */
const readyMs = 30_000

interface Look {
  readonly broker: number
  readonly answers: BrokerSymptoms['answers']
  /** For all that it was asked. */
  readonly tookMs: number
  readonly view: MetadataView | undefined
  readonly write: { readonly errorCode: number; readonly tookMs: number; readonly timeMs: number } | undefined
}

/** Looks at all brokers of a cluster; `prepare` comes first. */
export class Doctor {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #probes: string
  readonly #brokers: readonly number[]
  #answerMs = firstAnswerMs
  #usualWriteMs = 0

  /** @param topic  whose leaders and in-sync sets are looked at; the topic for the writes is named after it */
  constructor(cluster: Cluster, topic: string) {
    this.#cluster = cluster
    this.#topic = topic
    this.#probes = `${topic}-probes`
    this.#brokers = new Links(cluster, firstAnswerMs).brokers
  }

  /** The slowest write of a look at all brokers while they were well, in the median. */
  get usualWriteMs(): number {
    return this.#usualWriteMs
  }

  /** While all is well: a topic with a partition for each broker that nobody else has, in the order of their ids; and how fast answers are. */
  async prepare(): Promise<void> {
    const links = new Links(this.#cluster, firstAnswerMs)
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
    let slowestMs = 0
    const writes: number[] = []
    for (let count = 0; count < usualLooks; count++) {
      const looks = await this.#lookAtAll()
      slowestMs = Math.max(slowestMs, ...looks.map(({ tookMs }) => tookMs))
      writes.push(Math.max(...looks.map(({ write }) => write?.tookMs ?? 0)))
    }
    // The first write to a new log may be slow once.
    this.#usualWriteMs = median(writes) ?? 0
    this.#answerMs = Math.min(answerMostMs, Math.max(answerLeastMs, answerTimes * slowestMs))
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
    return { ...symptomsOf(await this.#lookAtAll(), this.#topic), usualWriteMs: this.#usualWriteMs }
  }

  async #lookAtAll(): Promise<readonly Look[]> {
    // New connections each time: whether there are any is a symptom.
    const links = new Links(this.#cluster, this.#answerMs)
    try {
      return await Promise.all(this.#brokers.map((broker, partition) => this.#lookAt(links, broker, partition)))
    } finally {
      links.close()
    }
  }

  async #lookAt(links: Links, broker: number, partition: number): Promise<Look> {
    const beganMs = this.#cluster.clock.nowMs()
    const tookMs = () => this.#cluster.clock.nowMs() - beganMs
    try {
      const view = await links.ask(broker, client => metadata(client, [this.#topic]))
      const write = await links.ask(broker, client => this.#write(client, partition))
      return { broker, answers: 'yes', tookMs: tookMs(), view, write }
    } catch (error) {
      const answers = error instanceof NoAnswerError ? 'is silent' : 'refuses'
      return { broker, answers, tookMs: tookMs(), view: undefined, write: undefined }
    }
  }

  async #write(client: Parameters<typeof produceBatch>[0], partition: number): Promise<NonNullable<Look['write']>> {
    const beganMs = this.#cluster.clock.nowMs()
    const { errorCode, logAppendTime } = await produceBatch(client, {
      topic: this.#probes,
      partition,
      records: [{ value: 'probe', timestamp: 0 }],
      acks: 1,
      timeoutMs: this.#answerMs,
    })
    return { errorCode, tookMs: Math.round(this.#cluster.clock.nowMs() - beganMs), timeMs: logAppendTime }
  }
}

function symptomsOf(looks: readonly Look[], topic: string): Omit<Symptoms, 'usualWriteMs'> {
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
