/**
 * Kafka Streams 4.3.1 with group.protocol=streams (KIP-1071) and processing.guarantee=exactly_once_v2 against three processes: instances
 * come, die and leave, brokers are killed, the coordinator of the group among them; then the tools and Admin look at what is left.
 * See java/Words.java, java/CountingInstance.java, java/StreamsAdmin.java.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { isReference, oursAlone } from './engine.ts'
import { eventually, type BrokerProcess } from './harness.ts'
import { JavaProgram, KafkaTools, runJava } from './java.ts'
import { partitionsWhen } from '#tests/topics.ts'
import { StreamsStage } from './streams-stage.ts'
import { coordinatorOf, StreamsWire, taskNames, type Described } from './streams-wire.ts'

const group = 'counting'
const words = 2100
const spreadMs = 35_000
const milestones = 7
const createTopics = 19
const streamsTool = 'org.apache.kafka.tools.streams.StreamsGroupCommand'

describeWith(['java', 'kafka-streams'], 'a Kafka Streams application in a streams group', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'faultline-streams-'))
  const instances: JavaProgram[] = []
  let stage: StreamsStage
  let tools: KafkaTools

  beforeAll(async () => {
    tools = new KafkaTools()
    stage = await StreamsStage.begin({
      programs: ['CountingInstance', 'Words', 'StreamsAdmin'],
      settings: {
        'broker.session.timeout.ms': '6000',
        'broker.heartbeat.interval.ms': '500',
        'group.streams.min.session.timeout.ms': '3000',
        'group.streams.session.timeout.ms': '10000',
        'group.streams.min.heartbeat.interval.ms': '500',
        'group.streams.heartbeat.interval.ms': '500',
        'group.streams.initial.rebalance.delay.ms': '500',
      },
      topics: [
        { topic: 'words', numPartitions: 4 },
        { topic: 'counts', numPartitions: 2 },
      ],
    })
  })

  afterAll(async () => {
    await Promise.all(instances.map(each => each.kill()))
    await tools?.stop()
    await stage?.end()
    rmSync(folder, { recursive: true, force: true })
  })

  const startInstance = (name: string, port: number, threads: number): JavaProgram => {
    const args = [stage.cluster.bootstrap, group, path.join(folder, name), `127.0.0.1:${port}`, String(threads)]
    const instance = new JavaProgram('CountingInstance', args, stage.classes)
    instances.push(instance)
    return instance
  }

  /** The group when it is `members` strong and at rest. */
  const stable = (members: number): Promise<Described> =>
    eventually(
      `${members} members at rest`,
      async () => {
        const wire = await StreamsWire.open(stage.cluster.bootstrap, group)
        try {
          const described = await wire.describe()
          return described.groupState === 'Stable' && described.members.length === members ? described : undefined
        } finally {
          wire.close()
        }
      },
      240_000,
    )

  /** For who reads why a test failed: where every task is, and what the instances said. */
  const account = async (): Promise<string> => {
    const wire = await StreamsWire.open(stage.cluster.bootstrap, group)
    try {
      const { groupState, groupEpoch, assignmentEpoch, members } = await wire.describe()
      const lines = members.map(
        ({ memberId, memberEpoch, assignment, targetAssignment }) =>
          `${memberId} in ${memberEpoch}: ${JSON.stringify(assignment)} of ${JSON.stringify(targetAssignment)}`,
      )
      const said = instances.map(({ output }) => output.slice(-2000))
      return [`${groupState} ${groupEpoch} ${assignmentEpoch}`, ...lines, ...said].join('\n')
    } finally {
      wire.close()
    }
  }

  const run = (...args: readonly string[]): Promise<string> =>
    tools.succeed(streamsTool, '--bootstrap-server', stage.cluster.bootstrap, ...args)

  const administer = async (phase: 'live' | 'empty'): Promise<void> => {
    const { output } = await runJava('StreamsAdmin', [stage.cluster.bootstrap, group, phase], stage.classes)
    expect(output).toContain('passed')
  }

  const coordinator = async (): Promise<BrokerProcess> => {
    const address = await coordinatorOf(stage.cluster.bootstrap, group)
    const found = stage.cluster.brokers.find(({ port }) => address.endsWith(`:${port}`))
    if (found === undefined) throw new Error(`no broker is ${address}`)
    return found
  }

  test('gets standbys by a setting of the group, and is described as it is', async () => {
    await tools.succeed(
      'kafka.admin.ConfigCommand',
      ...['--bootstrap-server', stage.cluster.bootstrap, '--alter', '--entity-type', 'groups', '--entity-name', group],
      ...['--add-config', 'streams.num.standby.replicas=1'],
    )
    startInstance('one', 7001, 1)
    startInstance('two', 7002, 1)
    const { members } = await stable(2)
    // Of two subtopologies with 4 tasks each, one of them with state.
    const shares = members.map(({ assignment }) => [
      taskNames(assignment.activeTasks).split(' ').length,
      taskNames(assignment.standbyTasks).split(' ').length,
    ])
    expect(shares.map(([active]) => active)).toEqual([4, 4])
    expect(shares.reduce((sum, [, standby = 0]) => sum + standby, 0)).toBe(4)
    await administer('live')
  })

  test('has its internal topics made by the coordinator', async () => {
    const topics = ['counting-again-repartition', 'counting-store-changelog']
    await stage.cluster.untilAllKnow(...topics)
    for (const topic of topics)
      expect((await partitionsWhen(stage.admin, topic)).map(({ replicas }) => replicas.length)).toEqual([3, 3, 3, 3])
    const shown = await tools.succeed(
      'TopicCommand',
      ...['--bootstrap-server', stage.cluster.bootstrap, '--describe', '--topic', 'counting-.*'],
    )
    expect(shown).toMatch(/counting-store-changelog.*cleanup\.policy=compact/)
    expect(shown).toMatch(/counting-again-repartition.*cleanup\.policy=delete/)
  })

  test.skipIf(isReference)(oursAlone('created none of them itself', 'no ledger of requests'), async () => {
    const served = (await Promise.all(stage.cluster.brokers.map(each => each.requests()))).flat()
    const java = served.filter(({ software }) => software === 'apache-kafka-java')
    expect(java.some(({ apiKey }) => apiKey === 88)).toBe(true)
    expect(java.filter(({ apiKey }) => apiKey === createTopics)).toEqual([])
  })

  test('tells each instance what the others hold, for interactive queries', async () => {
    const [one] = instances
    const told = await eventually('an instance knows where every partition is', async () => {
      if (one === undefined) throw new Error('no instance')
      const [line = ''] = (await one.ask('endpoints', /^endpoints .*$/m)).match(/[^ ].*/) ?? []
      const active = [...line.matchAll(/active=(\S*)/g)].flatMap(([, names = '']) => names.split(',')).sort()
      const names = ['counting-again-repartition', 'words'].flatMap(topic =>
        [0, 1, 2, 3].map(each => `${topic}-${each}`),
      )
      return active.join() === names.join() ? line : undefined
    })
    expect(told).toMatch(/127\.0\.0\.1:7001 active=\S+ standby=\S+; 127\.0\.0\.1:7002 active=\S+ standby=\S+/)
  })

  test('counts every word once, though instances and brokers die', { timeout: 900_000 }, async () => {
    const judged = runJava('Words', [stage.cluster.bootstrap, String(words), String(spreadMs)], stage.classes)
    const [one, two] = instances
    let step = 0
    const next = () => stage.written((words * ++step) / milestones)
    const bounce = async (broker: BrokerProcess) => {
      await broker.kill()
      await next()
      await broker.start()
    }
    await next()
    const first = await coordinator()
    await bounce(first)
    startInstance('three', 7003, 2)
    await next()
    await one?.kill()
    const others = stage.cluster.brokers.filter(each => each !== first)
    for (const broker of others.slice(0, 1)) await bounce(broker)
    two?.tell('leave')
    expect(await two?.end()).toBe(0)
    expect(two?.output).toContain('left true')
    for (const broker of others.slice(1)) await bounce(broker)
    const { output } = await judged
    const verdict = output.split('\n').find(line => /^(in)?exact/.test(line)) ?? output
    expect(verdict === 'exact' ? verdict : `${verdict}\n${await account()}`).toBe('exact')
    const { members } = await stable(2)
    expect(members.map(({ userEndpoint }) => userEndpoint?.port)).toEqual([7003, 7003])
    const active = taskNames(members.flatMap(({ assignment }) => assignment.activeTasks))
    expect(active).toBe('0_0 0_1 0_2 0_3 1_0 1_1 1_2 1_3')
  })

  test('is shown, reset and deleted by kafka-streams-groups', async () => {
    expect(await run('--list', '--state')).toMatch(/counting\s+Stable/)
    expect(await run('--describe', '--group', group, '--members', '--verbose')).toMatch(/counting\s+.*ACTIVE:.*1:/)
    expect(await run('--describe', '--group', group, '--state')).toMatch(/counting\s+\S+\s+.*Stable\s+2/)
    expect(await run('--describe', '--group', group, '--offsets')).toMatch(/counting\s+words\s+0\s+\d+/)
    instances.at(-1)?.tell('leave')
    expect(await instances.at(-1)?.end()).toBe(0)
    await eventually('an empty group', async () =>
      /counting\s+\S+\s+.*Empty\s+0/.test(await run('--describe', '--group', group, '--state')) ? true : undefined,
    )
    await administer('empty')
    const reset = ['--reset-offsets', '--group', group, '--input-topic', 'words', '--to-earliest']
    expect(await run(...reset, '--dry-run')).toMatch(/counting\s+words\s+0\s+0/)
    expect(await run(...reset, '--execute')).toMatch(/counting\s+words\s+3\s+0/)
    expect(await run('--delete-offsets', '--group', group, '--input-topic', 'words')).toMatch(/words\s+0\s+Successful/)
    expect(await run('--delete', '--group', group)).toMatch(/Deletion of requested streams groups \('counting'\)/)
    expect(await run('--list')).not.toContain(group)
  })
})
