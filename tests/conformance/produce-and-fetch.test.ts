/**
 * The finer points of Produce and Fetch with clients that we did not write: batches stored in the codec of the topic, DeleteRecords, offsets of
 * every special time, consumers that read from the replica in their rack.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { isReference, oursAlone } from './engine.ts'
import { eventually, startCluster, type BrokerProcess, type Cluster } from './harness.ts'
import { KafkaTools, runJava } from './java.ts'

const topics = 'TopicCommand'
const lines = (text: string): string[] => text.split('\n').filter(line => line.trim() !== '')
const many = Array.from({ length: 300 }, (_, index) => `record-${index}-${'abcdefgh'.repeat(index % 40)}`)

describeWith(['java', 'apache-kafka', 'kcat'], 'the finer points of Produce and Fetch', () => {
  let cluster: Cluster
  let tools: KafkaTools
  let other: BrokerProcess
  const folder = mkdtempSync(path.join(tmpdir(), 'faultline-finer-'))

  beforeAll(async () => {
    tools = new KafkaTools()
    const selector = 'org.apache.kafka.common.replica.RackAwareReplicaSelector'
    const settings = {
      'broker.rack': 'here',
      'replica.selector.class': selector,
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
    }
    cluster = await startCluster({ brokers: 1, settings })
    other = await cluster.grow({ 'broker.rack': 'there', 'replica.selector.class': selector })
  })

  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    await tools?.stop()
    await cluster?.stop()
  })

  /** Led by the first broker, followed by the second. */
  async function create(topic: string, ...configs: string[]): Promise<void> {
    const settings = configs.flatMap(config => ['--config', config])
    const assignment = ['--replica-assignment', '1:2']
    await tools.succeed(
      topics,
      '--bootstrap-server',
      cluster.bootstrap,
      '--create',
      '--topic',
      topic,
      ...assignment,
      ...settings,
    )
    await cluster.untilAllKnow(topic)
  }

  async function kcat(args: readonly string[], input = ''): Promise<string> {
    const child = spawn('kcat', ['-b', cluster.bootstrap, ...args])
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
    child.stdin.end(input)
    const timer = setTimeout(() => child.kill('SIGKILL'), 180_000)
    const [code] = (await once(child, 'close')) as [number | null]
    clearTimeout(timer)
    if (code !== 0) throw new Error(`kcat ${args.join(' ')} ended with ${code}:\n${stderr}\n${stdout}`)
    return stdout
  }

  async function produce(topic: string, values: readonly string[], codec = 'none'): Promise<void> {
    const options = ['-X', `compression.codec=${codec}`, '-X', 'linger.ms=50', '-X', 'acks=all']
    await kcat(['-P', '-t', topic, ...options], `${values.join('\n')}\n`)
  }

  async function offset(topic: string, time: string): Promise<string> {
    const output = await tools.succeed(
      'GetOffsetShell',
      '--bootstrap-server',
      cluster.bootstrap,
      '--topic',
      topic,
      '--time',
      time,
    )
    return output.trim()
  }

  test.each([
    ['snappy', 'gzip', 'GZIP'],
    ['gzip', 'snappy', 'SNAPPY'],
    ['zstd', 'lz4', 'LZ4'],
    ['none', 'zstd', 'ZSTD'],
    ['lz4', 'uncompressed', 'NONE'],
  ])('what kcat sends as %s is stored as %s, and Java reads it back', async (from, to, stored) => {
    const topic = `from-${from}-to-${to}`
    await create(topic, `compression.type=${to}`)
    await produce(topic, many, from)
    const read = ['--topic', topic, '--from-beginning', '--max-messages', String(many.length), '--timeout-ms', '120000']
    const { output } = await runJava('org.apache.kafka.tools.consumer.ConsoleConsumer', [
      '--bootstrap-server',
      cluster.bootstrap,
      ...read,
    ])
    expect(lines(output).filter(line => line.startsWith('record'))).toEqual(many)
    const file = path.join(cluster.broker().dataDirectory, `${topic}-0`, '00000000000000000000.log')
    const dump = await runJava('org.apache.kafka.tools.DumpLogSegments', ['--files', file, '--deep-iteration'])
    expect(dump.output).toMatch(new RegExp(`compresscodec: ${stored}`, 'i'))
    expect(dump.output).toContain('isvalid: true')
  })

  test('kafka-delete-records cuts the log on every replica', async () => {
    await create('shortened')
    await produce('shortened', ['a', 'b', 'c', 'd'])
    const file = path.join(folder, 'offsets.json')
    writeFileSync(file, JSON.stringify({ version: 1, partitions: [{ topic: 'shortened', partition: 0, offset: 3 }] }))
    const output = await tools.succeed(
      'DeleteRecordsCommand',
      '--bootstrap-server',
      cluster.bootstrap,
      '--offset-json-file',
      file,
    )
    expect(output).toContain('partition: shortened-0\tlow_watermark: 3')
    expect(lines(await kcat(['-C', '-t', 'shortened', '-o', 'beginning', '-e', '-q']))).toEqual(['d'])
    // Apache Kafka tells a follower's start only in a checkpoint, a minute later.
    if (isReference) return
    const { partitions } = (await other.state()) as { partitions: { topic: string; logStartOffset: number }[] }
    expect(partitions.find(each => each.topic === 'shortened')?.logStartOffset).toBe(3)
  })

  test('kafka-get-offsets answers every special time, also inside of compressed batches', async () => {
    await create('timed')
    await produce('timed', ['a', 'b', 'c'], 'lz4')
    expect(await offset('timed', 'latest')).toBe('timed:0:3')
    expect(await offset('timed', 'earliest')).toBe('timed:0:0')
    expect(await offset('timed', 'earliest-local')).toBe('timed:0:0')
    expect(await offset('timed', 'max-timestamp')).toMatch(/^timed:0:[012]$/)
    expect(await offset('timed', String(Date.now() - 3_600_000))).toBe('timed:0:0')
    expect(await offset('timed', String(Date.now() + 3_600_000))).toMatch(/^timed:0:?$|^$/)
  })

  test.skipIf(isReference)(
    oursAlone('a consumer of librdkafka reads from the replica in its rack', 'no ledger of requests'),
    async () => {
      await create('nearby')
      await produce('nearby', many)
      const fetches = async (): Promise<number> =>
        (await other.requests())
          .filter(({ apiKey, software }) => apiKey === 1 && software === 'librdkafka')
          .reduce((sum, { requests }) => sum + requests, 0)
      const before = await fetches()
      // A follower hears of the high watermark after the leader has told the producer.
      const from = ['-C', '-t', 'nearby', '-o', 'beginning', '-e', '-q', '-X', 'client.rack=there']
      const read = await eventually('all can be read', async () => {
        const found = lines(await kcat(from))
        return found.length >= many.length ? found : undefined
      })
      expect(read).toEqual(many)
      expect(
        await eventually('fetches at the follower', async () => ((await fetches()) > before ? true : undefined)),
      ).toBe(true)
    },
  )

  test('a log of transactions is sound to DumpLogSegments, read_committed to the end, and its producer is described', async () => {
    await create('transacted')
    await tools.succeed(
      'ProducerPerformance',
      ...['--topic', 'transacted', '--num-records', '2000', '--record-size', '100', '--throughput', '2000'],
      ...['--transactional-id', 'measured', '--transaction-duration-ms', '100'],
      ...['--producer-props', `bootstrap.servers=${cluster.bootstrap}`],
    )
    // The markers of the last transaction are written when its producer has been told already.
    const at = ['--topic', 'transacted', '--partition', '0']
    await eventually('nothing is open', async () => {
      const describe = ['--bootstrap-server', cluster.bootstrap, 'describe-producers', ...at]
      const described = lines(await tools.succeed('TransactionsCommand', ...describe)).at(-1) ?? ''
      return /^\d+\s+\d+\s+\d+\s+-?\d+\s+\d+\s+None/.test(described) || undefined
    })
    const committed = ['-X', 'isolation.level=read_committed']
    const read = await kcat(['-C', '-t', 'transacted', '-o', 'beginning', '-e', '-q', ...committed])
    expect(lines(read)).toHaveLength(2000)
    for (const broker of [cluster.broker(), other]) {
      const file = path.join(broker.dataDirectory, 'transacted-0', '00000000000000000000.log')
      const dump = await runJava('org.apache.kafka.tools.DumpLogSegments', ['--files', file, '--print-data-log'])
      expect(dump.output).toContain('endTxnMarker: COMMIT')
      expect(dump.output).toContain('isTransactional: true')
      expect(dump.output).not.toMatch(/isvalid: false|non-consecutive|mismatch/i)
    }
  })
})
