/**
 * Access control and quotas as operators set them with Apache Kafka's tools, and as its clients feel them. All clients here are
 * User:ANONYMOUS: resources without entries are open to everyone, so that only what the tests write decides.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'
import { KafkaTools } from './java.ts'

const acls = 'org.apache.kafka.tools.AclCommand'
const configs = 'kafka.admin.ConfigCommand'
const topics = 'TopicCommand'

describeWith(['java', 'apache-kafka'], 'a cluster with an authorizer', () => {
  let cluster: Cluster
  let tools: KafkaTools

  beforeAll(async () => {
    tools = new KafkaTools()
    cluster = await startCluster({
      settings: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'allow.everyone.if.no.acl.found': 'true',
      },
    })
  })

  afterAll(async () => {
    await tools?.stop()
    await cluster?.stop()
  })

  const run = (tool: string, ...args: string[]): Promise<string> =>
    tools.succeed(tool, '--bootstrap-server', cluster.bootstrap, ...args)
  const acl = (...args: string[]): Promise<string> => run(acls, ...args)
  const create = (topic: string): Promise<string> => run(topics, '--create', '--topic', topic, '--partitions', '1')
  /** The controller has answered; the broker goes by it a moment later. */
  const says = (what: RegExp | string, ask: () => Promise<string>): Promise<string> =>
    eventually(`it says ${what}`, async () => {
      const output = await ask()
      return (typeof what === 'string' ? output.includes(what) : what.test(output)) ? output : undefined
    })
  const saysNot = (what: RegExp | string, ask: () => Promise<string>): Promise<string> =>
    eventually(`it says no more ${what}`, async () => {
      const output = await ask()
      return (typeof what === 'string' ? output.includes(what) : what.test(output)) ? undefined : output
    })
  const perf = (topic: string, bytes: number, ...more: string[]): readonly [string, ...string[]] => [
    'ProducerPerformance',
    '--topic',
    topic,
    '--num-records',
    '1',
    '--record-size',
    String(bytes),
    '--throughput',
    '-1',
    ...more,
    '--producer-props',
    `bootstrap.servers=${cluster.bootstrap}`,
    'enable.idempotence=false',
    'linger.ms=0',
  ]
  const produce = (topic: string) => tools.run(...perf(topic, 1_000))
  const written = async (topic: string): Promise<string> => (await produce(topic)).output
  const consume = async (topic: string) => {
    const { output } = await tools.run(
      'ConsumerPerformance',
      '--bootstrap-server',
      cluster.bootstrap,
      '--topic',
      topic,
      ...['--num-records', '1', '--timeout', '60000', '--group', `readers-of-${topic}`],
    )
    return output
  }
  /** Tools end with different codes when a client fails; what the client said is the same. */
  const mayNot = /TopicAuthorizationException|Not authorized to access topics/

  test('kafka-acls --add and --list say what Apache Kafka says; --remove takes it back', async () => {
    await create('listed')
    const added = await acl('--add', '--allow-principal', 'User:alice', '--operation', 'Read', '--topic', 'listed')
    expect(added).toContain('ResourcePattern(resourceType=TOPIC, name=listed, patternType=LITERAL)')
    const right = '(principal=User:alice, host=*, operation=READ, permissionType=ALLOW)'
    await says(right, () => acl('--list', '--topic', 'listed'))
    await acl(
      '--add',
      '--deny-principal',
      'User:bob',
      '--deny-host',
      '10.0.0.1',
      '--operation',
      'Write',
      '--topic',
      'lis',
      '--resource-pattern-type',
      'prefixed',
    )
    const match = ['--list', '--topic', 'listed', '--resource-pattern-type', 'match']
    const matching = await says('name=lis, patternType=PREFIXED', () => acl(...match))
    expect(matching).toContain('(principal=User:bob, host=10.0.0.1, operation=WRITE, permissionType=DENY)')
    expect(await acl('--list', '--topic', 'listed')).not.toContain('bob')
    await acl('--remove', '--force', '--topic', 'listed')
    await acl('--remove', '--force', '--topic', 'lis', '--resource-pattern-type', 'prefixed')
    await saysNot(/alice|bob/, () => acl('--list'))
  })

  test('a producer and a consumer get in with the right, and not without', async () => {
    await create('guarded')
    expect((await produce('guarded')).code).toBe(0)
    await acl('--add', '--allow-principal', 'User:alice', '--operation', 'All', '--topic', 'guarded')
    await says(mayNot, () => written('guarded'))
    expect(await consume('guarded')).toMatch(mayNot)
    await acl('--add', '--allow-principal', 'User:ANONYMOUS', '--producer', '--topic', 'guarded')
    await saysNot(mayNot, () => written('guarded'))
    expect(await consume('guarded')).toMatch(mayNot)
    await acl('--add', '--allow-principal', 'User:ANONYMOUS', '--consumer', '--group', '*', '--topic', 'guarded')
    const read = await saysNot(mayNot, () => consume('guarded'))
    expect(Number(read.trim().split('\n').at(-1)?.split(', ')[4])).toBeGreaterThan(0)
    await acl('--add', '--deny-principal', 'User:*', '--operation', 'Read', '--topic', 'guarded')
    await says(mayNot, () => consume('guarded'))
    expect((await produce('guarded')).code).toBe(0)
  })

  test('a topic that one may not describe is not listed', async () => {
    await create('secret')
    await acl('--add', '--allow-principal', 'User:alice', '--operation', 'Describe', '--topic', 'secret')
    await saysNot('secret', () => run(topics, '--list'))
    await acl('--add', '--allow-principal', 'User:ANONYMOUS', '--operation', 'Read', '--topic', 'secret')
    await says('secret', () => run(topics, '--list'))
    const more = ['--alter', '--topic', 'secret', '--partitions', '2']
    const { output } = await tools.run(topics, '--bootstrap-server', cluster.bootstrap, ...more)
    expect(output).toMatch(mayNot)
  })

  test('kafka-configs sets and describes quotas of users, clients, both, and addresses', async () => {
    const alter = (entity: string[], config: string) => run(configs, '--alter', ...entity, '--add-config', config)
    await alter(['--entity-type', 'users', '--entity-name', 'bob'], 'producer_byte_rate=1024,request_percentage=50')
    await alter(['--entity-type', 'clients', '--entity-default'], 'consumer_byte_rate=2048')
    await alter(
      ['--entity-type', 'users', '--entity-name', 'bob', '--entity-type', 'clients', '--entity-name', 'app'],
      'controller_mutation_rate=3',
    )
    await alter(['--entity-type', 'ips', '--entity-name', '10.0.0.1'], 'connection_creation_rate=5')
    // Goes on to ask for SCRAM credentials, which are not this test's.
    const whose = ['--describe', '--entity-type', 'users']
    const described = (type: string) => () => run(configs, '--describe', '--entity-type', type)
    await says(
      /user-principal 'bob' are .*(producer_byte_rate=1024.0.*request_percentage=50.0|request_percentage=50.0.*producer_byte_rate=1024.0)/,
      async () => (await tools.run(configs, '--bootstrap-server', cluster.bootstrap, ...whose)).output,
    )
    await says('consumer_byte_rate=2048.0', described('clients'))
    await says('connection_creation_rate=5.0', described('ips'))
    const removal = ['--alter', '--entity-type', 'clients', '--entity-default', '--delete-config', 'consumer_byte_rate']
    await run(configs, ...removal)
    await saysNot('consumer_byte_rate', described('clients'))
    const wrong = await tools.run(
      configs,
      '--bootstrap-server',
      cluster.bootstrap,
      '--alter',
      '--entity-type',
      'users',
      '--entity-name',
      'bob',
      '--add-config',
      'producer_byte_rate=0',
    )
    expect(wrong.output).toContain('must be greater than 0')
  })

  test('a producer beyond its quota is slowed down, and its metrics say so', async () => {
    await create('slow')
    const entity = ['--entity-type', 'clients', '--entity-name', 'perf-producer-client']
    await run(configs, '--alter', ...entity, '--add-config', 'producer_byte_rate=20000')
    // 300 KB at once against 200 KB in the window of ten seconds.
    await eventually('a producer is slowed down', async () => {
      const output = await tools.succeed(...perf('slow', 300_000, '--print-metrics'))
      const throttle = /produce-throttle-time-max\S*\s*:\s*([\d.]+)/.exec(output)
      return Number(throttle?.[1]) > 0 || undefined
    })
    await run(configs, '--alter', ...entity, '--delete-config', 'producer_byte_rate')
  })

  test('topics beyond the quota on changes are refused until the tokens are back', async () => {
    const entity = ['--entity-type', 'users', '--entity-name', 'ANONYMOUS']
    await run(configs, '--alter', ...entity, '--add-config', 'controller_mutation_rate=1')
    const whose = ['--describe', '--entity-type', 'users', '--entity-name', 'ANONYMOUS']
    await says('controller_mutation_rate=1.0', async () => {
      const { output } = await tools.run(configs, '--bootstrap-server', cluster.bootstrap, ...whose)
      return output
    })
    // One a second: a minute and more until it is somebody's turn again.
    await run(topics, '--create', '--topic', 'large', '--partitions', '100')
    const at = ['--bootstrap-server', cluster.bootstrap]
    const second = await tools.run(topics, ...at, '--create', '--topic', 'second', '--partitions', '1')
    expect(second.output).toMatch(/ThrottlingQuotaExceeded|throttling quota has been exceeded/)
    await run(configs, '--alter', ...entity, '--delete-config', 'controller_mutation_rate')
    await eventually('topics can be made again', async () => {
      const made = await tools.run(topics, ...at, '--create', '--topic', 'second', '--partitions', '1')
      return made.code === 0 || undefined
    })
  })
})
