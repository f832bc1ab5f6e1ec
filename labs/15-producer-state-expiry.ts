/**
 * Lab 15: what does a broker still know of an idempotent producer that was silent for long?
 * Setup: 3 brokers, replication factor 3; producer.id.expiration.ms is 4 seconds instead of a day. The producer is played by the script,
 *   so that the moment of a retry is certain.
 * Fault: the answer to a batch is lost, and the client sends it again: at once, or when the broker has forgotten the producer.
 * Expect: a retry at once is recognised and written once; a producer that was forgotten goes on with its next number (KIP-360).
 * Control: a retry that comes after the producer was forgotten must be caught as a duplicate.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { known, partitionOf } from '#scripts/observe/model.ts'
import { predicate } from '#scripts/observe/predicates.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import type { Produced } from '#scripts/workload/hand-requests.ts'

const outOfOrderSequence = 45
const expirationMs = 4_000

/** An idempotent producer that sends what it is told, as often as it is told. */
class PlayedProducer {
  readonly id: bigint
  readonly #workload: HandWorkload
  readonly #epoch: number

  constructor(workload: HandWorkload, { id, epoch }: { readonly id: bigint; readonly epoch: number }) {
    this.#workload = workload
    this.id = id
    this.#epoch = epoch
  }

  async send(sequence: number): Promise<Produced> {
    return await this.#workload.produce({
      partition: 0,
      // The broker counts from the timestamp of the last record on.
      records: [{ value: `w0:${sequence}`, timestamp: Date.now() }],
      producer: { id: this.id, epoch: this.#epoch, sequence },
    })
  }
}

/** Sends the batch, and sends it again after `meanwhile` as if the first answer had been lost. */
async function sendTwice(
  workload: HandWorkload,
  producer: PlayedProducer,
  sequence: number,
  meanwhile: () => Promise<void>,
): Promise<readonly [number, number]> {
  const name = `${workload.topic}-0`
  const value = `w0:${sequence}`
  const recorded = workload.recorder.client('producer-0')
  recorded.invoke('send', [['send', name, value]])
  const first = await producer.send(sequence)
  await meanwhile()
  const second = await producer.send(sequence)
  for (const { errorCode } of [first, second])
    if (errorCode !== 0) throw new Error(`${value} was refused with error ${errorCode}`)
  recorded.complete('ok', [['send', name, [second.offset, value]]])
  return [first.offset, second.offset]
}

async function untilForgotten(run: LabRun, workload: HandWorkload, producer: PlayedProducer): Promise<void> {
  const { topic } = workload
  await run.when(
    predicate(`the leader has forgotten producer ${producer.id}`, { topics: [topic], producers: true }, seen => {
      const remembered = known(partitionOf(seen, topic, 0)?.producers)
      return remembered && !remembered.some(({ producerId }) => producerId === String(producer.id))
    }),
  )
}

type Case = 'retry at once' | 'next after silence' | 'retry after silence'

function producing(what: Case): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts =>
      new HandWorkload(parts, { replicationFactor: 3, settings: { 'min.insync.replicas': '2' }, finalRead: true }),
    async (run, workload) => {
      const producer = new PlayedProducer(workload, await workload.newProducer())
      run.step('the producer writes a batch')
      const [first] = await sendTwice(workload, producer, 0, () => Promise.resolve())
      if (what === 'retry at once') {
        run.step('the answer to the next one is lost; it is sent again at once')
        const { clock } = run.cluster
        let sequence = 0
        let tookMs: number
        let offsets: readonly [number, number]
        // Both times it must have been answered before the leader may forget the batch: else it was not at once, and the next batch has its turn.
        do {
          const beganMs = clock.nowMs()
          offsets = await sendTwice(workload, producer, ++sequence, () => Promise.resolve())
          tookMs = clock.nowMs() - beganMs
        } while (tookMs >= expirationMs)
        run.fact('offset of the batch', offsets[0])
        run.fact('offset of its retry', offsets[1])
        const { errorCode } = await producer.send(sequence + 6)
        run.fact('error of a batch that leaves numbers out', errorCode)
      } else if (what === 'next after silence') {
        run.step('the producer is silent until the leader has forgotten it')
        await untilForgotten(run, workload, producer)
        run.step('it goes on with its next number')
        const { errorCode, offset } = await producer.send(1)
        run.fact('error of the next batch', errorCode)
        run.fact('offset of the next batch minus that of the one before', offset - first)
      } else {
        run.step('the answer to the next one is lost, and the client waits too long')
        await sendTwice(workload, producer, 1, () => untilForgotten(run, workload, producer))
      }
    },
  )
}

const records = ['lost-write', 'unseen', 'duplicate', 'nonmonotonic-send'] as const

export default lab({
  name: '15-producer-state-expiry',
  difficulty: 3,
  lesson:
    'The leader of a partition remembers, for each idempotent producer, its epoch and the numbers of its last batches. This lives in memory, with a snapshot on disk, and could be built anew from the log. Producers come and go, so it has an end: who writes nothing for producer.id.expiration.ms is forgotten. What a broker does with a producer that it does not know has changed in 2.5 (KIP-360).',
  exercises: [
    'Set producer.id.expiration.ms to its default. Is the control still caught?',
    'Delete the records of the producer (DeleteRecords) instead of waiting. Is it forgotten, too?',
    'How long does your client retry at most (delivery.timeout.ms)? Compare it with the memory of the broker.',
    'Look at DescribeProducers before and after (kafka-transactions describe-producers).',
  ],
  summary: 'Let the broker forget an idempotent producer: it goes on, but a retry from before is written twice.',
  question:
    'An idempotent producer gets no answer to a batch. It sends it again only when the broker has forgotten the producer (producer.id.expiration.ms). How often is the batch in the log?',
  prediction: {
    choices: [
      'Once: the sequence number is in the log, and the broker looks it up',
      'Once: the broker refuses a producer that it does not know (UNKNOWN_PRODUCER_ID)',
      'Twice: whom the broker does not know may begin with any number, so it cannot tell a retry from a new batch',
      'Not at all: the state and its last batch are removed together',
    ],
    answer: 2,
  },
  topology: {
    brokers: 3,
    controllers: 0,
    settings: {
      ...quickFailover,
      'producer.id.expiration.ms': String(expirationMs),
      'producer.id.expiration.check.interval.ms': '300',
    },
  },
  needs: [],
  variants: [
    {
      name: 'main',
      summary: 'the batch is sent again at once, while the leader remembers the producer',
      role: 'main',
      ...producing('retry at once'),
      checks: [
        ...records,
        factCheck({
          name: 'retry-is-recognised',
          promise: 'The retry got the offset of the batch that was there already.',
          about: ['offset of the batch', 'offset of its retry'],
          broken: facts =>
            facts['offset of the batch'] === facts['offset of its retry']
              ? undefined
              : `The retry was written at offset ${facts['offset of its retry']}, the batch is at ${facts['offset of the batch']}.`,
        }),
        factCheck({
          name: 'gap-is-refused',
          promise: 'A batch that leaves numbers out was refused with OUT_OF_ORDER_SEQUENCE_NUMBER.',
          about: ['error of a batch that leaves numbers out'],
          broken: ({ 'error of a batch that leaves numbers out': code }) =>
            code === outOfOrderSequence ? undefined : `It was answered with error ${code}.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'goes-on',
      summary: 'a producer that was forgotten sends its next batch',
      role: 'main',
      ...producing('next after silence'),
      checks: [
        ...records.filter(name => name !== 'nonmonotonic-send'),
        factCheck({
          name: 'idle-producer-goes-on',
          promise: 'The leader took the next batch of a producer that it did not know any more, behind the one before.',
          about: ['error of the next batch', 'offset of the next batch minus that of the one before'],
          broken: facts =>
            facts['error of the next batch'] === 0 &&
            facts['offset of the next batch minus that of the one before'] === 1
              ? undefined
              : `It was answered with error ${facts['error of the next batch']}.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'retry-too-late',
      summary: 'the batch is sent again when the leader has forgotten the producer',
      role: 'control',
      ...producing('retry after silence'),
      checks: records,
      expect: ['duplicate'],
      mustHold: ['lost-write', 'unseen'],
    },
  ],
  watch: [
    'The producers that the leader remembers (DescribeProducers): the entry disappears producer.id.expiration.ms after its last record.',
    'In the control both copies carry the same producer id, epoch and sequence number: the evidence is in the log, and nobody looks at it.',
    'Turn the knob: raise producer.id.expiration.ms to the default, 86400000, and wait as long as before: the control is no longer caught.',
  ],
  explanation:
    'The leader keeps, in memory, the last five batch numbers of every producer that wrote to a partition. It forgets a producer that has written nothing for producer.id.expiration.ms (default one day; KIP-854 made it a setting of its own in 3.4, before it was bound to transactional.id.expiration.ms). Then it takes any number from it: since KIP-360 (2.5) a producer that it does not know may go on where it is. Before, it answered UNKNOWN_PRODUCER_ID, which ended producers that had merely been idle, or whose records retention had removed; this lab shows today’s side only, since such brokers do not run here. The price is in the control: the promise "exactly once" of an idempotent producer reaches as far as the broker’s memory. The default delivery.timeout.ms of the Java client, two minutes, stays far below it: nobody retries for a day.',
  reading: [
    'KIP-360, improving the reliability of idempotent producers: https://cwiki.apache.org/confluence/display/KAFKA/KIP-360',
    'KIP-854, separate expiry of producer ids: https://cwiki.apache.org/confluence/display/KAFKA/KIP-854',
    'KIP-664, tools that show producers and transactions: https://cwiki.apache.org/confluence/display/KAFKA/KIP-664',
  ],
})
