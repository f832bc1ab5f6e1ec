/**
 * Lab 17: when do records leave a topic, and what can keep them in it?
 * Setup: 1 broker that looks at retention every 300 ms; segments of 1 MiB, of which two records fill one; retention.ms of ten minutes.
 * Fault: a producer whose clock is wrong: one record is dated 50 minutes ahead, or 70.
 * Expect: records older than retention.ms leave, a whole segment at a time; retention.bytes keeps up to a segment more than it says; a record
 *   dated more than an hour ahead is refused (since Kafka 4.0).
 * Control: one record from the future at the head of the log must be caught keeping all the old ones behind it.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'

const minuteMs = 60_000
const retentionMs = 10 * minuteMs
const recordBytes = 400_000
const invalidTimestamp = 32
/** What retention works on, and a log whose only task is to show that it has worked. */
const [subject, witness] = [0, 1]

const topicSettings = {
  'retention.ms': String(retentionMs),
  'segment.bytes': '1048576',
  'file.delete.delay.ms': '100',
}

async function fill(workload: HandWorkload, partition: number, dated: readonly number[]): Promise<void> {
  const value = 'x'.repeat(recordBytes)
  for (const offsetMs of dated)
    await workload.write({ partition, records: [{ value, timestamp: Date.now() + offsetMs }] })
}

/** Resolves when retention has certainly looked at every log once more, from its beginning to its end. */
async function untilRetentionHasPassed(run: LabRun, workload: HandWorkload): Promise<void> {
  run.step('the witness: old records leave the other partition, twice')
  for (const round of ['first', 'second']) {
    await fill(workload, witness, [-30 * minuteMs])
    await workload.until(
      `${round}: the records of the witness are gone`,
      () => workload.bounds(witness),
      ({ start, end }) => start === end,
    )
  }
}

function keeping(
  settings: Readonly<Record<string, string>>,
  script: (run: LabRun, workload: HandWorkload) => Promise<void>,
): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts => new HandWorkload(parts, { partitions: 2, settings: { ...topicSettings, ...settings } }),
    script,
  )
}

async function left(run: LabRun, workload: HandWorkload): Promise<void> {
  const { start, end } = await workload.bounds(subject)
  run.fact('records written', end)
  run.fact('records left', end - start)
  const oldest = Date.now() - retentionMs
  const old = (await workload.read(subject, start)).filter(({ timestamp }) => timestamp < oldest)
  run.fact('of them older than retention.ms', old.length)
}

const halfAnHourAgo = -30 * minuteMs

const expiredLeave = factCheck({
  name: 'expired-records-leave',
  promise:
    'Records that are older than retention.ms have left the log, those of the segment that is written to as well.',
  about: ['records written', 'records left', 'of them older than retention.ms'],
  broken: facts => {
    const old = Number(facts['of them older than retention.ms'])
    return old === 0 ? undefined : `${old} records are older than retention.ms by twenty minutes, and are still there.`
  },
})

export default lab({
  name: '17-retention-and-segments',
  difficulty: 2,
  lesson:
    "A log is cut into segments; the last one, the active one, is written to. Retention looks at whole segments: by time (retention.ms against the timestamps of the records) and by size (retention.bytes). The timestamp of a record is that of its producer (CreateTime), or that of the broker when it wrote it (LogAppendTime). A topic can say how far a producer's timestamp may be away from the broker's clock (message.timestamp.before.max.ms, message.timestamp.after.max.ms).",
  exercises: [
    'Write the record from the future last instead of first. What is deleted?',
    'Set message.timestamp.type=LogAppendTime in the control. Is it still caught?',
    'How much can a partition hold with retention.bytes=1 GiB and segment.bytes=1 GiB? Measure it with smaller numbers.',
    'Look for records from the future in your own topics: kafka-get-offsets --time, or ./faultline log dump.',
  ],
  summary: 'Date one record ahead: it keeps its segment, and with it everything older behind it.',
  question:
    'retention.ms is ten minutes. A log begins with one record dated 50 minutes ahead, then come records that are half an hour old. What does the broker delete?',
  prediction: {
    choices: [
      'The old records; the one from the future stays until its time has come',
      'Everything: the broker counts from when a record arrived',
      'Nothing: the oldest segment counts as new because of its newest record, and retention never skips a segment',
      'Nothing, and the producer is told: timestamps from the future are always refused',
    ],
    answer: 2,
  },
  topology: {
    brokers: 1,
    controllers: 0,
    settings: { 'log.retention.check.interval.ms': '300', 'log.initial.task.delay.ms': '300' },
  },
  needs: [],
  variants: [
    {
      name: 'main',
      summary: 'six records, half an hour old, in three segments',
      role: 'main',
      ...keeping({}, async (run, workload) => {
        run.step('old records are written')
        await fill(workload, subject, Array<number>(6).fill(halfAnHourAgo))
        await untilRetentionHasPassed(run, workload)
        await left(run, workload)
      }),
      checks: [expiredLeave],
      expect: 'valid',
    },
    {
      name: 'by-size',
      summary: 'retention.bytes of one megabyte, six records of 400 kB, none of them old',
      role: 'main',
      ...keeping({ 'retention.bytes': '1000000' }, async (run, workload) => {
        run.step('2.4 MB are written')
        await fill(workload, subject, Array<number>(6).fill(0))
        await untilRetentionHasPassed(run, workload)
        await left(run, workload)
      }),
      checks: [
        factCheck({
          name: 'a-segment-more-than-asked-for',
          promise:
            'Four of six records are left, 1.6 MB where retention.bytes says 1 MB: a segment goes only when what is left without it is still as much as that.',
          about: ['records written', 'records left'],
          broken: facts =>
            facts['records left'] === 4 ? undefined : `${facts['records left']} records are left, not 4.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'too-far-ahead',
      summary: 'a record dated 70 minutes ahead, with the default of message.timestamp.after.max.ms',
      role: 'main',
      ...keeping({}, async (run, workload) => {
        run.step('a record from the far future')
        const timestamp = Date.now() + 70 * minuteMs
        const { errorCode } = await workload.produce({ partition: subject, records: [{ value: 'ahead', timestamp }] })
        run.fact('error', errorCode)
      }),
      checks: [
        factCheck({
          name: 'far-future-is-refused',
          promise: 'The record was refused with INVALID_TIMESTAMP.',
          about: ['error'],
          broken: ({ error }) => (error === invalidTimestamp ? undefined : `It was answered with error ${error}.`),
        }),
      ],
      expect: 'valid',
      expectOn: {
        'apache-kafka@3.7': ['far-future-is-refused'],
        'apache-kafka@3.8': ['far-future-is-refused'],
        'apache-kafka@3.9': ['far-future-is-refused'],
      },
    },
    {
      name: 'future-timestamp',
      summary: 'one record dated 50 minutes ahead, then five that are half an hour old',
      role: 'control',
      ...keeping({}, async (run, workload) => {
        run.step('one record from the future, then old ones')
        await fill(workload, subject, [50 * minuteMs, ...Array<number>(5).fill(halfAnHourAgo)])
        await untilRetentionHasPassed(run, workload)
        await left(run, workload)
      }),
      checks: [expiredLeave],
      expect: ['expired-records-leave'],
    },
  ],
  watch: [
    'The log start offset: it jumps by whole segments (two records here), never by single records.',
    'In the control the log start offset stays 0 although retention has emptied the other partition twice meanwhile.',
    'Turn the knob: write the record from the future last instead of first. Only its own segment stays then.',
    'Turn the knob: set message.timestamp.type=LogAppendTime in the control. The broker dates the records itself, and the wrong clock of the producer has no effect.',
  ],
  explanation:
    'Retention deletes segments, not records, and only from the front. A segment is as old as its newest timestamp (since 0.10.1; KIP-33), and the first one that is not old enough ends the walk. So one record from the future holds its segment, and everything behind it, until its time and retention.ms have passed. retention.bytes works the same way: the first segment goes when what remains without it is still at least as large as the limit, so a log may hold a segment more than it says. And the segment that is written to is deleted too when all its records are too old: a new one is begun at the same offset. Since 3.6 a topic can bound how far timestamps may be from the broker’s clock (KIP-937: message.timestamp.before.max.ms and message.timestamp.after.max.ms); since 4.0 records more than an hour ahead are refused by default.',
  reading: [
    'Kafka documentation, topic setting retention.ms: https://kafka.apache.org/documentation/#topicconfigs_retention.ms',
    'KIP-33, a time index for segments: https://cwiki.apache.org/confluence/display/KAFKA/KIP-33+-+Add+a+time+based+log+index',
    'KIP-937, validation of timestamps: https://cwiki.apache.org/confluence/display/KAFKA/KIP-937%3A+Improve+Message+Timestamp+Validation',
  ],
})
