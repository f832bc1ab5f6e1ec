/**
 * Lab 18: which clocks may be wrong, and what happens then?
 * Setup: 3 brokers, replication factor 3, retention looks every 300 ms. Producers and brokers whose clocks are wrong.
 * Fault: a producer whose clock jumps back and forth by minutes, or is a day ahead; a leader whose clock is a day ahead.
 * Expect: offsets never depend on a clock. With LogAppendTime the timestamps of a log rise whatever the producers say; a producer that is a
 *   day ahead is refused (since Kafka 4.0).
 * Control: with CreateTime the timestamps must be found out of order. A leader a day ahead must be caught deleting young records, and after
 *   its death LogAppendTime must be found going back.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { node } from '#scripts/labs/targets.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
const invalidTimestamp = 32
/** How far the clock of the producer is off, record by record. */
const drift = [0, 50, -30, 20, -50, 0, 40, -10].map(minutes => minutes * minuteMs)

function working(
  settings: Readonly<Record<string, string>>,
  script: (run: LabRun, workload: HandWorkload) => Promise<void>,
): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts => new HandWorkload(parts, { replicationFactor: 3, settings: { 'min.insync.replicas': '2', ...settings } }),
    script,
  )
}

async function write(workload: HandWorkload, driftMs: number): Promise<void> {
  await workload.write({ partition: 0, records: [{ value: 'record', timestamp: Date.now() + driftMs }] })
}

/** What the log says about time and order. */
async function judge(run: LabRun, workload: HandWorkload): Promise<void> {
  const { start } = await workload.bounds(0)
  const log = await workload.read(0, start)
  const goesBack = log.filter(({ timestamp }, index) => timestamp < (log[index - 1]?.timestamp ?? 0))
  const gaps = log.filter(({ offset }, index) => offset !== start + index)
  run.fact('records read', log.length)
  run.fact('records older than the one before', goesBack.length)
  run.fact('offsets left out or given twice', gaps.length)
}

const writeWithDrift = async (run: LabRun, workload: HandWorkload): Promise<void> => {
  run.step('a producer whose clock jumps')
  for (const driftMs of drift) await write(workload, driftMs)
  await judge(run, workload)
}

const timeRises = factCheck({
  name: 'timestamps-rise',
  promise: 'No record is older than the one before it.',
  about: ['records read', 'records older than the one before'],
  broken: ({ 'records older than the one before': count }) =>
    count === 0
      ? undefined
      : `${count} records are older than the one before them: a search by time may begin in the wrong place.`,
})

const offsetsHold = factCheck({
  name: 'offsets-rise-by-one',
  promise: 'Offsets rise by one, whatever the clocks say.',
  about: ['records read', 'offsets left out or given twice'],
  broken: ({ 'records read': count, 'offsets left out or given twice': gaps }) =>
    Number(count) > 0 && gaps === 0 ? undefined : `Of ${count} records ${gaps} have another offset than expected.`,
})

/** The leader of the partition lives a day ahead from now on. @returns its id */
async function sendAhead(run: LabRun, workload: HandWorkload): Promise<number> {
  const { leader } = await workload.leader(0)
  run.step('the clock of the leader jumps a day ahead')
  await run.breakInside('clock-jump', node(leader), { offset: dayMs })
  return leader
}

export default lab({
  name: '18-clock-skew',
  difficulty: 2,
  lesson:
    'Computers have two clocks: one that counts how long something takes, and never goes back, and a calendar that somebody sets. Time limits belong to the first, which is what Faultline’s brokers use for them; Kafka takes several (timeouts of requests, fetches and elections in the quorum) from the calendar, so that a jump may end them early. Timestamps of records, retention, and the expiry of committed offsets use the second; it may be wrong, may jump, and may differ between producers and brokers. A topic says whose calendar its records carry: that of the producer (CreateTime) or that of the leader (LogAppendTime).',
  exercises: [
    'Let the clock of a follower jump instead of that of the leader. Which facts change?',
    'Let the clock jump back by a day. What does retention do?',
    'Set message.timestamp.after.max.ms of the topic to two days. What does the record from tomorrow do to retention (lab 17)?',
    'Which of your alerts would tell you that one broker lives in the future?',
    'On Apache Kafka (`up --engine apache-kafka --proxy --faults`): let the clock of a follower jump an hour ahead, reset its link to the leader for a few seconds, heal the clock, then the link, and write. When does the follower fetch again? What helps before?',
  ],
  summary: 'Let clocks of producers and brokers be wrong: offsets do not care, timestamps and retention do.',
  question:
    'The clock of a leader is a day ahead. retention.ms is one hour. What happens to records that were written a minute ago?',
  prediction: {
    choices: [
      'Nothing: retention compares timestamps with each other, not with a clock',
      'The leader deletes them, and its followers with it',
      'The leader deletes them, but the followers, whose clocks are right, keep them',
      'The controller sees the wrong clock in the heartbeats and fences the broker',
    ],
    answer: 1,
  },
  topology: {
    brokers: 3,
    controllers: 0,
    settings: { ...quickFailover, 'log.retention.check.interval.ms': '300', 'log.initial.task.delay.ms': '300' },
  },
  needs: ['kill', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'message.timestamp.type=LogAppendTime: a producer whose clock jumps by up to an hour',
      role: 'main',
      ...working({ 'message.timestamp.type': 'LogAppendTime' }, writeWithDrift),
      checks: [timeRises, offsetsHold],
      expect: 'valid',
    },
    {
      name: 'day-ahead',
      summary: 'CreateTime: a producer whose clock is a day ahead',
      role: 'main',
      ...working({}, async (run, workload) => {
        run.step('a producer from tomorrow')
        const records = [{ value: 'tomorrow', timestamp: Date.now() + dayMs }]
        run.fact('error', (await workload.produce({ partition: 0, records })).errorCode)
      }),
      checks: [
        factCheck({
          name: 'tomorrow-is-refused',
          promise: 'The record was refused with INVALID_TIMESTAMP.',
          about: ['error'],
          broken: ({ error }) => (error === invalidTimestamp ? undefined : `It was answered with error ${error}.`),
        }),
      ],
      expect: 'valid',
      expectOn: {
        'apache-kafka@3.7': ['tomorrow-is-refused'],
        'apache-kafka@3.8': ['tomorrow-is-refused'],
        'apache-kafka@3.9': ['tomorrow-is-refused'],
      },
    },
    {
      name: 'create-time',
      summary: 'message.timestamp.type=CreateTime, the default: the same producer',
      role: 'control',
      ...working({}, writeWithDrift),
      checks: [timeRises, offsetsHold],
      expect: ['timestamps-rise'],
      mustHold: ['offsets-rise-by-one'],
    },
    {
      name: 'leader-ahead-deletes',
      summary: 'retention.ms of an hour, and a leader whose clock is a day ahead',
      role: 'control',
      needs: ['node-faults'],
      ...working({ 'retention.ms': String(60 * minuteMs), 'file.delete.delay.ms': '100' }, async (run, workload) => {
        run.step('healthy')
        for (let index = 0; index < 10; index++) await write(workload, 0)
        const leader = await sendAhead(run, workload)
        await workload.until(
          'retention has worked on the leader',
          () => workload.bounds(0),
          ({ start }) => start > 0,
        )
        const { start, end } = await workload.bounds(0)
        const follower = workload.links.brokers.find(id => id !== leader) as number
        const starts = await workload.until(
          'a follower has heard of it',
          () => workload.fetchFrom(follower, { partition: 0, offset: end }),
          ({ logStartOffset }) => logStartOffset === start,
        )
        run.fact('young records written', 10)
        run.fact('of them left', end - start)
        run.fact('first offset of a follower whose clock is right', starts.logStartOffset)
      }),
      checks: [
        factCheck({
          name: 'young-records-stay',
          promise: 'Records younger than retention.ms are all there.',
          about: ['young records written', 'of them left', 'first offset of a follower whose clock is right'],
          broken: facts =>
            facts['of them left'] === facts['young records written']
              ? undefined
              : `Of ${facts['young records written']} records, seconds old, ${facts['of them left']} are left, on the followers too.`,
        }),
      ],
      expect: ['young-records-stay'],
    },
    {
      name: 'leader-ahead-dies',
      summary: 'LogAppendTime, a leader a day ahead, then one whose clock is right',
      role: 'control',
      needs: ['node-faults'],
      ...working({ 'message.timestamp.type': 'LogAppendTime' }, async (run, workload) => {
        run.step('healthy')
        await write(workload, 0)
        const leader = await sendAhead(run, workload)
        for (let index = 0; index < 4; index++) await write(workload, 0)
        run.step('it is killed, another broker leads')
        await run.kill(node(leader))
        await run.until('another broker leads', 0, partition => partition.leader >= 0 && partition.leader !== leader)
        for (let index = 0; index < 4; index++) await write(workload, 0)
        await judge(run, workload)
      }),
      checks: [timeRises, offsetsHold],
      expect: ['timestamps-rise'],
      mustHold: ['offsets-rise-by-one'],
    },
  ],
  watch: [
    'offsets-rise-by-one holds in every variant that asks for it: the order of a log is that of its appends, not of its timestamps.',
    'The fact "first offset of a follower whose clock is right": followers delete what the leader deleted, whatever their own clocks say.',
    'Turn the knob: set message.timestamp.after.max.ms of the topic to 172800000 in the variant day-ahead. The record is taken, and retention will keep it a day too long (lab 17).',
  ],
  explanation:
    'Kafka orders by offsets, and the leader gives them out one by one: no clock can change them. Elections and sessions measure durations on one machine. Three things do use the calendar. Timestamps: with CreateTime they are what producers say, with LogAppendTime what the clock of the leader says, which rises while one broker leads and may go back when another takes over. Searching by time (consumers that begin at a timestamp) takes the first record that is late enough, and trusts them. Retention: the leader compares timestamps with its own clock, and its followers follow its log start offset, so one broker that lives in the future empties every partition that it leads, records with right timestamps first. Expiry of committed offsets, transactional ids and transactions is counted by the clock of the broker that coordinates them; idempotent producers (lab 15) are forgotten by each replica of a partition, by its own clock and the timestamp of the producer’s last batch, so that with CreateTime one whose clock is far behind is forgotten at once. A fourth is Kafka’s own: a follower that cannot reach its leader waits for a second by the calendar (replica.fetch.backoff.ms), so that one whose clock was an hour ahead then, and was set right, fetches nothing for an hour although nothing is wrong any more; it is out of the in-sync set (seen on 4.3.1). Faultline’s brokers count that on the clock that never goes back. Since 3.6 (KIP-937) a topic bounds how far the timestamps of producers may be from the broker’s clock; since 4.0 more than an hour ahead is refused by default. So run NTP on brokers, and alert on it.',
  reading: [
    'KIP-32, timestamps of records: https://cwiki.apache.org/confluence/display/KAFKA/KIP-32+-+Add+timestamps+to+Kafka+message',
    'KIP-937, validation of timestamps: https://cwiki.apache.org/confluence/display/KAFKA/KIP-937%3A+Improve+Message+Timestamp+Validation',
    'Kafka documentation, topic setting message.timestamp.type: https://kafka.apache.org/documentation/#topicconfigs_message.timestamp.type',
  ],
})
