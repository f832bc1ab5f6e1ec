/**
 * Lab 14: can a retry put records into another order than they were sent in?
 * Setup: 3 brokers, replication factor 3, acks=all. A producer with two batches in flight, played by the script request by request, so that
 *   what a client does between two answers is certain: it sends the second batch before it retries the first.
 * Fault: one follower is frozen and min.insync.replicas is 3, so the first batch is refused (NOT_ENOUGH_REPLICAS); then the setting goes to 2,
 *   and the second batch finds the partition writable again before the first one is retried.
 * Expect: with an idempotent producer, or with one request in flight, the log has the order of the sends.
 * Control: without idempotence and with two requests in flight the second batch must be found before the first. And of a producer that the
 *   leader does not know yet it takes the second batch although the first is missing.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import type { ClientRecorder } from '#scripts/history/recorder.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { followerOf } from '#scripts/labs/targets.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import type { BatchProducer, Produced } from '#scripts/workload/hand-requests.ts'
import type { WorkloadParts } from '#scripts/workload/workload.ts'

const notEnoughReplicas = 19
const outOfOrderSequence = 45
const rounds = 3

interface Batch {
  readonly value: string
  readonly producer: BatchProducer | undefined
}

/** What the broker does to a batch decides what the client does next; a refusal of this kind means "try again". */
class PlayedProducer {
  readonly #workload: HandWorkload
  readonly #recorded: ClientRecorder
  readonly #id: { readonly id: bigint; readonly epoch: number } | undefined
  #next = 0

  constructor(workload: HandWorkload, id: { readonly id: bigint; readonly epoch: number } | undefined) {
    this.#workload = workload
    this.#recorded = workload.recorder.client('producer-0')
    this.#id = id
  }

  /** The next batch of one record, with its place in the sequence. */
  batch(): Batch {
    const sequence = this.#next++
    return { value: `w0:${sequence}`, producer: this.#id && { ...this.#id, sequence } }
  }

  async send({ value, producer }: Batch): Promise<Produced> {
    return await this.#workload.produce({ partition: 0, records: [{ value }], producer })
  }

  async sendUntilTaken(batch: Batch): Promise<number> {
    const isTaken = ({ errorCode }: Produced) => errorCode === 0
    return (await this.#workload.until(`${batch.value} is taken`, () => this.send(batch), isTaken)).offset
  }

  /** One send of these batches: `work` answers their offsets. */
  async recorded(batches: readonly Batch[], work: () => Promise<readonly number[]>): Promise<void> {
    const name = `${this.#workload.topic}-0`
    this.#recorded.invoke(
      'send',
      batches.map(({ value }) => ['send', name, value]),
    )
    const offsets = await work()
    this.#recorded.complete(
      'ok',
      batches.map(({ value }, index) => ['send', name, [offsets[index] as number, value]]),
    )
  }
}

/** A batch that was refused for want of replicas; now there are enough again, or the leader is about to hear of it. */
async function refusedBatch(workload: HandWorkload, producer: PlayedProducer, round: number): Promise<Batch> {
  await workload.alterTopic({ 'min.insync.replicas': '3' })
  let probes = 0
  await workload.until(
    'the leader refuses what another client sends',
    () => workload.produce({ partition: 0, records: [{ value: `probe-${round}:${probes++}` }] }),
    ({ errorCode }) => errorCode === notEnoughReplicas,
  )
  const batch = producer.batch()
  const { errorCode } = await producer.send(batch)
  if (errorCode !== notEnoughReplicas) throw new Error(`the first batch was answered with error ${errorCode}`)
  await workload.alterTopic({ 'min.insync.replicas': '2' })
  return batch
}

/** Sends the second batch before the first is sent again. @returns its offset; undefined: it was refused since the first is missing */
async function overtake(workload: HandWorkload, producer: PlayedProducer, second: Batch): Promise<number | undefined> {
  const { errorCode, offset } = await workload.until(
    'the second batch is answered otherwise',
    () => producer.send(second),
    answer => answer.errorCode !== notEnoughReplicas,
  )
  if (errorCode === 0) return offset
  if (errorCode === outOfOrderSequence) return undefined
  throw new Error(`the second batch was answered with error ${errorCode}`)
}

interface Client {
  readonly idempotent: boolean
  readonly inFlight: 1 | 2
}

function handWorkload(parts: WorkloadParts): HandWorkload {
  return new HandWorkload(parts, { replicationFactor: 3, settings: { 'min.insync.replicas': '2' }, finalRead: true })
}

/** From now on two of three replicas are in sync: the setting decides whether that is enough. */
async function freezeFollower(run: LabRun): Promise<void> {
  run.step('a follower freezes')
  const [frozen] = await run.pause(followerOf(0, { avoidController: true }))
  await run.until('it has left the in-sync set', 0, ({ isr }) => !isr.includes(frozen as number))
}

function producing({ idempotent, inFlight }: Client): Pick<Variant, 'workload' | 'script'> {
  return driving(handWorkload, async (run, workload) => {
    await freezeFollower(run)
    const producer = new PlayedProducer(workload, idempotent ? await workload.newProducer() : undefined)
    let refused = 0
    for (let round = 1; round <= rounds; round++) {
      run.step(`round ${round}: the first of two batches is refused, for want of replicas`)
      const known = producer.batch()
      await producer.recorded([known], async () => [await producer.sendUntilTaken(known)])
      const [first, second] = [await refusedBatch(workload, producer, round), producer.batch()]
      run.step(`round ${round}: two replicas are enough again`)
      await producer.recorded([first, second], async () => {
        const overtaken = inFlight === 2 ? await overtake(workload, producer, second) : undefined
        if (overtaken === undefined) refused++
        const offset = await producer.sendUntilTaken(first)
        return [offset, overtaken ?? (await producer.sendUntilTaken(second))]
      })
    }
    run.fact('second batches', rounds)
    run.fact('second batches that were not taken before the first', refused)
  })
}

/** The refused batch is the first that the producer ever sent to the partition. */
const unknownProducer = driving(handWorkload, async (run, workload) => {
  await freezeFollower(run)
  const producer = new PlayedProducer(workload, await workload.newProducer())
  run.step('the very first batch is refused, for want of replicas')
  const [first, second] = [await refusedBatch(workload, producer, 1), producer.batch()]
  run.step('two replicas are enough again')
  await producer.recorded([second], async () => {
    const overtaken = await overtake(workload, producer, second)
    run.fact('second batches', 1)
    run.fact('second batches that were not taken before the first', overtaken === undefined ? 1 : 0)
    run.fact('error of the first batch, sent again', (await producer.send(first)).errorCode)
    return [overtaken ?? (await producer.sendUntilTaken(second))]
  })
})

const records = ['lost-write', 'unseen', 'duplicate', 'int-nonmonotonic-send', 'nonmonotonic-send'] as const

const refusedUntilComplete = factCheck({
  name: 'refused-until-complete',
  promise: 'Each second batch was refused (OUT_OF_ORDER_SEQUENCE_NUMBER) as long as the first was missing.',
  about: ['second batches', 'second batches that were not taken before the first'],
  broken: facts => {
    const [all, refused] = [facts['second batches'], facts['second batches that were not taken before the first']]
    return all === refused ? undefined : `Of ${all} second batches ${refused} were refused.`
  },
})

export default lab({
  name: '14-reordering',
  difficulty: 2,
  lesson:
    'To be fast, a producer does not wait for the answer to a batch before it sends the next one (max.in.flight.requests.per.connection). TCP keeps the requests of one connection in order, and a broker handles them one after the other. It judges each of them for itself, though: a batch may be refused for a reason that is gone when the next one comes. The client sends a refused batch again, if the error is one that may pass. An idempotent producer gives its batches consecutive numbers.',
  exercises: [
    'Set inFlight to 1 in the control. What does that cost on a line of 50 ms?',
    'Which errors does your client retry? Which of them can hit one batch and spare the next?',
    'Read some batches of one producer out of a log (./faultline log dump) and look at their sequence numbers. What would a gap mean?',
    'What must the client do in the variant unknown-producer? Look at what the Java producer does after OUT_OF_ORDER_SEQUENCE_NUMBER.',
  ],
  summary:
    'Refuse the first of two batches in flight: the retry lands behind the second, unless the producer is idempotent.',
  question:
    'Two batches are in flight. The first is refused with an error that the client retries, the second is not. Where is the first batch in the log after its retry?',
  prediction: {
    choices: [
      'Before the second: TCP keeps requests in order',
      'Behind the second, always: a retry comes later',
      'Behind the second, unless the producer is idempotent: then the second is refused until the first is there',
      'Before the second: the broker reserves the offset of a batch that it refuses',
    ],
    answer: 2,
  },
  topology: { brokers: 3, controllers: 0, settings: quickFailover },
  needs: ['pause'],
  variants: [
    {
      name: 'main',
      summary: 'idempotent producer, two batches in flight',
      role: 'main',
      ...producing({ idempotent: true, inFlight: 2 }),
      checks: [...records, refusedUntilComplete],
      expect: 'valid',
    },
    {
      name: 'one-in-flight',
      summary: 'no idempotence, but the second batch waits for the first (max.in.flight.requests.per.connection=1)',
      role: 'main',
      ...producing({ idempotent: false, inFlight: 1 }),
      checks: records,
      expect: 'valid',
    },
    {
      name: 'not-idempotent',
      summary: 'no idempotence, two batches in flight',
      role: 'control',
      ...producing({ idempotent: false, inFlight: 2 }),
      checks: records,
      expect: ['int-nonmonotonic-send'],
      mustHold: ['lost-write', 'unseen', 'duplicate'],
    },
    {
      name: 'unknown-producer',
      summary: 'idempotent, two in flight, but the refused batch is the first that the producer ever sent',
      role: 'control',
      ...unknownProducer,
      checks: [
        ...records,
        refusedUntilComplete,
        factCheck({
          name: 'late-first-batch-is-refused',
          promise: 'The first batch, sent again behind the second, was refused with OUT_OF_ORDER_SEQUENCE_NUMBER.',
          about: ['error of the first batch, sent again'],
          broken: ({ 'error of the first batch, sent again': code }) =>
            code === outOfOrderSequence ? undefined : `It was answered with error ${code}.`,
        }),
      ],
      expect: ['refused-until-complete'],
      mustHold: [...records, 'late-first-batch-is-refused'],
    },
  ],
  watch: [
    'Offsets of the two records of each send in the control: the second is one below the first.',
    'The fact "second batches that were not taken before the first" in the variant main.',
    'Turn the knob: set inFlight to 1 in the control, and it is no longer caught. That is the price of order without idempotence: one round trip per batch.',
  ],
  explanation:
    'A connection keeps requests in order, but the broker judges each one for itself: it can refuse a batch (no leader, too few in-sync replicas, a full disk) and take the one behind it. The client then sends the refused batch again, and it lands behind its successor. An idempotent producer numbers its batches; the leader takes a batch only if its number follows the last one it has, and answers OUT_OF_ORDER_SEQUENCE_NUMBER otherwise, so the second batch waits for the first. It can compare only with what it knows: from a producer that never wrote to the partition it takes any number (KIP-360), so if the very first batch is refused and the second is taken, the first has lost its place for good (variant unknown-producer; it is refused from then on, so nothing is out of order, and the client has to give up). The leader remembers five batches of each producer, which is why the Java client allows at most five requests in flight with idempotence (KIP-98; five since 1.0). Without idempotence only one request in flight keeps the order. Idempotence is the default of the Java producer since 3.0 (KIP-679).',
  reading: [
    'KIP-98, exactly once delivery and the sequence numbers: https://cwiki.apache.org/confluence/display/KAFKA/KIP-98',
    'KIP-679, idempotence by default: https://cwiki.apache.org/confluence/display/KAFKA/KIP-679',
    'Kafka documentation, max.in.flight.requests.per.connection: https://kafka.apache.org/documentation/#producerconfigs_max.in.flight.requests.per.connection',
  ],
})
