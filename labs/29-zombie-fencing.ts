/**
 * Lab 29: what stops an instance that was thought to be dead, and is not?
 * Setup: 3 brokers, replication factor 3. A stage reads `in`, writes `out` and commits its offsets, in one transaction per record, played request
 *   by request.
 * Fault: the instance hangs between two of its requests. Another one takes over its partition and does its work; then the first one goes on.
 * Expect: with one transactional.id for both (a static mapping of partitions to ids) the second one fences the first. With an id for each instance
 *   the group does it: offsets are committed as a member of a generation (KIP-447), and the old one is no member any more.
 * Control: with an id for each instance and offsets committed as nobody, both must be caught to have written the same record.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { exactlyOnceBetween } from '#scripts/checkers/pipeline.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { RefusedError } from '#scripts/workload/transactions/calls.ts'
import { inTime } from '#scripts/workload/transactions/in-time.ts'
import { joinAlone } from '#scripts/workload/transactions/member.ts'
import type { GroupMetadata, HandProducer } from '#scripts/workload/transactions/producer.ts'
import { Stage, type Moment, type StagePlan } from '#scripts/workload/transactions/stage.ts'
import { HandTopics } from '#scripts/workload/transactions/topics.ts'

type Topics = HandTopics<'in' | 'out'>

/** `polled`: it has only read; `written`: its record is in the log; `offsets`: only the commit is missing. */
const hangs = ['polled', 'written', 'offsets'] as const satisfies readonly Moment[]
type Hang = (typeof hangs)[number]
const perRound = 2
/** transaction.timeout.ms of an instance whose successor has to wait for it; more where the machine is too slow for it. */
const hastyMs = 6_000

function stage(run: LabRun, topics: Topics, name: string, plan: Partial<StagePlan>): Stage {
  const output = topics.of('out').topic
  return new Stage(topics.stageParts(run.cluster), {
    name,
    from: { topic: topics.of('in').topic, partition: 0 },
    group: `${topics.prefix}-group`,
    transactionalId: () => `${topics.prefix}-in-0`,
    guarantee: 'exactly-once',
    clients: 'newest',
    transform: ({ value }, attempt) => [{ topic: output, partition: 0, value: `${value}~${name}-${attempt}` }],
    ...plan,
  })
}

/**
 * The old instance hangs at a moment of a record; the new one takes over and does all there is; then the old one goes on.
 *
 * @returns what the next request of the old one is answered; NONE when it got through to the end
 */
async function takeOver(
  run: LabRun,
  { old, at }: { readonly old: Stage; readonly at: Hang },
  taking: () => Promise<Stage>,
  meanwhile: (producer: HandProducer) => Promise<void> = () => Promise.resolve(),
): Promise<string> {
  run.step(`the old instance hangs at the moment "${at}", and another one takes over`)
  try {
    await old.step(async (moment, { producer }) => {
      if (moment !== at) return
      const successor = await taking()
      await successor.drain()
      successor.close()
      run.step('the old instance goes on')
      await meanwhile(producer)
    })
    return 'NONE'
  } catch (error) {
    if (error instanceof RefusedError) return error.code
    throw error
  } finally {
    old.close()
  }
}

async function writeInput(topics: Topics, round: string): Promise<void> {
  const values = Array.from({ length: perRound }, (_, index) => `${round}:${index}`)
  await topics.of('in').recordedWrite('producer-0', 0, values)
}

function zombie(script: (run: LabRun, topics: Topics) => Promise<void>): Pick<Variant, 'workload' | 'script'> {
  return driving(parts => new HandTopics(parts, { in: {}, out: {} }), script)
}

const answerAt = (at: Hang) => `answer after the moment "${at}"`
const takenAfter = (at: Hang) => `ms until the new one could begin after the moment "${at}"`
const askedAfter = (at: Hang) => `ms until the new one asked where to begin after the moment "${at}"`
const hadMs = 'transaction.timeout.ms of the old one that had sent offsets'
const endInVersion = (version: number) => `answer to EndTxn in version ${version}`

/** Both instances have the transactional id of the partition. */
const oneId = zombie(async (run, topics) => {
  for (const at of hangs) {
    await writeInput(topics, at)
    const old = stage(run, topics, `old-${at}`, {})
    const takeOverIt = async () => {
      const successor = stage(run, topics, `new-${at}`, {})
      await successor.start()
      return successor
    }
    const answer = await takeOver(run, { old, at }, takeOverIt, async producer => {
      if (at !== 'offsets') return
      for (const version of [1, 2]) run.fact(endInVersion(version), await producer.endInVersion(true, version))
    })
    run.fact(answerAt(at), answer)
  }
})

/** Each instance has an id of its own. */
function ownIds(asMember: boolean, moments: readonly Hang[]): Pick<Variant, 'workload' | 'script'> {
  return zombie(async (run, topics) => {
    const { clock } = run.cluster
    const place = { topic: topics.of('in').topic, partition: 0 }
    const instance = async (name: string, timeoutMs: number): Promise<Stage> => {
      let member: GroupMetadata | undefined
      const transactionalId = () => `${topics.prefix}-${name}`
      const made = stage(run, topics, name, { transactionalId, member: () => member, timeoutMs })
      if (asMember) member = await joinAlone(run.cluster, made.plan.group, place)
      return made
    }
    /** @returns undefined when the new one came when the transaction of the old one was, or was soon, over by itself */
    const replace = async (at: Hang, timeoutMs: number, round: number) => {
      const name = round === 0 ? at : `${at}-${round}`
      await writeInput(topics, name)
      const old = await instance(`old-${name}`, timeoutMs)
      await old.start()
      const beganMs = clock.nowMs()
      const sinceMs = () => Math.round(clock.nowMs() - beganMs)
      let [askedMs, takenMs] = [Infinity, Infinity]
      const answer = await takeOver(run, { old, at }, async () => {
        const successor = await instance(`new-${name}`, timeoutMs)
        askedMs = sinceMs()
        await successor.start()
        takenMs = sinceMs()
        return successor
      })
      return askedMs < timeoutMs / 2 ? { answer, askedMs, takenMs, timeoutMs } : undefined
    }
    for (const at of moments) {
      // What has sent its offsets holds its successor up until it ends, or is ended.
      const firstMs = at === 'offsets' ? hastyMs : 60_000
      const { answer, askedMs, takenMs, timeoutMs } = await inTime(firstMs, (...times) => replace(at, ...times))
      if (at === 'offsets') run.fact(hadMs, timeoutMs)
      run.fact(askedAfter(at), askedMs)
      run.fact(takenAfter(at), takenMs)
      run.fact(answerAt(at), answer)
    }
  })
}

const records = [exactlyOnceBetween('in', 'out'), 'lost-write', 'unseen', 'vanished', 'aborted-read'] as const

const fenced = ['PRODUCER_FENCED', 'INVALID_PRODUCER_EPOCH']
const noMember = ['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION']
/** With transactions version 2 the epoch of a transaction that timed out is one behind, as that of a repeated EndTxn; it was no commit, so no repetition. */
const timedOut = [...fenced, 'INVALID_TXN_STATE']

function refused(moments: readonly Hang[], allowed: (at: Hang) => readonly string[]) {
  return factCheck({
    name: 'old-instance-is-refused',
    promise: 'Whatever the old instance sent next was refused.',
    about: moments.map(answerAt),
    broken: facts => {
      const wrong = moments.filter(at => !allowed(at).includes(String(facts[answerAt(at)])))
      if (wrong.length === 0) return undefined
      return `After ${wrong.map(at => `"${at}" it was answered with ${facts[answerAt(at)]}`).join(', after ')}.`
    },
  })
}

export default lab({
  name: '29-zombie-fencing',
  difficulty: 3,
  summary: 'Let an instance hang, replace it, and wake it up: who refuses what it still wants to commit?',
  question:
    'Every instance of a service has a transactional.id of its own. One hangs in the middle of a transaction (a long pause of its virtual machine), its partition is given to another one, which does the work again. Then the first one wakes up and commits. What keeps both from having done it?',
  lesson:
    'A zombie is an instance that others think is dead. Two things can stop it. The transaction coordinator: whoever calls InitProducerId with the same transactional.id raises the epoch, and what comes with an older one is refused. That helps only if the new instance has the id of the old one, so with plain transactions there must be one producer for each input partition, with an id that is made from it: a static mapping. Or the group coordinator: since KIP-447 (Kafka 2.5) a transaction commits its offsets as a member of a generation of the group (sendOffsetsToTransaction with the consumer’s group metadata), and the offsets of a former member are refused. Then one producer per process is enough.',
  exercises: [
    'Add the moment "polled" to those of the variant own-ids. Which record comes out twice now, and why does the order of the two commits not matter?',
    'Raise hastyMs. Which fact grows in the variant group-metadata, and who waits?',
    'Give both instances of the control the same id. Who stops the old one then, and at which request?',
  ],
  prediction: {
    choices: [
      'The transaction coordinator: it fences the older producer of the group',
      'Nothing, unless the offsets are committed with the group’s metadata: then the group coordinator refuses those of a former member',
      'The leader of the output partition: it has the newer producer’s records already',
      'Nothing is needed: the second commit of the same offset changes nothing',
    ],
    answer: 1,
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
      summary: 'one transactional.id for the partition: the new instance has that of the old one',
      role: 'main',
      ...oneId,
      checks: [
        ...records,
        refused(hangs, () => fenced),
        factCheck({
          name: 'fenced-by-version',
          promise: 'EndTxn was refused with PRODUCER_FENCED, and with INVALID_PRODUCER_EPOCH in version 1.',
          about: [1, 2].map(endInVersion),
          broken: facts =>
            facts[endInVersion(1)] === 'INVALID_PRODUCER_EPOCH' && facts[endInVersion(2)] === 'PRODUCER_FENCED'
              ? undefined
              : `It was answered with ${facts[endInVersion(1)]} in version 1, ${facts[endInVersion(2)]} in version 2.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'group-metadata',
      summary: 'a transactional.id for each instance; offsets are committed as a member of the group (KIP-447)',
      role: 'main',
      ...ownIds(true, hangs),
      checks: [
        ...records,
        refused(hangs, at => (at === 'offsets' ? timedOut : noMember)),
        factCheck({
          name: 'pending-offsets-are-waited-for',
          promise: 'The new instance began only when the transaction that had sent offsets was over.',
          about: [takenAfter('offsets'), hadMs],
          broken: ({ [takenAfter('offsets')]: ms, [hadMs]: had }) =>
            Number(ms) >= Number(had) ? undefined : `It began after ${ms} ms, with offsets that could still change.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'own-ids',
      summary: 'a transactional.id for each instance; offsets are committed as nobody',
      role: 'control',
      ...ownIds(false, ['written']),
      checks: [...records, refused(['written'], () => [...fenced, ...noMember])],
      expect: ['exactly-once-in-out'],
    },
  ],
  watch: [
    'The answers to the old instance, as facts: to Produce, TxnOffsetCommit and EndTxn, by how far it had come. The leader of a partition says INVALID_PRODUCER_EPOCH, the coordinator PRODUCER_FENCED.',
    'The facts "ms until the new one could begin": the group coordinator does not tell an offset that an open transaction may change (UNSTABLE_OFFSET_COMMIT), so after the moment "offsets" the new instance waits for the transaction.timeout.ms of the old one.',
    'In the control both transactions are committed, and each is all right by itself: no check of a single transaction finds anything.',
  ],
  explanation:
    'Fencing needs a name that the old and the new instance share. With a transactional.id made from the input partition that is the id: InitProducerId of the new instance aborts what the old one left open and raises the epoch, and every further request of the old one is refused, by the coordinator (PRODUCER_FENCED; INVALID_PRODUCER_EPOCH for clients from before that error, KIP-588) and by the leaders that have heard of the new epoch. The price is a producer for each partition, as in Kafka Streams before 2.6. With an id for each process nothing connects the two, and both may commit: the control. Since KIP-447 (2.5) the group is the name: TxnOffsetCommit carries member id and generation, and the group coordinator refuses those of a former member; the transaction, without its offsets, can only be aborted. What the old one had already sent is still pending, so the new one must not begin before it is decided: OffsetFetch with require_stable waits for it, at worst until the transaction of the old one times out. In the Java client the first comes with sendOffsetsToTransaction(offsets, consumer.groupMetadata()), and every consumer since 2.5 asks for stable offsets, whatever its isolation.level, which is about records; a client that passes a bare group id, as kafkajs does, needs the static mapping.',
  reading: [
    'KIP-447, producer scalability for exactly once: https://cwiki.apache.org/confluence/display/KAFKA/KIP-447%3A+Producer+scalability+for+exactly+once+semantics',
    'KIP-588, recovery from transaction timeouts (PRODUCER_FENCED): https://cwiki.apache.org/confluence/display/KAFKA/KIP-588%3A+Allow+producers+to+recover+gracefully+from+transaction+timeouts',
    'KIP-98, zombie fencing with the transactional id: https://cwiki.apache.org/confluence/display/KAFKA/KIP-98',
  ],
})
