/**
 * The writing side of the append workload: real kafkajs producers, each a thread that sends one small batch to one partition at a time.
 *
 * One partition per send, on purpose: kafkajs remembers the answers of a send per broker, so when leadership moves between two attempts of
 * a send to several partitions it may leave out a partition or write one twice. And a new producer after every outcome that nobody knows:
 * kafkajs takes its sequence number back when a send fails in the end, so the next batch of the same idempotent producer would carry the
 * number of the one that may have been written, and the broker would rightly take it for a retry and drop it. Both are the client's
 * doing; a verdict about the broker must not depend on them.
 */
import type { ISocketFactory, Producer } from 'kafkajs'
import type { Cluster } from '../cluster/cluster.ts'
import type { MicroOp, OperationError, Value } from '../history/operation.ts'
import type { ClientRecorder, HistoryRecorder } from '../history/recorder.ts'
import { lossySocketFactory } from './lossy-socket.ts'
import { ClientLog, clientTimes, kafkaClient, sendError } from './kafkajs-client.ts'

export interface ProducerOptions {
  readonly acks: 0 | 1 | -1
  readonly idempotent: boolean
  readonly producers: number
  /** Record keys of each producer in each partition. */
  readonly recordKeys: number
  /** A send carries 1 … this many records. */
  readonly recordsPerSendMax: number
  /** A producer waits up to this long between sends. */
  readonly pauseMaxMs: number
  /** How often kafkajs tries again before it gives up; with the times above, each some second. */
  readonly retries: number
  /** One Produce response in this many is lost on the way back; 0 for none. */
  readonly loseOneResponseIn: number
}

/**
 * After a request that timed out kafkajs does not ask who leads now; it only does when its metadata is older than this. A short age lets it
 * leave a frozen leader soon.
 */
const metadataMaxAgeMs = 2_000

/** How long the last sends may take when the workload ends. */
const drainMs = 20_000

interface Instance {
  readonly producer: Producer
  readonly log: ClientLog
  readonly client: ClientRecorder
}

export class Producers {
  readonly #cluster: Cluster
  readonly #recorder: HistoryRecorder
  readonly #options: ProducerOptions
  readonly #topic: string
  readonly #partitions: number
  readonly #sequences = new Map<string, number>()
  #threads: Promise<void>[] = []
  #running = false
  #acknowledged = 0
  #unacknowledged = 0
  #lostResponses = 0
  #abandon: () => void = () => undefined
  readonly #abandoned: Promise<never>

  constructor(
    cluster: Cluster,
    recorder: HistoryRecorder,
    at: { topic: string; partitions: number },
    options: ProducerOptions,
  ) {
    this.#cluster = cluster
    this.#recorder = recorder
    this.#topic = at.topic
    this.#partitions = at.partitions
    this.#options = options
    this.#abandoned = new Promise((_, reject) => {
      this.#abandon = () => reject(new Error('the run ended before the send had an outcome'))
    })
    // Whoever waits for a send hears of it; without one there is nobody to tell.
    this.#abandoned.catch(() => undefined)
  }

  /** Records acknowledged so far. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** Sends that ended without an acknowledgement so far. */
  get unacknowledged(): number {
    return this.#unacknowledged
  }

  /** Responses lost on the way back so far, with `loseOneResponseIn`. */
  get lostResponses(): number {
    return this.#lostResponses
  }

  start(): void {
    this.#running = true
    this.#threads = Array.from({ length: this.#options.producers }, (_, thread) => this.#run(thread))
  }

  /** Ends after the operations that are under way; what has no outcome after `drainMs` is left as one that nobody knows. */
  async stop(): Promise<void> {
    this.#running = false
    const ended = Promise.all(this.#threads)
    await Promise.race([ended, this.#cluster.clock.sleep(drainMs)])
    this.#abandon()
    await ended
  }

  async #run(thread: number): Promise<void> {
    let instance: Instance | undefined
    while (this.#running) {
      instance ??= await this.#connect(thread)
      if (!instance) continue
      await this.#send(thread, instance)
      if (instance.client.retired) {
        dispose(instance.producer)
        instance = undefined
      }
      await this.#cluster.clock.sleep(this.#cluster.random.below(this.#options.pauseMaxMs + 1))
    }
    if (instance) dispose(instance.producer)
  }

  /** Undefined when the cluster cannot be reached at the moment. */
  async #connect(thread: number): Promise<Instance | undefined> {
    const log = new ClientLog()
    const name = `producer-${thread}`
    const { idempotent, retries } = this.#options
    const producer = kafkaClient(this.#cluster, name, log, this.#socketFactory()).producer({
      idempotent,
      allowAutoTopicCreation: false,
      retry: { ...clientTimes.retry, retries },
      metadataMaxAge: metadataMaxAgeMs,
    })
    try {
      await producer.connect()
    } catch {
      // Nothing was sent, so there is nothing to record; the loop tries again.
      dispose(producer)
      await this.#cluster.clock.sleep(200)
      return undefined
    }
    return { producer, log, client: this.#recorder.client(name) }
  }

  #socketFactory(): ISocketFactory | undefined {
    const { loseOneResponseIn: loseOneIn } = this.#options
    if (loseOneIn === 0) return undefined
    const lost = () => void (this.#lostResponses += 1)
    const options = { random: this.#cluster.random, loseOneIn, lost }
    return lossySocketFactory(options, this.#cluster.kafkaOptions().socketFactory)
  }

  async #send(thread: number, { producer, log, client }: Instance): Promise<void> {
    const { random } = this.#cluster
    const partition = random.below(this.#partitions)
    const name = `${this.#topic}-${partition}`
    const values = Array.from({ length: 1 + random.below(this.#options.recordsPerSendMax) }, () =>
      this.#nextValue(thread, partition),
    )
    const bare: MicroOp[] = values.map(value => ['send', name, value])
    client.invoke('send', bare)
    log.begin()
    try {
      const messages = values.map(value => ({ partition, key: value.slice(0, value.lastIndexOf(':')), value }))
      const sent = producer.send({ topic: this.#topic, acks: this.#options.acks, messages })
      const [metadata] = await Promise.race([sent, this.#abandoned])
      const baseOffset = metadata?.baseOffset ?? metadata?.offset
      if (this.#options.acks !== 0 && baseOffset === undefined) {
        client.complete('info', bare, {
          code: 'NO_OFFSET',
          message: 'kafkajs resolved without naming an offset',
          definite: false,
        })
        return
      }
      const base = baseOffset === undefined ? null : Number(baseOffset)
      client.complete(
        'ok',
        values.map((value, index) => ['send', name, [base === null || base < 0 ? null : base + index, value]]),
      )
      this.#acknowledged += values.length
    } catch (thrown) {
      const error: OperationError = sendError(thrown, log)
      client.complete(error.definite ? 'fail' : 'info', bare, error)
      this.#unacknowledged += 1
    }
  }

  #nextValue(thread: number, partition: number): Value {
    const key = `w${thread}k${this.#cluster.random.below(this.#options.recordKeys)}`
    const sequence = this.#sequences.get(`${partition} ${key}`) ?? 0
    this.#sequences.set(`${partition} ${key}`, sequence + 1)
    return `${key}:${sequence}`
  }
}

/** Closes a client that is given up. It may be unable to say goodbye, and nobody waits for it. */
function dispose(producer: Producer): void {
  // What a client that is given up has to say is no finding.
  producer.disconnect().catch(() => undefined)
}
