/**
 * Lab 30: is a pipeline from topic to topic exactly once, whatever crashes, and whatever comes late?
 * Setup: 3 brokers, replication factor 3. Records of `in` become records of `mid`, these become records of `out`: two stages, each with one
 *   transaction per record, which has the output and the offset. The stages are played request by request.
 * Fault: a stage crashes after each of its requests; a broker is killed that coordinates one transaction and leads what another one writes to.
 *   Then one request is late: an EndTxn that the client has repeated meanwhile (KAFKA-17754), or a Produce of a transaction that was aborted
 *   (KIP-890).
 * Expect: every record comes out once. With Kafka 4.0 (transactions version 2) late requests are refused, since every transaction has an epoch of
 *   its own; before, they are taken for requests of the next transaction.
 * Control: a pipeline without transactions, and the late requests of clients before 4.0, must be caught.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { exactlyOnceBetween } from '#scripts/checkers/pipeline.ts'
import type { ClusterSpec } from '#scripts/cluster/cluster.ts'
import { driving, lab, quickFailover, type Expectation, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { node } from '#scripts/labs/targets.ts'
import { every, isHeldBackByTransaction, not, transactionHasEnded } from '#scripts/observe/predicates.ts'
import { finalizedLevel, reachFeatureLevel } from '#scripts/workload/features.ts'
import { alterBrokerSetting } from '#scripts/workload/transactions/broker-setting.ts'
import { Calls } from '#scripts/workload/transactions/calls.ts'
import {
  transactionVersion,
  type HandProducer,
  type LateRequest,
  type TransactionClients,
} from '#scripts/workload/transactions/producer.ts'
import { HandReader } from '#scripts/workload/transactions/reader.ts'
import { moments, Stage, type Moment, type StagePlan, type Written } from '#scripts/workload/transactions/stage.ts'
import { HandTopics } from '#scripts/workload/transactions/topics.ts'

type Topics = HandTopics<'in' | 'mid' | 'out'>

const many = 12
/** Of four partitions of the coordinators' topic each broker leads one, if not two. */
const idsTried = 50

function pipeline(
  script: (run: LabRun, topics: Topics) => Promise<void>,
  mid: { readonly hangs?: boolean } = {},
): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts => new HandTopics(parts, { in: {}, mid, out: {} }),
    async (run, topics) => {
      await restoreLevel(run)
      const values = Array.from({ length: many }, (_, index) => `w:${index}`)
      await topics.of('in').recordedWrite('producer-0', 0, values)
      await script(run, topics)
    },
  )
}

function stage(
  run: LabRun,
  topics: Topics,
  [from, to]: readonly ['in', 'mid'] | readonly ['mid', 'out'],
  plan: Partial<StagePlan>,
): Stage {
  const output = topics.of(to).topic
  const name = `${topics.prefix}-${from}-to-${to}`
  return new Stage(topics.stageParts(run.cluster), {
    name: `${from}-to-${to}`,
    from: { topic: topics.of(from).topic, partition: 0 },
    group: name,
    transactionalId: () => name,
    guarantee: 'exactly-once',
    clients: 'newest',
    transform: ({ value }, attempt) => [{ topic: output, partition: 0, value: `${value}~${attempt}` }],
    ...plan,
  })
}

/** Everything that is left goes through, one stage after the other. */
async function drain(run: LabRun, ...stages: readonly Stage[]): Promise<void> {
  run.step('what is left goes through')
  for (const each of stages) {
    await each.drain()
    run.fact(`instances of ${each.plan.name}`, each.instances)
    each.close()
  }
}

/**
 * One broker is killed in the middle of two transactions: it coordinates that of the first stage, which is about to end, and leads the output of
 * the second stage, which has just written to it.
 */
async function killInBoth(run: LabRun, first: Stage, second: Stage, broker: number): Promise<void> {
  await first.step()
  await second.step(async written => {
    if (written !== 'written') return
    await first.step(async about => {
      if (about === 'offsets') await run.kill(node(broker))
    })
  })
  await run.start(node(broker))
}

/** Which coordinator a transactional id has is decided by its hash. */
async function idCoordinatedBy(calls: Calls, broker: number, prefix: string): Promise<string> {
  for (let index = 0; index < idsTried; index++) {
    const id = `${prefix}-${index}`
    if ((await calls.coordinator('transaction', id)) === broker) return id
  }
  throw new Error(`expected one of ${idsTried} transactional ids to be coordinated by broker ${broker}`)
}

function crashing(plan: Partial<StagePlan>): Pick<Variant, 'workload' | 'script'> {
  return pipeline(async (run, topics) => {
    await crashAtEachMoment(run, stage(run, topics, ['in', 'mid'], plan), stage(run, topics, ['mid', 'out'], plan))
  })
}

const crashingWithBroker = pipeline(async (run, topics) => {
  const calls = new Calls(run.cluster)
  const broker = await calls.leader(topics.of('out').topic, 0)
  const id = await idCoordinatedBy(calls, broker, topics.prefix)
  calls.close()
  const first = stage(run, topics, ['in', 'mid'], { transactionalId: () => id })
  const second = stage(run, topics, ['mid', 'out'], {})
  run.step('a broker is killed: coordinator of a transaction of the first stage, leader of the output of the second')
  await killInBoth(run, first, second, broker)
  await crashAtEachMoment(run, first, second)
})

async function crashAtEachMoment(run: LabRun, first: Stage, second: Stage): Promise<void> {
  for (const moment of moments) {
    run.step(`both stages crash at the moment "${moment}"`)
    for (const each of [first, second]) {
      await each.crashOnce(moment)
      await each.step()
    }
  }
  await drain(run, first, second)
}

/** Between two requests of a transaction the EndTxn of the one before arrives, whose answer the client has had by another way. */
async function lateCommit(stage: Stage, made: Moment, arrives: Moment, crashes: Moment): Promise<string> {
  let late: LateRequest | undefined
  let answer = 'none'
  await stage.step(async (moment, { producer }) => {
    if (moment === made) late = producer.lateEnd(true)
  })
  await stage.step(async moment => {
    if (moment === arrives) answer = (await late?.arrive()) ?? answer
    return moment === crashes ? 'crash' : undefined
  })
  return answer
}

const lateAnswers = ['late EndTxn, records first', 'late EndTxn, offsets first'] as const

function committingLate(clients: TransactionClients): Pick<Variant, 'workload' | 'script'> {
  return pipeline(async (run, topics) => await commitLate(run, topics, clients))
}

async function commitLate(run: LabRun, topics: Topics, clients: TransactionClients): Promise<void> {
  const writesFirst = stage(run, topics, ['in', 'mid'], { clients })
  const second = stage(run, topics, ['mid', 'out'], { clients })
  await writesFirst.step()
  run.step(
    'an EndTxn is on its way for so long that the client sends it again; the next transaction has begun when it arrives',
  )
  run.fact(lateAnswers[0], await lateCommit(writesFirst, 'offsets', 'written', 'offsets'))
  run.step('the stage crashes before it ends that transaction, and begins again')
  await writesFirst.step()
  writesFirst.close()
  run.step('the same with a stage that sends offsets before it sends records')
  const offsetsFirst = stage(run, topics, ['in', 'mid'], { clients, order: 'offsets first' })
  run.fact(lateAnswers[1], await lateCommit(offsetsFirst, 'written', 'offsets', 'written'))
  await drain(run, offsetsFirst, second)
}

/** What clusters, known by their specs, worked with before a variant lowered it. */
const levels = new WeakMap<ClusterSpec, number>()

/** Before every variant too: one that could not restore the level leaves it to the next, which fails where it cannot either. */
async function restoreLevel({ cluster }: LabRun): Promise<void> {
  const level = levels.get(cluster.spec)
  if (level === undefined) return
  await reachFeatureLevel(cluster, transactionVersion, level)
  levels.delete(cluster.spec)
}

/** As after an upgrade of brokers and clients alone; 3.9 has no higher level. */
const atVersion1 = pipeline(async (run, topics) => {
  const calls = new Calls(run.cluster)
  const before = await finalizedLevel(calls, transactionVersion)
  calls.close()
  try {
    if (before > 1) {
      levels.set(run.cluster.spec, before)
      await reachFeatureLevel(run.cluster, transactionVersion, 1)
    }
    await commitLate(run, topics, 'newest')
  } finally {
    await restoreLevel(run)
  }
})

const lateWrite = 'late Produce'

/** Its transaction is aborted while the batch of its record is on its way. */
async function giveUpWrite(stage: Stage): Promise<LateRequest> {
  let late: LateRequest | undefined
  await stage.step(async (_moment, { producer, written }) => {
    late = await sendLate(producer, written)
    return 'abort'
  })
  return late as LateRequest
}

async function sendLate(producer: HandProducer, [written]: readonly Written[]): Promise<LateRequest> {
  const { topic, partition, value } = written as Written
  return await producer.lateSend(topic, partition, [{ value }])
}

function writingLate(clients: TransactionClients): Pick<Variant, 'workload' | 'script'> {
  return pipeline(async (run, topics) => {
    const first = stage(run, topics, ['in', 'mid'], { clients })
    const second = stage(run, topics, ['mid', 'out'], { clients })
    await first.step()
    run.step('a batch is on its way for so long that the client aborts the transaction')
    const late = await giveUpWrite(first)
    run.step('it arrives when the next transaction has begun')
    await first.step(async (moment, { producer }) => {
      if (moment !== 'polled') return
      await producer.add(topics.of('mid').topic, 0)
      run.fact(lateWrite, await late.arrive())
    })
    await drain(run, first, second)
  })
}

const verification = 'transaction.partition.verification.enable'
/** For what it is: its epoch is an older one, or there is no transaction, as the leader has verified. */
const refusals: ReadonlySet<unknown> = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_TXN_STATE',
  'TRANSACTION_ABORTABLE',
])
const stableMid = 'last stable offset of mid'
const endOfMid = 'high watermark of mid'

/** The next instance has another transactional id, as one whose ids are those of its process. */
function writingAfterTheEnd(isVerified: boolean): Pick<Variant, 'workload' | 'script'> {
  return pipeline(
    async (run, topics) => {
      const mid = topics.of('mid')
      const transactionalId = (instance: number) => `${topics.prefix}-instance-${instance}`
      const first = stage(run, topics, ['in', 'mid'], { clients: 'before-4.0', transactionalId })
      const second = stage(run, topics, ['mid', 'out'], { clients: 'before-4.0' })
      for (const each of [first, second]) await each.step()
      run.step('a batch is on its way for so long that the client aborts the transaction')
      const late = await giveUpWrite(first)
      await run.when(transactionHasEnded(transactionalId(1)))
      run.step('it arrives when there is no transaction')
      const answer = isVerified ? await late.arrive() : await takenUnverified(run, topics, late)
      run.fact(lateWrite, answer)
      run.step('another instance goes on')
      await first.start()
      await first.step()
      const over = every(transactionHasEnded(transactionalId(1)), transactionHasEnded(transactionalId(2)))
      const held = isHeldBackByTransaction(mid.topic, 0)
      await run.when(every(over, isVerified ? not(held) : held))
      const reader = new HandReader(run.cluster, 'read_committed')
      const { lastStableOffset, highWatermark } = await reader.readAll(mid.topic, 0)
      reader.close()
      run.fact(stableMid, lastStableOffset)
      run.fact(endOfMid, highWatermark)
      await drain(run, first, ...(isVerified ? [second] : []))
      second.close()
    },
    { hangs: !isVerified },
  )
}

async function takenUnverified(run: LabRun, topics: Topics, late: LateRequest): Promise<string> {
  await alterBrokerSetting(run.cluster, verification, 'false')
  try {
    return await topics.of('mid').until(
      'the leader has heard that it verifies nothing',
      () => late.arrive(),
      answer => answer === 'NONE',
    )
  } finally {
    await alterBrokerSetting(run.cluster, verification, null)
  }
}

const checks = [
  exactlyOnceBetween('in', 'mid'),
  exactlyOnceBetween('mid', 'out'),
  'lost-write',
  'unseen',
  'vanished',
  'aborted-read',
  'garbage-read',
  'duplicate',
  'inconsistent-offsets',
  'log-order',
  'G1c',
  'G1c-process',
  'G1c-realtime',
] as const
const caught: Expectation = ['exactly-once-in-mid', 'aborted-read']

const lateCommitsRefused = factCheck({
  name: 'late-commit-is-refused',
  promise: 'The late EndTxn was refused: PRODUCER_FENCED, since the next transaction had another epoch.',
  about: lateAnswers,
  broken: facts => {
    const answers = lateAnswers.map(name => facts[name])
    return answers.every(answer => answer === 'PRODUCER_FENCED')
      ? undefined
      : `It was answered with ${answers.join(', ')}.`
  },
})

const lateWriteRefused = factCheck({
  name: 'late-write-is-refused',
  promise: 'The late batch was refused: its epoch is over, or it belongs to no transaction.',
  about: [lateWrite],
  broken: ({ [lateWrite]: answer }) => {
    if (refusals.has(answer)) return undefined
    return answer === 'NONE' ? 'The late batch was taken.' : `The late batch was answered with ${answer}.`
  },
})

const nothingHangs = factCheck({
  name: 'nothing-hangs',
  promise: 'No transaction was open, and readers of committed records got to the end of mid.',
  about: [stableMid, endOfMid],
  broken: ({ [stableMid]: stable, [endOfMid]: end }) =>
    stable === end
      ? undefined
      : `No coordinator knows an open transaction, and the last stable offset of mid is ${stable} of ${end}, for ever.`,
})

/** Before 4.0 there is one epoch for all transactions of an instance, also for the newest client. */
const before40 = (expectation: Expectation) =>
  Object.fromEntries(['3.7', '3.8', '3.9'].map(version => [`apache-kafka@${version}`, expectation]))

export default lab({
  name: '30-exactly-once-pipeline',
  difficulty: 3,
  summary: 'Crash a pipeline after each of its requests, then let one request come late: what was exactly once?',
  question:
    'A producer commits a transaction, gets no answer, sends the EndTxn again, and begins the next transaction. Now the first EndTxn arrives at the coordinator after all. What does it do?',
  lesson:
    'A stage of a pipeline reads a record, writes what it becomes, and commits how far it has read. In one transaction all of it counts or nothing does: output and offset are decided by one EndTxn. The coordinator knows an instance by producer id and epoch; a new instance raises the epoch, and whatever the old one still says is refused. Within one instance the protocol of Kafka 0.11 to 3.9 (transactions version 1) has nothing that tells the requests of one transaction from those of the next one. Version 2 (KIP-890, Kafka 4.0) raises the epoch with every transaction.',
  exercises: [
    'Let the late EndTxn in lateCommit arrive at the moment "polled", when the next transaction has sent nothing yet. Why does it do no harm now, with old clients as well?',
    'Let late writes of old clients arrive when the next transaction has not added the partition: leave producer.add away. What refuses it (KIP-890 part 1, Kafka 3.6)?',
    'Run `lab run 30 --variant late-write-unverified --runtime process --step`, and at its last step find and abort the hanging transaction: kafka-transactions.sh find-hanging, then abort.',
  ],
  prediction: {
    choices: [
      'Nothing: the coordinator has it already and answers as before',
      'It is refused: a coordinator takes requests in the order of their correlation ids',
      'Until 3.9 it commits what the next transaction has done so far; since 4.0 it is refused, as every transaction has an epoch of its own',
      'It aborts both transactions, to be safe',
    ],
    answer: 2,
  },
  topology: {
    brokers: 3,
    controllers: 0,
    settings: { ...quickFailover, 'transaction.state.log.num.partitions': '4' },
  },
  needs: ['kill', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'the newest transactions; stages crash, and a broker is killed, a coordinator and a leader',
      role: 'main',
      ...crashingWithBroker,
      checks,
      expect: 'valid',
    },
    {
      name: 'old-clients',
      summary: 'transactions as of clients before 4.0; stages crash',
      role: 'main',
      ...crashing({ clients: 'before-4.0' }),
      checks,
      expect: 'valid',
    },
    {
      name: 'at-least-once',
      summary: 'no transactions: a record is written, then its offset is committed',
      role: 'control',
      ...crashing({ guarantee: 'at-least-once' }),
      checks,
      expect: ['exactly-once-in-mid'],
    },
    {
      name: 'late-commit',
      summary: 'the newest transactions; an EndTxn arrives in the next one (KAFKA-17754)',
      role: 'main',
      ...committingLate('newest'),
      checks: [...checks, lateCommitsRefused],
      expect: 'valid',
      expectOn: before40(caught),
    },
    {
      name: 'late-commit-old-clients',
      summary: 'the same with transactions as of clients before 4.0',
      role: 'control',
      ...committingLate('before-4.0'),
      checks: [...checks, lateCommitsRefused],
      expect: caught,
    },
    {
      name: 'late-commit-version-1',
      summary: 'the newest clients on a cluster whose feature level transaction.version is 1 or 0, as after an upgrade',
      role: 'control',
      ...atVersion1,
      checks: [...checks, lateCommitsRefused],
      expect: caught,
    },
    {
      name: 'late-write',
      summary: 'the newest transactions; a batch of an aborted transaction arrives in the next one (KIP-890)',
      role: 'main',
      ...writingLate('newest'),
      checks: [...checks, lateWriteRefused],
      expect: 'valid',
      expectOn: before40(['aborted-read', 'lost-write', 'unseen']),
    },
    {
      name: 'late-write-old-clients',
      summary: 'the same with transactions as of clients before 4.0',
      role: 'control',
      ...writingLate('before-4.0'),
      checks: [...checks, lateWriteRefused],
      expect: ['aborted-read', 'lost-write', 'unseen'],
    },
    {
      name: 'late-write-verified',
      summary:
        'clients before 4.0; the batch arrives when no transaction is open, and the leader has that verified (3.6)',
      role: 'main',
      ...writingAfterTheEnd(true),
      checks: [...checks, lateWriteRefused, nothingHangs],
      expect: 'valid',
    },
    {
      name: 'late-write-unverified',
      summary: 'the same without verification, as before 3.6: a hanging transaction',
      role: 'control',
      ...writingAfterTheEnd(false),
      checks: [...checks, lateWriteRefused, nothingHangs],
      expect: ['nothing-hangs'],
    },
  ],
  watch: [
    'The answers to late requests, as facts: NONE with old clients, PRODUCER_FENCED and INVALID_PRODUCER_EPOCH with transactions version 2.',
    'In late-commit-old-clients one record comes out twice and another one not at all: which of the two depends on what the next transaction had done when the late EndTxn came.',
    'In late-write-old-clients the offset that is acknowledged for the second attempt is that of the late batch: it has the same sequence number, so it is taken for a repetition. Offsets and answers look right. That is a client like kafkajs; Kafka’s own raises its epoch when it has given up a batch (KIP-360, 2.5).',
    'In late-write-unverified the last stable offset of mid stays behind the high watermark though no coordinator has an open transaction: no timeout will ever end it.',
  ],
  explanation:
    'Output and offset are in one transaction, so wherever a stage crashes its next instance finds either both or neither: InitProducerId aborts what was open, and the group’s offset, asked for with the condition that no transaction is about to change it (KIP-447), says where to go on. That survives every crash of the matrix, with transactions version 1 as well. What version 1 does not survive is a request that comes late. All transactions of an instance have one epoch, so an EndTxn that was repeated and then arrives in the next transaction ends that one (KAFKA-17754, found by Jepsen): what had been written by then is committed, and the client knows nothing of it. If it then aborts or crashes, the records are read although they were aborted, and their input is processed again; if it had sent its offsets first, the input is lost. A late batch of an aborted transaction lands in the next one in the same way; if there is none, it begins a transaction that nobody will ever end (KIP-890). Since 3.6 the leader asks the coordinator first whether the partition belongs to an open transaction (transaction.partition.verification.enable), which stops the hanging transaction but not the batch that lands in the next one. Transactions version 2, the default of new clusters since 4.0, raises the epoch at the end of every transaction: what is late has an old epoch, and is refused. It needs all three: brokers of 4.0, clients that know Produce v12 and EndTxn v5, and the feature level transaction.version=2, which an upgraded cluster gets from kafka-features.sh and not by itself. Whoever lacks one of them has the old transactions.',
  reading: [
    'KIP-890, transactions server-side defense: https://cwiki.apache.org/confluence/display/KAFKA/KIP-890%3A+Transactions+Server-Side+Defense',
    'KAFKA-17754, a delayed EndTxn: https://issues.apache.org/jira/browse/KAFKA-17754',
    'Jepsen, Bufstream 0.1.0 (where the late EndTxn was found): https://jepsen.io/analyses/bufstream-0.1.0',
    'KIP-447, producer scalability for exactly once: https://cwiki.apache.org/confluence/display/KAFKA/KIP-447',
  ],
})
