/**
 * Lab 10: do logs become equal again when leadership moves twice while a replica is away?
 * Setup: 3 brokers and a controller of its own, replication factor 3, min.insync.replicas 1, acks=all.
 * Fault: the steps of KIP-279. r2 is cut off from the leader r1, so r1 and r3 have records that r2 lacks; r3 freezes; r1 is killed and r2 leads;
 *   r1 comes back and cuts its log; r2 dies and r1 leads again, with other records at the same offsets. Then r3 wakes up and sees the leader that
 *   it had.
 * Expect: r3 cuts what it has of the first leadership; all logs are equal, and nothing that was acknowledged is lost.
 *   In a compacted topic the same must hold for a leader that has copied a log from which compaction had taken the beginning of an epoch. Apache
 *   Kafka does not cut there (4.3.1 and 3.9.1): it takes the first batch that it gets of an epoch for the beginning of the epoch.
 * Control: with acks=1 the records that r2 lacked had been acknowledged: they must be caught as lost, the logs being equal all the same.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import { node } from '#scripts/labs/targets.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'

const many = 20
const tail = 5
/** A busy machine may need a minute to start a broker of Apache Kafka. */
const startMs = 150_000

const valuesOf = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${name}:${index}`)

/** @param acks  of what the second replica lacks: with -1 it is never acknowledged */
function failOverTwice(acks: 1 | -1): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts =>
      new HandWorkload(parts, { replicationFactor: 3, settings: { 'min.insync.replicas': '1' }, finalRead: true }),
    async (run, workload) => {
      run.step('all replicas have the same records')
      await workload.recordedWrite('producer-0', 0, valuesOf('first', many))
      const { leader: r1, leaderEpoch } = await workload.leader(0)
      const [r2, r3] = workload.links.brokers.filter(id => id !== r1) as [number, number]
      const endsAt = (broker: number, offset: number) =>
        workload.until(
          `the log of broker ${broker} ends at ${offset}`,
          () => workload.logEnd(broker, 0),
          end => end === offset,
        )
      await Promise.all([endsAt(r2, many), endsAt(r3, many)])
      run.step('the second replica is cut off from the first, which has records with the third that it lacks')
      await run.partition(node(r2), node(r1))
      // What it had asked for before the cut it may still get, so that is one record; the next ones it lacks.
      await workload.write({ partition: 0, records: [{ value: 'last:0' }], acks: 1 })
      await workload.recordedWrite('producer-1', 0, valuesOf('tail', tail), { acks, isAcknowledged: acks === 1 })
      await endsAt(r3, many + 1 + tail)
      run.step('the third freezes too, the first is killed, the second leads')
      await run.pause(node(r3))
      await run.kill(node(r1))
      await run.healPartition()
      await run.until('the second replica leads', 0, ({ leader }) => leader === r2)
      await workload.recordedWrite('producer-2', 0, valuesOf('second', 3))
      const { endOffset } = await workload.epochEnd(0, leaderEpoch)
      run.fact('records of the first leadership that the second leader lacks', many + 1 + tail - endOffset)
      run.step('the first comes back and cuts its log')
      await run.start(node(r1))
      await run.until('the first follows', 0, ({ leader, isr }) => leader === r2 && isr.includes(r1), startMs)
      run.step('the second is killed, the first leads again and writes to the same offsets')
      await run.kill(node(r2))
      await run.until('the first replica leads again', 0, ({ leader }) => leader === r1)
      await workload.recordedWrite('producer-3', 0, valuesOf('third', tail))
      run.fact('leader epoch', (await workload.leader(0)).leaderEpoch)
      run.step('the third wakes up and sees the leader that it had')
      await run.resume(node(r3))
      await run.until('the third is in sync again', 0, ({ isr }) => isr.includes(r3))
      const { records } = await workload.fetchFrom(r3, { partition: 0, offset: endOffset })
      run.fact('record of the third replica where the second leadership began', records[0]?.value ?? 'none')
    },
  )
}

const hour = 3_600_000
const segmentMs = 60_000
const requestTimedOut = 7

/**
 * Compaction takes the records with which the second leadership began; the third replica loses its disk and copies what is left; then it leads, and
 * the first comes back.
 */
const comesBackToCompacted = driving(
  parts =>
    new HandWorkload(parts, {
      replicationFactor: 3,
      settings: {
        'min.insync.replicas': '1',
        'cleanup.policy': 'compact',
        'min.cleanable.dirty.ratio': '0.01',
        'segment.ms': String(segmentMs),
      },
    }),
  async (run, workload) => {
    let timestamp = Date.now() - 10 * hour
    const recordOf = (key: string, value: string) => ({ key, value, timestamp: (timestamp += segmentMs + 1) })
    const write = (key: string, value: string, acks?: 1) =>
      workload.write({ partition: 0, records: [recordOf(key, value)], ...(acks === undefined ? {} : { acks }) })
    run.step('all replicas have the same records')
    await write('ada', 'London')
    await write('grace', 'New York')
    const { leader: r1 } = await workload.leader(0)
    const others = workload.links.brokers.filter(id => id !== r1)
    for (const id of others)
      await workload.until(
        `broker ${id} has both records`,
        () => workload.logEnd(id, 0),
        end => end === 2,
      )
    run.step('the first replica leads, reaches no other, and refuses a record: nobody knows whether it is there')
    await run.partition(node(...others), node(r1))
    // What they had asked for before the cut they may still get.
    await write('clock', '0', 1)
    const { errorCode } = await workload.produce({
      partition: 0,
      records: [recordOf('ada', 'refused')],
      timeoutMs: 500,
    })
    if (errorCode !== requestTimedOut) throw new Error(`a record that nobody fetches was answered with ${errorCode}`)
    const refusedAt = (await workload.logEnd(r1, 0)) - 1
    await run.kill(node(r1))
    await run.healPartition()
    await run.until('another replica leads', 0, ({ leader }) => leader >= 0 && leader !== r1)
    const { leader: r2 } = await workload.leader(0)
    const r3 = others.find(id => id !== r2) as number
    const start = await workload.logEnd(r2, 0)
    run.step('the second leads, and compaction takes what it wrote first')
    let ticks = 1
    await workload.until(
      `no record is left from offset ${start} to ${refusedAt + 1}`,
      async () => {
        // Each write begins a segment, so that there is always something to clean.
        await write('clock', String(ticks++))
        return { end: await workload.logEnd(r2, 0), log: await workload.read(0, 0) }
      },
      ({ end, log }) => end > refusedAt + 2 && log.every(({ offset }) => offset < start || offset > refusedAt + 1),
    )
    run.step('the third loses its disk, and copies what is left')
    await run.kill(node(r3))
    await run.until('the third has left the in-sync set', 0, ({ isr }) => !isr.includes(r3))
    await run.wipe(node(r3))
    await run.start(node(r3))
    await run.until('the third is in sync', 0, ({ isr }) => isr.includes(r3), startMs)
    run.step('the second is killed, the third leads, the first comes back')
    await run.kill(node(r2))
    await run.until('the third leads', 0, ({ leader }) => leader === r3)
    await run.start(node(r1))
    await run.until('the first is in sync', 0, ({ isr }) => isr.includes(r1), startMs)
    const { records } = await workload.fetchFrom(r1, { partition: 0, offset: refusedAt })
    const [found] = records.filter(({ offset }) => offset === refusedAt)
    run.fact('refused record in the log of the first replica', found?.value ?? 'none')
    run.step('the third is killed, the first leads again')
    await run.kill(node(r3))
    await run.until('the first leads again', 0, ({ leader }) => leader === r1)
    const last = (await workload.read(0, 0)).findLast(({ key }) => key === 'ada')
    run.fact('last value of the key, where London was acknowledged', last?.value ?? 'none')
  },
)

const refusedIsCut = factCheck({
  name: 'refused-record-is-cut',
  promise:
    'The first replica cut what the second leadership did not have; the last value of the key is the one that was acknowledged.',
  about: ['refused record in the log of the first replica', 'last value of the key, where London was acknowledged'],
  broken: facts =>
    facts['refused record in the log of the first replica'] === 'none' &&
    facts['last value of the key, where London was acknowledged'] === 'London'
      ? undefined
      : `It kept a record that no other replica has; the last value of the key is "${facts['last value of the key, where London was acknowledged']}" now.`,
})

const checks = [
  'lost-write',
  'unseen',
  'inconsistent-offsets',
  'replica-divergence',
  factCheck({
    name: 'two-failovers',
    promise: 'Leadership moved twice while the third replica was away.',
    about: ['leader epoch'],
    broken: ({ 'leader epoch': epoch }) => (Number(epoch) >= 2 ? undefined : `The leader epoch is only ${epoch}.`),
  }),
  factCheck({
    name: 'third-replica-is-cut',
    promise: 'The third replica has the records of the second and third leadership where it had others of the first.',
    about: [
      'records of the first leadership that the second leader lacks',
      'record of the third replica where the second leadership began',
    ],
    broken: facts => {
      const lacking = Number(facts['records of the first leadership that the second leader lacks'])
      const value = facts['record of the third replica where the second leadership began']
      return lacking >= tail && value === 'second:0' ? undefined : `It has ${value} there.`
    },
  }),
] as const

export default lab({
  name: '10-fast-double-failover',
  difficulty: 3,
  lesson:
    'Read lab 09 first: a replica that comes back asks its leader where the epoch of its last record ends, and cuts its log there. That works when the leader knows the epoch. In this lab leadership moves twice while a third replica stands still, and comes back to the broker that led before, with a log that has been cut and written anew in between. What can the replica that stood still know of that, if the name of its leader has not changed?',
  exercises: [
    'Let the third replica wake up after the first failover already. Which request cuts its log then?',
    'Read the steps of KIP-279 and find each of them among the steps of the run.',
    'Which leader epochs does each replica have at the end, and where does each begin?',
    'In the control, who could have told the client that its records would be lost?',
    'Run the variant compacted on Apache Kafka, and look at leader-epoch-checkpoint of each replica (`./faultline log explain`). Which one is right?',
  ],
  summary: 'Move leadership away and back while a replica sleeps: it must notice that its leader is another one now.',
  question:
    'A follower freezes. Meanwhile its leader loses leadership, cuts its log, gets leadership back and writes other records to the same offsets. The follower wakes up and sees the leader it had before. What does it do with the records that only it has now?',
  prediction: {
    choices: [
      'It keeps them: its leader is the same, so there is nothing to compare',
      'It cuts them: the epoch of its last record ends, in the log of the leader, before them',
      'It offers them to the leader, which adds them at the end',
      'It deletes its whole log and copies it anew',
    ],
    answer: 1,
  },
  topology: {
    brokers: 3,
    controllers: 1,
    settings: {
      ...quickFailover,
      // Nobody leaves the in-sync set for being behind, only for being dead: the second replica may lead although it lacks records.
      'replica.lag.time.max.ms': '600000',
      'log.cleaner.backoff.ms': '300',
    },
  },
  needs: ['kill', 'pause', 'restart', 'partition'],
  variants: [
    {
      name: 'main',
      summary: 'acks=all: what the second replica lacks was never acknowledged',
      role: 'main',
      ...failOverTwice(-1),
      checks,
      expect: 'valid',
    },
    {
      name: 'acks-1',
      summary: 'acks=1: what the second replica lacks was acknowledged',
      role: 'control',
      ...failOverTwice(1),
      checks,
      expect: ['lost-write', 'unseen'],
      mustHold: ['replica-divergence', 'two-failovers', 'third-replica-is-cut'],
    },
    {
      name: 'compacted',
      summary:
        'a compacted topic: the third replica copies what compaction left of the second leadership, and leads when the first comes back',
      role: 'main',
      needs: ['wipe'],
      ...comesBackToCompacted,
      checks: [refusedIsCut],
      expect: 'valid',
      expectOn: { 'apache-kafka': [refusedIsCut.name] },
    },
  ],
  watch: [
    'The log end offset of the third replica: it stands above the high watermark while it is frozen, and steps back when it wakes up.',
    'replica-divergence holds in the control too: cutting is not what loses records, acks=1 is.',
    'In the variant compacted: the refused record. Nobody has acknowledged it, everybody has read London since, and on Apache Kafka it is the value of the key in the end.',
    'Turn the knob: let the third replica wake up before the second failover. It then cuts its log when the second replica leads, and the dangerous case never arises.',
  ],
  explanation:
    'KIP-101 let a follower ask its leader where the epoch of its last record ends. That left a gap: the follower asked for its own last epoch, and a leader that did not know that epoch, or knew it with another end, could answer with an offset that still kept records which are not in the leader’s log. And a follower that slept through two elections and found its old leader again did not ask at all. Both made logs differ for good, below the high watermark (KAFKA-7164). Since 2.0 (KIP-279) the leader answers with the largest epoch that it has up to the one asked for, and where that ends; the follower compares, and asks on until they agree; and a change of the epoch alone makes it ask. Since 2.7 it sends its last epoch with every fetch, and the leader answers with the place where the logs part (KIP-595). Brokers before 2.0 do not run here: the lab forces their steps upon today’s, and shows that the logs become equal. Compaction opens the gap again. The leader answers with the offset at which the next epoch begins in its log, and a replica that copies a compacted log has never seen the records with which it began. Apache Kafka’s takes the first batch that it gets for the beginning: its answer is too high, and a former leader keeps records below it that were never committed and that no other replica has. A record that was refused comes back then, below newer ones, and compaction even prefers it to the acknowledged one before it. Faultline’s replicas ask their leader where such an epoch began, and remember it.',
  reading: [
    'KIP-279, divergence after a fast leader failover: https://cwiki.apache.org/confluence/display/KAFKA/KIP-279',
    'KIP-101, leader epochs: https://cwiki.apache.org/confluence/display/KAFKA/KIP-101',
    'KIP-595, diverging epochs in the answer to a fetch: https://cwiki.apache.org/confluence/display/KAFKA/KIP-595',
  ],
})
