/**
 * Lab 03: what happens to records that a consumer group is too slow for?
 * Setup: 3 brokers, a topic with 3 partitions, a group of 4 real consumers that take 40 ms for a record.
 * Fault: far more records are written than the group can read meanwhile.
 * Expect: the group lags and nothing is lost; a fourth consumer of three partitions has nothing to do; faster consumers catch up.
 * Control: when records are deleted before the group has come to them, the group must be caught not having read all of them.
 */
import type { Consumer } from 'kafkajs'
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import { known } from '#scripts/observe/model.ts'
import { groupHasCaughtUp, groupHasMembers, groupLags, predicate } from '#scripts/observe/predicates.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { kafkaClient } from '#scripts/workload/kafkajs-client.ts'
import { sayGoodbye } from '#scripts/workload/kafkajs-goodbye.ts'

const partitions = 3
const members = 4
const records = 240
const slowMs = 40
const lagWanted = 100

/** Consumers of one group, which take as long for a record as they are told. */
class Group {
  readonly id: string
  pauseMs = slowMs
  readonly #seen: string[] = []
  readonly #workload: HandWorkload
  readonly #consumers: Consumer[] = []

  constructor(workload: HandWorkload) {
    this.#workload = workload
    this.id = `${workload.topic}-readers`
  }

  /** Values in the order in which they were read; a value may come again after a rebalance. */
  get read(): ReadonlySet<string> {
    return new Set(this.#seen)
  }

  async join(): Promise<void> {
    const { cluster, topic } = this.#workload
    for (let member = 0; member < members; member++) {
      const consumer = kafkaClient(cluster, `lab-reader-${member}`).consumer({
        groupId: this.id,
        maxWaitTimeInMs: 200,
        // So few records come with one fetch that the group commits often.
        maxBytesPerPartition: 1_024,
      })
      this.#consumers.push(consumer)
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      await consumer.run({
        autoCommitThreshold: 1,
        partitionsConsumedConcurrently: partitions,
        eachMessage: async ({ message }) => {
          if (this.pauseMs > 0) await cluster.clock.sleep(this.pauseMs)
          this.#seen.push(message.value?.toString() ?? '')
        },
      })
    }
  }

  async leave(): Promise<void> {
    await Promise.all(this.#consumers.map(sayGoodbye))
  }
}

async function write(workload: HandWorkload): Promise<void> {
  for (let index = 0; index < records; index += 10) {
    const batch = Array.from({ length: 10 }, (_, step) => ({ value: `record-${index + step}` }))
    await workload.write({ partition: (index / 10) % partitions, records: batch })
  }
}

function lagging(isDeleted: boolean): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts => new HandWorkload(parts, { partitions, replicationFactor: 3, settings: { 'min.insync.replicas': '2' } }),
    async (run, workload) => {
      const group = new Group(workload)
      try {
        run.step(`a group of ${members} joins`)
        await group.join()
        await run.when(groupHasMembers(group.id, members))
        let idle = -1
        const assigned = predicate('all partitions are assigned', { groups: [group.id] }, seen => {
          const found = known(known(seen.groups)?.[group.id])
          if (found === undefined || found === null) return undefined
          const counts = found.members.map(({ assignment }) => assignment.length)
          idle = counts.filter(count => count === 0).length
          return counts.reduce((sum, count) => sum + count, 0) === partitions
        })
        await run.when(assigned)
        run.fact('members without a partition', idle)
        run.step('more is written than the group can read')
        await write(workload)
        await run.when(groupLags(group.id, lagWanted))
        run.fact('records that had been read when all were written', group.read.size)
        if (isDeleted) {
          run.step('everything is deleted before the group has come to it')
          for (let partition = 0; partition < partitions; partition++) {
            const { end } = await workload.bounds(partition)
            await workload.deleteBefore(partition, end)
          }
          // What comes now shows that the group has got over it.
          for (let partition = 0; partition < partitions; partition++)
            await workload.write({ partition, records: [{ value: `afterwards-${partition}` }] })
        }
        run.step('the consumers get faster')
        group.pauseMs = 0
        const last = isDeleted ? Array.from({ length: partitions }, (_, index) => `afterwards-${index}`) : []
        await run.when(groupHasCaughtUp(group.id))
        await workload.until(
          'what was written last is read',
          () => Promise.resolve(group.read),
          read => last.every(value => read.has(value)),
        )
        const read = Array.from({ length: records }, (_, index) => `record-${index}`).filter(value =>
          group.read.has(value),
        )
        run.fact('records written', records)
        run.fact('of them read by the group', read.length)
      } finally {
        await group.leave()
      }
    },
  )
}

const checks = [
  factCheck({
    name: 'reads-everything',
    promise: 'The group has read every record, however far behind it was.',
    about: ['records written', 'of them read by the group', 'records that had been read when all were written'],
    broken: facts =>
      facts['of them read by the group'] === facts['records written']
        ? undefined
        : `Of ${facts['records written']} records the group has read ${facts['of them read by the group']}; the others were deleted before.`,
  }),
  factCheck({
    name: 'one-member-per-partition',
    promise: 'Three members have one partition each, the fourth has none.',
    about: ['members without a partition'],
    broken: ({ 'members without a partition': count }) =>
      count === members - partitions ? undefined : `${count} members have no partition.`,
  }),
]

export default lab({
  name: '03-consumer-lag',
  difficulty: 1,
  lesson:
    'Consumers with the same group id share the work: the group coordinator, one of the brokers, gives each partition to one member. A member reads from the leader of its partitions, and commits the offset that it would read next; commits are records in an internal topic. The lag of a group is the number of records between what it has committed and the high watermark of each partition. Records leave a topic by age or size (retention), or because somebody deletes them (DeleteRecords).',
  exercises: [
    'Give the topic four partitions. How does the lag fall now, and what did it cost (lab 02)?',
    'Start a second group with another id while the first one lags. Which lag has it, and does it slow the first one down?',
    'Watch the lag of a group of your own: ./faultline watch, or kafka-consumer-groups --describe. Is it a time?',
    'In the control, what does the group get when it asks for an offset that has been deleted? Lab 05 goes on from there.',
  ],
  summary: 'Write faster than a group reads: it lags, loses nothing, and catches up, unless retention is faster.',
  question:
    'A group of four consumers reads a topic with three partitions, and far more is written than it can read. What happens?',
  prediction: {
    choices: [
      'Producers are slowed down until the group has caught up',
      'The fourth consumer helps the slowest of the other three',
      'The group lags, one consumer has nothing to do; records wait until retention deletes them, read or not',
      'The broker keeps records until every group has committed them',
    ],
    answer: 2,
  },
  topology: { brokers: 3, controllers: 0, settings: quickFailover },
  needs: [],
  variants: [
    {
      name: 'main',
      summary: `${records} records, a group that takes ${slowMs} ms for each, then one that takes no time`,
      role: 'main',
      ...lagging(false),
      checks,
      expect: 'valid',
    },
    {
      name: 'deleted-meanwhile',
      summary: 'the same, but the records are deleted while the group lags',
      role: 'control',
      ...lagging(true),
      checks,
      expect: ['reads-everything'],
    },
  ],
  watch: [
    'Lag: records between what the group has committed and the high watermark. It grows while more is written than read, and says nothing about time.',
    'The member without a partition: three partitions are the most that a group can read in parallel.',
    'In the control no consumer fails: each one is out of range, and goes on with the first record that is left.',
    'Turn the knob: create the topic with four partitions. All four members have one then, and the lag falls faster.',
  ],
  explanation:
    'Kafka keeps no queue for each group. A group is a set of committed offsets; its lag is the distance from there to the high watermark, and costs the broker nothing. Producers never wait for consumers. Within a group a partition is read by one member only, so more members than partitions are idle: a slow group gets faster by faster processing, or by more partitions (which breaks the order of keys, lab 02). The other limit is retention: it deletes by age and size and asks no group. A lag that reaches the log start offset has become a loss, and only the group’s own reset (lab 05) decides what is read next. So watch the lag against what retention keeps, not against zero.',
  reading: [
    'Kafka documentation, "Consumer Position": https://kafka.apache.org/documentation/#design_consumerposition',
    'Kafka documentation, "Checking consumer position": https://kafka.apache.org/documentation/#basic_ops_consumer_lag',
    'KIP-345, static members: https://cwiki.apache.org/confluence/display/KAFKA/KIP-345',
  ],
})
