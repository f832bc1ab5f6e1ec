/**
 * Apache Kafka's own command line tools, from its jars, against three processes: what an operator types works, and says what it says on
 * Apache Kafka.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'
import { KafkaTools, runJava } from './java.ts'

const topics = 'TopicCommand'
const configs = 'kafka.admin.ConfigCommand'
const groups = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'
const lines = (text: string): string[] => text.split('\n').filter(line => line.trim() !== '')

describeWith(['java', 'apache-kafka'], 'Apache Kafka’s tools', () => {
  let cluster: Cluster
  let tools: KafkaTools

  beforeAll(async () => {
    tools = new KafkaTools()
    cluster = await startCluster({ brokers: 3 })
  })

  afterAll(async () => {
    await tools?.stop()
    await cluster?.stop()
  })

  const run = (tool: string, ...args: string[]): Promise<string> =>
    tools.succeed(tool, '--bootstrap-server', cluster.bootstrap, ...args)
  const refused = async (tool: string, ...args: string[]): Promise<string> => {
    const { code, output } = await tools.run(tool, '--bootstrap-server', cluster.bootstrap, ...args)
    if (code === 0) throw new Error(`${tool} ${args.join(' ')} was not refused:\n${output}`)
    return output
  }
  /** Any broker answers what is asked next. */
  const create = async (topic: string, partitions = 1): Promise<string> => {
    const shape = ['--partitions', String(partitions), '--replication-factor', '3']
    const output = await run(topics, '--create', '--topic', topic, ...shape)
    await cluster.untilAllKnow(topic)
    return output
  }
  const says = (words: string, ...args: string[]): Promise<true> =>
    eventually(`${args.join(' ')} says ${words}`, async () =>
      (await run(args[0] ?? '', ...args.slice(1))).includes(words) ? true : undefined,
    )
  const end = async (topic: string): Promise<string[]> => lines(await run('GetOffsetShell', '--topic', topic))
  const produce = (topic: string, count: number, ...properties: string[]): Promise<string> =>
    tools.succeed(
      'ProducerPerformance',
      '--topic',
      topic,
      '--num-records',
      String(count),
      '--record-size',
      '200',
      '--throughput',
      '-1',
      '--producer-props',
      `bootstrap.servers=${cluster.bootstrap}`,
      ...properties,
    )

  const consume = (topic: string, count: number, group: string): Promise<string> =>
    tools.consume(cluster.bootstrap, topic, count, group)

  test('kafka-broker-api-versions finds every API that clients of 4.3 need on every broker', async () => {
    const output = await run('BrokerApiVersionsCommand')
    for (const { id, port } of cluster.brokers)
      expect(output).toContain(`127.0.0.1:${port} (id: ${id} rack: null isFenced: false) -> (`)
    for (const each of [
      'Produce(0): 0 to 13 [usable: 13]',
      'Fetch(1): 4 to 18 [usable: 18]',
      'ListOffsets(2): 1 to 11 [usable: 11]',
      'Metadata(3): 0 to 13 [usable: 13]',
      'OffsetCommit(8): 2 to 10 [usable: 10]',
      'FindCoordinator(10): 0 to 6 [usable: 6]',
      'JoinGroup(11): 0 to 9 [usable: 9]',
      'ApiVersions(18): 0 to 4 [usable: 4]',
    ])
      expect(output).toContain(each)
  })

  test('kafka-topics creates, describes, alters and deletes', async () => {
    expect(await create('managed', 2)).toContain('Created topic managed.')
    expect(await refused(topics, '--create', '--topic', 'managed')).toContain("Topic 'managed' already exists")
    expect(lines(await run(topics, '--list'))).toContain('managed')
    const described = await run(topics, '--describe', '--topic', 'managed')
    expect(described).toMatch(/Topic: managed\tTopicId: [\w-]{22}\tPartitionCount: 2\tReplicationFactor: 3\tConfigs: /)
    expect(described).toMatch(/Partition: 1\tLeader: [123]\tReplicas: [123],[123],[123]\tIsr: [123],[123],[123]/)
    await run(topics, '--alter', '--topic', 'managed', '--partitions', '4')
    await eventually('four partitions', async () =>
      (await run(topics, '--describe', '--topic', 'managed')).includes('PartitionCount: 4') ? true : undefined,
    )
    expect(await refused(topics, '--alter', '--topic', 'managed', '--partitions', '3')).toContain(
      'The topic managed currently has 4 partition(s); 3 would not be an increase.',
    )
    for (const wanting of ['--under-replicated-partitions', '--unavailable-partitions'])
      await eventually(`there are no ${wanting}`, async () =>
        lines(await run(topics, '--describe', wanting)).length === 0 ? true : undefined,
      )
    await run(topics, '--delete', '--topic', 'managed')
    const describe = ['--bootstrap-server', cluster.bootstrap, '--describe', '--topic', 'managed']
    await eventually('it is gone', async () => {
      const isListed = lines(await run(topics, '--list')).includes('managed')
      const { output } = await tools.run(topics, ...describe)
      return (!isListed && output.includes("Topic 'managed' does not exist")) || undefined
    })
  })

  test('kafka-configs describes and alters settings of topics, a broker and all brokers', async () => {
    await create('configured')
    const entity = ['--entity-type', 'topics', '--entity-name', 'configured']
    await run(configs, '--alter', ...entity, '--add-config', 'retention.ms=60000,cleanup.policy=[compact,delete]')
    const shown = 'retention.ms=60000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=60000'
    await says(shown, configs, '--describe', ...entity)
    await says('cleanup.policy=compact,delete', configs, '--describe', ...entity)
    await run(configs, '--alter', ...entity, '--delete-config', 'retention.ms')
    await eventually('it is the default again', async () =>
      (await run(configs, '--describe', ...entity)).includes('retention.ms=60000') ? undefined : true,
    )
    expect(await refused(configs, '--alter', ...entity, '--add-config', 'retention.ms=soon')).toMatch(
      /Invalid value soon for configuration retention.ms/,
    )
    const broker = ['--entity-type', 'brokers', '--entity-name', '1']
    await run(configs, '--alter', ...broker, '--add-config', 'log.cleaner.threads=2')
    await says('log.cleaner.threads=2', configs, '--describe', ...broker)
    await run(
      configs,
      '--alter',
      '--entity-type',
      'brokers',
      '--entity-default',
      '--add-config',
      'log.retention.ms=70000',
    )
    await says('log.retention.ms=70000', configs, '--describe', '--entity-type', 'brokers', '--entity-default')
    await says('node.id=1', configs, '--describe', ...broker, '--all')
  })

  test.each(['0', '1', 'all'])(
    'kafka-producer-perf writes with acks=%s and kafka-consumer-perf reads it',
    async acks => {
      const topic = `perf-${acks}`
      await create(topic)
      expect(await produce(topic, 300, `acks=${acks}`, `enable.idempotence=${acks === 'all'}`)).toContain(
        '300 records sent',
      )
      await eventually('all records', async () => ((await end(topic))[0] === `${topic}:0:300` ? true : undefined))
      expect(
        lines(await consume(topic, 300, `${topic}-group`))
          .at(-1)
          ?.split(', ')[4],
      ).toBe('300')
    },
  )

  test('kafka-get-offsets shows the first, the last and those of a time', async () => {
    await create('offsets')
    await produce('offsets', 50)
    expect(await end('offsets')).toEqual(['offsets:0:50'])
    const at = async (time: string): Promise<string[]> =>
      lines(await run('GetOffsetShell', '--topic-partitions', 'offsets:0', '--time', time))
    expect(await at('earliest')).toEqual(['offsets:0:0'])
    expect(await at('1000')).toEqual(['offsets:0:0'])
    expect(await at('max-timestamp')).toEqual([expect.stringMatching(/^offsets:0:\d+$/)])
    // Nothing is that late, and nothing is what the tool prints.
    expect(await at('9999999999999')).toEqual([])
  })

  test('kafka-consumer-groups lists, describes, resets and deletes', async () => {
    await create('grouped')
    await produce('grouped', 40)
    await consume('grouped', 40, 'tool-group')
    expect(lines(await run(groups, '--list'))).toContain('tool-group')
    expect(await run(groups, '--list', '--state')).toMatch(/tool-group\s+Empty/)
    const row = async (): Promise<string[]> =>
      lines(await run(groups, '--describe', '--group', 'tool-group'))
        .find(line => line.startsWith('tool-group'))
        ?.split(/\s+/)
        .slice(0, 6) ?? []
    expect(await row()).toEqual(['tool-group', 'grouped', '0', '40', '40', '0'])
    const reset = ['--reset-offsets', '--group', 'tool-group', '--topic', 'grouped']
    expect(await run(groups, ...reset, '--shift-by', '-15', '--dry-run')).toMatch(/grouped\s+0\s+25/)
    await run(groups, ...reset, '--to-earliest', '--execute')
    expect(await row()).toEqual(['tool-group', 'grouped', '0', '0', '40', '40'])
    await run(groups, ...reset, '--to-datetime', '2020-01-01T00:00:00.000', '--execute')
    expect((await row())[3]).toBe('0')
    await run(groups, ...reset, '--to-offset', '7', '--execute')
    expect((await row())[3]).toBe('7')
    expect(await run(groups, '--delete', '--group', 'tool-group')).toContain('was successful')
    expect(lines(await run(groups, '--list'))).not.toContain('tool-group')
    // The tool says so and still exits with 0.
    expect(await run(groups, '--describe', '--group', 'tool-group')).toContain('GroupIdNotFoundException')
  })

  describe('kafka-metadata-quorum', () => {
    test.each([
      ['a broker', '--bootstrap-server', () => cluster.bootstrap],
      ['a controller', '--bootstrap-controller', () => cluster.controllers],
    ])('describes the quorum by way of %s', async (_, flag, address) => {
      const status = await tools.succeed('MetadataQuorumCommand', flag, address(), 'describe', '--status')
      expect(status).toContain(`ClusterId:              ${cluster.clusterId}`)
      expect(status).toMatch(/LeaderId:\s+[123]\n/)
      expect(status).toMatch(/CurrentVoters:\s+\[.*1.*2.*3.*\]/)
      const replication = await tools.succeed('MetadataQuorumCommand', flag, address(), 'describe', '--replication')
      expect(lines(replication).filter(line => /\b(Leader|Follower)\s*$/.test(line))).toHaveLength(3)
    })
  })

  test('kafka-log-dirs tells where the logs of a broker are, how large they are, and how full the volume is', async () => {
    await create('measured', 2)
    await produce('measured', 30)
    interface Described {
      brokers: { broker: number; logDirs: { logDir: string; error: string | null; partitions: object[] }[] }[]
    }
    // A follower makes its log when it hears that it is one.
    const described = await eventually('both partitions', async () => {
      const output = await run('LogDirsCommand', '--describe', '--broker-list', '2', '--topic-list', 'measured')
      const found = JSON.parse(output.split('\n').find(line => line.startsWith('{')) ?? '') as Described
      return found.brokers[0]?.logDirs[0]?.partitions.length === 2 ? found : undefined
    })
    expect(described.brokers.map(({ broker }) => broker)).toEqual([2])
    const [logDir] = described.brokers[0]!.logDirs
    expect(logDir).toMatchObject({ logDir: cluster.broker(2).dataDirectory, error: null })
    const partitions = logDir!.partitions as { partition: string; size: number; isFuture: boolean }[]
    expect(partitions.map(({ partition }) => partition).sort()).toEqual(['measured-0', 'measured-1'])
    expect(partitions.reduce((sum, { size }) => sum + size, 0)).toBeGreaterThan(30 * 200)
  })

  test('kafka-leader-election and kafka-cluster', async () => {
    await create('elected')
    const election = await tools.run(
      'LeaderElectionCommand',
      ...[
        '--bootstrap-server',
        cluster.bootstrap,
        '--election-type',
        'preferred',
        '--topic',
        'elected',
        '--partition',
        '0',
      ],
    )
    expect(election.output).toMatch(/Valid replica already elected for partitions elected-0|Successfully completed/)
    expect(await tools.succeed('ClusterTool', 'cluster-id', '--bootstrap-server', cluster.bootstrap)).toContain(
      `Cluster ID: ${cluster.clusterId}`,
    )
    expect(await tools.succeed('ClusterTool', 'list-endpoints', '--bootstrap-server', cluster.bootstrap)).toMatch(
      new RegExp(`1\\s+127.0.0.1\\s+${cluster.broker().port}`),
    )
  })

  test('kafka-verifiable-producer and -consumer agree on what was written', async () => {
    await create('verified')
    // Says how it ends only when its JVM does.
    const { code, output } = await runJava('org.apache.kafka.tools.VerifiableProducer', [
      ...['--bootstrap-server', cluster.bootstrap, '--topic', 'verified', '--max-messages', '60', '--acks', '-1'],
    ])
    expect(code).toBe(0)
    const produced = lines(output).map(line => JSON.parse(line) as { name: string; acked?: number })
    expect(produced.filter(({ name }) => name === 'producer_send_success')).toHaveLength(60)
    expect(produced.at(-1)).toMatchObject({ name: 'tool_data', sent: 60, acked: 60 })
    const consumed = lines(
      await run(
        'VerifiableConsumer',
        ...['--topic', 'verified', '--group-id', 'verifiable', '--max-messages', '60', '--reset-policy', 'earliest'],
        ...['--group-protocol', 'classic', '--enable-autocommit'],
      ),
    ).map(line => JSON.parse(line) as { name: string; count?: number })
    const counts = consumed.filter(({ name }) => name === 'records_consumed').map(({ count }) => count ?? 0)
    expect(counts.reduce((sum, each) => sum + each, 0)).toBe(60)
  })
})
