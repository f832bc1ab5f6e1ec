/**
 * What an observer sees of real clusters while they break: on Faultline, on Apache Kafka and in the simulator, by the same code over the wire.
 */
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { updateFeaturesRequest, updateFeaturesResponse } from '#broker/protocol/messages/57-update-features.ts'
import { poll } from '#scripts/cluster/clock.ts'
import type { Cluster, Engine, Runtime } from '#scripts/cluster/cluster.ts'
import { processRuntime } from '#scripts/cluster/process/runtime.ts'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { quickFailover } from '#scripts/labs/lab.ts'
import { LabRun } from '#scripts/labs/script.ts'
import { leaderOf } from '#scripts/labs/targets.ts'
import type { Change } from '#scripts/observe/changes.ts'
import { Lines } from '#scripts/observe/lines.ts'
import { isUnknown, known, partitionOf, type Observation, type ObservedPartition } from '#scripts/observe/model.ts'
import { observe, observeOnce, type ObserveOptions } from '#scripts/observe/observe.ts'
import {
  brokerAnswers,
  brokerIs,
  every,
  groupHasCaughtUp,
  groupHasMembers,
  groupIs,
  groupLags,
  hasLeader,
  hasLeftInSyncSet,
  isBeyondHighWatermark,
  isFullyInSync,
  isHeldBackByTransaction,
  isLevel,
  leads,
  not,
  predicate,
  quorumIsLedByAnother,
  transactionHasEnded,
  transactionIs,
} from '#scripts/observe/predicates.ts'
import { when } from '#scripts/observe/when.ts'
import { appendDefaults, AppendWorkload } from '#scripts/workload/append.ts'
import { Observer } from '#scripts/workload/observer.ts'
import { describeWith } from '../machine.ts'
import { startKafkaQuickly } from '../quick-java.ts'
import { createTopics } from '../topics.ts'
import { freePort, Toolkit } from './faultline-command.ts'
import { commitOffset, join, leaveAndMoveShareGroup } from './group-members.ts'

const topic = 'orders'
/** A node of Apache Kafka takes half a minute to start on a busy machine. */
const timeoutMs = 120_000
/** For looks of which nothing may be unknown: no broker is too busy for that. */
const answerMs = 5_000
const settings = {
  ...quickFailover,
  // Java on a busy machine: too short a patience with each other would be a story of its own.
  'broker.session.timeout.ms': '10000',
  'controller.quorum.election.timeout.ms': '1000',
  'controller.quorum.fetch.timeout.ms': '3000',
  // A follower that is frozen is in sync until it is fenced.
  'replica.lag.time.max.ms': '30000',
  'transaction.state.log.num.partitions': '4',
  'offsets.topic.replication.factor': '3',
  'transaction.state.log.replication.factor': '3',
  'transaction.state.log.min.isr': '2',
}

let home: string
beforeAll(() => {
  home = mkdtempSync(path.join(tmpdir(), 'faultline-observe-'))
  process.env['FAULTLINE_HOME'] = home
})
afterAll(() => {
  delete process.env['FAULTLINE_HOME']
  rmSync(home, { recursive: true, force: true })
})

async function up(runtime: Runtime, engine: Engine, name = `observe-${engine}`): Promise<Cluster> {
  // Inside a simulation every node has a host of its own.
  const port = runtime === simulatedRuntime ? 0 : Number(await freePort())
  return await runtime.up(clusterSpec({ name, runtime: runtime.name, engine, port, settings, seed: 7 }))
}

function clientOf(cluster: Cluster): Kafka {
  return new Kafka({
    ...cluster.kafkaOptions(),
    clientId: 'guest',
    logLevel: logLevel.NOTHING,
    retry: { retries: 30, initialRetryTime: 100, maxRetryTime: 1_000 },
  })
}

async function createTopic(cluster: Cluster, kafka: Kafka): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await createTopics(admin, [{ topic, numPartitions: 1, replicationFactor: 3 }], { clock: cluster.clock })
  await admin.disconnect()
}

/** As `kafka-features upgrade` does; a cluster that Apache Kafka formatted has them from the start. */
async function turnOnEligibleReplicas(cluster: Cluster): Promise<void> {
  const lines = new Lines(cluster, timeoutMs)
  const question = { request: updateFeaturesRequest, response: updateFeaturesResponse }
  try {
    const feature = { feature: 'eligible.leader.replicas.version', maxVersionLevel: 1 }
    const { errorCode, errorMessage } = await lines.of(1, 'state').ask(question, { featureUpdates: [feature] })
    expect({ errorCode, errorMessage }).toMatchObject({ errorCode: 0 })
  } finally {
    lines.close()
  }
}

async function createTopicOf(
  kafka: Kafka,
  name: string,
  replicas: readonly number[],
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  const configEntries = Object.entries(settings).map(([key, value]) => ({ name: key, value }))
  const replicaAssignment = [{ partition: 0, replicas: [...replicas] }]
  await createTopics(admin, [{ topic: name, replicaAssignment, configEntries }])
  await admin.disconnect()
}

async function write(kafka: Kafka, count: number): Promise<Producer> {
  const producer = kafka.producer()
  await producer.connect()
  const messages = Array.from({ length: count }, (_, index) => ({ value: `record ${index}` }))
  await producer.send({ topic, messages })
  return producer
}

/** Collects what changes, from its first look on, until all that is waited for was seen. */
async function collecting(cluster: Cluster, options: ObserveOptions) {
  const stop = new AbortController()
  const changes: Change[] = []
  const first = Promise.withResolvers<void>()
  const watching = (async () => {
    try {
      for await (const seen of observe(cluster, { ...options, intervalMs: 100, signal: stop.signal })) {
        changes.push(...seen.changes)
        first.resolve()
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error
    }
  })()
  await Promise.race([first.promise, watching])
  const kinds = () => new Set(changes.map(({ kind }) => kind))
  /** @returns the kinds of all changes */
  const until = async (...expected: readonly Change['kind'][]) => {
    const missing = () => expected.filter(kind => !kinds().has(kind))
    await poll(() => (missing().length === 0 ? true : undefined), { clock: cluster.clock, timeoutMs })
    expect(missing()).toEqual([])
    stop.abort(new Error('enough'))
    await watching
    return [...kinds()]
  }
  return { changes, until }
}

function partition(seen: Observation): ObservedPartition {
  const found = partitionOf(seen, topic, 0)
  if (found === undefined) throw new Error(`${topic}-0 is unknown: ${JSON.stringify(seen.topics)}`)
  return found
}

describe('on processes of faultline', () => {
  storyOf('faultline')
})
describeWith(['java', 'apache-kafka'], 'on processes of apache-kafka', () => {
  startKafkaQuickly()
  storyOf('apache-kafka')
})

function storyOf(engine: Engine): void {
  let cluster: Cluster
  let kafka: Kafka
  beforeAll(async () => {
    cluster = await up(processRuntime, engine)
    kafka = clientOf(cluster)
    await createTopic(cluster, kafka)
  })
  afterAll(() => cluster.down())

  test('a healthy cluster is known in full', async () => {
    const producer = await write(kafka, 5)
    await producer.disconnect()
    const seen = await when(cluster, every(isFullyInSync(topic, 0), isLevel(topic, 0)), {
      timeoutMs,
      answerMs,
      topics: [topic],
      quorum: true,
      producers: true,
      groups: 'all',
      transactions: 'all',
    })
    expect(seen.brokers).toMatchObject([1, 2, 3].map(id => ({ id, answers: true, registration: 'alive' })))
    const { leader, leaderEpoch, logs, ...rest } = partition(seen)
    expect(rest).toMatchObject({
      isr: [1, 2, 3],
      offline: [],
      highWatermark: 5,
      lastStableOffset: 5,
      logStartOffset: 0,
    })
    expect(Object.keys(logs)).toEqual(['1', '2', '3'])
    for (const log of Object.values(logs))
      expect(log).toMatchObject({ logEndOffset: 5, leaderEpoch, logStartOffset: 0 })
    expect(logs[leader]).toMatchObject({ highWatermark: 5 })
    const quorum = known(seen.quorum)!
    expect(quorum.voters.map(({ id }) => id)).toEqual([1, 2, 3])
    expect(quorum.highWatermark).toBeGreaterThan(0)
    expect(known(quorum.voters.find(({ id }) => id === quorum.leader)?.lag)).toBe(0)
    expect(JSON.stringify(seen)).not.toContain('"unknown"')
  })

  test('a topic and a group that are not there are not there, which is something else than unknown', async () => {
    const watch = { topics: ['nothing'], groups: ['nobody'], transactions: ['none'], answerMs }
    // Who coordinates them is unknown until the topics of coordinators are made, which asking does.
    const wholly = async () => {
      const seen = await observeOnce(cluster, watch)
      return JSON.stringify(seen).includes('"unknown"') ? undefined : seen
    }
    const seen = await poll(wholly, { everyMs: 100, timeoutMs })
    expect(seen).toMatchObject({ topics: { nothing: null }, groups: { nobody: null }, transactions: { none: null } })
  })

  test('a follower that is killed leaves the in-sync set, is fenced, and comes back', async () => {
    const { leader, replicas } = partition(await observeOnce(cluster, { topics: [topic], answerMs }))
    const controller = known((await observeOnce(cluster, { quorum: true, answerMs })).quorum)?.leader
    const victim = replicas.find(id => id !== leader && id !== controller)!
    if (engine === 'faultline') await turnOnEligibleReplicas(cluster)
    // Here one replica that leaves is one too few, and may still be elected (KIP-966).
    await createTopicOf(kafka, 'careful', [leader, ...replicas.filter(id => id !== leader)], {
      'min.insync.replicas': '3',
    })
    await when(cluster, every(isFullyInSync('careful', 0), isFullyInSync(topic, 0)), { timeoutMs })
    const story = await collecting(cluster, { topics: [topic, 'careful'] })
    await cluster.kill(victim)
    const left = every(hasLeftInSyncSet(topic, 0, victim), hasLeftInSyncSet('careful', 0, victim))
    const without = await when(cluster, every(left, brokerIs(victim, 'fenced')), { timeoutMs })
    expect(partition(without)).toMatchObject({ elr: [], lastKnownElr: [] })
    expect(partitionOf(without, 'careful', 0)).toMatchObject({ elr: [victim], lastKnownElr: [] })
    expect(isUnknown(partition(without).logs[victim])).toBe(true)
    expect(partition(without).leader).toBe(leader)
    expect(without.brokers.find(({ id }) => id === victim)?.answers).toEqual({
      unknown: expect.stringContaining(`broker ${victim}`) as string,
    })
    await cluster.start(victim)
    const whole = every(isFullyInSync(topic, 0), isLevel(topic, 0), isFullyInSync('careful', 0))
    const again = await when(cluster, every(whole, brokerIs(victim, 'alive')), { timeoutMs })
    expect(partitionOf(again, 'careful', 0)).toMatchObject({ elr: [] })
    const kinds = await story.until(
      'brokerSilent',
      'isrShrunk',
      'elrChanged',
      'brokerAnswers',
      'isrGrew',
      'registrationChanged',
    )
    expect(kinds).not.toContain('highWatermarkFell')
    expect(kinds).not.toContain('logCut')
  })

  test('a frozen follower holds the high watermark below the log ends of the others, and slows no look down', async () => {
    // Connected before: a client that begins with the frozen broker waits for it.
    const producer = await write(kafka, 1)
    const { leader, replicas, highWatermark } = partition(await when(cluster, isLevel(topic, 0), { timeoutMs }))
    const frozen = replicas.find(id => id !== leader)!
    // Looks before: by and by the follower is fenced, and the others go on without it.
    // In one look, whose answers need not be of one moment.
    const isSilent = predicate(`broker ${frozen} is silent`, { topics: [topic] }, seen => {
      const log = partitionOf(seen, topic, 0)?.logs[frozen]
      return log === undefined ? undefined : isUnknown(log)
    })
    const held = every(isBeyondHighWatermark(topic, 0, leader), isSilent)
    const beyond = when(cluster, held, { timeoutMs, answerMs: 300 })
    await cluster.pause(frozen)
    try {
      await producer.send({ topic, acks: 1, messages: [{ value: 'not replicated everywhere' }] })
      const seen = await beyond
      expect(partition(seen)).toMatchObject({ highWatermark })
      expect(partition(seen).logs[frozen]).toEqual({ unknown: `broker ${frozen} gave no answer within 300 ms` })
      const tookMs: number[] = []
      for await (const look of observe(cluster, { topics: [topic], intervalMs: 10, answerMs: 2_000 })) {
        tookMs.push(look.tookMs)
        if (tookMs.length === 10) break
      }
      const [first, ...others] = tookMs
      // A timer may fire a little before its time.
      expect(first).toBeGreaterThanOrEqual(1_998)
      // A busy machine may slow one of them down; a broker that is waited for, each.
      expect(Math.min(...others)).toBeLessThan(1_998)
    } finally {
      await cluster.resume(frozen)
    }
    await producer.disconnect()
    await when(cluster, every(isFullyInSync(topic, 0), isLevel(topic, 0)), { timeoutMs })
  })

  test('a consumer group that falls behind, catches up and is left', async () => {
    const story = await collecting(cluster, { groups: ['readers'] })
    const consumer = kafka.consumer({ groupId: 'readers', sessionTimeout: 60_000 })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({ eachMessage: () => Promise.resolve() })
    await when(
      cluster,
      every(groupIs('readers', 'Stable'), groupHasMembers('readers', 1), groupHasCaughtUp('readers')),
      {
        timeoutMs,
      },
    )
    consumer.pause([{ topic }])
    const producer = await write(kafka, 4)
    await producer.disconnect()
    const settled = every(groupIs('readers', 'Stable'), groupHasMembers('readers', 1))
    const behind = await when(cluster, every(groupLags('readers', 4), settled), { timeoutMs, answerMs })
    expect(known(known(behind.groups)?.['readers'])).toMatchObject({
      type: 'classic',
      state: 'Stable',
      members: [{ clientId: 'guest', assignment: [`${topic}-0`] }],
      offsets: { [`${topic}-0`]: { lag: 4 } },
    })
    await consumer.disconnect()
    await when(cluster, groupIs('readers', 'Empty'), { timeoutMs })
    await story.until('groupAppeared', 'memberLeft', 'groupRebalanced', 'groupStateChanged')
  })

  test('groups of the new protocols tell their epochs and what each member has', async () => {
    for (const kind of ['consumer', 'share', 'streams'] as const) {
      const group = `${kind}-group`
      const { coordinator, memberEpoch } = await join(cluster, kind, group, topic)
      if (kind === 'consumer')
        expect(await commitOffset(cluster, { group, coordinator, memberEpoch }, { topic, offset: 2 })).toBe(0)
      const seen = await when(cluster, every(groupHasMembers(group, 1), groupIs(group, 'Stable')), {
        timeoutMs,
        topics: [topic],
      })
      const found = known(known(seen.groups)?.[group])
      expect(found).toMatchObject({
        type: kind,
        coordinator,
        epoch: memberEpoch,
        assignmentEpoch: memberEpoch,
        members: [{ epoch: memberEpoch, assignment: [kind === 'streams' ? '0_0' : `${topic}-0`] }],
      })
      const end = known(partition(seen).highWatermark)!
      if (kind === 'consumer') expect(found?.offsets).toEqual({ [`${topic}-0`]: { committed: 2, lag: end - 2 } })
      if (kind !== 'share') continue
      await leaveAndMoveShareGroup(cluster, { group, coordinator }, { topic, offset: 1 })
      const moved = await when(cluster, every(groupIs(group, 'Empty'), groupLags(group, end - 1)), { timeoutMs })
      expect(known(known(moved.groups)?.[group])?.offsets).toEqual({ [`${topic}-0`]: { committed: 1, lag: end - 1 } })
    }
  })

  test('an open transaction holds back the last stable offset, and has a producer, an age and partitions', async () => {
    const who = { transactionalId: 'payer', transactionTimeout: 600_000 }
    const producer = kafka.producer({ ...who, maxInFlightRequests: 1, idempotent: true })
    await producer.connect()
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value: 'not decided yet' }] })
    const open = every(transactionIs('payer', 'Ongoing'), isHeldBackByTransaction(topic, 0))
    const watch = { producers: true, topics: [topic], transactions: ['payer'] }
    const seen = await when(cluster, open, { timeoutMs, answerMs, ...watch })
    const found = known(known(seen.transactions)?.['payer'])
    expect(found).toMatchObject({ partitions: [`${topic}-0`], startedAt: expect.any(Number) as number })
    const { highWatermark, lastStableOffset, producers } = partition(seen)
    expect(known(lastStableOffset)).toBe(known(highWatermark)! - 1)
    expect(known(producers)).toContainEqual(
      expect.objectContaining({ producerId: found?.producerId, transactionStartOffset: lastStableOffset }),
    )
    expect((await observeOnce(cluster, { transactions: 'open', answerMs })).transactions).toHaveProperty('payer')
    await transaction.abort()
    const after = await when(cluster, transactionHasEnded('payer'), { timeoutMs, transactions: ['payer'] })
    expect(known(known(after.transactions)?.['payer'])?.state).toBe('CompleteAbort')
    expect((await when(cluster, seenLevel, { timeoutMs, topics: [topic] })).topics).toBeDefined()
    await producer.disconnect()
  })

  test('when the leader of the quorum is killed, another one leads, in a newer epoch', async () => {
    const before = known((await observeOnce(cluster, { quorum: true, answerMs })).quorum)!
    const story = await collecting(cluster, { topics: [topic], quorum: true })
    await cluster.kill(before.leader)
    const led = every(quorumIsLedByAnother(before.leader), hasLeader(topic, 0), brokerIs(before.leader, 'fenced'))
    const seen = await when(cluster, led, { timeoutMs })
    const after = known(seen.quorum)!
    expect(after.epoch).toBeGreaterThan(before.epoch)
    expect(after.highWatermark).toBeGreaterThanOrEqual(before.highWatermark)
    expect(partition(seen).leader).not.toBe(before.leader)
    await cluster.start(before.leader)
    await when(cluster, isFullyInSync(topic, 0), { timeoutMs })
    const kinds = await story.until('quorumLeaderChanged', 'quorumEpochBumped', 'brokerSilent')
    expect(kinds).not.toContain('highWatermarkFell')
  })
}

/** Nothing is undecided, and what is written is committed. */
function seenLevel(seen: Observation): boolean | undefined {
  const found = partitionOf(seen, topic, 0)
  const [highWatermark, stable] = [known(found?.highWatermark), known(found?.lastStableOffset)]
  return highWatermark === undefined || stable === undefined ? undefined : highWatermark === stable
}

describe('./faultline watch', () => {
  const toolkit = new Toolkit()
  beforeAll(async () => {
    await toolkit.run('up', '--runtime', 'process', '--brokers', '2', '--port', await freePort())
    await toolkit.run('topic', 'create', topic, '--partitions', '1')
    await toolkit.run('produce', topic, 'a', 'b', 'c')
    await toolkit.run('consume', topic, '--group', 'readers', '--count', '2')
  })
  afterAll(() => toolkit.remove())

  /** A look in which nobody was silent: on a busy machine a broker may not answer in time. */
  const once = async (...args: string[]): Promise<string> => {
    const look = async () => {
      const { stdout } = await toolkit.run('watch', '--once', ...args)
      return /unknown|silent/.test(stdout) ? undefined : stdout
    }
    return (await poll(look, { timeoutMs })) ?? 'somebody is silent'
  }

  test('--once shows every replica side by side, the quorum, groups and open transactions', async () => {
    const stdout = await once('--topic', topic, '--group', 'readers', '--quorum', '--transactions')
    expect(stdout).toMatch(/broker 1 at 127\.0\.0\.1:\d+: alive/)
    expect(stdout).toMatch(/quorum: [12] leads, epoch \d+/)
    expect(stdout).toMatch(/orders-0 +[12] +\d+ +1,2 .*\*3\/3\/3/)
    expect(stdout).toMatch(/readers +classic +Empty .* 1$/m)
    expect(stdout).toContain('no open transactions')
  })

  test('--once --json is one document, without internal topics unless they are asked for', async () => {
    const look = async (...args: string[]) => JSON.parse(await once('--json', ...args)) as Observation
    const seen = await look()
    expect(Object.keys(seen.topics ?? {})).toEqual([topic])
    expect(partition(seen)).toMatchObject({ isr: [1, 2], highWatermark: 3 })
    expect(known(seen.quorum)).toMatchObject({ leader: expect.any(Number) as number })
    expect(Object.keys((await look('--internal')).topics ?? {})).toContain('__consumer_offsets')
    expect(await look('--groups')).toMatchObject({
      groups: { readers: { offsets: { 'orders-0': { committed: 2, lag: 1 } } } },
    })
  })

  test('--json is a document a line until Ctrl-C, which leaves nothing', async () => {
    const command = toolkit.start('watch', '--json', '--topic', topic, '--interval', '50ms')
    let text = ''
    await new Promise<void>(resolve => {
      command.stdout.on('data', chunk => {
        text += String(chunk)
        if (text.split('\n').length > 3) resolve()
      })
    })
    command.kill('SIGINT')
    const { exitCode, stdout, stderr } = await command
    expect(exitCode).toBe(130)
    expect(stderr).not.toContain('    at ')
    const looks = stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Observation)
    expect(looks.map(({ sequence }) => sequence)).toEqual(looks.map((_, index) => index + 1))
    // On a busy machine the leader may not answer in time for one of them.
    const seen = looks.flatMap(look => known(partitionOf(look, topic, 0)?.highWatermark) ?? [])
    expect([...new Set(seen)]).toEqual([3])
  })
})

describe('in the simulator', () => {
  /** The observations of one story, as text. */
  async function story(): Promise<string> {
    const cluster = await up(simulatedRuntime, 'faultline', 'observe-simulated')
    try {
      const kafka = clientOf(cluster)
      await createTopic(cluster, kafka)
      const producer = await write(kafka, 5)
      await producer.disconnect()
      const healthy = await when(cluster, every(isFullyInSync(topic, 0), isLevel(topic, 0)), {
        timeoutMs,
        quorum: true,
      })
      const { leader, replicas } = partition(healthy)
      const victim = replicas.find(id => id !== leader && id !== known(healthy.quorum)?.leader)!
      const told = await collecting(cluster, { topics: [topic], quorum: true, groups: 'all' })
      await cluster.pause(victim)
      await when(cluster, hasLeftInSyncSet(topic, 0, victim), { timeoutMs })
      await cluster.resume(victim)
      await cluster.kill(leader)
      const led = every(hasLeader(topic, 0), hasLeftInSyncSet(topic, 0, leader))
      const seen = await when(cluster, led, { timeoutMs })
      await cluster.start(leader)
      const whole = await when(cluster, every(isFullyInSync(topic, 0), isLevel(topic, 0)), { timeoutMs })
      await told.until('isrShrunk', 'isrGrew', 'leaderChanged', 'brokerSilent')
      return JSON.stringify([healthy, seen, whole, told.changes])
    } finally {
      await cluster.down()
    }
  }

  test('a leader that is cut off from the others still answers, and is not believed', async () => {
    const cluster = await up(simulatedRuntime, 'faultline', 'observe-split')
    try {
      const kafka = clientOf(cluster)
      await createTopic(cluster, kafka)
      const producer = await write(kafka, 5)
      await producer.disconnect()
      const whole = every(isFullyInSync(topic, 0), isLevel(topic, 0))
      const { leader, leaderEpoch, replicas } = partition(await when(cluster, whole, { timeoutMs }))
      const story = await collecting(cluster, { topics: [topic], quorum: true })
      await cluster.partition!([[leader], replicas.filter(id => id !== leader)])
      const split = every(hasLeader(topic, 0), not(leads(topic, 0, leader)), brokerAnswers(leader))
      const seen = await when(cluster, split, { timeoutMs, quorum: true })
      expect(partition(seen).leaderEpoch).toBeGreaterThan(leaderEpoch)
      expect(partition(seen).isr).not.toContain(leader)
      expect(partition(seen).logs[leader]).toMatchObject({ logEndOffset: 5, leaderEpoch })
      expect(known(seen.quorum)?.leader).not.toBe(leader)
      expect(seen.brokers.find(({ id }) => id === leader)).toMatchObject({ answers: true, registration: 'fenced' })
      await cluster.healPartition!()
      await when(cluster, whole, { timeoutMs })
      const kinds = await story.until('leaderChanged', 'epochBumped', 'isrShrunk', 'isrGrew', 'registrationChanged')
      expect(kinds).not.toContain('highWatermarkFell')
      // Nobody led twice: what the old leader went on saying was never taken for news.
      const leaders = story.changes.flatMap(change => (change.kind === 'leaderChanged' ? [change.leaderEpoch] : []))
      expect(leaders).toEqual([...new Set(leaders)].sort((a, b) => a - b))
    } finally {
      await cluster.down()
    }
  })

  test('a script of a lab waits for anything that can be observed, and its history has what was observed', async () => {
    const cluster = await up(simulatedRuntime, 'faultline', 'observe-lab')
    try {
      const recorder = new HistoryRecorder(cluster.clock)
      const workload = new AppendWorkload(cluster, recorder, 'lab', { ...appendDefaults, partitions: 1 })
      const observer = new Observer(cluster, recorder, workload.topic)
      const run = new LabRun({ cluster, workload, observer, recorder, scale: 1 })
      await workload.prepare()
      observer.start()
      await run.kill(leaderOf(0))
      await run.when(every(hasLeader(workload.topic, 0), not(isFullyInSync(workload.topic, 0))))
      await expect(run.when(isFullyInSync(workload.topic, 0), 500)).rejects.toThrow('Waited 500 ms in vain')
      await run.heal()
      await run.when(isFullyInSync(workload.topic, 0))
      await observer.stop()
      const seen = recorder.history.flatMap(entry =>
        entry.process === 'observer' && entry.f === 'observe' ? [entry.value] : [],
      )
      const leaders = new Set(seen.map(({ partitions }) => partitions[`${workload.topic}-0`]?.leader))
      expect(leaders.size).toBeGreaterThanOrEqual(2)
      expect(seen.map(({ reachable }) => reachable.length)).toContain(2)
    } finally {
      await cluster.down()
    }
  })

  test('the same seed gives the same observations, to the byte', async () => {
    const first = await story()
    expect(first).toContain('"isrShrunk"')
    expect(await story()).toBe(first)
  })
})
