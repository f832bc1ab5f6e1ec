/**
 * Groups of Kafka's own Java consumers, in both protocols, and what kafka-consumer-groups.sh says of them and does to them.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { startCluster, type Cluster } from './harness.ts'
import { compile, KafkaTools, runJava } from './java.ts'

const groupCommand = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'

describeWith(['java', 'apache-kafka'], 'groups of Kafka’s Java consumers', () => {
  let cluster: Cluster
  let classes: string
  let tools: KafkaTools

  beforeAll(async () => {
    classes = compile('Groups')
    tools = new KafkaTools()
    // A static member that was closed is still there when the last test asks, however long the others take.
    const patience = {
      'group.consumer.max.session.timeout.ms': '600000',
      'group.consumer.session.timeout.ms': '600000',
    }
    cluster = await startCluster({ settings: patience })
  })

  afterAll(async () => {
    await tools?.stop()
    await cluster?.stop()
  })

  const scenario = async (name: string): Promise<void> => {
    const { code, output } = await runJava('Groups', [cluster.bootstrap, name], classes)
    expect(output).toContain(`passed ${name}`)
    expect(code).toBe(0)
  }

  test('share partitions in the consumer protocol, follow new partitions, commit and are described', () =>
    scenario('consumer'))

  test('subscribe by pattern, and get topics that come later', () => scenario('pattern'))

  test('keep the partitions of a static member that restarts', () => scenario('static'))

  test('move from the classic protocol to the new one and back, and lose no record', () => scenario('migrate'))

  test('are listed with their type, reset and deleted by kafka-consumer-groups.sh', async () => {
    const run = (...args: string[]): Promise<string> =>
      tools.succeed(groupCommand, '--bootstrap-server', cluster.bootstrap, ...args)
    expect(await run('--list')).toMatch(/^static-group$/m)
    expect(await run('--list', '--type', 'consumer')).toMatch(/^static-group\s+Consumer/m)
    expect(await run('--describe', '--group', 'moving-group')).toMatch(/^moving-group\s+moving\s+0\s+20\s+20\s+0/m)
    // Static members that closed are away, not gone: their session keeps their place.
    expect(await run('--describe', '--group', 'static-group', '--state')).toMatch(/^static-group\s.*\suniform\s.*\s2/m)
    expect(await run('--describe', '--group', 'moving-group', '--state')).toMatch(/^moving-group\s.*\sEmpty\s+0/m)
    const reset = ['--reset-offsets', '--group', 'moving-group', '--topic', 'moving', '--to-earliest', '--execute']
    expect(await run(...reset)).toMatch(/^moving-group\s+moving\s+0\s+0/m)
    expect(await run('--delete-offsets', '--group', 'moving-group', '--topic', 'moving')).toMatch(
      /^moving\s+0\s+Successful/m,
    )
    expect(await run('--delete', '--group', 'moving-group')).toContain('was successful')
    expect(await run('--list')).not.toMatch(/^moving-group$/m)
  })
})
