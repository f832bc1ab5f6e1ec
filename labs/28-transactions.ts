/**
 * Lab 28: what does an open transaction do to readers of committed records, and for how long?
 * Setup: 3 brokers, replication factor 3, min.insync.replicas 2. A transactional producer, played request by request, and plain producers.
 * Fault: the producer writes a record in a transaction and is gone; nobody ends the transaction.
 * Expect: the last stable offset stays at that record. Readers of committed records get nothing behind it, however well replicated that is,
 *   until the coordinator aborts the transaction after transaction.timeout.ms, or until the next instance of the producer does.
 * Control: a reader of uncommitted records is not held up, and must be caught with records of aborted transactions.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { countOf } from '#scripts/checkers/result.ts'
import type { Offset } from '#scripts/history/operation.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { transactionHasEnded } from '#scripts/observe/predicates.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { inTime } from '#scripts/workload/transactions/in-time.ts'
import { HandProducer } from '#scripts/workload/transactions/producer.ts'
import { HandReader, type Isolation, type Slice } from '#scripts/workload/transactions/reader.ts'

const behind = 10
const patientMs = 60_000
const shortMs = 6_000
const openMs = 'ms that the transaction was open'
const hadMs = 'transaction.timeout.ms of the open transaction'

class Bystanders {
  readonly #run: LabRun
  readonly #workload: HandWorkload

  constructor(run: LabRun, workload: HandWorkload) {
    this.#run = run
    this.#workload = workload
  }

  /** One transaction, from its first record to its end; its outcome is certain. */
  async transaction(producer: HandProducer, value: string, committed: boolean): Promise<void> {
    const { topic, recorder } = this.#workload
    const name = `${topic}-0`
    const client = recorder.client(producer.transactionalId)
    const { transactionalId } = producer
    client.invoke('txn', [['send', name, value]], { transactionalId })
    const offset = await producer.send(topic, 0, [{ value }])
    await producer.end(committed)
    client.complete(committed ? 'ok' : 'fail', [['send', name, committed ? [offset, value] : value]], undefined, {
      transactionalId,
    })
    if (committed) this.#workload.countAcknowledged(1)
    await this.#run.when(transactionHasEnded(transactionalId))
  }
}

/** What a reader got, and where it was when it got it. Of the records behind an open transaction those of one round count. */
function tell(run: LabRun, when: string, round: number, { records, lastStableOffset, highWatermark }: Slice): void {
  run.fact(`last stable offset ${when}`, lastStableOffset)
  run.fact(`high watermark ${when}`, highWatermark)
  const of = (kind: string) => records.filter(({ value }) => value.startsWith(kind)).length
  run.fact(`committed records read ${when}`, of('committed:') + of(`plain:${round}.`))
  run.fact(`records of the aborted transaction read ${when}`, of('aborted:'))
  run.fact(`records of the open transaction read ${when}`, of('open:'))
}

interface Held {
  readonly round: number
  /** Its transaction is open. */
  readonly gone: HandProducer
  readonly timeoutMs: number
  readonly begunMs: number
  /** The transaction was refused. */
  readonly failed: () => void
  /** Its only offset. */
  readonly first: Offset
  readonly slice: Slice
}

/**
 * A producer writes in a transaction, others write behind it, and a reader reads.
 *
 * @returns undefined when the transaction may have timed out before the reader had read
 */
async function holdOpen(
  run: LabRun,
  workload: HandWorkload,
  reader: HandReader,
  [timeoutMs, round]: readonly [number, number],
): Promise<Held | undefined> {
  const { topic, recorder, cluster } = workload
  const transactionalId = `${topic}-gone-${round}`
  const value = `open:${round}`
  run.step('a producer writes in a transaction, and is gone')
  const gone = new HandProducer(cluster, { transactionalId, clients: 'newest', timeoutMs })
  await gone.init()
  const client = recorder.client(transactionalId)
  const failed = () => client.complete('fail', [['send', `${topic}-0`, value]], undefined, { transactionalId })
  const begunMs = cluster.clock.nowMs()
  client.invoke('txn', [['send', `${topic}-0`, value]], { transactionalId })
  const first = await gone.send(topic, 0, [{ value }])
  run.step('others write behind it')
  const values = Array.from({ length: behind }, (_, index) => `plain:${round}.${index}`)
  await workload.recordedWrite('producer-0', 0, values)
  const slice = await reader.readAll(topic, 0)
  if (cluster.clock.nowMs() - begunMs < timeoutMs) return { round, gone, timeoutMs, begunMs, failed, first, slice }
  run.step('that took longer than the transaction had; once more, with more time')
  await run.when(transactionHasEnded(transactionalId))
  failed()
  gone.close()
  return undefined
}

type End = 'timeout' | 'next instance'

function holding(end: End, isolation: Isolation): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts =>
      new HandWorkload(parts, {
        replicationFactor: 3,
        settings: { 'min.insync.replicas': '2' },
        finalRead: true,
        transactional: true,
      }),
    async (run, workload) => {
      const { topic, cluster } = workload
      const others = new Bystanders(run, workload)
      const reader = new HandReader(cluster, isolation)
      const plan = { transactionalId: `${topic}-others`, clients: 'newest' } as const
      const producer = new HandProducer(cluster, plan)
      run.step('one transaction commits, the next one aborts')
      await producer.init()
      await others.transaction(producer, 'committed:0', true)
      await others.transaction(producer, 'aborted:0', false)
      const held = await inTime(end === 'timeout' ? shortMs : patientMs, (...times) =>
        holdOpen(run, workload, reader, times),
      )
      const { round, gone, timeoutMs, first } = held
      run.fact(hadMs, timeoutMs)
      run.fact('first offset of the open transaction', first)
      tell(run, 'while it is open', round, held.slice)
      if (end === 'next instance') {
        run.step('the next instance of that producer starts')
        const next = new HandProducer(cluster, { transactionalId: gone.transactionalId, clients: 'newest', timeoutMs })
        await next.init()
        next.close()
      } else run.step('nobody ends it')
      const whole = await workload.until(
        'the last stable offset goes on',
        () => reader.readAll(topic, 0),
        ({ lastStableOffset }) => lastStableOffset > first + behind,
        timeoutMs + 45_000,
      )
      run.fact(openMs, Math.round(cluster.clock.nowMs() - held.begunMs))
      tell(run, 'at the end', round, whole)
      run.fact('records that came along and were left out', whole.leftOut.length)
      run.step('the producer is back, and commits')
      run.fact('answer to its EndTxn in version 1', await gone.endInVersion(true, 1))
      run.fact('answer to its EndTxn in version 2', await gone.endInVersion(true, 2))
      held.failed()
      for (const each of [producer, gone, reader]) each.close()
    },
  )
}

const records = ['lost-write', 'unseen', 'aborted-read', 'replica-divergence'] as const

const heldBack = factCheck({
  name: 'last-stable-offset-is-held',
  promise: 'The last stable offset stood at the first record of the open transaction, below the high watermark.',
  about: [
    'first offset of the open transaction',
    'last stable offset while it is open',
    'high watermark while it is open',
  ],
  broken: facts => {
    const [first, stable] = [
      facts['first offset of the open transaction'],
      facts['last stable offset while it is open'],
    ]
    return first === stable && Number(facts['high watermark while it is open']) > Number(stable)
      ? undefined
      : `The open transaction began at ${first}, and the last stable offset was ${stable}.`
  },
})

const hidden = factCheck({
  name: 'nothing-is-read-before-its-time',
  promise: 'The reader got no record of an open or an aborted transaction, and behind an open one nothing at all.',
  about: ['while it is open', 'at the end'].flatMap(when => [
    `records of the aborted transaction read ${when}`,
    `records of the open transaction read ${when}`,
    `committed records read ${when}`,
  ]),
  broken: facts => {
    const wrong = ['while it is open', 'at the end'].flatMap(when =>
      ['aborted', 'open'].map(kind => Number(facts[`records of the ${kind} transaction read ${when}`])),
    )
    const early = Number(facts['committed records read while it is open']) - 1
    if (wrong.every(count => count === 0) && early === 0) return undefined
    const [aborted = 0, open = 0] = [0, 1].map(kind => Math.max(wrong[kind] ?? 0, wrong[kind + 2] ?? 0))
    const behindIt =
      early < 0
        ? 'not even the record that was committed before it'
        : `${countOf(early, 'record')} behind it while it was open`
    return `The reader got ${countOf(aborted, 'record')} of the aborted transaction, ${open} of the open one, which was aborted later, and ${behindIt}.`
  },
})

const complete = factCheck({
  name: 'then-everything-committed-is-read',
  promise: 'When the transaction was over the reader got all that was committed.',
  about: ['committed records read at the end'],
  broken: ({ 'committed records read at the end': count }) =>
    count === 1 + behind ? undefined : `It got ${count} of ${1 + behind} records.`,
})

const fenced = factCheck({
  name: 'the-late-commit-is-refused',
  promise: 'The commit came too late: PRODUCER_FENCED, and INVALID_PRODUCER_EPOCH in the versions before that error.',
  about: ['answer to its EndTxn in version 1', 'answer to its EndTxn in version 2'],
  broken: facts =>
    facts['answer to its EndTxn in version 1'] === 'INVALID_PRODUCER_EPOCH' &&
    facts['answer to its EndTxn in version 2'] === 'PRODUCER_FENCED'
      ? undefined
      : `It was answered with ${facts['answer to its EndTxn in version 1']} in version 1, ${facts['answer to its EndTxn in version 2']} in version 2.`,
})

export default lab({
  name: '28-transactions',
  difficulty: 2,
  summary: 'Leave a transaction open: readers of committed records stand still until somebody ends it.',
  question:
    'A producer writes one record in a transaction and dies. Others, without transactions, write ten records behind it, acknowledged by all replicas. What does a reader of committed records (read_committed) get?',
  lesson:
    'A transactional producer writes its records into the log at once. Whether they count is decided later, by a marker that the transaction coordinator writes into each partition: commit or abort. The last stable offset (LSO) of a partition is where its first undecided transaction begins, or the high watermark. A fetch with isolation level read_committed ends at the LSO, and comes with a list of the aborted transactions in it. The coordinator aborts what is open for longer than the transaction.timeout.ms of its producer; it looks for such transactions every transaction.abort.timed.out.transaction.cleanup.interval.ms (10 s by default, half a second here).',
  exercises: [
    'Raise shortMs, the transaction.timeout.ms of the producer that dies. Which fact grows with it? What limits it (transaction.max.timeout.ms, 15 minutes)?',
    'Leave transaction.abort.timed.out.transaction.cleanup.interval.ms away. How long is the transaction open now?',
    'Write the ten records to another partition. Is the reader of that one held up?',
  ],
  prediction: {
    choices: [
      'The ten records: they have nothing to do with the transaction',
      'Nothing, as long as the producer does not come back',
      'Nothing, until the coordinator aborts the transaction after transaction.timeout.ms; then the ten records',
      'All eleven, the record of the transaction marked as uncommitted',
    ],
    answer: 2,
  },
  topology: {
    brokers: 3,
    controllers: 0,
    settings: {
      ...quickFailover,
      'transaction.state.log.num.partitions': '4',
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
    },
  },
  needs: [],
  variants: [
    {
      name: 'main',
      summary: 'read_committed; nobody ends the transaction',
      role: 'main',
      ...holding('timeout', 'read_committed'),
      checks: [
        ...records,
        heldBack,
        hidden,
        complete,
        fenced,
        factCheck({
          name: 'held-until-the-timeout',
          promise: 'Nothing but its timeout ended the transaction.',
          about: [openMs, hadMs],
          broken: ({ [openMs]: ms, [hadMs]: had }) =>
            Number(ms) >= Number(had) ? undefined : `It was over after ${ms} ms, though it had ${had}.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'next-instance',
      summary: 'read_committed; the next instance with the same transactional.id starts, and the timeout is a minute',
      role: 'main',
      ...holding('next instance', 'read_committed'),
      checks: [
        ...records,
        heldBack,
        hidden,
        complete,
        fenced,
        factCheck({
          name: 'held-until-the-next-instance',
          promise: 'The next instance ended the transaction, long before its timeout.',
          about: [openMs, hadMs],
          broken: ({ [openMs]: ms, [hadMs]: had }) =>
            Number(ms) < Number(had) ? undefined : `It was open for ${ms} ms, longer than its timeout.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'read-uncommitted',
      summary: 'the same with a reader of uncommitted records',
      role: 'control',
      ...holding('timeout', 'read_uncommitted'),
      checks: [...records, complete, hidden],
      expect: ['nothing-is-read-before-its-time'],
    },
  ],
  watch: [
    'The partition in `observe`: the last stable offset stands still while the high watermark goes on. Lag that does not shrink while a consumer is healthy looks like this.',
    'The fact "records that came along and were left out": the broker does send records of aborted transactions to readers of committed ones. Leaving them out is the client’s work.',
    'The fact "ms that the transaction was open": the timeout, and up to one interval of the search more.',
    'In the variant next-instance the same end comes at once: whoever starts again with the same transactional.id clears up after itself.',
  ],
  explanation:
    'A partition is one log, and a reader of committed records reads it in order: it cannot know what an undecided record is worth, and it may not skip it, so it waits. The wait concerns everybody who reads that partition with read_committed (Kafka Streams with exactly-once, and the consumers of librdkafka and kafkajs by default), also for records that were written without any transaction. Nothing but the end of the transaction helps, and if the producer is gone that is the coordinator’s: it aborts what is open for longer than transaction.timeout.ms (one minute by default, 10 s in Kafka Streams), raising the epoch, so that the producer, if it is alive after all, is fenced. A producer that starts again with the same transactional.id does it at once with InitProducerId. That is why a transactional.id should be one that the next instance has as well. A hanging transaction (lab 30) is worse: one that no coordinator knows, so no timeout ever ends it; kafka-transactions.sh finds and aborts those.',
  reading: [
    'KIP-98, exactly once delivery and transactional messaging: https://cwiki.apache.org/confluence/display/KAFKA/KIP-98',
    'KIP-664, tools to find and abort hanging transactions: https://cwiki.apache.org/confluence/display/KAFKA/KIP-664',
    'Kafka documentation, isolation.level: https://kafka.apache.org/documentation/#consumerconfigs_isolation.level',
    'Kafka documentation, transaction.timeout.ms: https://kafka.apache.org/documentation/#producerconfigs_transaction.timeout.ms',
  ],
})
