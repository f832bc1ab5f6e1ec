/**
 * An application that handles record by record with a real consumer (kafkajs), and is started again whenever that has given up, as by a
 * supervisor of processes. What it has handled is committed.
 */
import type { Consumer, KafkaMessage } from 'kafkajs'
import type { HandWorkload } from './by-hand.ts'
import { clientTimes, kafkaClient } from './kafkajs-client.ts'
import { sayGoodbye } from './kafkajs-goodbye.ts'

export type Message = KafkaMessage

/** Few, so that a consumer that cannot go on is soon started anew. */
const attemptsOfOneLife = { ...clientTimes.retry, initialRetryTime: 50, retries: 1 }
const goodbyeMs = 2_000
/** One that could not say goodbye is waited for by its group. Both are well below what scripts wait for progress, 45 s. */
const groupTimes = { sessionTimeout: 12_000, rebalanceTimeout: 20_000 }
/** A start that fails for so long will not succeed: whoever waits for progress is told why before it gives up itself. */
const startsForMs = 30_000
const startAgainMs = 200

export class RecordHandler {
  readonly #workload: HandWorkload
  readonly #group: string
  readonly #topic: string
  readonly #handle: (message: Message) => Promise<void>
  #isStopping = false
  #stop: () => void = () => undefined
  readonly #stopped: Promise<void>
  #lives: Promise<void> = Promise.resolve()
  #failure: Error | undefined
  /** Since when it cannot be started. */
  #failingSinceMs: number | undefined
  #failedStarts = 0

  /** @param handle  a rejection is the application's failure: the record is not handled, and comes again */
  constructor(
    workload: HandWorkload,
    group: string,
    handle: (message: Message) => Promise<void>,
    topic = workload.topic,
  ) {
    this.#workload = workload
    this.#group = group
    this.#topic = topic
    this.#handle = handle
    this.#stopped = new Promise(resolve => (this.#stop = resolve))
  }

  start(): void {
    this.#lives = this.#live().catch((error: unknown) => {
      this.#failure = error instanceof Error ? error : new Error(String(error))
    })
  }

  /** How often a consumer could not be started, and was tried again. */
  get failedStarts(): number {
    return this.#failedStarts
  }

  /** What a script waits for; it rejects when the consumer cannot even be started. */
  progress<T>(value: T): Promise<T> {
    return this.#failure === undefined ? Promise.resolve(value) : Promise.reject(this.#failure)
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    this.#stop()
    await this.#lives
  }

  async #live(): Promise<void> {
    while (!this.#isStopping) await this.#liveOnce()
  }

  async #liveOnce(): Promise<void> {
    const consumer = kafkaClient(this.#workload.cluster, 'lab-handler').consumer({
      groupId: this.#group,
      ...groupTimes,
      maxWaitTimeInMs: 100,
      // Started again here, so that there is one place that ends it.
      retry: { ...attemptsOfOneLife, restartOnFailure: () => Promise.resolve(false) },
    })
    const crashed = new Promise<void>(resolve => {
      consumer.on(consumer.events.CRASH, () => resolve())
    })
    try {
      if (await this.#isStarted(consumer)) await Promise.race([crashed, this.#stopped])
    } finally {
      await this.#end(consumer)
    }
  }

  /** A cluster that is busy fails starts as it fails everything else: false then, after a pause. */
  async #isStarted(consumer: Consumer): Promise<boolean> {
    const { clock } = this.#workload.cluster
    try {
      await consumer.connect()
      await consumer.subscribe({ topics: [this.#topic], fromBeginning: true })
      await consumer.run({ eachMessage: async ({ message }) => await this.#handle(message) })
      this.#failingSinceMs = undefined
      return true
    } catch (error) {
      this.#failingSinceMs ??= clock.nowMs()
      if (clock.nowMs() - this.#failingSinceMs >= startsForMs) throw error
      this.#failedStarts += 1
      await Promise.race([clock.sleep(startAgainMs), this.#stopped])
      return false
    }
  }

  /** In the middle of its attempts kafkajs may take long to stop. */
  async #end(consumer: Consumer): Promise<void> {
    await Promise.race([sayGoodbye(consumer), this.#workload.cluster.clock.sleep(goodbyeMs)])
  }
}
