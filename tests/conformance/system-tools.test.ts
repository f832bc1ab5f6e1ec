/**
 * The programs with which Apache Kafka tests itself (compatibility, latency, transactional copying, share consumers, replicas that agree) and
 * the tools that look into groups, transactions and the logs of the coordinators, against three processes.
 */
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'
import { KafkaTools, metadataShellJars, runJava } from './java.ts'

const tool = (name: string): string => `org.apache.kafka.tools.${name}`
const groups = tool('consumer.group.ConsumerGroupCommand')
const lines = (text: string): string[] => text.split('\n').filter(line => line.trim() !== '')

describeWith(['java', 'apache-kafka', 'maven'], 'the programs that Apache Kafka tests itself with', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'faultline-tools-'))
  let cluster: Cluster
  let tools: KafkaTools

  beforeAll(async () => {
    tools = new KafkaTools()
    cluster = await startCluster({
      brokers: 3,
      settings: {
        'share.coordinator.state.topic.replication.factor': '3',
        'share.coordinator.state.topic.min.isr': '2',
        'share.coordinator.state.topic.num.partitions': '3',
      },
    })
  })

  afterAll(async () => {
    await tools?.stop()
    await cluster?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const run = (name: string, ...args: string[]): Promise<string> =>
    tools.succeed(name, '--bootstrap-server', cluster.bootstrap, ...args)
  /** Any broker answers what is asked next. */
  const create = async (topic: string): Promise<void> => {
    await run('TopicCommand', '--create', '--topic', topic, '--partitions', '1', '--replication-factor', '3')
    await cluster.untilAllKnow(topic)
  }
  const says = (as: RegExp, ...args: string[]): Promise<true> =>
    eventually(`${args.join(' ')} says ${as.source}`, async () =>
      as.test(await run(args[0] ?? '', ...args.slice(1))) ? true : undefined,
    )
  /** In a JVM of its own, for programs that end theirs or go on in threads. */
  const alone = async (name: string, ...args: string[]): Promise<string> => {
    const { code, output } = await runJava(tool(name), args)
    if (code !== 0) throw new Error(`${name} ended with ${code}:\n${output}`)
    return output
  }
  const produce = (topic: string, count: number): Promise<string> =>
    tools.succeed(
      'ProducerPerformance',
      ...['--topic', topic, '--num-records', String(count), '--record-size', '100', '--throughput', '-1'],
      ...['--producer-props', `bootstrap.servers=${cluster.bootstrap}`],
    )
  const consume = (topic: string, count: number, group: string): Promise<string> =>
    tools.consume(cluster.bootstrap, topic, count, group)

  test('ClientCompatibilityTest finds everything that clients of 4.3 expect', async () => {
    await create('compatible')
    const supported = ['offsets-for-times', 'cluster-id', 'create-topics', 'describe-configs', 'idempotent-producer']
    const output = await alone(
      'ClientCompatibilityTest',
      ...['--bootstrap-server', cluster.bootstrap, '--topic', 'compatible', '--num-cluster-nodes', '3'],
      ...supported.flatMap(each => [`--${each}-supported`, 'true']),
      ...['--describe-acls-supported', 'true', '--expect-record-too-large-exception', 'false'],
    )
    expect(output).toContain('SUCCESS')
  })

  test('EndToEndLatency gets back each record before it writes the next', async () => {
    const output = await alone('EndToEndLatency', cluster.bootstrap, 'latency', '50', 'all', '100')
    expect(output).toMatch(/Avg latency: [\d.]+ ms/)
    expect(output).toMatch(/Percentiles: 50th = \d+, 99th = \d+, 99.9th = \d+/)
  })

  test('TransactionalMessageCopier copies everything once, though it aborts at random', async () => {
    await create('copied')
    await create('copied-to')
    await produce('copied', 300)
    const output = await alone(
      'TransactionalMessageCopier',
      ...['--broker-list', cluster.bootstrap, '--input-topic', 'copied', '--input-partition', '0'],
      ...['--output-topic', 'copied-to', '--transactional-id', 'copier', '--consumer-group', 'copier'],
      ...['--transaction-size', '20', '--enable-random-aborts', '--group-mode', '--use-group-metadata'],
    )
    const last = JSON.parse(lines(output).at(-1) ?? '{}') as Record<string, unknown>
    expect(last).toMatchObject({ remaining: 0 })
    // It gives up after five seconds of nothing, which a busy machine may take to begin.
    const committed = ['--from-beginning', '--isolation-level', 'read_committed', '--timeout-ms', '5000']
    const reader = tool('consumer.ConsoleConsumer')
    await says(/Processed a total of 300 messages/, reader, '--topic', 'copied-to', ...committed)
  })

  test('VerifiableShareConsumer and ShareConsumerPerformance read as share groups', async () => {
    await create('shared')
    await produce('shared', 60)
    const verified = await alone(
      'VerifiableShareConsumer',
      ...['--bootstrap-server', cluster.bootstrap, '--topic', 'shared', '--group-id', 'verified'],
      ...['--max-messages', '60', '--acknowledgement-mode', 'sync', '--offset-reset-strategy', 'earliest'],
    )
    const events = lines(verified).flatMap(line =>
      line.startsWith('{') ? [JSON.parse(line) as { name: string; count?: number }] : [],
    )
    const total = (name: string): number =>
      events.filter(event => event.name === name).reduce((sum, { count }) => sum + (count ?? 0), 0)
    expect([total('records_consumed'), total('offsets_acknowledged')]).toEqual([60, 60])
    await run(
      'kafka.admin.ConfigCommand',
      ...['--alter', '--entity-type', 'groups', '--entity-name', 'measured'],
      ...['--add-config', 'share.auto.offset.reset=earliest'],
    )
    const measuredGroup = ['--entity-type', 'groups', '--entity-name', 'measured']
    await says(/share\.auto\.offset\.reset=earliest/, 'kafka.admin.ConfigCommand', '--describe', ...measuredGroup)
    const measured = await run(
      'ShareConsumerPerformance',
      ...['--topic', 'shared', '--num-records', '60', '--group', 'measured', '--timeout', '120000', '--hide-header'],
    )
    expect(lines(measured).at(-1)).toMatch(/, 60, /)
    const shares = tool('consumer.group.ShareGroupCommand')
    expect(lines(await run(shares, '--list'))).toEqual(expect.arrayContaining(['verified', 'measured']))
    // What is acknowledged counts as delivered before the start moves on.
    await says(/verified\s+shared\s+0\s+(0|60)\s+0\s/, shares, '--describe', '--group', 'verified', '--offsets')
    await says(/verified\s+.*Empty/, shares, '--describe', '--group', 'verified', '--state')
    const reset = ['--reset-offsets', '--group', 'verified', '--topic', 'shared', '--to-earliest']
    expect(await run(shares, ...reset, '--execute')).toMatch(/verified\s+shared\s+0\s+0/)
    expect(await run(shares, '--delete-offsets', '--group', 'verified', '--topic', 'shared')).toMatch(
      /shared\s+Successful/,
    )
    await run(shares, '--delete', '--group', 'verified')
    expect(lines(await run(shares, '--list'))).not.toContain('verified')
  })

  test('kafka-groups lists groups of every type, and kafka-streams-groups none', async () => {
    await create('typed')
    await produce('typed', 5)
    await consume('typed', 5, 'typed-group')
    expect(await run('GroupsCommand', '--list')).toMatch(/typed-group\s+(Classic\s+consumer|Consumer\s+consumer)/)
    expect(await run('GroupsCommand', '--list', '--consumer')).toContain('typed-group')
    expect(await run('GroupsCommand', '--list', '--share')).not.toContain('typed-group')
    expect(lines(await run(tool('streams.StreamsGroupCommand'), '--list'))).toEqual([])
  })

  test('kafka-consumer-groups resets by duration, to the latest, for all topics, and from a file that it has exported', async () => {
    await create('reset')
    await produce('reset', 30)
    await consume('reset', 30, 'reset-group')
    const reset = ['--reset-offsets', '--group', 'reset-group']
    const one = [...reset, '--topic', 'reset:0']
    expect(await run(groups, ...one, '--by-duration', 'PT1H', '--execute')).toMatch(/reset-group\s+reset\s+0\s+0/)
    expect(await run(groups, ...reset, '--all-topics', '--to-latest', '--execute')).toMatch(/reset\s+0\s+30/)
    const exported = await run(groups, ...one, '--to-offset', '12', '--dry-run', '--export')
    const plan = /^"?reset"?,0,12$/m.exec(exported)?.[0] ?? `no plan in ${exported}`
    const file = path.join(folder, 'plan.csv')
    writeFileSync(file, `${plan}\n`)
    await run(groups, ...reset, '--from-file', file, '--execute')
    expect(await run(groups, ...one, '--to-current', '--dry-run')).toMatch(/reset\s+0\s+12/)
    expect(await run(groups, '--delete-offsets', '--group', 'reset-group', '--topic', 'reset')).toMatch(
      /reset\s+0\s+Successful/,
    )
  })

  test('kafka-transactions lists, describes, finds no hanging one, and ends an open one by force', async () => {
    await create('transacted')
    await tools.succeed(
      'ProducerPerformance',
      ...['--topic', 'transacted', '--num-records', '200', '--record-size', '100', '--throughput', '-1'],
      ...['--transactional-id', 'timed', '--transaction-duration-ms', '50'],
      ...['--producer-props', `bootstrap.servers=${cluster.bootstrap}`],
    )
    const listed = (as: RegExp): Promise<true> =>
      eventually(`the list says ${as.source}`, async () =>
        as.test(await run('TransactionsCommand', 'list')) ? true : undefined,
      )
    // Its markers are still being written when a producer hears of its commit.
    await listed(/timed\s+\d+\s+\d+\s+CompleteCommit/)
    const described = await run('TransactionsCommand', 'describe', '--transactional-id', 'timed')
    expect(lines(described).at(-1)).toMatch(/^\d+\s+timed\s+\d+\s+\d+\s+CompleteCommit\s+60000/)
    const producers = await run(
      'TransactionsCommand',
      'describe-producers',
      '--topic',
      'transacted',
      '--partition',
      '0',
    )
    expect(lines(producers).at(-1)).toMatch(/^\d+\s+\d+\s+/)
    expect(lines(await run('TransactionsCommand', 'find-hanging', '--broker-id', '1'))).toHaveLength(1)
    await run('TransactionsCommand', 'forceTerminateTransaction', '--transactionalId', 'timed')
    await listed(/timed\s+\d+\s+\d+\s+Empty/)
  })

  test('kafka-dump-log reads what the coordinators have written', async () => {
    const dump = async (topic: string, decoder: string): Promise<string> => {
      const outputs: string[] = []
      for (const { dataDirectory } of cluster.brokers) {
        const logs = readdirSync(dataDirectory).filter(name => new RegExp(`^${topic}-\\d+$`).test(name))
        const files = logs.map(name => path.join(dataDirectory, name, '00000000000000000000.log')).join(',')
        outputs.push(await tools.succeed('DumpLogSegments', '--files', files, decoder))
      }
      expect(outputs.join('')).not.toMatch(/isvalid: false|could not|Exception/i)
      return outputs.join('')
    }
    const offsets = await dump('__consumer_offsets', '--offsets-decoder')
    expect(offsets).toMatch(/"type":"1","data":\{"group":"reset-group","topic":"reset","partition":0\}/)
    expect(offsets).toMatch(/"offset":30/)
    const transactions = await dump('__transaction_state', '--transaction-log-decoder')
    expect(transactions).toMatch(/"transactionalId":"timed"/)
    const shares = await dump('__share_group_state', '--share-group-state-decoder')
    expect(shares).toMatch(/"groupId":"verified"/)
  })

  test('kafka-metadata-shell finds brokers, topics and features in the metadata log', async () => {
    const jars = await metadataShellJars()
    // The shell wants a folder that no running node has locked.
    const log = path.join(folder, '00000000000000000000.log')
    const source = path.join(cluster.broker().dataDirectory, '__cluster_metadata-0', path.basename(log))
    /** It reads the file beside, and may carry out its command before it has come to the end. */
    const shows = (expected: readonly string[], ...command: string[]): Promise<true> =>
      eventually(`${command.join(' ')} shows ${expected.join()}`, async () => {
        cpSync(source, log)
        const args = ['--snapshot', log, ...command]
        const { code, output } = await runJava('org.apache.kafka.shell.MetadataShell', args, `${jars}/*`)
        if (code !== 0) throw new Error(output)
        return expected.every(each => new RegExp(`\\b${each}\\b`).test(output)) || undefined
      })
    await shows(['1', '2', '3'], 'ls', 'image/cluster/brokers')
    await shows(['transacted', '__consumer_offsets', '__transaction_state'], 'ls', 'image/topics/byName')
    await shows(['transacted'], 'cat', 'image/topics/byName/transacted/name')
    await shows(['metadataVersion'], 'ls', 'image/features')
  })

  test('the replicas of a partition are byte for byte the same', async () => {
    await create('replicated')
    await produce('replicated', 500)
    const log = (id: number): Buffer =>
      readFileSync(path.join(cluster.broker(id).dataDirectory, 'replicated-0', '00000000000000000000.log'))
    await eventually('the replicas agree', () => (log(1).equals(log(2)) && log(2).equals(log(3)) ? true : undefined))
    expect(log(1).length).toBeGreaterThan(500 * 100)
  })
})
