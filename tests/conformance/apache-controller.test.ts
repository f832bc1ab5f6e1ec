/**
 * Our brokers in a quorum that Apache Kafka leads: a controller of Apache Kafka, formatted with its own defaults (every feature at its newest
 * level), and three brokers of ours. They register, lead, follow, fail and come back there, and its tools see nothing unusual.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith, kafkaJars } from '#tests/machine.ts'
import { quickJava } from '#tests/quick-java.ts'
import { BrokerProcess, eventually, freePort } from './harness.ts'
import { KafkaTools, runJava } from './java.ts'

const topics = 'TopicCommand'
const host = '127.0.0.1'

/** `kafka.Kafka` with the role controller. */
class ApacheController {
  readonly port: number
  readonly #directory: string
  #child: ChildProcess | undefined
  #output = ''

  constructor(directory: string, port: number) {
    this.#directory = directory
    this.port = port
  }

  async start(clusterId: string): Promise<void> {
    mkdirSync(this.#directory, { recursive: true })
    const file = path.join(this.#directory, 'controller.properties')
    const settings = {
      'process.roles': 'controller',
      'node.id': '100',
      'controller.quorum.voters': `100@${host}:${this.port}`,
      listeners: `CONTROLLER://${host}:${this.port}`,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      'log.dirs': path.join(this.#directory, 'data'),
    }
    writeFileSync(
      file,
      Object.entries(settings)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    )
    const { code, output } = await runJava('kafka.tools.StorageTool', ['format', '-t', clusterId, '-c', file])
    if (code !== 0) throw new Error(`the controller could not be formatted:\n${output}`)
    this.#child = spawn('java', ['-Xmx256m', ...quickJava, '-cp', `${kafkaJars}/*`, 'kafka.Kafka', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (chunk: string) => (this.#output += chunk))
  }

  get output(): string {
    return this.#output
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
}

describeWith(['java', 'apache-kafka', 'kcat'], 'brokers under a controller of Apache Kafka', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-apache-controller-'))
  let controller: ApacheController
  let brokers: BrokerProcess[] = []
  let tools: KafkaTools

  const broker = (id: number): BrokerProcess => brokers[id - 1]!
  const addresses = (): string => brokers.map(({ port }) => `${host}:${port}`).join(',')
  const run = (tool: string, ...args: string[]): Promise<string> =>
    tools.succeed(tool, '--bootstrap-server', addresses(), ...args)
  const produce = (topic: string, values: readonly number[]): void => {
    execFileSync('kcat', ['-b', addresses(), '-t', topic, '-P', '-X', 'acks=all'], {
      input: values.map(value => `${value}\n`).join(''),
      stdio: ['pipe', 'ignore', 'ignore'],
      timeout: 180_000,
    })
  }
  const consume = (topic: string): number[] =>
    execFileSync('kcat', ['-b', addresses(), '-t', topic, '-C', '-e', '-q', '-o', 'beginning'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 180_000,
    })
      .split('\n')
      .filter(line => line !== '')
      .map(Number)
      .sort((first, second) => first - second)
  const numbers = (from: number, to: number): number[] =>
    Array.from({ length: to - from + 1 }, (_, index) => from + index)
  /** Fields of the one partition of a topic, as kafka-topics tells them. */
  const partitionOf = async (topic: string) => {
    const described = await run(topics, '--describe', '--topic', topic)
    const field = (name: string) => new RegExp(`\\t${name}: ?([^\\t\\n]*)`).exec(described)?.[1]?.trim() ?? ''
    const list = (name: string) =>
      field(name)
        .split(',')
        .filter(id => id !== '')
        .map(Number)
        .sort((first, second) => first - second)
    return { leader: Number(field('Leader')), isr: list('Isr'), elr: list('Elr') }
  }

  const allInSync = () =>
    eventually('all in sync, and nobody eligible beside them', async () => {
      const { isr, elr } = await partitionOf('shared')
      return isr.length === 3 && elr.length === 0 ? true : undefined
    })

  beforeAll(async () => {
    const clusterId = 'MkU3OEVBNTcwNTJENDM2Qg'
    tools = new KafkaTools()
    controller = new ApacheController(path.join(directory, '100'), await freePort())
    await controller.start(clusterId)
    for (let id = 1; id <= 3; id++) {
      const each = new BrokerProcess(id, path.join(directory, String(id)), [await freePort(), 0, await freePort()])
      each.configure({
        'process.roles': 'broker',
        'node.id': String(id),
        'cluster.id': clusterId,
        'controller.quorum.voters': `100@${host}:${controller.port}`,
        listeners: `PLAINTEXT://${host}:${each.port}`,
        'controller.listener.names': 'CONTROLLER',
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
        'offsets.topic.num.partitions': '4',
        'group.initial.rebalance.delay.ms': '0',
      })
      brokers.push(each)
    }
    await Promise.all(brokers.map(each => each.start()))
    await run(
      topics,
      '--create',
      '--topic',
      'shared',
      '--replica-assignment',
      '1:2:3',
      '--config',
      'min.insync.replicas=2',
    )
  })

  afterAll(async () => {
    await tools?.stop()
    await Promise.all(brokers.map(each => each.kill()))
    await controller?.stop()
    brokers = []
    rmSync(directory, { recursive: true, force: true })
  })

  test('serve what kcat writes and reads, in groups too', async () => {
    produce('shared', numbers(1, 500))
    expect(consume('shared')).toEqual(numbers(1, 500))
    const group = ['--num-records', '500', '--timeout', '120000', '--group', 'readers']
    const read = await run('ConsumerPerformance', '--topic', 'shared', ...group)
    expect(read.trim().split('\n').at(-1)?.split(', ')[4]).toBe('500')
    await allInSync()
    expect(await partitionOf('shared')).toMatchObject({ leader: 1, elr: [] })
  })

  test('lose a leader to another broker, and take it back into the in-sync set', async () => {
    await broker(1).kill()
    await eventually('another leader', async () => ((await partitionOf('shared')).leader > 1 ? true : undefined))
    produce('shared', numbers(501, 600))
    await broker(1).start()
    await allInSync()
    expect(consume('shared')).toEqual(numbers(1, 600))
  })

  test('are eligible leaders when too few are in sync, and lead again from there', async () => {
    const { leader } = await partitionOf('shared')
    const [first, second] = [1, 2, 3].filter(id => id !== leader)
    await broker(first!).kill()
    await eventually('one out of sync', async () => ((await partitionOf('shared')).isr.length === 2 ? true : undefined))
    await broker(second!).kill()
    const alone = await eventually('two out of sync', async () => {
      const seen = await partitionOf('shared')
      return seen.isr.length === 1 ? seen : undefined
    })
    expect(alone).toEqual({ leader, isr: [leader], elr: [second] })
    await Promise.all([broker(first!).start(), broker(second!).start()])
    await allInSync()
    expect(consume('shared')).toEqual(numbers(1, 600))
  })
})
