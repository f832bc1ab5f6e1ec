/**
 * Lab 23: what does a client notice that wants more than its quota?
 * Setup: 1 broker; a client id has a quota of 40 kB/s for writing or for reading (producer_byte_rate, consumer_byte_rate), counted over 2 s. The client
 *   is played by the script, so that every answer is seen.
 * Fault: it writes or reads 160 kB as fast as it can.
 * Expect: every request is answered, none with an error, answers tell how long to wait (throttle_time_ms), nothing is lost; who does not wait is
 *   not listened to meanwhile, and is no faster.
 * Control: without a quota the client must be caught being faster than it; a client whose records may not wait (delivery.timeout.ms) must be
 *   caught giving records up that it never sent.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { limitClient, type ClientQuota } from '#scripts/workload/client-quotas.ts'
import { fetchAsConsumer, produceBatch } from '#scripts/workload/hand-requests.ts'
import { Links } from '#scripts/workload/links.ts'

const bytesPerSecond = 40_000
const batches = 16
/** A quarter of a second of the quota each: longer than a busy machine holds up most answers. */
const batchBytes = 10_000
const answerMs = 60_000
/** The application makes a batch so often where its records may not wait: five times its quota. */
const madeEveryMs = 50
const deliveryTimeoutMs = 1_000

/** A client with an id of its own, that knows who leads. */
class Client {
  readonly id: string
  readonly leader: number
  readonly links: Links
  readonly #workload: HandWorkload
  readonly #startMs: number
  #bytes = 0
  #throttled = 0
  #toldAtOnce = 0
  #heldUp = 0
  #askedLate = 0
  #answeredMs = 0
  /** Of answers and sleeps that no quota made longer: the machine is slow. */
  #longestDelayMs = 0
  /** By the last answer. */
  #toldMs = 0
  #longestThrottleMs = 0
  #longestWaitMs = 0

  private constructor(workload: HandWorkload, leader: number) {
    this.id = `${workload.topic}-client`
    this.leader = leader
    this.#workload = workload
    this.links = new Links(workload.cluster, answerMs, this.id)
    this.#startMs = workload.cluster.clock.nowMs()
  }

  static async begin(workload: HandWorkload, quota: ClientQuota | undefined): Promise<Client> {
    const { leader } = await workload.leader(0)
    const client = new Client(workload, leader)
    if (quota !== undefined) await limitClient(workload.cluster, client.id, quota, bytesPerSecond)
    return new Client(workload, leader)
  }

  /** One request and its answer, which tells how long to wait. */
  async ask<T extends { readonly throttleTimeMs: number }>(bytesOf: (answer: T) => number, ask: () => Promise<T>) {
    const { clock } = this.#workload.cluster
    const askedMs = clock.nowMs()
    const answer = await ask()
    const tookMs = clock.nowMs() - askedMs
    const { throttleTimeMs } = answer
    this.#longestWaitMs = Math.max(this.#longestWaitMs, tookMs)
    this.#longestThrottleMs = Math.max(this.#longestThrottleMs, throttleTimeMs)
    if (throttleTimeMs > 0) this.#throttled += 1
    // Most of them count, not the slowest: a machine that stands still for a moment says nothing.
    if (tookMs < throttleTimeMs / 2) this.#toldAtOnce += 1
    if (this.#toldMs > 0 && tookMs >= this.#toldMs / 2) this.#heldUp += 1
    else if (this.#toldMs > 0 && askedMs - this.#answeredMs >= this.#toldMs / 2) this.#askedLate += 1
    if (this.#toldMs === 0 && throttleTimeMs === 0) this.#longestDelayMs = Math.max(this.#longestDelayMs, tookMs)
    this.#answeredMs = clock.nowMs()
    this.#toldMs = throttleTimeMs
    this.#bytes += bytesOf(answer)
    return answer
  }

  /** As it was told. */
  async wait(ms: number): Promise<void> {
    const { clock } = this.#workload.cluster
    const untilMs = clock.nowMs() + ms
    await clock.sleep(ms)
    this.#longestDelayMs = Math.max(this.#longestDelayMs, clock.nowMs() - untilMs)
  }

  /** One batch, recorded as the send of a client. @returns how long to wait */
  async write(index: number): Promise<number> {
    const name = `${this.#workload.topic}-0`
    const value = `record-${index}`
    const recorded = this.#workload.recorder.client(this.id)
    recorded.invoke('send', [['send', name, value]])
    const records = [{ key: 'x'.repeat(batchBytes), value, timestamp: Date.now() }]
    const question = { topic: this.#workload.topic, partition: 0, records, acks: -1, timeoutMs: 5_000 } as const
    const answer = await this.ask(
      () => batchBytes,
      () => this.links.ask(this.leader, client => produceBatch(client, question)),
    )
    if (answer.errorCode !== 0) throw new Error(`${value} was refused with error ${answer.errorCode}`)
    recorded.complete('ok', [['send', name, [answer.offset, value]]])
    this.#workload.countAcknowledged(1)
    return answer.throttleTimeMs
  }

  tell(run: LabRun): void {
    const tookMs = this.#workload.cluster.clock.nowMs() - this.#startMs
    run.fact('bytes per second', Math.round(this.#bytes / (tookMs / 1_000)))
    run.fact('answers that told to wait', this.#throttled)
    run.fact('of them in less than half that time', this.#toldAtOnce)
    run.fact('answers that came half as late as the one before told', this.#heldUp)
    run.fact('of the others, how many were asked for as late', this.#askedLate)
    run.fact('longest delay that no quota explains, ms', Math.round(this.#longestDelayMs))
    run.fact('longest throttle time, ms', this.#longestThrottleMs)
    run.fact('longest wait for an answer, ms', Math.round(this.#longestWaitMs))
    this.links.close()
  }
}

const newWorkload = (parts: ConstructorParameters<typeof HandWorkload>[0]) =>
  new HandWorkload(parts, { finalRead: true })

function writing(manners: 'waits' | 'does not wait' | 'has no quota'): Pick<Variant, 'workload' | 'script'> {
  return driving(newWorkload, async (run, workload) => {
    const client = await Client.begin(workload, manners === 'has no quota' ? undefined : 'producer_byte_rate')
    run.step(`a producer writes ${batches} batches of ${batchBytes} bytes`)
    for (let index = 0; index < batches; index++) {
      const waitMs = await client.write(index)
      if (manners === 'waits') await client.wait(waitMs)
    }
    client.tell(run)
    run.fact('batches that the application made', batches)
    run.fact('batches in the log', (await workload.bounds(0)).end)
  })
}

/** The application makes batches at its own pace; what has waited for too long in the producer is given up. */
function writingInTime(): Pick<Variant, 'workload' | 'script'> {
  return driving(newWorkload, async (run, workload) => {
    const client = await Client.begin(workload, 'producer_byte_rate')
    const { clock } = workload.cluster
    run.step(`an application makes a batch every ${madeEveryMs} ms, which may wait for ${deliveryTimeoutMs} ms`)
    const startMs = clock.nowMs()
    for (let index = 0; index < batches; index++) {
      const madeMs = startMs + index * madeEveryMs
      const earlyMs = madeMs - clock.nowMs()
      if (earlyMs > 0) await clock.sleep(earlyMs)
      if (clock.nowMs() - madeMs > deliveryTimeoutMs) continue
      await client.wait(await client.write(index))
    }
    client.tell(run)
    run.fact('batches that the application made', batches)
    run.fact('batches in the log', (await workload.bounds(0)).end)
  })
}

function reading(): Pick<Variant, 'workload' | 'script'> {
  return driving(newWorkload, async (run, workload) => {
    run.step('records are written by another client')
    for (let index = 0; index < batches; index++)
      await workload.write({ partition: 0, records: [{ key: 'x'.repeat(batchBytes), value: `record-${index}` }] })
    const client = await Client.begin(workload, 'consumer_byte_rate')
    run.step('a consumer reads them')
    let read = 0
    const fetchOnce = async () => {
      const question = { topic: workload.topic, partition: 0, offset: read }
      const answer = await client.ask(
        ({ records }) => records.length * batchBytes,
        () => client.links.ask(client.leader, each => fetchAsConsumer(each, question)),
      )
      if (answer.errorCode > 0) throw new Error(`a fetch was refused with error ${answer.errorCode}`)
      read += answer.records.length
      await client.wait(answer.throttleTimeMs)
      return read
    }
    await workload.until('all records are read', fetchOnce, count => count >= batches)
    client.tell(run)
    run.fact('batches in the log', batches)
    run.fact('batches that were read', read)
  })
}

const slowerItself = (used: number) => ({
  unclear: `Nobody told the client to wait, and it used no more than ${used} bytes per second: the machine is too slow.`,
})

const noFaster = factCheck({
  name: 'no-faster-than-quota',
  promise: 'The client was about as fast as its quota: what is over it is the first window, which begins empty.',
  about: ['bytes per second', 'answers that told to wait'],
  broken: facts => {
    const used = Number(facts['bytes per second'])
    if (used > 2 * bytesPerSecond) return `It used ${used} bytes per second, and its quota is ${bytesPerSecond}.`
    return facts['answers that told to wait'] === 0 ? slowerItself(used) : undefined
  },
})

const toldToWait = factCheck({
  name: 'told-to-wait',
  promise: 'The client was told how long to wait.',
  about: ['answers that told to wait', 'longest throttle time, ms', 'bytes per second'],
  broken: facts => {
    if (Number(facts['answers that told to wait']) > 0) return undefined
    const used = Number(facts['bytes per second'])
    return used > bytesPerSecond ? 'No answer told it to wait.' : slowerItself(used)
  },
})

const heldToQuota = [noFaster, toldToWait]

const allWritten = factCheck({
  name: 'every-record-is-written',
  promise: 'Every batch was acknowledged and is in the log.',
  about: ['batches that the application made', 'batches in the log'],
  broken: facts => {
    const given = Number(facts['batches that the application made']) - Number(facts['batches in the log'])
    return given === 0 ? undefined : `The producer gave ${given} batches up before it could send them.`
  },
})

const allRead = factCheck({
  name: 'every-record-is-read',
  promise: 'Every batch was read.',
  about: ['batches in the log', 'batches that were read'],
  broken: facts =>
    facts['batches in the log'] === facts['batches that were read']
      ? undefined
      : `${facts['batches that were read']} of ${facts['batches in the log']} batches were read.`,
})

/** Who waits is answered at once (KIP-219); who does not is answered when the broker listens again. */
const broker = (isAtOnce: boolean) =>
  factCheck({
    name: isAtOnce ? 'answers-come-at-once' : 'broker-does-not-listen',
    promise: isAtOnce
      ? 'The wait is told at once: most answers that told one came in less than half of it.'
      : 'Who did not wait was kept waiting: most answers came at least half as late as the one before had told.',
    about: [
      'answers that told to wait',
      isAtOnce ? 'of them in less than half that time' : 'answers that came half as late as the one before told',
      isAtOnce ? 'longest delay that no quota explains, ms' : 'of the others, how many were asked for as late',
      'longest throttle time, ms',
      'longest wait for an answer, ms',
    ],
    broken: facts => {
      const told = Number(facts['answers that told to wait'])
      const atOnce = Number(facts['of them in less than half that time'])
      const heldUp = Number(facts['answers that came half as late as the one before told'])
      if ((isAtOnce ? atOnce : heldUp) > told / 2) return undefined
      const askedLate = Number(facts['of the others, how many were asked for as late'])
      const delayMs = Number(facts['longest delay that no quota explains, ms'])
      if (!isAtOnce && heldUp + askedLate > told / 2)
        return { unclear: `The machine is too slow: ${askedLate} requests were sent when half of the wait was over.` }
      if (isAtOnce && delayMs >= Number(facts['longest throttle time, ms']) / 2)
        return { unclear: `The machine is too slow: something that no quota holds up took ${delayMs} ms.` }
      return isAtOnce
        ? `Of ${told} answers that told to wait, ${atOnce} came in less than half that time.`
        : `${told} answers told to wait, and ${heldUp} came half as late as the one before had told.`
    },
  })

const records = ['lost-write', 'unseen', 'duplicate'] as const

export default lab({
  name: '23-quotas-and-throttles',
  summary:
    'Write and read faster than a quota allows: no error and no loss, only time, unless the client has none to spare.',
  question: 'A producer writes four times as fast as its quota (producer_byte_rate) allows. What does the broker do?',
  prediction: {
    choices: [
      'It answers with an error until the rate has fallen',
      'It drops what is above the quota',
      'It writes everything and answers at once, saying how long to wait, and does not read from the connection meanwhile',
      'It keeps the batch in memory and writes it when the quota allows',
    ],
    answer: 2,
  },
  difficulty: 1,
  lesson:
    'Quotas keep one client from taking a broker from the others. They belong to a user, a client id, or both, and hold for each broker on its own: bytes written per second, bytes read, the share of request threads, and changes of metadata. The broker measures over a few windows (quota.window.num of quota.window.size.seconds each).',
  exercises: [
    'Take quota.window.num away from the settings: 11 windows are the default. Why is the client not held back at all now?',
    'Halve batchBytes and double batches. What changes in the throttle times, and what does not?',
    'Raise deliveryTimeoutMs until `short-delivery-timeout` loses nothing. What has to hold between it, the quota and what the application makes?',
  ],
  topology: { brokers: 1, controllers: 0, settings: { ...quickFailover, 'quota.window.num': '2' } },
  needs: [],
  variants: [
    {
      name: 'producer',
      summary: `producer_byte_rate ${bytesPerSecond}; the producer waits as it is told`,
      role: 'main',
      ...writing('waits'),
      checks: [allWritten, ...heldToQuota, broker(true), ...records],
      expect: 'valid',
    },
    {
      name: 'does-not-wait',
      summary: 'the same, but the producer takes no notice of throttle_time_ms',
      role: 'main',
      ...writing('does not wait'),
      checks: [allWritten, ...heldToQuota, broker(false), ...records],
      expect: 'valid',
    },
    {
      name: 'consumer',
      summary: `consumer_byte_rate ${bytesPerSecond}`,
      role: 'main',
      ...reading(),
      checks: [allRead, ...heldToQuota],
      expect: 'valid',
    },
    {
      name: 'no-quota',
      summary: 'the producer without a quota',
      role: 'control',
      ...writing('has no quota'),
      checks: [allWritten, noFaster, ...records],
      expect: ['no-faster-than-quota'],
    },
    {
      name: 'short-delivery-timeout',
      summary: `records are made five times as fast as the quota allows, and given up after ${deliveryTimeoutMs} ms (delivery.timeout.ms)`,
      role: 'control',
      ...writingInTime(),
      checks: [allWritten, ...heldToQuota, ...records],
      expect: ['every-record-is-written'],
    },
  ],
  watch: [
    'The fact "answers that told to wait", and that none of them carries an error.',
    'The longest wait for an answer: a few milliseconds for the producer that waits by itself, and about the throttle time for the one that does not.',
    'In `consumer`: answers that tell to wait are empty; the records come with a later one.',
    'In `short-delivery-timeout`: all that was acknowledged is there, so no check of the log finds anything. What is missing was never sent.',
  ],
  explanation:
    'A quota turns into time, never into errors. The broker writes the batch, sees that the client is over its quota, and answers at once with throttle_time_ms: how long it takes until the average over the windows is down to the quota again (KIP-219, since 2.0; before, it held the answer itself back). Then it does not read from that connection for as long, so a client that takes no notice is no faster. A fetch that would bring too much is answered empty, with the time to wait. Quotas are counted by each broker on its own, so a client gets as many times its quota as there are brokers that it talks to. Whoever is throttled notices by its metrics (produce-throttle-time-avg) and by its latency. What can be lost is lost in the client: its buffer fills (buffer.memory), send() blocks for max.block.ms, and records that wait for longer than delivery.timeout.ms are given up. A quota below what an application makes is an outage of that application, only slower.',
  reading: [
    'Kafka documentation, "Quotas": https://kafka.apache.org/documentation/#design_quotas',
    'KIP-219, better quota communication: https://cwiki.apache.org/confluence/display/KAFKA/KIP-219',
    'KIP-124, request rate quotas: https://cwiki.apache.org/confluence/display/KAFKA/KIP-124',
    'KIP-546, client quota APIs: https://cwiki.apache.org/confluence/display/KAFKA/KIP-546',
  ],
})
