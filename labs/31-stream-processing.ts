/**
 * Lab 31: what does a stream processor count after its task has crashed?
 * Setup: 3 brokers, replication factor 3. Records of `in` are written again to `repartition` by another key, their city; a task for each
 *   partition of it counts them by city, in memory. Each new count goes to a compacted changelog and to `out`.
 * Fault: every task crashes after each of its requests. Its memory is gone; the next instance rebuilds it from the changelog.
 * Expect: with exactly-once, where input offset, changelog and output are one transaction, every count is right.
 * Control: at least once, a changelog read with what was aborted, and no changelog must be caught with wrong counts.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { exactlyOnceBetween } from '#scripts/checkers/pipeline.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { HandReader, type Isolation, type SeenRecord } from '#scripts/workload/transactions/reader.ts'
import { moments, Stage, type StagePlan } from '#scripts/workload/transactions/stage.ts'
import { HandTopics } from '#scripts/workload/transactions/topics.ts'

type Topics = HandTopics<'in' | 'repartition' | 'changelog' | 'out'>

const cities = ['cairo', 'lima', 'oslo', 'pune'] as const
const perCity = 3
const partitions = 2

interface Processing {
  readonly guarantee: 'exactly-once' | 'at-least-once'
  /** Null: there is none, a new instance begins with nothing. */
  readonly changelog: Isolation | null
}

/** The key that counts are by: `lima.3~2` → `lima`. */
const cityOf = (value: string) => value.slice(0, value.indexOf('.'))
const partitionOf = (city: string) => cities.findIndex(each => each === city) % partitions
/** `lima=3~7`: the count, and the attempt that makes the value unique. */
const countIn = (value: string) => Number(value.slice(value.indexOf('=') + 1, value.indexOf('~')))

function stage(
  run: LabRun,
  topics: Topics,
  name: string,
  rest: Omit<StagePlan, 'name' | 'group' | 'transactionalId' | 'clients'>,
) {
  const id = `${topics.prefix}-${name}`
  return new Stage(topics.stageParts(run.cluster), {
    name,
    group: id,
    transactionalId: () => id,
    clients: 'newest',
    ...rest,
  })
}

/** Without state: every record again, by its city. */
function rekeying(run: LabRun, topics: Topics, { guarantee }: Processing): Stage {
  const { topic } = topics.of('repartition')
  return stage(run, topics, 'rekey', {
    guarantee,
    from: { topic: topics.of('in').topic, partition: 0 },
    transform: ({ value }, attempt) => {
      const city = cityOf(value)
      return [{ topic, partition: partitionOf(city), key: city, value: `${value}~${attempt}` }]
    },
  })
}

/** A table in memory, as good as what it was rebuilt from. */
class Counts {
  readonly #byCity = new Map<string, number>()
  /** Records that each instance was given. */
  readonly restored: number[] = []

  load(records: readonly SeenRecord[]): void {
    this.restored.push(records.length)
    this.#byCity.clear()
    for (const { key, value } of records) this.#byCity.set(String(key), countIn(value))
  }

  add(city: string): number {
    const count = (this.#byCity.get(city) ?? 0) + 1
    this.#byCity.set(city, count)
    return count
  }
}

function counting(run: LabRun, topics: Topics, partition: number, { guarantee, changelog }: Processing) {
  const counts = new Counts()
  const [log, out] = [topics.of('changelog').topic, topics.of('out').topic]
  const task = stage(run, topics, `count-${partition}`, {
    guarantee,
    from: { topic: topics.of('repartition').topic, partition },
    restore: {
      topic: log,
      partition,
      isolation: changelog ?? 'read_committed',
      load: records => counts.load(changelog === null ? [] : records),
    },
    transform: ({ value }, attempt) => {
      const city = cityOf(value)
      const counted = { key: city, value: `${city}=${counts.add(city)}~${attempt}`, partition }
      return [
        { topic: log, ...counted },
        { topic: out, ...counted },
      ]
    },
  })
  return { task, counts }
}

/** It crashes after each of its requests, each time with another record, and does all there is. */
async function crashing(task: Stage): Promise<void> {
  for (const moment of moments) await task.crashOnce(moment)
  await task.drain()
  task.close()
}

/** The last count of each city, as a reader of `out` has it. */
async function tellCounts(run: LabRun, topics: Topics): Promise<void> {
  const out = topics.of('out')
  const reader = new HandReader(run.cluster, 'read_committed')
  for (let partition = 0; partition < partitions; partition++) {
    const { records } = await out.until(
      'every transaction has ended',
      () => reader.readAll(out.topic, partition),
      ({ lastStableOffset, highWatermark }) => lastStableOffset === highWatermark,
    )
    const last = new Map(records.map(({ key, value }) => [key, countIn(value)]))
    for (const city of cities.filter(each => partitionOf(each) === partition))
      run.fact(countFact(city), last.get(city) ?? 0)
  }
  reader.close()
}

const countFact = (city: string) => `count of ${city}`

function processing(how: Processing): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts =>
      new HandTopics(parts, {
        in: {},
        repartition: { partitions },
        changelog: { partitions, settings: { 'min.insync.replicas': '2', 'cleanup.policy': 'compact' } },
        out: { partitions },
      }),
    async (run, topics) => {
      const values = Array.from({ length: perCity }, (_, index) => cities.map(city => `${city}.${index}`)).flat()
      await topics.of('in').recordedWrite('producer-0', 0, values)
      run.step('records are written again by city; that task crashes, too')
      await crashing(rekeying(run, topics, how))
      for (let partition = 0; partition < partitions; partition++) {
        run.step(`the task of partition ${partition} counts, and crashes after each of its requests`)
        const { task, counts } = counting(run, topics, partition, how)
        await crashing(task)
        run.fact(`records from which each instance of task ${partition} was rebuilt`, counts.restored.join(', '))
      }
      await tellCounts(run, topics)
    },
  )
}

const countsAreRight = factCheck({
  name: 'counts-are-right',
  promise: `The last count of each of ${cities.length} cities is ${perCity}, the number of its records.`,
  about: cities.map(countFact),
  broken: facts => {
    const wrong = cities.filter(city => facts[countFact(city)] !== perCity)
    if (wrong.length === 0) return undefined
    return `Each city has ${perCity} records; counted were ${wrong.map(city => `${facts[countFact(city)]} of ${city}`).join(', ')}.`
  },
})

const records = ['lost-write', 'unseen', 'vanished', 'aborted-read', 'inconsistent-offsets'] as const
const inTransactions = ['torn-transaction'] as const

export default lab({
  name: '31-stream-processing',
  difficulty: 3,
  summary: 'Crash a task that counts by key: its memory comes back from a changelog, and is right or not.',
  question:
    'A task counts records by key in memory and writes every new count to a compacted changelog. It crashes after it has written a count and before it has committed the offset of the record. What does the next instance count?',
  lesson:
    'A stream processor on Kafka (Kafka Streams, ksqlDB, Samza) that counts by a key needs all records of a key in one place: it writes them again, by that key, to a repartition topic, and has one task for each partition. The task keeps its table in memory or on a local disk, and writes each change to a changelog topic, compacted to the last value of each key, so that another instance can rebuild the table anywhere. A record has three effects: a change in the changelog, an output, and an input offset. With processing.guarantee=exactly_once_v2 they are one transaction. This lab has its stream processor in TypeScript, small enough to read (scripts/workload/transactions/stage.ts); the protocol is that of the real ones.',
  exercises: [
    'Let a task of the variant at-least-once crash at the moment "polled" only. Why are its counts right, and what does that say about testing?',
    'Let a stage commit the offset before it writes, in #atLeastOnce of stage.ts (at most once). Which counts are wrong now, and is there an order that gives right ones?',
    'Set min.cleanable.dirty.ratio and segment.ms of the changelog so low that it is compacted during the run. Which fact gets smaller, and which checks complain that should not (docs/checkers.md, compactedChecks)?',
  ],
  prediction: {
    choices: [
      'The right number, always: the changelog has the count, so it begins there',
      'One too many, at least once: the table comes back with the record, and the record is read again. With exactly-once the change was aborted, so it is right',
      'One too few: the record counts as read',
      'Nothing: the table was in memory',
    ],
    answer: 1,
  },
  topology: {
    brokers: 3,
    controllers: 0,
    settings: { ...quickFailover, 'transaction.state.log.num.partitions': '4' },
  },
  needs: [],
  variants: [
    {
      name: 'main',
      summary: 'exactly-once: offset, changelog and output in one transaction',
      role: 'main',
      ...processing({ guarantee: 'exactly-once', changelog: 'read_committed' }),
      checks: [countsAreRight, exactlyOnceBetween('in', 'repartition'), ...records, ...inTransactions],
      expect: 'valid',
    },
    {
      name: 'at-least-once',
      summary: 'changelog and output first, then the offset, without transactions',
      role: 'control',
      ...processing({ guarantee: 'at-least-once', changelog: 'read_committed' }),
      checks: [countsAreRight, ...records],
      expect: ['counts-are-right'],
    },
    {
      name: 'uncommitted-changelog',
      summary: 'exactly-once, but tables are rebuilt with what was aborted, too',
      role: 'control',
      ...processing({ guarantee: 'exactly-once', changelog: 'read_uncommitted' }),
      checks: [countsAreRight, ...records, ...inTransactions],
      expect: ['counts-are-right'],
    },
    {
      name: 'no-changelog',
      summary: 'exactly-once, and every instance begins with an empty table',
      role: 'control',
      ...processing({ guarantee: 'exactly-once', changelog: null }),
      checks: [countsAreRight, ...records, ...inTransactions],
      expect: ['counts-are-right'],
    },
  ],
  watch: [
    'The facts "records from which each instance … was rebuilt": a task that crashes often spends its time there. Standby tasks (num.standby.replicas) keep a second table warm.',
    'The counts of the control at-least-once: too high by one for each crash between record and offset, in the task and in the one that writes to repartition.',
    'In uncommitted-changelog every transaction is right and the output is wrong all the same: exactly-once ends where somebody reads without read_committed.',
  ],
  explanation:
    'The table of a task is only as right as what it is rebuilt from. At least once, the changelog can be ahead of the offset: the new instance finds the record in its table, reads it again, and counts it twice; nothing in the table tells that. An offset that is ahead of the changelog would lose it instead, so no order of the two helps. In one transaction both move together or not at all: what a crashed instance had written to the changelog is aborted by the next one (InitProducerId with the same transactional id, or the group’s generation, see lab 29), a reader of committed records never sees it, and the table comes back as of the committed offset. The same holds for the repartition topic: what a crashed task wrote there is aborted before anybody downstream reads it. In Kafka Streams this is exactly_once_v2 (KIP-447, brokers from 2.5 on); its state stores on local disks are thrown away after an unclean end, since they may hold what was aborted, and are rebuilt from the changelog. The guarantee ends at the edge: a call to another system, made from a task, is made again.',
  reading: [
    'KIP-129, exactly once in Kafka Streams: https://cwiki.apache.org/confluence/display/KAFKA/KIP-129%3A+Streams+Exactly-Once+Semantics',
    'KIP-447, one producer for many tasks: https://cwiki.apache.org/confluence/display/KAFKA/KIP-447%3A+Producer+scalability+for+exactly+once+semantics',
    'Kafka Streams, architecture (state, changelogs, standbys): https://kafka.apache.org/documentation/streams/architecture',
  ],
})
