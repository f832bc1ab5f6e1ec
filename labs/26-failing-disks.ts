/**
 * Lab 26: what becomes of a leader whose disk is slow, full or broken?
 * Setup: 3 brokers with two log directories each and a controller of its own, replication factor 3, min.insync.replicas 2.
 * Fault: the disk of a leader gets slow; it gets full; one of its two log directories fails.
 * Expect: a leader whose disk is slow or full stays leader, and everybody waits for it; one whose log directory fails loses the partitions in
 *   it, and goes on with the other. Nothing that was acknowledged is lost.
 * Control: a topic with one replica must be caught not served while its log directory is gone. And acks=1 must be caught losing records.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { factCheck } from '#scripts/checkers/facts.ts'
import { poll } from '#scripts/cluster/clock.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun, Script } from '#scripts/labs/script.ts'
import { acksOneControl } from '#scripts/labs/scripts.ts'
import { leaderOf, node } from '#scripts/labs/targets.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { logDirsOf } from '#scripts/workload/hand-requests.ts'
import { topicMetadata } from '#scripts/workload/observe-requests.ts'

const storageError = 56
/** Of simulated nodes there is one; who has a directory that can be read here is a process. */
const severalDirectories = ['node-faults', 'read-log-directory'] as const
const partitions = 6
/** A JVM that has lost its metadata log writes down why before it ends. */
const endMs = 60_000

const limp: Script = async run => {
  const measured = async (what: string) => {
    const beganMs = run.cluster.clock.nowMs()
    await run.acknowledged(40)
    run.fact(what, Math.round(run.cluster.clock.nowMs() - beganMs))
  }
  run.step('healthy')
  // Not measured: clients connect and find their leader first.
  await run.acknowledged(40)
  await measured('ms for 40 records')
  run.step('the disk of the leader gets slow')
  const [leader] = await run.breakInside('slow-disk', leaderOf(0), { delay: 100, on: 'write' })
  await measured('ms for 40 records, with a slow disk')
  await run.acknowledged(40)
  const now = run.observer.latest?.partitions[`${run.workload.topic}-0`]
  run.fact('leader before', leader as number)
  run.fact('leader afterwards', now?.leader ?? -1)
  run.fact('replicas in sync afterwards', now?.isr.length ?? 0)
}

function byHand(
  replicas: number,
  script: (run: LabRun, workload: HandWorkload) => Promise<void>,
): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts =>
      new HandWorkload(parts, {
        partitions,
        replicationFactor: replicas,
        settings: { 'min.insync.replicas': String(Math.min(replicas, 2)) },
        finalRead: true,
      }),
    script,
  )
}

const values = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${name}:${index}`)

/** None, when the broker refuses to read, or has ended. */
async function countReadable(run: LabRun, workload: HandWorkload, broker: number): Promise<number> {
  try {
    return (await workload.fetchFrom(broker, { partition: 0, offset: 0 })).records.length
  } catch (error) {
    await untilEnded(run, broker, error)
    return 0
  }
}

/** Throws when a broker whose disk is full goes on. @param refusal  what it said instead */
async function untilEnded(run: LabRun, id: number, refusal?: unknown): Promise<void> {
  const isEnded = async () => (await run.cluster.nodes()).some(each => each.id === id && each.state === 'dead')
  const { clock } = run.cluster
  const ended = await poll(async () => (await isEnded()) || undefined, { clock, everyMs: 200, timeoutMs: endMs })
  if (ended === undefined) throw refusal ?? new Error(`broker ${id}, whose disk is full, goes on`)
}

const fillUp = byHand(3, async (run, workload) => {
  run.step('healthy')
  await workload.recordedWrite('producer-0', 0, values('before', 10))
  const { leader } = await workload.leader(0)
  run.step('the disk of the leader is full')
  await run.breakInside('full-disk', node(leader))
  const { errorCode } = await workload.produce({ partition: 0, records: [{ value: 'refused:0' }] })
  run.fact('error of a write to the full disk', errorCode)
  const readable = await countReadable(run, workload, leader)
  run.fact('records that can still be read', readable)
  run.fact('leader before', leader)
  // Kafka takes its log directories offline, the one with the metadata log as well, and no broker goes on without that.
  if (readable === 0) {
    await run.until('another broker leads', 0, partition => partition.leader >= 0 && partition.leader !== leader)
    await untilEnded(run, leader)
  }
  run.fact('leader afterwards', (await workload.leader(0)).leader)
  run.step('there is space again')
  await run.healInside()
  if (readable === 0) await run.start(node(leader))
  await workload.until(
    'a write is taken',
    () => workload.produce({ partition: 0, records: [{ value: 'again:0' }] }),
    answer => answer.errorCode === 0,
  )
})

interface Broken {
  readonly broker: number
  /** One that the broker led in the directory that fails. */
  readonly partition: number
  /** What it has in the other one. */
  readonly others: readonly number[]
}

/** The second log directory of a broker fails; in the first there is the metadata log too, without which no broker goes on. */
async function breakDirectory(run: LabRun, workload: HandWorkload): Promise<Broken> {
  for (const broker of workload.links.brokers) {
    const dirs = await workload.links.ask(broker, client => logDirsOf(client, workload.topic))
    const [first, second] = dirs.toSorted((a, b) => a.path.length - b.path.length)
    if (first === undefined || second === undefined) throw new Error(`broker ${broker} has no two log directories`)
    const views = (await workload.links.ask(broker, client => topicMetadata(client, workload.topic))).partitions
    const led = views.find(({ index, leader }) => leader === broker && second.partitions.includes(index))
    if (led === undefined) continue
    run.step('one of the two log directories of a leader fails')
    const path = second.path.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
    await run.breakInside('disk-error', node(broker), { on: 'write,fsync', path: `${path}(/|$)` })
    return { broker, partition: led.index, others: first.partitions }
  }
  throw new Error('no broker leads a partition in its second log directory')
}

/** What a failed directory held comes back with the next start of its node. */
async function repair(run: LabRun, broker: number): Promise<void> {
  run.step('the disk is repaired, the broker is started again')
  await run.healInside()
  await run.stop(node(broker))
  await run.start(node(broker))
}

const breakReplicated = byHand(3, async (run, workload) => {
  run.step('healthy')
  for (let partition = 0; partition < partitions; partition++)
    await workload.recordedWrite(`producer-${partition}`, partition, values('before', 5))
  const { broker, partition, others } = await breakDirectory(run, workload)
  // The broker notices with the next write. It is not written: nobody else has it.
  const { errorCode } = await workload.produce({ partition, records: [{ value: 'unlucky:0' }] })
  run.fact('error of a write to it', errorCode)
  await run.until('another broker leads', partition, ({ leader }) => leader >= 0 && leader !== broker)
  await workload.recordedWrite(`producer-${partitions}`, partition, values('after', 5))
  const views = (await workload.links.ask(broker, client => topicMetadata(client, workload.topic))).partitions
  const inSync = views.filter(({ index, isr }) => others.includes(index) && isr.includes(broker))
  run.fact('replicas in the other directory', others.length)
  run.fact('of them in sync', inSync.length)
  await repair(run, broker)
})

const breakLonely = byHand(1, async (run, workload) => {
  run.step('healthy')
  for (let partition = 0; partition < partitions; partition++)
    await workload.recordedWrite(`producer-${partition}`, partition, values('before', 5))
  const { broker, partition } = await breakDirectory(run, workload)
  await workload.produce({ partition, records: [{ value: 'unlucky:0' }] })
  await run.until('nobody leads', partition, ({ leader }) => leader < 0)
  const seen = run.observer.latest?.partitions[`${workload.topic}-${partition}`]
  run.fact('leader while the directory is gone', seen?.leader ?? -1)
  await repair(run, broker)
})

/** Nothing that a broker writes by itself meets a disk that fails before the lab does: with the default, high watermarks go there every 5 s. */
const firstWriteIsOurs = { ...quickFailover, 'replica.high.watermark.checkpoint.interval.ms': '600000' }

const records = ['lost-write', 'unseen', 'vanished', 'inconsistent-offsets', 'replica-divergence'] as const

const staysLeader = factCheck({
  name: 'leader-stays',
  promise: 'The broker with the bad disk led before and leads still.',
  about: ['leader before', 'leader afterwards'],
  broken: facts =>
    facts['leader before'] === facts['leader afterwards']
      ? undefined
      : `Broker ${facts['leader before']} led before, ${facts['leader afterwards']} leads now.`,
})

export default lab({
  name: '26-failing-disks',
  difficulty: 2,
  lesson:
    'A broker may have several log directories (log.dirs), usually one for each disk; a replica lives in one of them. Disks fail in several ways: they get slow, they get full, or they answer with an error. The controller hears from a broker through heartbeats, which need no disk. The leader acknowledges when its own write call has returned, which a slow disk can hold up (nobody waits for an fsync), and with acks=all when every replica in sync has the record as well.',
  exercises: [
    'Slow the disk of a follower instead of that of the leader. Who waits, and for how long?',
    'Put the metadata log into the directory that fails (metadata.log.dir). What becomes of the broker?',
    'Which of your alerts would find a leader whose disk is slow? Which broker would they name?',
    'Let the control have two replicas. What is different?',
  ],
  summary:
    'Make the disk of a leader slow, full, or broken: a limping leader stays, a dead log directory moves its partitions.',
  question:
    'The disk of a leader gets so slow that every write takes a tenth of a second more. The two followers are fine. What does Kafka do about it?',
  prediction: {
    choices: [
      'The controller notices the slow answers and moves leadership to a follower',
      'The followers get ahead of the leader and take over',
      'Nothing: the leader is alive, so it leads on, and every writer waits for its disk',
      'The leader leaves the in-sync set and goes on as a follower',
    ],
    answer: 2,
  },
  topology: { brokers: 3, controllers: 1, settings: firstWriteIsOurs, logDirs: 2 },
  needs: ['kill', 'pause', 'stop', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'every write to the disk of the leader takes 100 ms longer',
      role: 'main',
      needs: ['node-faults'],
      workload: { partitions: 1 },
      script: limp,
      checks: [
        ...allChecks,
        staysLeader,
        factCheck({
          name: 'writers-wait',
          promise: 'Writers waited for the slow disk, and every replica stayed in sync.',
          about: ['ms for 40 records', 'ms for 40 records, with a slow disk', 'replicas in sync afterwards'],
          broken: facts =>
            Number(facts['ms for 40 records, with a slow disk']) > Number(facts['ms for 40 records']) &&
            facts['replicas in sync afterwards'] === 3
              ? undefined
              : `40 records took ${facts['ms for 40 records']} ms before and ${facts['ms for 40 records, with a slow disk']} ms afterwards; ${facts['replicas in sync afterwards']} replicas are in sync.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'full',
      summary: 'the disk of the leader is full',
      role: 'main',
      needs: ['node-faults'],
      ...fillUp,
      checks: [
        ...records,
        staysLeader,
        factCheck({
          name: 'full-disk-refuses-writes-only',
          promise: 'A write was refused with KAFKA_STORAGE_ERROR, and what was there could be read.',
          about: ['error of a write to the full disk', 'records that can still be read'],
          broken: facts =>
            facts['error of a write to the full disk'] === storageError &&
            facts['records that can still be read'] === 10
              ? undefined
              : `The write was answered with error ${facts['error of a write to the full disk']}, ${facts['records that can still be read']} records could be read.`,
        }),
      ],
      expect: 'valid',
      // There the directory goes offline, and its partitions move.
      expectOn: { 'apache-kafka': ['leader-stays', 'full-disk-refuses-writes-only'] },
    },
    {
      name: 'directory-fails',
      summary: 'one of two log directories of a leader fails; three replicas',
      role: 'main',
      needs: severalDirectories,
      ...breakReplicated,
      checks: [
        ...records,
        factCheck({
          name: 'other-directory-goes-on',
          promise:
            'The write was refused with KAFKA_STORAGE_ERROR, the partition moved, and all replicas in the other directory are in sync.',
          about: ['error of a write to it', 'replicas in the other directory', 'of them in sync'],
          broken: facts =>
            facts['error of a write to it'] === storageError &&
            Number(facts['replicas in the other directory']) > 0 &&
            facts['of them in sync'] === facts['replicas in the other directory']
              ? undefined
              : `The write was answered with error ${facts['error of a write to it']}; of ${facts['replicas in the other directory']} replicas in the other directory ${facts['of them in sync']} are in sync.`,
        }),
      ],
      expect: 'valid',
    },
    {
      name: 'directory-fails-alone',
      summary: 'the same with one replica',
      role: 'control',
      needs: severalDirectories,
      ...breakLonely,
      checks: [
        ...records.filter(name => name !== 'replica-divergence'),
        factCheck({
          name: 'partition-is-served',
          promise: 'Somebody led the partition while the directory was gone.',
          about: ['leader while the directory is gone'],
          broken: ({ 'leader while the directory is gone': leader }) =>
            Number(leader) >= 0
              ? undefined
              : 'Nobody led the partition: its only replica is in the directory that failed.',
        }),
      ],
      expect: ['partition-is-served'],
    },
    acksOneControl('acks=1 and good disks: the leader dies before its followers have fetched'),
  ],
  watch: [
    'The facts "ms for 40 records" before and with the slow disk: two good disks of three do not help, since the leader writes first.',
    'The in-sync set with a slow leader: all three are in it. Slowness of a follower is noticed, slowness of a leader is not.',
    'DescribeLogDirs (faultline log dirs, kafka-log-dirs.sh): the failed directory answers with an error, the other one with its partitions.',
    'Turn the knob: slow the disk of a follower instead (followerOf(0)). Writers wait for it just as long, until it is behind for replica.lag.time.max.ms and leaves the in-sync set.',
  ],
  explanation:
    'Kafka’s failure detector knows alive and dead. A broker that answers the controller in time is alive, whatever its disk does, and nobody compares leaders by speed: a limping leader leads on, and with acks=all every write waits for the slowest replica in sync. Only somebody who watches latency can move leadership away. A log directory that fails with an I/O error is dead, but not its broker (KIP-112): the directory goes offline, its partitions get other leaders, and the broker goes on with the others; if none is left, it ends. In KRaft the brokers tell the controller which directory a replica lives in and which ones have failed (KIP-858; usable since 3.7). A full disk is where we differ on purpose: Kafka takes the directory offline, as for any other I/O error, and with it the broker if it has no other, or if its metadata log is in it; our broker refuses records with KAFKA_STORAGE_ERROR, lets everything be read, and goes on when there is space.',
  reading: [
    'KIP-112, log directories that fail: https://cwiki.apache.org/confluence/display/KAFKA/KIP-112',
    'KIP-858, several log directories in KRaft: https://cwiki.apache.org/confluence/display/KAFKA/KIP-858',
    'Kafka documentation, log.dirs: https://kafka.apache.org/documentation/#brokerconfigs_log.dirs',
  ],
})
