/**
 * Lab 09: how far does a replica cut its log when it comes back?
 * Setup: 2 brokers and a controller of its own, replication factor 2, acks=all. The high watermark goes to disk every ten minutes only, so
 *   that a replica that was killed comes back with all its records and an old high watermark: the worst case of KIP-101.
 * Fault: the follower is killed and comes back without reaching the leader; later the leader dies. Or: the follower is cut off from the leader,
 *   which dies with records that the follower never had, and comes back.
 * Expect: a replica cuts what the epochs of the leader say is not theirs, and keeps what lies above its own high watermark; when the follower
 *   leads nothing is lost, and all logs are equal.
 * Control: the same cut, of records that had been acknowledged (acks=1): the logs are equal too, and the records must be caught as lost.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { node } from '#scripts/labs/targets.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import type { WorkloadParts } from '#scripts/workload/workload.ts'

const many = 20
const tail = 5
/** A busy machine may need a minute to start a broker of Apache Kafka. */
const startMs = 150_000

const handWorkload = (parts: WorkloadParts): HandWorkload =>
  new HandWorkload(parts, { replicationFactor: 2, settings: { 'min.insync.replicas': '1' }, finalRead: true })

const valuesOf = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${name}:${index}`)

interface Roles {
  readonly leader: number
  readonly follower: number
  readonly leaderEpoch: number
}

/** Both replicas have the same records. */
async function replicate(workload: HandWorkload): Promise<Roles> {
  for (const value of valuesOf('first', many)) await workload.recordedWrite('producer-0', 0, [value])
  const { leader, leaderEpoch } = await workload.leader(0)
  const follower = leader === 1 ? 2 : 1
  await workload.until(
    'the follower has everything',
    () => workload.logEnd(follower, 0),
    end => end === many,
  )
  return { leader, follower, leaderEpoch }
}

const comesBackBehind = driving(handWorkload, async (run, workload) => {
  run.step('healthy')
  const { leader, follower } = await replicate(workload)
  run.step('the follower is killed, and comes back without reaching the leader')
  await run.kill(node(follower))
  await run.until('it has left the in-sync set', 0, ({ isr }) => !isr.includes(follower))
  await run.partition(node(follower), node(leader))
  await run.start(node(follower))
  const state = await workload.until(
    'the follower tells of its log',
    async () => {
      try {
        const { errorCode, highWatermark } = await workload.fetchFrom(follower, { partition: 0, offset: 0 })
        return { errorCode, highWatermark, end: await workload.logEnd(follower, 0) }
      } catch (error) {
        return { errorCode: -1, highWatermark: -1, end: -1, error }
      }
    },
    ({ errorCode }) => errorCode === 0,
    startMs,
  )
  run.fact('high watermark that the follower came back with', state.highWatermark)
  run.fact('end of its log then', state.end)
  run.step('it reaches the leader again')
  await run.healPartition()
  await run.until('it is in the in-sync set again', 0, ({ isr }) => isr.includes(follower), startMs)
  run.step('the leader is killed, the follower leads')
  await run.kill(node(leader))
  await run.until('the follower leads', 0, partition => partition.leader === follower)
  run.fact('records in the log of the new leader', (await workload.read(0, 0)).length)
})

/** @param acknowledged  of what the leader writes alone: with acks=1 a client is told that it is there, with acks=all that nobody knows */
function comesBackAhead(acknowledged: boolean): Pick<Variant, 'workload' | 'script'> {
  return driving(handWorkload, async (run, workload) => await cutByEpoch(run, workload, acknowledged))
}

async function cutByEpoch(run: LabRun, workload: HandWorkload, acknowledged: boolean): Promise<void> {
  run.step('healthy')
  const { leader, follower, leaderEpoch } = await replicate(workload)
  run.step('the follower is cut off from the leader, which writes alone and is killed')
  await run.partition(node(follower), node(leader))
  // What the follower had asked for before the cut it may still get.
  await workload.write({ partition: 0, records: [{ value: 'last:0' }], acks: 1 })
  const options = acknowledged ? ({ acks: 1 } as const) : { isAcknowledged: false }
  await workload.recordedWrite('producer-2', 0, valuesOf('leader-only', tail), options)
  run.fact('end of the log of the old leader', await workload.logEnd(leader, 0))
  await run.kill(node(leader))
  await run.healPartition()
  await run.until('the follower leads', 0, partition => partition.leader === follower)
  run.step('the new leader writes to the same offsets')
  for (const value of valuesOf('second', tail - 2)) await workload.recordedWrite('producer-1', 0, [value])
  const { endOffset } = await workload.epochEnd(0, leaderEpoch)
  run.fact('where the old epoch ends, as the new leader tells', endOffset)
  run.step('the old leader comes back')
  await run.start(node(leader))
  await run.until('it is in the in-sync set again', 0, ({ isr }) => isr.includes(leader), startMs)
  const log = await workload.fetchFrom(leader, { partition: 0, offset: endOffset })
  run.fact('first record of the old leader behind the cut', log.records[0]?.value ?? 'none')
}

const cut = factCheck({
  name: 'cut-where-the-epoch-ends',
  promise:
    'The old leader cut its log where its epoch ends in the log of the new one, and has the records of the new one there.',
  about: [
    'end of the log of the old leader',
    'where the old epoch ends, as the new leader tells',
    'first record of the old leader behind the cut',
  ],
  broken: facts =>
    Number(facts['where the old epoch ends, as the new leader tells']) + tail <=
      Number(facts['end of the log of the old leader']) &&
    facts['first record of the old leader behind the cut'] === 'second:0'
      ? undefined
      : `The old epoch ends at ${facts['where the old epoch ends, as the new leader tells']}; behind it the old leader has ${facts['first record of the old leader behind the cut']}.`,
})
const records = ['lost-write', 'unseen', 'inconsistent-offsets', 'replica-divergence'] as const

export default lab({
  name: '09-leader-epochs',
  difficulty: 3,
  lesson:
    'A follower may have records that its leader does not have, or that are not yet committed: after a crash it must find out which part of its log to keep. It knows the high watermark, but late: the leader sends it with the answer to the next fetch, and it is written to disk every few seconds (replica.high.watermark.checkpoint.interval.ms). Since 0.11 there is more to go by: each leader has an epoch, each batch carries it, and each replica keeps a table of where every epoch begins in its log (leader-epoch-checkpoint).',
  exercises: [
    'Run it with --step and look at the leader epochs of the last records of both replicas. When do they become equal?',
    'Remove replica.high.watermark.checkpoint.interval.ms from the topology. Does the outcome change?',
    'Draw scenario 2 of KIP-101: how would two logs get different records at the same offset, with a cut by high watermark?',
    'In the variant cut-by-epoch, what would a client with acks=all have been told about the records that are cut?',
  ],
  summary: 'Bring a replica back with an old high watermark: it cuts by leader epochs, and loses nothing.',
  question:
    'A follower has 20 records and knows that the first few of them are committed. It is killed, comes back, catches up, and the leader dies. How many records has the follower when it leads?',
  prediction: {
    choices: [
      'Those below the high watermark it knew: the rest may not be committed, so it cuts it off at the start',
      'All 20: it keeps its log until a leader tells it, by epochs, what is not in the leader’s log',
      'All 20, because it was killed and not shut down: only a clean shutdown cuts the log',
      'Those that were fsynced when it was killed',
    ],
    answer: 1,
  },
  topology: {
    brokers: 2,
    controllers: 1,
    settings: {
      ...quickFailover,
      // Nobody leaves the in-sync set for being behind, only for being dead: a follower that is cut off from its leader may lead.
      'replica.lag.time.max.ms': '600000',
      'replica.high.watermark.checkpoint.interval.ms': '600000',
    },
  },
  needs: ['kill', 'restart', 'partition'],
  variants: [
    {
      name: 'main',
      summary: 'the follower comes back behind: its high watermark is old, its log is complete; then it leads',
      role: 'main',
      ...comesBackBehind,
      checks: [
        ...records,
        factCheck({
          name: 'log-is-kept',
          promise:
            'The follower came back with all records, although its high watermark said that not all of them are committed.',
          about: ['high watermark that the follower came back with', 'end of its log then'],
          broken: facts =>
            facts['end of its log then'] === many &&
            Number(facts['high watermark that the follower came back with']) < many
              ? undefined
              : `Its log ends at ${facts['end of its log then']}, its high watermark is ${facts['high watermark that the follower came back with']}.`,
        }),
        factCheck({
          name: 'new-leader-has-all',
          promise: 'The follower led with all records.',
          about: ['records in the log of the new leader'],
          broken: ({ 'records in the log of the new leader': count }) =>
            count === many ? undefined : `It led with ${count} of ${many} records.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'cut-by-epoch',
      summary: 'the old leader comes back ahead: it has records that the new leader never had',
      role: 'main',
      ...comesBackAhead(false),
      checks: [...records, cut],
      expect: 'valid',
    },
    {
      name: 'acks-1',
      summary: 'the same with acks=1: what the cut removes had been acknowledged',
      role: 'control',
      ...comesBackAhead(true),
      checks: [...records, cut],
      expect: ['lost-write', 'unseen'],
      mustHold: ['replica-divergence', cut.name],
    },
  ],
  watch: [
    'The facts "high watermark that the follower came back with" and "end of its log then": before KIP-101 the second would have become the first.',
    'Colours of the leader epochs: behind the cut every replica has the epoch of the new leader.',
    'In the control replica-divergence holds and lost-write does not: epochs make logs equal, they do not bring back what acks=1 promised alone.',
    'Turn the knob: remove replica.high.watermark.checkpoint.interval.ms. The follower then comes back with a younger high watermark, and the outcome is the same: it does not depend on it.',
  ],
  explanation:
    'Until 0.10 a replica that came back cut its log at its high watermark and fetched the rest again. But a follower hears of the high watermark one fetch late, and writes it to disk even later: it cut records that were committed, and if the leader died before they had been fetched again, they were gone for good (KIP-101, scenario 1). Or two replicas came back with different records at one offset, and nobody noticed (scenario 2). Since 0.11 every leader has an epoch, every batch carries the epoch of the leader that wrote it, and a replica keeps its log until its leader tells where each epoch ends in the leader’s log (OffsetsForLeaderEpoch; since 2.7 the answer to a fetch says where the logs part, KIP-595). It cuts exactly what is not there. Brokers of that age do not run here: the lab forces their situation upon today’s, and shows that the log is kept. In KRaft there is a second fence in front of it: a broker that was killed has left the in-sync set when it comes back, and may lead only after it has caught up.',
  reading: [
    'KIP-101, leader epochs instead of the high watermark: https://cwiki.apache.org/confluence/display/KAFKA/KIP-101',
    'KIP-279, the case that KIP-101 left open (lab 10): https://cwiki.apache.org/confluence/display/KAFKA/KIP-279',
    'KIP-595, truncation told with the fetch: https://cwiki.apache.org/confluence/display/KAFKA/KIP-595',
  ],
})
