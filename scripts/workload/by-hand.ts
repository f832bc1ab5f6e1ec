/**
 * A workload without clients of its own: there is the topic, and the script writes and reads itself, request by request. For labs whose point
 * is what one request answers. What is written and read through it is recorded like the work of any client.
 */
import { inspect } from 'node:util'
import type { Admin } from 'kafkajs'
import type { WireClient } from '../cluster/wire.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Offset, Value } from '../history/operation.ts'
import type { HistoryRecorder } from '../history/recorder.ts'
import { appendDefaults, AppendWorkload, removing } from './append.ts'
import { kafkaClient } from './kafkajs-client.ts'
import { Links } from './links.ts'
import {
  alterTopicSettings,
  deleteRecords,
  fetchAsConsumer,
  initProducerId,
  offsetForLeaderEpoch,
  produceBatch,
  type EpochEnd,
  type Fetched,
  type FetchQuestion,
  type Produced,
  type ProduceQuestion,
  type ReadRecord,
} from './hand-requests.ts'
import { earliest, latest, consumer, debuggingReplica, listOffsets, topicMetadata } from './observe-requests.ts'
import { HandReader, type Slice } from './transactions/reader.ts'
import type { Workload, WorkloadParts } from './workload.ts'

export interface HandOptions {
  readonly partitions: number
  readonly replicationFactor: number
  /** Topic settings by Kafka's names. */
  readonly settings: Readonly<Record<string, string>>
  /** True: at the end a client reads everything, for the checks on records. Not for topics that lose their end (retention). */
  readonly finalRead: boolean
  /** True: that client reads committed records only, up to the last stable offset. */
  readonly transactional: boolean
  /** A transaction stays open for ever: nobody waits for its end before that read, which cannot be a complete one. */
  readonly hangs: boolean
}

const handDefaults: HandOptions = {
  partitions: 1,
  replicationFactor: 1,
  settings: {},
  finalRead: false,
  transactional: false,
  hangs: false,
}

/** Errors after which a client asks who leads now, and tries again: the partition has no leader, or another one. */
const isMoving: ReadonlySet<number> = new Set([3, 5, 6, 9, 74, 75, 76])
const notLeaderOrFollower = 6
/** Answers to a write with acks=all that leave open whether it happened. */
const indefinite: ReadonlyMap<number, { readonly code: string; readonly message: string }> = new Map([
  [notLeaderOrFollower, { code: 'NOT_LEADER_OR_FOLLOWER', message: 'the leader stepped down before all had it' }],
  [7, { code: 'REQUEST_TIMED_OUT', message: 'not all in-sync replicas had it in time' }],
  [20, { code: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', message: 'too few replicas were in sync when it was written' }],
])
const writeTimeoutMs = 5_000
const unacknowledgedTimeoutMs = 500
const answerMs = 15_000
const metadataAnswerMs = 2_000
const retryMs = 100
const patienceMs = 45_000

export class HandWorkload implements Workload {
  readonly topic: string
  readonly cluster: Cluster
  readonly recorder: HistoryRecorder
  readonly links: Links
  readonly #append: AppendWorkload
  /** Of their own: a broker that is frozen or cut off holds nobody up for long. */
  readonly #metadataLinks: Links
  /** Broker that is asked first who leads: the one that answered last. */
  #answered = 1
  readonly #finalRead: boolean
  readonly #transactional: boolean
  readonly #hangs: boolean
  #acknowledged = 0

  constructor({ cluster, recorder, topic }: WorkloadParts, options: Partial<HandOptions> = {}) {
    const { finalRead, transactional, hangs, ...rest } = { ...handDefaults, ...options }
    this.topic = topic
    this.cluster = cluster
    this.recorder = recorder
    this.links = new Links(cluster, answerMs)
    this.#metadataLinks = new Links(cluster, metadataAnswerMs)
    this.#append = new AppendWorkload(cluster, recorder, topic, {
      ...appendDefaults,
      ...rest,
      producers: 0,
      consumers: 0,
    })
    this.#finalRead = finalRead
    this.#transactional = transactional
    this.#hangs = hangs
  }

  get acknowledged(): number {
    return this.#acknowledged
  }

  /** Of what the script has written over connections of its own. */
  countAcknowledged(records: number): void {
    this.#acknowledged += records
  }

  prepare(): Promise<void> {
    return this.#append.prepare()
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
    try {
      if (!this.#finalRead) return
      this.recorder.phase('final-read')
      const isComplete = await this.readEverything(timeoutMs)
      this.recorder.phase(isComplete ? 'final-read-complete' : 'final-read-incomplete')
    } finally {
      this.#close()
    }
  }

  #close(): void {
    this.links.close()
    this.#metadataLinks.close()
  }

  /** A client reads every partition to its end, once all replicas are in sync; recorded. @returns whether it came to every end */
  async readEverything(timeoutMs: number): Promise<boolean> {
    const ends = await this.#append.untilInSync(timeoutMs)
    let isComplete = true
    const reader = this.recorder.client('final-reader')
    const names = ends.map((_, partition) => `${this.topic}-${partition}`)
    reader.partitions('assign', names)
    for (const [partition, name] of names.entries()) {
      reader.invoke('poll', [['poll']])
      const { records, nextOffset } = this.#transactional
        ? await this.#readCommitted(partition, this.#hangs ? 0 : timeoutMs)
        : await this.#readUntil(partition, 0)
      isComplete &&= nextOffset >= (ends[partition] as Offset)
      reader.complete('ok', [['poll', { [name]: records.map(({ offset, value }) => [offset, value ?? ''] as const) }]])
    }
    return isComplete
  }

  /** EndTxn is answered before its markers are written, so what was committed last may come a little later. */
  async #readCommitted(partition: number, timeoutMs: number): Promise<Slice> {
    const { clock } = this.cluster
    const endMs = clock.nowMs() + timeoutMs
    const reader = new HandReader(this.cluster, 'read_committed')
    try {
      for (;;) {
        const slice = await reader.readAll(this.topic, partition)
        if (slice.lastStableOffset === slice.highWatermark || clock.nowMs() >= endMs) return slice
        await clock.sleep(retryMs)
      }
    } finally {
      reader.close()
    }
  }

  async abandon(): Promise<void> {
    this.#close()
    await this.#append.abandon()
  }

  /** Who leads, as the first broker that answers knows; -1: nobody. */
  async leader(partition: number): Promise<{ readonly leader: number; readonly leaderEpoch: number }> {
    const { brokers } = this.#metadataLinks
    for (const broker of [this.#answered, ...brokers.filter(id => id !== this.#answered)]) {
      try {
        const { partitions } = await this.#metadataLinks.ask(broker, client => topicMetadata(client, this.topic))
        const found = partitions.find(({ index }) => index === partition)
        this.#answered = broker
        if (found !== undefined) return found
      } catch {
        // It may be down or cut off: the next one is asked.
      }
    }
    return { leader: -1, leaderEpoch: -1 }
  }

  /** Who leads is asked of this broker from now on, as long as it answers: another one may be cut off from the news. */
  believe(broker: number): void {
    this.#answered = broker
  }

  /**
   * One batch to the leader, whatever it answers. With acks=all NOT_LEADER_OR_FOLLOWER may come from a leader that had appended the batch and lost its
   * leadership before the others had it: nobody knows then whether it is there, and without a sequence number it must not be sent again. So whoever is
   * to write it is asked first whether it leads at all.
   */
  async produce(
    question: Omit<ProduceQuestion, 'topic' | 'timeoutMs' | 'acks'> &
      Partial<Pick<ProduceQuestion, 'acks' | 'timeoutMs'>>,
  ): Promise<Produced> {
    const records = question.records.map(record => ({ timestamp: Date.now(), ...record }))
    const asked = { acks: -1, timeoutMs: writeTimeoutMs, topic: this.topic, ...question, records } as const
    const mayBeThere = asked.acks === -1 && asked.producer === undefined
    let isLast = false
    const produced = await this.#untilLed(
      asked.partition,
      async leader => {
        if (mayBeThere && !(await this.#leads(leader, asked.partition))) return undefined
        isLast = mayBeThere
        // Not asked twice when there is no answer: it may have been written.
        return await this.links.ask(leader, client => produceBatch(client, asked))
      },
      ({ errorCode }) => isLast && errorCode === notLeaderOrFollower,
    )
    if (produced.errorCode === 0) this.#acknowledged += asked.records.length
    return produced
  }

  /** Whether this broker takes itself for the leader; one that does not answer is no leader. */
  async #leads(broker: number, partition: number): Promise<boolean> {
    const question = { topic: this.topic, partition, leaderEpoch: 0 }
    try {
      return (await this.links.ask(broker, client => offsetForLeaderEpoch(client, question))).errorCode === 0
    } catch {
      // Whoever asks looks for the leader again, and gives up in the end.
      return false
    }
  }

  /** One batch that must be taken. @returns the offset of its first record */
  async write(
    question: Omit<ProduceQuestion, 'topic' | 'timeoutMs' | 'acks'> & Partial<Pick<ProduceQuestion, 'acks'>>,
  ): Promise<Offset> {
    const { errorCode, offset } = await this.produce(question)
    if (errorCode !== 0) throw new Error(`a batch was refused with error ${errorCode}`)
    return offset
  }

  /**
   * One batch, recorded as the send of a client: acknowledged, or with an outcome that nobody knows.
   *
   * @param options.key  of each record; the history does not have it
   * @param options.isAcknowledged  false: it must not be acknowledged, as the in-sync replicas are not all there; the leader gives up soon
   */
  async recordedWrite(
    client: string,
    partition: number,
    values: readonly Value[],
    {
      acks = -1,
      isAcknowledged = true,
      key,
    }: { readonly acks?: 1 | -1; readonly isAcknowledged?: boolean; readonly key?: string } = {},
  ): Promise<void> {
    const name = `${this.topic}-${partition}`
    const recorded = this.recorder.client(client)
    const bare = values.map(value => ['send', name, value] as const)
    recorded.invoke('send', bare)
    const records = values.map(value => (key === undefined ? { value } : { key, value }))
    const timeoutMs = isAcknowledged ? writeTimeoutMs : unacknowledgedTimeoutMs
    const { errorCode, offset } = await this.produce({ partition, records, acks, timeoutMs })
    const code = indefinite.get(errorCode)
    if (errorCode === 0)
      recorded.complete(
        'ok',
        values.map((value, index) => ['send', name, [offset + index, value]]),
      )
    else if (code !== undefined) recorded.complete('info', bare, { ...code, definite: false })
    if ((errorCode === 0) !== isAcknowledged || !(errorCode === 0 || code !== undefined))
      throw new Error(`a batch was answered with error ${errorCode}`)
  }

  /** The identity of a new idempotent producer; a broker that has no ids yet is asked again. */
  async newProducer(): Promise<{ readonly id: bigint; readonly epoch: number }> {
    const ask = async () => await this.links.ask((await this.leader(0)).leader, initProducerId)
    const { id, epoch } = await this.until('there is a producer id', ask, ({ errorCode }) => errorCode === 0)
    return { id, epoch }
  }

  /** What this very broker answers to a reader. */
  async fetchFrom(broker: number, question: Omit<FetchQuestion, 'topic'>): Promise<Fetched> {
    return await this.links.ask(broker, client => fetchAsConsumer(client, { topic: this.topic, ...question }))
  }

  /** All records of a partition from `offset` to its high watermark, from its leader. */
  async read(partition: number, offset: Offset): Promise<readonly ReadRecord[]> {
    return (await this.#readUntil(partition, offset)).records
  }

  /** The same, and where it ended. */
  async #readUntil(
    partition: number,
    offset: Offset,
  ): Promise<{ readonly records: readonly ReadRecord[]; readonly nextOffset: Offset }> {
    const records: ReadRecord[] = []
    for (let next = offset; ;) {
      const question = { topic: this.topic, partition, offset: next }
      const slice = await this.#withLeader(partition, client => fetchAsConsumer(client, question))
      if (slice.errorCode !== 0)
        throw new Error(`Fetch of ${this.topic}-${partition} at ${next}: error ${slice.errorCode}`)
      records.push(...slice.records)
      // Nothing came: it is the end, or the quota of the toolkit's client is used up.
      if (slice.nextOffset === next && slice.throttleTimeMs === 0) return { records, nextOffset: next }
      if (slice.nextOffset === next) await this.cluster.clock.sleep(slice.throttleTimeMs)
      next = slice.nextOffset
    }
  }

  /** Deletes what is below an offset; resolves when the leader has. */
  async deleteBefore(partition: number, before: Offset): Promise<void> {
    const question = { topic: this.topic, partition, before, timeoutMs: 5_000 }
    const name = `${this.topic}-${partition}`
    this.recorder.removal({ topic: this.topic, partition: name, before, by: `DeleteRecords below offset ${before}` })
    const { errorCode } = await this.#withLeader(partition, client => deleteRecords(client, question))
    if (errorCode !== 0) throw new Error(`the records below ${before} were not deleted: error ${errorCode}`)
  }

  /** First and last offset (exclusive) of the leader's log, as a consumer may read them. */
  async bounds(partition: number): Promise<{ readonly start: Offset; readonly end: Offset }> {
    const at = async (timestamp: typeof earliest | typeof latest) => {
      const question = { topic: this.topic, partitions: [partition], replicaId: consumer, timestamp } as const
      const answer = await this.#withLeader(partition, async client => {
        const offset = (await listOffsets(client, question)).get(partition)
        return offset === undefined ? { errorCode: 6, offset: -1 } : { errorCode: 0, offset }
      })
      return answer.offset
    }
    return { start: await at(earliest), end: await at(latest) }
  }

  /** Where the log of this very replica ends, above the high watermark too. */
  async logEnd(broker: number, partition: number): Promise<Offset> {
    const question = {
      topic: this.topic,
      partitions: [partition],
      replicaId: debuggingReplica,
      timestamp: latest,
    } as const
    const offset = (await this.links.ask(broker, client => listOffsets(client, question))).get(partition)
    if (offset === undefined)
      throw new Error(`broker ${broker} does not tell where its log of ${this.topic}-${partition} ends`)
    return offset
  }

  /** Where an epoch ends in the leader's log. */
  async epochEnd(partition: number, leaderEpoch: number): Promise<EpochEnd> {
    const question = { topic: this.topic, partition, leaderEpoch }
    return await this.#withLeader(partition, client => offsetForLeaderEpoch(client, question))
  }

  /** What a real client of administration does. */
  async admin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = kafkaClient(this.cluster, 'lab-admin').admin()
    await admin.connect()
    try {
      return await work(admin)
    } finally {
      await admin.disconnect()
    }
  }

  /** What a group has committed; undefined: nothing. */
  async committed(groupId: string, partition: number): Promise<Offset | undefined> {
    const topics = await this.admin(async admin => await admin.fetchOffsets({ groupId, topics: [this.topic] }))
    const found = topics[0]?.partitions.find(each => each.partition === partition)
    const offset = Number(found?.offset ?? -1)
    return offset < 0 ? undefined : offset
  }

  /** Sets settings of the topic; brokers hear of it a little later. */
  async alterTopic(settings: Readonly<Record<string, string>>): Promise<void> {
    const by = removing(settings)
    if (by !== undefined) this.recorder.removal({ topic: this.topic, by })
    const alter = (client: WireClient) => alterTopicSettings(client, this.topic, settings)
    const { errorCode, message } = await this.#withLeader(0, alter)
    if (errorCode !== 0)
      throw new Error(`the settings of ${this.topic} were not changed: error ${errorCode} ${message}`)
  }

  /** Asks again and again until `holds`. */
  async until<T>(
    what: string,
    ask: () => Promise<T>,
    holds: (answer: T) => boolean,
    timeoutMs = patienceMs,
  ): Promise<T> {
    const { clock } = this.cluster
    const endMs = clock.nowMs() + timeoutMs
    for (;;) {
      const answer = await ask()
      if (holds(answer)) return answer
      if (clock.nowMs() >= endMs)
        throw new Error(`waited ${timeoutMs} ms in vain until ${what}; last seen: ${inspect(answer)}`)
      await clock.sleep(retryMs)
    }
  }

  /** Asks whoever leads what may be asked twice, until it answers. */
  async #withLeader<T extends { readonly errorCode: number }>(
    partition: number,
    question: (client: WireClient) => Promise<T>,
  ): Promise<T> {
    const ask = async (leader: number): Promise<T | undefined> => {
      try {
        return await this.links.ask(leader, question)
      } catch {
        // The connection may be one to the node as it was before it lost its power, or the node is down.
        return undefined
      }
    }
    return await this.#untilLed(partition, ask)
  }

  async #untilLed<T extends { readonly errorCode: number }>(
    partition: number,
    ask: (leader: number) => Promise<T | undefined>,
    isLast: (answer: T) => boolean = () => false,
  ): Promise<T> {
    const endMs = this.cluster.clock.nowMs() + patienceMs
    for (;;) {
      const { leader } = await this.leader(partition)
      const answer = leader < 0 ? undefined : await ask(leader)
      if (answer !== undefined && (!isMoving.has(answer.errorCode) || isLast(answer))) return answer
      if (this.cluster.clock.nowMs() >= endMs)
        throw new Error(`${this.topic}-${partition} had no leader that answers for ${patienceMs} ms`)
      await this.cluster.clock.sleep(retryMs)
    }
  }
}
