/** Features, settings, log levels and client metrics with Apache Kafka's own tools and clients, and against its own broker. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { startApacheKafka, type ApacheKafka } from './apache-kafka.ts'
import { isReference, oursAlone } from './engine.ts'
import { eventually, sizedSettings, startCluster, type Cluster } from './harness.ts'
import { compile, KafkaTools, runJava } from './java.ts'

const configs = 'kafka.admin.ConfigCommand'
const lines = (text: string): string[] => text.split('\n').filter(line => line.trim() !== '')

interface Described {
  readonly resource: string
  readonly name: string
  readonly value: string | null
  readonly source: string
  readonly type: string
  readonly readOnly: boolean
  readonly sensitive: boolean
  readonly synonyms: readonly string[]
}

/** Given to both brokers: the same unit of time in two forms, a list, a secret, and what neither of them knows. */
const settings = {
  'log.roll.hours': '24',
  'log.retention.ms': '3600000',
  'log.cleanup.policy': 'delete,compact',
  'ssl.key.password': 'secret',
  'delegation.token.secret.key': 'secret',
  'unknown.setting': '5',
  'listener.name.plaintext.max.connections': '700',
  'inter.broker.listener.name': 'PLAINTEXT',
}
/** Where the two brokers are. */
const places = new Set(['listeners', 'controller.quorum.voters', 'log.dirs', 'cluster.id', 'inspector.listener'])

describeWith(['java', 'apache-kafka'], 'an operator with Apache Kafka’s tools', () => {
  let cluster: Cluster
  let tools: KafkaTools
  let kafka: ApacheKafka | undefined

  beforeAll(async () => {
    tools = new KafkaTools()
    cluster = await startCluster({ settings })
  })
  afterAll(async () => {
    await tools?.stop()
    await cluster?.stop()
    await kafka?.stop()
  })

  const run = (tool: string, ...args: string[]): Promise<string> =>
    tools.succeed(tool, '--bootstrap-server', cluster.bootstrap, ...args)
  /** The controller answers; the brokers show it a moment later. */
  const describes = (words: string, ...args: string[]): Promise<true> =>
    eventually(`--describe says ${words}`, async () =>
      (await run(configs, '--describe', ...args)).includes(words) ? true : undefined,
    )
  const refused = async (tool: string, ...args: string[]): Promise<string> => {
    const { code, output } = await tools.run(tool, '--bootstrap-server', cluster.bootstrap, ...args)
    if (code === 0) throw new Error(`${tool} ${args.join(' ')} was not refused:\n${output}`)
    return output
  }

  const asKafka = 'finds every setting with the value, type, sources and synonyms of Apache Kafka’s broker'
  test.skipIf(isReference)(oursAlone(asKafka, 'would be compared with itself'), async () => {
    const classes = compile('Describe')
    kafka = await startApacheKafka({ ...sizedSettings(1), ...settings }, [
      '--feature',
      'eligible.leader.replicas.version=0',
    ])
    const described = async (bootstrap: string): Promise<Described[]> => {
      const { code, output } = await runJava('Describe', [bootstrap], classes)
      if (code !== 0) throw new Error(output)
      return lines(output)
        .filter(line => line.startsWith('{'))
        .map(line => JSON.parse(line) as Described)
        .filter(({ name }) => !places.has(name))
    }
    const [theirs, ours] = [await described(kafka.bootstrap), await described(cluster.bootstrap)]
    expect(theirs.length).toBeGreaterThan(380)
    expect(ours).toEqual(theirs)
  })

  test('sees, raises and lowers feature levels', async () => {
    const feature = async (name: string) =>
      lines(await run('FeatureCommand', 'describe'))
        .find(line => line.startsWith(`Feature: ${name} `))
        ?.replaceAll(/\s+/g, ' ')
    expect(await feature('metadata.version')).toMatch(
      /SupportedMinVersion: 3\.3-IV3 SupportedMaxVersion: 4\.3-IV0 FinalizedVersionLevel: 4\.3-IV0 Epoch: \d+/,
    )
    expect(await feature('kraft.version')).toMatch(/SupportedMinVersion: 0 .*FinalizedVersionLevel: 0/)
    const before = /FinalizedVersionLevel: (\d)/.exec((await feature('streams.version')) ?? '')?.[1]
    const flip = async (level: string) =>
      run('FeatureCommand', level > '0' ? 'upgrade' : 'downgrade', '--feature', `streams.version=${level}`)
    for (const level of before === '1' ? ['0', '1'] : ['1', '0']) {
      expect(await flip(level)).toContain(`streams.version was ${level > '0' ? 'up' : 'down'}graded to ${level}`)
      await eventually(`streams.version is ${level}`, async () =>
        (await feature('streams.version'))?.includes(`FinalizedVersionLevel: ${level}`) === true ? true : undefined,
      )
    }
    expect(await refused('FeatureCommand', 'upgrade', '--feature', 'streams.version=7')).toContain(
      'Invalid update version 7 for feature streams.version. Local controller 1 only supports versions 0-1',
    )
    expect(await refused('FeatureCommand', 'downgrade', '--metadata', '3.9-IV0')).toContain(
      'Refusing to perform the requested downgrade because it might delete metadata information.',
    )
  })

  test('changes log levels, settings of groups and of brokers', async () => {
    const logger = ['--entity-type', 'broker-loggers', '--entity-name', '1']
    await run(configs, '--alter', ...logger, '--add-config', 'root=WARN')
    expect(await run(configs, '--describe', ...logger)).toContain('root=WARN sensitive=false synonyms={}')
    expect(await refused(configs, '--alter', ...logger, '--add-config', 'root=LOUD')).toContain(
      'not a supported log level',
    )
    await run(configs, '--alter', ...logger, '--add-config', 'root=INFO')

    const group = ['--entity-type', 'groups', '--entity-name', 'tuned']
    await run(configs, '--alter', ...group, '--add-config', 'consumer.session.timeout.ms=50000')
    await describes(
      'consumer.session.timeout.ms=50000 sensitive=false synonyms={DYNAMIC_GROUP_CONFIG:consumer.session.timeout.ms=50000, DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000}',
      ...group,
    )
    expect(await refused(configs, '--alter', ...group, '--add-config', 'consumer.session.timeout.ms=1')).toContain(
      'consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms',
    )

    const everyBroker = ['--entity-type', 'brokers', '--entity-default']
    await run(configs, '--alter', ...everyBroker, '--add-config', 'message.max.bytes=2000000')
    await describes('message.max.bytes=2000000', ...everyBroker)
    expect(await refused(configs, '--alter', ...everyBroker, '--add-config', 'node.id=9')).toContain(
      'Cannot update these configs dynamically',
    )
    await run(configs, '--alter', ...everyBroker, '--delete-config', 'message.max.bytes')
  })

  test('lists and changes client metrics subscriptions', async () => {
    const tool = 'ClientMetricsCommand'
    await run(tool, '--alter', '--name', 'slow', '--metrics', 'org.apache.kafka.consumer.', '--interval', '60000')
    const isListed = async (): Promise<boolean> => lines(await run(tool, '--list')).includes('slow')
    await eventually('it is listed', async () => ((await isListed()) ? true : undefined))
    expect(await run(tool, '--describe', '--name', 'slow')).toMatch(/interval\.ms=60000/)
    await run(tool, '--delete', '--name', 'slow')
    await eventually('it is gone', async () => ((await isListed()) ? undefined : true))
  })

  test.skipIf(isReference)(
    oursAlone('finds the metrics of a Java producer at /metrics, once it is asked for them', 'no inspector'),
    async () => {
      const classes = compile('Telemetry')
      const { output } = await runJava('Telemetry', [cluster.bootstrap, cluster.broker().metricsAddress], classes)
      expect(output).toMatch(/^ok kafka_client_org_apache_kafka_producer_\w+\{.*client_id="measured-1"/m)
    },
  )
})
