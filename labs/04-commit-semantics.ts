/**
 * Lab 04: what becomes of a record whose consumer dies between working on it and committing it?
 * Setup: 1 broker, 30 records in one partition, a group of one member that polls ten at a time; then one that takes over.
 * Fault: the member is killed when it has worked on 14 records, four of its second poll, without another word to the group.
 * Expect: an automatic commit with every poll (auto.commit.interval.ms=0), which commits what the poll before gave, leaves nothing out and repeats what came after it; an application that
 *   keeps its offset together with its results does every record once.
 * Control: who commits after the work must be caught doing records twice; who commits before it, leaving some out. So must an application
 *   that hands its records to another thread and polls on with automatic commits.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { GroupMember, type PolledRecord, type Positions } from '#scripts/workload/members/member.ts'

const records = 30
const recordsPerPoll = 10
const doneAtCrash = 14
/** Shorter than Kafka's 6 s (group.min.session.timeout.ms), so that it is soon noticed that a member is gone; longer than a busy machine is silent. */
const sessionTimeoutMs = 3_000

type Order = 'after-processing' | 'before-processing' | 'auto-commit' | 'auto-commit-handed-over' | 'offset-with-result'

/** Where the application puts its results: it outlives the members. */
class Results {
  readonly #done: number[] = []
  /** Next record to work on, stored in the same step as a result. */
  nextOffset = 0

  get count(): number {
    return this.#done.length
  }

  get distinct(): number {
    return new Set(this.#done).size
  }

  add({ offset }: PolledRecord): void {
    this.#done.push(offset)
    this.nextOffset = offset + 1
  }
}

class Killed extends Error {}

/** The application around one member: what it does between two polls. */
class Consumer {
  readonly member: GroupMember
  readonly #order: Order
  readonly #results: Results
  readonly #diesAt: number
  /** Handed over to another thread, and not worked on yet. */
  #waiting: PolledRecord[] = []
  #isFirstPoll = true

  /** @param diesAt  results there must be for it to be killed */
  constructor(workload: HandWorkload, name: string, order: Order, results: Results, diesAt = Infinity) {
    this.member = new GroupMember(workload, {
      name,
      group: groupOf(workload),
      protocol: 'eager',
      partitions: 1,
      times: { sessionTimeoutMs },
    })
    this.#order = order
    this.#results = results
    this.#diesAt = diesAt
  }

  /** @throws Killed */
  async round(): Promise<void> {
    const before = this.member.positions
    const isAutomatic = this.#order === 'auto-commit' || this.#order === 'auto-commit-handed-over'
    // Java's consumer commits at the beginning of a poll, here of each (auto.commit.interval.ms=0): what the poll before gave, done or not.
    if (isAutomatic) await this.#commit(before)
    const polled = await this.member.poll(recordsPerPoll)
    if (this.#order === 'offset-with-result' && this.#isFirstPoll) {
      // The group knows no offset: what this poll gave is of no use.
      this.#isFirstPoll = false
      this.member.seek(0, this.#results.nextOffset)
      return
    }
    if (this.#order === 'before-processing') await this.#commit(this.member.positions)
    if (this.#order === 'auto-commit-handed-over') this.#workElsewhere(polled)
    else for (const record of polled) this.#work(record)
    if (this.#order === 'after-processing') await this.#commit(this.member.positions)
  }

  /** A thread that is one poll behind, and then works on what it has got. */
  #workElsewhere(polled: readonly PolledRecord[]): void {
    const due = this.#waiting
    this.#waiting = [...polled]
    for (const record of due) this.#work(record)
  }

  #work(record: PolledRecord): void {
    if (this.#results.count >= this.#diesAt) {
      this.member.crash()
      throw new Killed(`${this.member.name} is killed`)
    }
    this.#results.add(record)
  }

  async #commit(positions: Positions): Promise<void> {
    const code = await this.member.commit(positions)
    if (code !== 'NONE') throw new Error(`a commit of ${this.member.name} was refused with ${code}`)
  }
}

const groupOf = (workload: HandWorkload): string => `${workload.topic}-readers`

function dying(order: Order): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts => new HandWorkload(parts),
    async (run, workload) => {
      run.step('records are written')
      for (let index = 0; index < records; index++)
        await workload.write({ partition: 0, records: [{ value: `record-${index}` }] })
      const results = new Results()
      run.step('a member reads them, and is killed at its work')
      await untilKilled(new Consumer(workload, 'consumer-0', order, results, doneAtCrash), workload)
      const doneBefore = results.count
      const committed = (await workload.committed(groupOf(workload), 0)) ?? 0
      run.fact('records that were done when the member died', doneBefore)
      run.fact('committed offset when the member died', committed)
      run.step('when its session is over, another member takes over')
      await takeOver(new Consumer(workload, 'consumer-1', order, results), workload)
      run.fact('records written', records)
      run.fact('records done', results.distinct)
      run.fact('records done twice', results.count - results.distinct)
    },
  )
}

async function untilKilled(consumer: Consumer, workload: HandWorkload): Promise<void> {
  const isKilled = async () => {
    try {
      await consumer.round()
      return false
    } catch (error) {
      if (error instanceof Killed) return true
      throw error
    }
  }
  try {
    await workload.until('the member is killed', isKilled, killed => killed)
  } finally {
    consumer.member.crash()
  }
}

/** Until the member has read to the end, and worked on what it read. */
async function takeOver(consumer: Consumer, workload: HandWorkload): Promise<void> {
  let pollsAtEnd = 0
  const round = async () => {
    await consumer.round()
    pollsAtEnd = consumer.member.positions.get(0) === records ? pollsAtEnd + 1 : 0
    return pollsAtEnd
  }
  try {
    // With the second one, what was handed to another thread is done as well.
    await workload.until('the member that took over has read to the end', round, polls => polls > 2)
  } finally {
    await consumer.member.leave()
  }
}

const everyRecord = factCheck({
  name: 'processes-every-record',
  promise: 'Every record was worked on.',
  about: ['records written', 'records done', 'committed offset when the member died'],
  broken: facts => {
    const left = Number(facts['records written']) - Number(facts['records done'])
    return left === 0
      ? undefined
      : `${left} records were committed (up to ${facts['committed offset when the member died']}) and never worked on. Nobody got an error.`
  },
})

const noneTwice = factCheck({
  name: 'processes-no-record-twice',
  promise: 'No record was worked on twice.',
  about: ['records done twice', 'committed offset when the member died'],
  broken: ({ 'records done twice': count, 'committed offset when the member died': committed }) =>
    count === 0
      ? undefined
      : `${count} records were done and not committed when the member died: the next one began at ${committed} and did them again.`,
})

const repeatsTheUncommitted = factCheck({
  name: 'repeats-what-was-not-committed',
  promise: 'What came twice is what was done and not committed, which is at most what one poll gave.',
  about: ['records done twice', 'records that were done when the member died', 'committed offset when the member died'],
  broken: facts => {
    const done = Number(facts['records that were done when the member died'])
    const expected = done - Number(facts['committed offset when the member died'])
    const twice = Number(facts['records done twice'])
    return twice === expected && twice > 0 && twice <= recordsPerPoll
      ? undefined
      : `${twice} records came twice, and ${expected} had been done and not committed.`
  },
})

const groupPromises = ['group-ownership', 'committed-offsets'] as const

export default lab({
  name: '04-commit-semantics',
  summary: 'Kill a consumer between its work and its commit: the order of the two decides between twice and never.',
  question:
    'A consumer commits automatically, with every poll (auto.commit.interval.ms=0), and polls ten records at a time. It has worked on four of its second ten when it is killed. Where does the member go on that takes over?',
  prediction: {
    choices: [
      'At record 0: nothing is committed while the consumer is alive',
      'At record 10: a poll commits what the poll before gave',
      'At record 14: what was worked on is committed',
      'At record 20: what was polled is committed',
    ],
    answer: 1,
  },
  difficulty: 1,
  lesson:
    'A group remembers one offset for each partition: where to go on. Somebody has to commit it, and what a record was used for happens elsewhere, in a database or another topic. Two steps in two places have an order, and a process may die between them. enable.auto.commit leaves the commit to the consumer, which does it inside of poll(): in one that begins when auto.commit.interval.ms have passed since the commit before. The default is 5 s; here it is 0, so every poll commits.',
  exercises: [
    'Set recordsPerPoll to 1. How many records may come twice now, and what does a commit for each record cost?',
    'Let the member die at 10 instead of 14 (doneAtCrash), between two polls. Which of the variants still goes wrong?',
    'With the default of 5 s for auto.commit.interval.ms, what would be committed when this member dies? What does a longer interval cost, and what does it spare?',
    'Let `auto-commit-handed-over` wait for its thread before it polls again. What have you got?',
  ],
  topology: {
    brokers: 1,
    controllers: 0,
    settings: { ...quickFailover, 'group.min.session.timeout.ms': String(sessionTimeoutMs) },
  },
  needs: [],
  variants: [
    {
      name: 'offset-with-result',
      summary: 'the offset is stored in one step with the result, and read there',
      role: 'main',
      ...dying('offset-with-result'),
      checks: [everyRecord, noneTwice, 'group-ownership'],
      expect: 'valid',
    },
    {
      name: 'auto-commit',
      summary: 'automatic commits with every poll; records are worked on between two polls',
      role: 'main',
      ...dying('auto-commit'),
      checks: [everyRecord, repeatsTheUncommitted, ...groupPromises],
      expect: 'valid',
    },
    {
      name: 'after-processing',
      summary: 'at least once: the commit comes after the work',
      role: 'control',
      ...dying('after-processing'),
      checks: [everyRecord, noneTwice, ...groupPromises],
      expect: ['processes-no-record-twice'],
    },
    {
      name: 'before-processing',
      summary: 'at most once: the commit comes before the work',
      role: 'control',
      ...dying('before-processing'),
      checks: [everyRecord, noneTwice, ...groupPromises],
      expect: ['processes-every-record'],
    },
    {
      name: 'auto-commit-handed-over',
      summary: 'automatic commits with every poll; another thread works on the records, and the consumer polls on',
      role: 'control',
      ...dying('auto-commit-handed-over'),
      checks: [everyRecord, ...groupPromises],
      expect: ['processes-every-record'],
    },
  ],
  watch: [
    'The fact "committed offset when the member died": 10 with the commit after the work and with automatic commits, 20 with the commit before it.',
    'The time until somebody else takes over: nobody tells the group that the member is dead, it waits for the session timeout (here 3 s, Kafka’s default is 45 s since 3.0).',
    'In auto-commit-handed-over: each commit is one poll behind, and the thread is one poll behind, too; six records fall between them.',
    'No record is missing in the log and no client saw an error, in any variant: what is lost is work, so nothing on the broker tells of it.',
  ],
  explanation:
    'The log does not know what a record was used for; the committed offset is all that a group remembers. With the commit after the work, whatever was done since the last commit is done again: at least once. With the commit before it, whatever was committed and not done is left out: at most once. No order avoids both, because there are two steps in two places. Automatic commits (enable.auto.commit, on by default) are made inside of poll(), at most every auto.commit.interval.ms (5 s by default, in which this member would have died before it committed anything; 0 here): the positions as they were when poll() was called, so what the polls before gave, never what this poll gives. That is at least once, as long as everything is done before the next poll; an application that hands records to other threads and polls on gets losses from it. What comes twice does no harm when the work can be repeated (a key that is written again, a table of what was done), or when the offset is stored in the same transaction as the result: in a database, or in Kafka itself with sendOffsetsToTransaction.',
  reading: [
    'Kafka documentation, "Message Delivery Semantics": https://kafka.apache.org/documentation/#semantics',
    'Kafka documentation, enable.auto.commit: https://kafka.apache.org/documentation/#consumerconfigs_enable.auto.commit',
    'KafkaConsumer, "Offsets and Consumer Position" and "Storing Offsets Outside Kafka": https://kafka.apache.org/40/javadoc/org/apache/kafka/clients/consumer/KafkaConsumer.html',
    'Jepsen, Redpanda 21.10.1, on automatic commits: https://jepsen.io/analyses/redpanda-21.10.1',
  ],
})
