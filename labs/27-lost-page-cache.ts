/**
 * Lab 27: how many machines may lose their power before an acknowledged record is gone?
 * Setup: 3 brokers and a controller of its own, replication factor 3, min.insync.replicas 2, acks=all. Nothing is flushed before it is
 *   acknowledged, as is Kafka's default. Where nodes cannot lose their power, it is the kill of the node and the loss of what its segments had
 *   not flushed.
 * Fault: one of three in-sync replicas loses its power; or the last one that is in sync, while the two others are only away; or all.
 * Expect: one of three loses nothing. The last in-sync replica comes back empty and takes the records from the others, too, unless the cluster
 *   has eligible leader replicas (KIP-966): then one of the others leads, and nothing is lost.
 * Control: all replicas at once must be caught losing records, on every version. So must acks=1 without any power failure.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { loseUnflushed } from '#scripts/faults/lose-unflushed.ts'
import { driving, lab, quickFailover, type Expectation, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { acksOneControl } from '#scripts/labs/scripts.ts'
import { node } from '#scripts/labs/targets.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { setFeatureLevel } from '#scripts/workload/features.ts'

const many = 20
/** As long as a page of memory: what a power failure takes, it takes page by page, and some may be on the disk by chance. */
const key = 'k'.repeat(4_096)
/** Kafka's replica.high.watermark.checkpoint.interval.ms. */
const checkpointMs = 5_000
/** A busy machine may need a minute to start a broker of Apache Kafka. */
const startMs = 150_000

/** These nodes lose their power at one instant. */
async function losePower(run: LabRun, workload: HandWorkload, ids: readonly number[]): Promise<void> {
  if (run.cluster.capabilities.has('power-failure')) {
    await run.powerFailure(node(...ids))
    return
  }
  const value = { brokers: ids, target: `node ${ids.join(', ')}, with all that was not flushed` }
  await workload.recorder.fault('power-failure', value, async () => {
    await loseUnflushed(run.cluster, ids, workload.topic)
    return value
  })
}

interface Roles {
  readonly leader: number
  readonly followers: readonly [number, number]
}

/** All three replicas have acknowledged records. */
async function replicate(run: LabRun, workload: HandWorkload): Promise<Roles> {
  run.step('healthy')
  for (let index = 0; index < many; index++) await workload.recordedWrite('producer-0', 0, [`record:${index}`], { key })
  const { leader } = await workload.leader(0)
  const followers = workload.links.brokers.filter(id => id !== leader) as [number, number]
  for (const id of followers)
    await workload.until(
      `broker ${id} has everything`,
      () => workload.logEnd(id, 0),
      end => end === many,
    )
  return { leader, followers }
}

function losing(
  script: (run: LabRun, workload: HandWorkload, roles: Roles) => Promise<void>,
  settings: Readonly<Record<string, string>> = {},
): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts =>
      new HandWorkload(parts, {
        replicationFactor: 3,
        settings: { 'min.insync.replicas': '2', ...settings },
        finalRead: true,
      }),
    async (run, workload) => {
      await script(run, workload, await replicate(run, workload))
      await run.until('all replicas are in sync', 0, ({ isr }) => isr.length === 3, startMs)
      run.fact('records left', (await workload.read(0, 0)).length)
    },
  )
}

const lastInSync = async (run: LabRun, workload: HandWorkload, { leader, followers }: Roles): Promise<void> => {
  run.step('the followers freeze, until the leader alone is in sync')
  for (const id of followers) {
    await run.pause(node(id))
    await run.until(`broker ${id} has left the in-sync set`, 0, ({ isr }) => !isr.includes(id))
  }
  run.step('the leader loses its power')
  await losePower(run, workload, [leader])
  await run.start(node(leader))
  run.step('the followers, which have everything, wake up')
  await run.resume(node(...followers))
}

const all = async (run: LabRun, workload: HandWorkload, { leader, followers }: Roles): Promise<void> => {
  run.step('all brokers lose their power')
  await losePower(run, workload, [leader, ...followers])
  await run.start(node(leader, ...followers))
  await run.ready()
}

/** A flush covers what is in a log, not that there is one: Kafka fsyncs the directory which names its logs with its next checkpoint. */
const allOnceNamed = async (run: LabRun, workload: HandWorkload, roles: Roles): Promise<void> => {
  run.step('the log is older than a checkpoint of the brokers')
  await run.sleep(3 * checkpointMs)
  await all(run, workload, roles)
}

const records = ['lost-write', 'unseen', 'vanished', 'inconsistent-offsets', 'replica-divergence'] as const
const lost: Expectation = ['unseen', 'vanished', 'records-are-left']

const left = factCheck({
  name: 'records-are-left',
  promise: 'All records are there.',
  about: ['records left'],
  broken: ({ 'records left': count }) =>
    count === many ? undefined : `Of ${many} acknowledged records ${count} are left.`,
})
const checks = [...records, left]

export default lab({
  name: '27-lost-page-cache',
  difficulty: 3,
  lesson:
    'What a broker has written lies in the page cache of its operating system, and gets to the disk some time later; Kafka does not wait for it (flush.messages). The end of a process loses nothing of that, the end of a machine does. Replication is to make up for it: others have the record. The in-sync set names those that must have everything that was acknowledged, and a leader is chosen from it. Newer versions keep a second list, of eligible leader replicas (KIP-966).',
  exercises: [
    'Lose the power of a follower. What does it copy, and who notices?',
    'How many records are lost in the control all? How many would it be with flush.messages=1, and what do they cost (the variant flushed)?',
    'Run last-in-sync on Apache Kafka 3.9.1 and 4.3.1. What is different, and which feature level does it?',
    'Your three replicas are in one rack with one power supply. What is replication factor 3 worth there?',
  ],
  summary:
    'Let machines lose their power before anything was flushed: one of three is nothing, the last in-sync replica may be all.',
  question:
    'Three replicas have a record. Two of them are away for a moment, so only the third is in sync; that one loses its power, and with it what it had not flushed. It comes back first. What becomes of the record?',
  prediction: {
    choices: [
      'It is there: two replicas still have it, and min.insync.replicas=2 protects it',
      'It is gone: the replica that comes back empty was the last in sync, so it leads, and the two others delete what it lacks',
      'It depends: gone as in the answer before, unless the cluster has eligible leader replicas; then one of the two others leads',
      'It is there: an acknowledged record is flushed on at least one replica',
    ],
    answer: 2,
  },
  topology: { brokers: 3, controllers: 1, settings: quickFailover },
  needs: ['kill', 'pause', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'the leader loses its power, its followers do not',
      role: 'main',
      ...losing(async (run, workload, { leader }) => {
        run.step('the leader loses its power')
        await losePower(run, workload, [leader])
        await run.until('a follower leads', 0, partition => partition.leader >= 0 && partition.leader !== leader)
        await run.start(node(leader))
        await run.until('it is in sync again', 0, ({ isr }) => isr.includes(leader), startMs)
      }),
      checks,
      expect: 'valid',
    },
    {
      name: 'last-in-sync',
      summary:
        'the last in-sync replica loses its power; eligible leader replicas as new clusters of this version have them',
      role: 'main',
      ...losing(lastInSync),
      checks,
      expect: lost,
      expectOn: {
        // On by default in clusters that are formatted with 4.1 or later.
        'apache-kafka': 'valid',
        'apache-kafka@3.7': lost,
        'apache-kafka@3.8': lost,
        'apache-kafka@3.9': lost,
        'apache-kafka@4.0': lost,
      },
    },
    {
      name: 'flushed',
      summary: 'all lose their power, but every record is flushed before it is acknowledged (flush.messages=1)',
      role: 'main',
      needs: ['power-failure'],
      ...losing(allOnceNamed, { 'flush.messages': '1' }),
      checks,
      expect: 'valid',
    },
    {
      name: 'all',
      summary: 'all three replicas lose their power at one instant',
      role: 'control',
      ...losing(all),
      checks,
      expect: lost,
    },
    acksOneControl('acks=1 and no power failure: the leader dies before its followers have fetched'),
    {
      name: 'last-in-sync-eligible',
      summary: 'the last in-sync replica loses its power, with eligible.leader.replicas.version=1',
      role: 'main',
      ...losing(async (run, workload, roles) => {
        run.step('eligible leader replicas are turned on')
        const wanted = { feature: 'eligible.leader.replicas.version', level: 1, how: 'upgrade' } as const
        const { errorCode } = await workload.links.ask(roles.leader, client => setFeatureLevel(client, wanted))
        run.fact('error of turning it on', errorCode)
        await lastInSync(run, workload, roles)
      }),
      checks,
      expect: 'valid',
      expectOn: {
        'apache-kafka@3.7': lost,
        'apache-kafka@3.8': lost,
        'apache-kafka@3.9': lost,
      },
    },
  ],
  watch: [
    'The variant last-in-sync: two replicas that have every record delete it, because the one that leads does not have it.',
    'Eligible replicas (the observation names them): with the feature on, the follower that left the in-sync set last stands there.',
    'The variant flushed (where the runtime has power-failure): flush.messages=1 pays an fsync for every record and keeps everything, even if all lose their power.',
    'Turn the knob: lose the power of a follower instead of the leader in the variant main. It copies everything again, and nobody notices.',
  ],
  explanation:
    'Kafka acknowledges a record when every in-sync replica has it in its page cache; it does not wait for a flush. That is safe as long as machines fail one by one: who comes back empty copies from the others. It is not safe if all lose their power at once; no version of Kafka promises anything then, unless it flushes every record (flush.messages=1). Even that covers what is in a log, not its name: Kafka fsyncs the directory of its logs with the next checkpoint (replica.high.watermark.checkpoint.interval.ms, 5 s), and a log that is younger may be gone as a whole, so the variant flushed waits for one. Between the two lies the last replica standing (KIP-966). The in-sync set never becomes empty: when the others have left it, the last one stays in it even when it dies, because it must have everything. After a power failure it does not, but it is the only one that may lead; it does, with an empty log, and the others, which had every record, cut theirs to fit. min.insync.replicas=2 had kept new records out, not old ones in. Eligible leader replicas close the gap: a replica that leaves an in-sync set that is too small is remembered as complete, and a broker that comes back without a clean shutdown is taken out of the in-sync set, so a complete one leads. They came in 4.0, and clusters formatted with 4.1 or later have them. Our own broker forms clusters without (kafka-features turns them on). Where nodes cannot lose their power (./faultline fault list --kinds), this lab takes away what was not flushed by emptying the segments of a node that was killed.',
  reading: [
    'KIP-966, eligible leader replicas: https://cwiki.apache.org/confluence/display/KAFKA/KIP-966',
    'Kafka documentation, "Application vs. OS Flush Management": https://kafka.apache.org/documentation/#appvsosflush',
    'Kafka documentation, topic setting flush.messages: https://kafka.apache.org/documentation/#topicconfigs_flush.messages',
  ],
})
