/**
 * A cluster that grows while it is written to: a broker with nothing but its configuration joins, kafka-reassign-partitions gives it its
 * share, all of it under a steady load of the Java producer with acks=all. Not one acknowledged record may fail, get lost or wait long.
 */
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { isReference } from './engine.ts'
import { eventually } from './harness.ts'
import { reassign, ReassignmentStage } from './reassignment-stage.ts'

const topics = 'TopicCommand'
const partitions = 6

interface Plan {
  readonly version: 1
  readonly partitions: readonly { readonly topic: string; readonly partition: number; readonly replicas: number[] }[]
}

describeWith(['java', 'apache-kafka'], 'a cluster that grows under load', () => {
  let stage: ReassignmentStage
  const run = (tool: string, ...args: string[]): Promise<string> => stage.run(tool, ...args)
  const planOf = (replicasOf: (partition: number) => number[]): Plan => ({
    version: 1,
    partitions: Array.from({ length: partitions }, (_, partition) => ({
      topic: 'moved',
      partition,
      replicas: replicasOf(partition),
    })),
  })
  /** Replicas by partition, as kafka-topics tells them. */
  const replicas = async (): Promise<number[][]> => {
    const described = await run(topics, '--describe', '--topic', 'moved')
    return [...described.matchAll(/\tReplicas: ([\d,]+)\t/g)].map(match => match[1]!.split(',').map(Number))
  }
  /** Any broker may answer, and each hears of a change when it does. */
  const described = (topic: string, as: RegExp): Promise<true> =>
    eventually(`${topic} is described as ${as}`, async () =>
      as.test(await run(topics, '--describe', '--topic', topic)) ? true : undefined,
    )
  // A broker that lags behind the controller knows of no reassignment, and still of the replicas from before.
  const complete = (plan: string): Promise<string> => stage.whenOver(plan, /still in progress|but replica set is/)

  beforeAll(async () => {
    const shape = ['--partitions', String(partitions), '--replication-factor', '3', '--config', 'min.insync.replicas=2']
    stage = await ReassignmentStage.begin({ shape })
  })
  afterAll(() => stage?.end())

  test('a new broker takes its share of the partitions as kafka-reassign-partitions proposes', async () => {
    await stage.cluster.grow()
    const wanted = stage.plan({ version: 1, topics: [{ topic: 'moved' }] })
    const output = await run(reassign, '--generate', '--topics-to-move-json-file', wanted, '--broker-list', '1,2,3,4')
    const proposal = JSON.parse(/Proposed partition reassignment configuration\n(.*)/.exec(output)?.[1] ?? '') as Plan
    const plan = stage.plan(proposal)
    expect(await run(reassign, '--execute', '--reassignment-json-file', plan)).toContain(
      'Successfully started partition reassignments for moved-0,moved-1,moved-2,moved-3,moved-4,moved-5',
    )
    const verified = await complete(plan)
    for (let partition = 0; partition < partitions; partition++)
      expect(verified).toContain(`Reassignment of partition moved-${partition} is completed.`)
    const proposed = proposal.partitions.map(each => each.replicas)
    expect(proposed.flat()).toContain(4)
    await eventually('they are where they should be', async () =>
      JSON.stringify(await replicas()) === JSON.stringify(proposed) ? true : undefined,
    )
    expect(await run(reassign, '--list')).toContain('No partition reassignments found.')
  })

  test('a throttled move is slow and can be seen, cancelled, and made again at full speed', async () => {
    await stage.create('heavy', '--replica-assignment', '1:2:3')
    // At 50 KB a second it takes minutes.
    await stage.fill('heavy', 20_000)
    const plan = stage.plan({ version: 1, partitions: [{ topic: 'heavy', partition: 0, replicas: [4, 2, 3] }] })
    const execute = ['--execute', '--reassignment-json-file', plan]
    expect(await run(reassign, ...execute, '--throttle', '50000')).toContain(
      'The inter-broker throttle limit was set to 50000 B/s',
    )
    expect(await run(reassign, '--list')).toMatch(/heavy-0: replicas: 4,2,3,1\. adding: 4\. removing: 1\./)
    await described('heavy', /Replicas: 4,2,3,1\t.*Adding Replicas: 4\tRemoving Replicas: 1/)
    expect(await run(reassign, '--verify', '--reassignment-json-file', plan)).toContain(
      'Reassignment of partition heavy-0 is still in progress.',
    )
    expect(await run(reassign, '--cancel', '--reassignment-json-file', plan)).toContain(
      'Successfully cancelled partition reassignment for: heavy-0',
    )
    await described('heavy', /Replicas: [123],[123],[123]\tIsr: [123],[123],[123]\t/)
    const settings = ['--describe', '--entity-type', 'topics', '--entity-name', 'heavy']
    await eventually('it is throttled no more', async () =>
      (await run('kafka.admin.ConfigCommand', ...settings)).includes('throttled') ? undefined : true,
    )
    await run(reassign, ...execute)
    await complete(plan)
    await described('heavy', /Replicas: 4,2,3\t/)
  })

  test('another order of replicas is done at once, and kafka-leader-election follows it', async () => {
    await stage.create('elected', '--replica-assignment', '1:2:3')
    const plan = stage.plan({ version: 1, partitions: [{ topic: 'elected', partition: 0, replicas: [2, 1, 3] }] })
    await run(reassign, '--execute', '--reassignment-json-file', plan)
    await complete(plan)
    await described('elected', /Leader: 1\tReplicas: 2,1,3\t/)
    const elect = (type: string): Promise<string> =>
      run('LeaderElectionCommand', '--election-type', type, '--topic', 'elected', '--partition', '0')
    expect(await elect('preferred')).toContain(
      'Successfully completed leader election (PREFERRED) for partitions elected-0',
    )
    await described('elected', /Leader: 2\t/)
    for (const type of ['preferred', 'unclean'])
      expect(await elect(type)).toContain('Valid replica already elected for partitions elected-0')
    const all = await stage.tools.run(
      'LeaderElectionCommand',
      ...['--bootstrap-server', stage.cluster.bootstrap, '--election-type', 'preferred', '--all-topic-partitions'],
    )
    expect(all.code).toBe(0)
  })

  test('a broker that is stopped for good is forgotten by kafka-cluster unregister', async () => {
    const added = await stage.cluster.grow()
    const endpoints = (): Promise<string> =>
      stage.tools.succeed(
        'ClusterTool',
        'list-endpoints',
        '--bootstrap-server',
        stage.cluster.addresses[0]!,
        '--include-fenced-brokers',
      )
    const own = new RegExp(`\\b${added.id}\\s+127\\.0\\.0\\.1\\s+${added.port}\\b`)
    await eventually('it is told of', async () => (own.test(await endpoints()) ? true : undefined))
    // A JVM that ended in order upon SIGTERM still says 128 + 15.
    expect(await added.stop()).toBe(isReference ? 143 : 0)
    const unregister = ['unregister', '--bootstrap-server', stage.cluster.addresses[0]!, '--id', String(added.id)]
    expect(await stage.tools.succeed('ClusterTool', ...unregister)).toContain(
      `Broker ${added.id} is no longer registered.`,
    )
    await eventually('it is gone', async () => (own.test(await endpoints()) ? undefined : true))
    expect((await stage.tools.run('ClusterTool', ...unregister)).output).toContain('is not currently registered')
  })

  test('every partition leaves a broker, leaders too, and its logs go from the disk', async () => {
    const plan = stage.plan(planOf(partition => [2, 3, 4].map((_, index) => 2 + ((partition + index) % 3))))
    await run(reassign, '--execute', '--reassignment-json-file', plan)
    await complete(plan)
    await eventually('nothing is there or led from there', async () => {
      const isThere = (await replicas()).flat().includes(1)
      const described = await run(topics, '--describe', '--topic', 'moved')
      return (!isThere && !/Leader: (1|none)/.test(described)) || undefined
    })
    // Renamed at once, and removed after file.delete.delay.ms.
    const logs = (as: RegExp): string[] =>
      readdirSync(stage.cluster.broker(1).dataDirectory).filter(name => as.test(name))
    await eventually('no replica on broker 1', () => (logs(/^moved-\d+$/).length === 0 ? true : undefined))
    expect(logs(/^moved-\d+\.[0-9a-f]{32}-delete$/).length).toBeGreaterThan(0)
  })

  test('not one record was refused, lost, doubled or late', async () => {
    expect(await stage.complaints()).toEqual([])
  })
})
