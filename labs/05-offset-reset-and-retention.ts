/**
 * Lab 05: what does a consumer read whose committed offset no longer exists?
 * Setup: 1 broker, 20 records, a group that has committed offset 5, a real consumer that comes back.
 * Fault: while the group is away the records up to offset 12 are deleted, as retention would.
 * Expect: with auto.offset.reset=earliest the consumer goes on at the first record that is left; without a reset it is told (OFFSET_OUT_OF_RANGE).
 * Control: with latest it must be caught passing over records that are still there, without any error. So must a group whose committed offset
 *   was itself deleted.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { kafkaClient } from '#scripts/workload/kafkajs-client.ts'
import { sayGoodbye } from '#scripts/workload/kafkajs-goodbye.ts'

const recordsBefore = 20
const committed = 5
const firstLeft = 12
const offsetOutOfRange = 1

async function write(workload: HandWorkload, count: number): Promise<void> {
  for (let index = 0; index < count; index++)
    await workload.write({ partition: 0, records: [{ value: `record-${index}` }] })
}

/** The group has read up to `committed`, and is away. */
async function commit(workload: HandWorkload, groupId: string): Promise<void> {
  await workload.admin(async admin => {
    await admin.setOffsets({
      groupId,
      topic: workload.topic,
      partitions: [{ partition: 0, offset: String(committed) }],
    })
  })
}

/** Starts a real consumer of the group, writes until it has read something, and answers the offset of its first record. */
async function firstRead(workload: HandWorkload, groupId: string, reset: 'earliest' | 'latest'): Promise<number> {
  const consumer = kafkaClient(workload.cluster, 'lab-reader').consumer({ groupId, maxWaitTimeInMs: 200 })
  const offsets: number[] = []
  await consumer.connect()
  try {
    await consumer.subscribe({ topics: [workload.topic], fromBeginning: reset === 'earliest' })
    await consumer.run({
      eachMessage: ({ message }) => {
        offsets.push(Number(message.offset))
        return Promise.resolve()
      },
    })
    // One that begins at the end reads only what is written from now on.
    await workload.until(
      'the consumer has read something',
      async () => {
        await write(workload, 1)
        return offsets.length
      },
      count => count > 0,
    )
  } finally {
    await sayGoodbye(consumer)
  }
  return Math.min(...offsets)
}

type Reset = 'earliest' | 'latest' | 'none'

function comingBack(reset: Reset, after: 'retention' | 'expiry'): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts => new HandWorkload(parts),
    async (run, workload) => {
      const groupId = `${workload.topic}-readers`
      run.step('records are written, the group commits and goes away')
      await write(workload, recordsBefore)
      await commit(workload, groupId)
      const firstToRead = await beAway(run, workload, groupId, after)
      run.step('the consumer comes back')
      if (reset === 'none') {
        const { leader } = await workload.leader(0)
        const { errorCode, records } = await workload.fetchFrom(leader, { partition: 0, offset: committed })
        run.fact('error of a read at the committed offset', errorCode)
        run.fact('records with it', records.length)
        return
      }
      const first = await firstRead(workload, groupId, reset)
      run.fact('first offset that was read', first)
      run.fact('records that are still there and were passed over', first - firstToRead)
    },
  )
}

/** @returns the first offset that the group should read */
async function beAway(run: LabRun, workload: HandWorkload, groupId: string, what: 'retention' | 'expiry') {
  if (what === 'retention') {
    run.step(`the records below ${firstLeft} are deleted`)
    await workload.deleteBefore(0, firstLeft)
    run.fact('records that were deleted unread', firstLeft - committed)
    return firstLeft
  }
  run.step('the group stays away for longer than offsets.retention.minutes')
  await workload.admin(async admin => {
    const ask = async () => await admin.fetchOffsets({ groupId, topics: [workload.topic] })
    await workload.until(
      'its committed offset is gone',
      ask,
      topics => topics.every(({ partitions }) => partitions.every(({ offset }) => offset === '-1')),
      180_000,
    )
  })
  return committed
}

const nothingPassedOver = factCheck({
  name: 'reads-what-is-there',
  promise: 'The consumer began with the first record that was left, so it passed over none.',
  about: ['first offset that was read', 'records that are still there and were passed over'],
  broken: facts => {
    const count = Number(facts['records that are still there and were passed over'])
    return count === 0
      ? undefined
      : `It began at offset ${facts['first offset that was read']} and passed over ${count} records that are still there. No error was shown to it.`
  },
})

export default lab({
  name: '05-offset-reset-and-retention',
  difficulty: 2,
  lesson:
    'A consumer reads from an offset that it chooses. A group chooses what it has committed, and auto.offset.reset when there is no such offset, or when it is out of range: earliest (the first record there is), latest (the end of the log), none (an error). The log has a first offset, the log start; retention and DeleteRecords move it up. Committed offsets are records, too, and are deleted when a group has been empty for offsets.retention.minutes.',
  exercises: [
    'Commit offset 12, and 20, instead of 5. For which of them does auto.offset.reset matter?',
    'Run the variant none by hand with kcat or kafka-console-consumer. What does your client do with OFFSET_OUT_OF_RANGE by default?',
    'How would you notice in production that a group has been reset? Which number jumps?',
    'Which setting would you choose for a billing service, and which for a live dashboard? What must each of them do at the start?',
  ],
  summary: 'Delete what a group has not read yet: earliest goes on with the rest, latest passes over it silently.',
  question:
    'A group has committed offset 5 and is away; meanwhile everything below offset 12 is deleted, and the log ends at 20. It comes back with auto.offset.reset=latest. What does it read first?',
  prediction: {
    choices: [
      'Offset 12, the first one that is left: the nearest to where it was',
      'Offset 20: what is written from now on, and nobody is told',
      'Offset 5 fails with OFFSET_OUT_OF_RANGE and the application has to decide',
      'Offset 5: what a group has not read yet is not deleted',
    ],
    answer: 1,
  },
  topology: {
    brokers: 1,
    controllers: 0,
    settings: {
      ...quickFailover,
      'offsets.retention.minutes': '1',
      'offsets.retention.check.interval.ms': '1000',
    },
  },
  needs: [],
  variants: [
    {
      name: 'main',
      summary: 'auto.offset.reset=earliest',
      role: 'main',
      ...comingBack('earliest', 'retention'),
      checks: [nothingPassedOver],
      expect: 'valid',
    },
    {
      name: 'none',
      summary:
        'no reset: what the broker answers to a read at the committed offset (auto.offset.reset=none hands it to the application)',
      role: 'main',
      ...comingBack('none', 'retention'),
      checks: [
        factCheck({
          name: 'reader-is-told',
          promise: 'The broker answered OFFSET_OUT_OF_RANGE and no records.',
          about: ['error of a read at the committed offset', 'records with it'],
          broken: facts =>
            facts['error of a read at the committed offset'] === offsetOutOfRange && facts['records with it'] === 0
              ? undefined
              : `It answered error ${facts['error of a read at the committed offset']} and ${facts['records with it']} records.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'latest',
      summary: 'auto.offset.reset=latest',
      role: 'control',
      ...comingBack('latest', 'retention'),
      checks: [nothingPassedOver],
      expect: ['reads-what-is-there'],
    },
    {
      name: 'offsets-expired',
      summary:
        'nothing is deleted but the committed offset itself (offsets.retention.minutes), auto.offset.reset=latest',
      role: 'control',
      // A minute at least, which only a virtual clock has no need to wait for.
      needs: ['virtual-time'],
      ...comingBack('latest', 'expiry'),
      checks: [nothingPassedOver],
      expect: ['reads-what-is-there'],
    },
  ],
  watch: [
    'The fact "records that were deleted unread": 7 in every variant. No reset brings them back, and only "none" tells that they are missing.',
    'The fact "first offset that was read": 12 with earliest; with latest the end of the log at the moment of the reset.',
    'Turn the knob: commit offset 12 instead of 5. Then nothing is out of range, and latest reads 12 as earliest does: the setting matters only without a valid committed offset.',
  ],
  explanation:
    'Retention does not ask who has read what: records go when they are old or the log is large, whoever is behind. A committed offset below the log start is out of range; the broker answers OFFSET_OUT_OF_RANGE, and what happens then is up to the client. earliest goes on with the first record that is left: what was deleted is lost to the group, the rest is read. latest jumps to the end: also what is still there is passed over, silently. none throws, so the application learns that it lost something. by_duration (KIP-1106, Java client since 4.0) goes back a given time. The same setting is used when a group has no committed offset at all, and offsets are deleted too: offsets.retention.minutes (default seven days since 2.0, KIP-186; before, one day) after the group became empty (KIP-211, since 2.1). A group that is away for longer than that with latest loses everything that was written meanwhile.',
  reading: [
    'Kafka documentation, consumer setting auto.offset.reset: https://kafka.apache.org/documentation/#consumerconfigs_auto.offset.reset',
    'KIP-211, expiry of committed offsets: https://cwiki.apache.org/confluence/display/KAFKA/KIP-211',
    'KIP-186, offsets are kept for seven days: https://cwiki.apache.org/confluence/display/KAFKA/KIP-186',
    'KIP-1106, reset by duration: https://cwiki.apache.org/confluence/display/KAFKA/KIP-1106',
  ],
})
