/**
 * The reading side of the append workload: kafkajs consumers in one group while faults happen, and a fresh client that reads everything
 * from the beginning when they are over. kafkajs polls behind the scenes; a delivered batch counts as one poll.
 */
import type { Consumer, ConsumerConfig, EachBatchPayload } from 'kafkajs'
import type { Cluster } from '../cluster/cluster.ts'
import type { Offset, Value } from '../history/operation.ts'
import type { ClientRecorder, HistoryRecorder } from '../history/recorder.ts'
import { clientTimes, kafkaClient } from './kafkajs-client.ts'
import { sayGoodbye } from './kafkajs-goodbye.ts'

const groupTimes = {
  sessionTimeout: 10_000,
  heartbeatInterval: 1_000,
  rebalanceTimeout: 10_000,
  maxWaitTimeInMs: 250,
} satisfies Partial<ConsumerConfig>

/** kafkajs gives up a fetch after so many tries and crashes; then the thread begins again with a new client. */
const consumerRetries = 8
const restartMs = 300

export interface Place {
  readonly topic: string
  readonly partitions: number
}

type Reading = 'assign' | 'subscribe'

/** One kafkajs consumer from its connection to its end. */
class Reader {
  readonly client: ClientRecorder
  readonly #consumer: Consumer
  readonly #topic: string
  readonly #reading: Reading
  readonly #polled: (partition: number, records: readonly (readonly [Offset, Value])[]) => void
  #stopped = false
  #resolveCrashed: () => void = () => undefined
  /** Resolves when kafkajs has given up. */
  readonly crashed: Promise<void>
  /** What the group has given it last; undefined before the first time. */
  assigned: readonly number[] | undefined

  constructor(options: {
    readonly cluster: Cluster
    readonly client: ClientRecorder
    readonly groupId: string
    readonly topic: string
    readonly reading: Reading
    readonly polled?: (partition: number, records: readonly (readonly [Offset, Value])[]) => void
  }) {
    this.client = options.client
    this.#topic = options.topic
    this.#reading = options.reading
    this.#polled = options.polled ?? (() => undefined)
    this.crashed = new Promise(resolve => (this.#resolveCrashed = resolve))
    this.#consumer = kafkaClient(options.cluster, options.client.client).consumer({
      ...groupTimes,
      groupId: options.groupId,
      allowAutoTopicCreation: false,
      // A crash ends this process of the history; the thread starts the next one itself.
      retry: { ...clientTimes.retry, retries: consumerRetries, restartOnFailure: async () => false },
    })
  }

  async start(): Promise<void> {
    const { GROUP_JOIN, CRASH } = this.#consumer.events
    this.#consumer.on(GROUP_JOIN, ({ payload }) => {
      const partitions = payload.memberAssignment[this.#topic] ?? []
      this.assigned = partitions
      this.client.partitions(
        this.#reading,
        partitions.map(partition => `${this.#topic}-${partition}`),
      )
    })
    this.#consumer.on(CRASH, () => {
      this.client.crash()
      this.#resolveCrashed()
    })
    await this.#consumer.connect()
    await this.#consumer.subscribe({ topics: [this.#topic], fromBeginning: true })
    await this.#consumer.run({ autoCommitInterval: 500, eachBatch: async payload => this.#batch(payload) })
  }

  /** Records nothing from now on, then says goodbye. */
  async stop(): Promise<void> {
    this.#stopped = true
    await sayGoodbye(this.#consumer)
  }

  #batch({ batch }: EachBatchPayload): void {
    if (this.client.retired || this.#stopped) return
    const records = batch.messages.map(({ offset, value }) => [Number(offset), value?.toString() ?? ''] as const)
    if (records.length === 0) return
    this.client.invoke('poll', [['poll']])
    this.client.complete('ok', [['poll', { [`${batch.topic}-${batch.partition}`]: records }]])
    this.#polled(batch.partition, records)
  }
}

/** The members of one consumer group, each a thread that begins again after a crash. */
export class GroupConsumers {
  readonly #cluster: Cluster
  readonly #recorder: HistoryRecorder
  readonly #topic: string
  readonly #count: number
  #threads: Promise<void>[] = []
  #running = false
  #stopped: Promise<void> = Promise.resolve()
  #stop: () => void = () => undefined

  constructor(cluster: Cluster, recorder: HistoryRecorder, place: Place, count: number) {
    this.#cluster = cluster
    this.#recorder = recorder
    this.#topic = place.topic
    this.#count = count
  }

  start(): void {
    this.#running = true
    this.#stopped = new Promise(resolve => (this.#stop = resolve))
    this.#threads = Array.from({ length: this.#count }, (_, thread) => this.#run(thread))
  }

  async stop(): Promise<void> {
    this.#running = false
    this.#stop()
    await Promise.all(this.#threads)
  }

  async #run(thread: number): Promise<void> {
    while (this.#running) {
      const reader = new Reader({
        cluster: this.#cluster,
        client: this.#recorder.client(`consumer-${thread}`),
        groupId: `${this.#topic}-readers`,
        topic: this.#topic,
        reading: 'subscribe',
      })
      try {
        const life = reader.start().then(() => reader.crashed)
        await Promise.race([life, this.#stopped])
      } catch {
        // It could not connect or join: the same as a crash right away.
        reader.client.crash()
      }
      await ended(reader, this.#cluster)
      if (this.#running) await this.#cluster.clock.sleep(restartMs)
    }
  }
}

const goodbyeMs = 1_000

/** kafkajs may wait for ever for a broker that is gone; the client's goodbye is not worth that. */
async function ended(reader: Reader, cluster: Cluster): Promise<void> {
  // What a client that is given up has to say is no finding.
  const goodbye = reader.stop().catch(() => undefined)
  await Promise.race([goodbye, cluster.clock.sleep(goodbyeMs)])
}

/** Longer than a group needs to notice that a member is gone, and to settle: who has got nothing for so long will get nothing more. */
const silentMs = groupTimes.sessionTimeout + groupTimes.rebalanceTimeout

/**
 * Reads every partition from the beginning up to `ends` with fresh clients of their own group. A reader that crashes, loses a partition that it
 * has not read to the end, or gets nothing any more, is given up, and another one begins anew in another group.
 *
 * @param ends  per partition, the offset (exclusive) to reach
 * @returns whether all of them were reached within `timeoutMs`
 */
export async function readEverything(
  cluster: Cluster,
  recorder: HistoryRecorder,
  place: Place,
  ends: readonly Offset[],
  timeoutMs: number,
): Promise<boolean> {
  const deadlineMs = cluster.clock.nowMs() + timeoutMs
  for (let attempt = 0; cluster.clock.nowMs() < deadlineMs; attempt += 1) {
    const next = ends.map(() => 0)
    let gotMs = cluster.clock.nowMs()
    const reader = new Reader({
      cluster,
      client: recorder.client('final-reader'),
      groupId: `${place.topic}-final-${attempt}`,
      topic: place.topic,
      reading: 'assign',
      polled: (partition, records) => {
        gotMs = cluster.clock.nowMs()
        next[partition] = Math.max(next[partition] ?? 0, (records.at(-1)?.[0] ?? -1) + 1)
      },
    })
    const state = { crashed: false }
    try {
      await reader.start()
      reader.crashed.then(
        () => (state.crashed = true),
        () => undefined,
      )
      const isRead = (partition: number) => (next[partition] as number) >= (ends[partition] as number)
      const done = () => ends.every((_, partition) => isRead(partition))
      const isThrownOut = () =>
        reader.assigned !== undefined &&
        ends.some((_, partition) => !isRead(partition) && reader.assigned?.includes(partition) === false)
      const isHopeless = () => state.crashed || isThrownOut() || cluster.clock.nowMs() - gotMs > silentMs
      while (!isHopeless() && !done() && cluster.clock.nowMs() < deadlineMs) await cluster.clock.sleep(50)
      if (done()) return true
    } catch {
      reader.client.crash()
      await cluster.clock.sleep(restartMs)
    } finally {
      await ended(reader, cluster)
    }
  }
  return false
}
