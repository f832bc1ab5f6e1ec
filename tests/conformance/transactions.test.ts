/**
 * Transactions of clients and tools that we did not write, besides Kafka's Java clients (transactions-java.test.ts): kafkajs, librdkafka by
 * way of kcat, kafka-transactions and kafka-producer-perf-test.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Kafka, logLevel, type PartitionMetadata, type Producer } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { partitionOf } from '#broker/coordinator/runtime/java-hash.ts'
import { describeWith } from '#tests/machine.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'
import { KafkaTools } from './java.ts'
import { createTopics, partitionsWhen, subscribe } from '#tests/topics.ts'

let cluster: Cluster
let kafka: Kafka

beforeAll(async () => {
  cluster = await startCluster({
    brokers: 3,
    settings: {
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
      'broker.session.timeout.ms': '3000',
      'broker.heartbeat.interval.ms': '500',
    },
  })
  kafka = new Kafka({
    clientId: 'kafkajs',
    brokers: cluster.addresses,
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 40 },
  })
})

afterAll(async () => {
  await cluster?.stop()
})

async function create(topic: string, numPartitions = 1): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await createTopics(admin, [{ topic, numPartitions, replicationFactor: 3 }])
  await cluster.untilAllKnow(topic)
  await admin.disconnect()
}

async function transactional(transactionalId: string, options: { timeoutMs?: number } = {}): Promise<Producer> {
  const producer = kafka.producer({
    transactionalId,
    idempotent: true,
    maxInFlightRequests: 1,
    ...(options.timeoutMs === undefined ? {} : { transactionTimeout: options.timeoutMs }),
  })
  await producer.connect()
  return producer
}

/** All values that read_committed (or not) shows, once there are `count` of them. */
async function read(topic: string, count: number, { uncommitted = false } = {}): Promise<string[]> {
  const groupId = `reader-${topic}-${count}-${uncommitted}`
  const consumer = kafka.consumer({ groupId, readUncommitted: uncommitted, maxWaitTimeInMs: 100 })
  const values: string[] = []
  await consumer.connect()
  await subscribe(consumer, topic)
  await consumer.run({
    eachMessage: ({ message }) => {
      values.push(String(message.value))
      return Promise.resolve()
    },
  })
  await eventually(`${count} records of ${topic}`, () => (values.length >= count ? values : undefined))
  await consumer.disconnect()
  return values.toSorted()
}

describe('kafkajs', () => {
  test('shows records of a transaction once it is committed, and never those of an aborted one', async () => {
    await create('js-outcomes', 2)
    const producer = await transactional('js-outcomes')
    const send = async (prefix: string) => {
      const transaction = await producer.transaction()
      for (const partition of [0, 1])
        await transaction.send({ topic: 'js-outcomes', messages: [{ partition, value: `${prefix}-${partition}` }] })
      return transaction
    }
    await (await send('a')).commit()
    await (await send('b')).abort()
    await (await send('c')).commit()
    await producer.disconnect()
    expect(await read('js-outcomes', 4)).toEqual(['a-0', 'a-1', 'c-0', 'c-1'])
    expect(await read('js-outcomes', 6, { uncommitted: true })).toContain('b-0')
  })

  test('moves the offsets of a group with the transaction, and not with an aborted one', async () => {
    await create('js-offsets')
    const producer = await transactional('js-offsets')
    const admin = kafka.admin()
    await admin.connect()
    const commit = async (offset: string, ends: 'commit' | 'abort') => {
      const transaction = await producer.transaction()
      // kafkajs waits for the end of the transaction before when it sends records, and not when it sends offsets.
      await transaction.send({ topic: 'js-offsets', messages: [{ value: offset }] })
      const topics = [{ topic: 'js-offsets', partitions: [{ partition: 0, offset }] }]
      await transaction.sendOffsets({ consumerGroupId: 'js-offsets', topics })
      await transaction[ends]()
    }
    const offset = async () => (await admin.fetchOffsets({ groupId: 'js-offsets' }))[0]?.partitions[0]?.offset
    await commit('5', 'commit')
    await eventually('offset 5', async () => ((await offset()) === '5' ? true : undefined))
    await commit('9', 'abort')
    await commit('7', 'commit')
    await eventually('offset 7', async () => ((await offset()) === '7' ? true : undefined))
    await admin.disconnect()
    await producer.disconnect()
  })

  test('is fenced by a second producer with its transactional id', async () => {
    await create('js-fencing')
    const first = await transactional('js-fencing')
    const transaction = await first.transaction()
    await transaction.send({ topic: 'js-fencing', messages: [{ value: 'first' }] })
    const second = await transactional('js-fencing')
    const other = await second.transaction()
    await other.send({ topic: 'js-fencing', messages: [{ value: 'second' }] })
    await other.commit()
    await expect(transaction.commit()).rejects.toThrow(/epoch|fenced/i)
    expect(await read('js-fencing', 1)).toEqual(['second'])
    await first.disconnect()
    await second.disconnect()
  })

  test('goes on with a transaction whose coordinator was killed', async () => {
    await create('js-failover', 3)
    const producer = await transactional('js-failover')
    const transaction = await producer.transaction()
    const send = (value: string) =>
      transaction.send({ topic: 'js-failover', messages: [0, 1, 2].map(partition => ({ partition, value })) })
    await send('before')
    const coordinator = await coordinatorOf('js-failover')
    await cluster.broker(coordinator).kill()
    await eventually('another coordinator', async () =>
      (await coordinatorOf('js-failover')) === coordinator ? undefined : true,
    )
    await send('after')
    await transaction.commit()
    await producer.disconnect()
    await cluster.broker(coordinator).start()
    expect(await read('js-failover', 6)).toEqual(['after', 'after', 'after', 'before', 'before', 'before'])
  })
})

/** By way of the topic: kafkajs has no public method to ask for it. */
async function coordinatorOf(transactionalId: string): Promise<number> {
  const admin = kafka.admin()
  await admin.connect()
  const leaderOf = (partitions: readonly PartitionMetadata[]): number =>
    partitions[partitionOf(transactionalId, partitions.length)]?.leader ?? -1
  const what = `${transactionalId} has a coordinator`
  const found = await partitionsWhen(admin, '__transaction_state', all => leaderOf(all) >= 0, { what })
  await admin.disconnect()
  return leaderOf(found)
}

describeWith(['kcat'], 'kcat', () => {
  async function kcat(args: readonly string[], input = ''): Promise<{ stdout: string; stderr: string }> {
    const child = spawn('kcat', ['-b', cluster.bootstrap, ...args])
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
    child.stdin.end(input)
    const timer = setTimeout(() => child.kill('SIGKILL'), 180_000)
    const [code] = (await once(child, 'close')) as [number | null]
    clearTimeout(timer)
    if (code !== 0) throw new Error(`kcat ${args.join(' ')} ended with ${code}:\n${stderr}`)
    return { stdout, stderr }
  }
  const show = async (topic: string, isolation: string) =>
    (await kcat(['-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-X', `isolation.level=${isolation}`])).stdout.split(
      '\n',
    )

  test('with read_committed leaves out aborted records and waits before open transactions', async () => {
    await create('kcat-isolation')
    const producer = await transactional('kcat-isolation')
    const write = async (value: string) => {
      const transaction = await producer.transaction()
      await transaction.send({ topic: 'kcat-isolation', messages: [{ value }] })
      return transaction
    }
    await (await write('committed')).commit()
    await (await write('aborted')).abort()
    const open = await write('open')
    const plain = kafka.producer()
    await plain.connect()
    await plain.send({ topic: 'kcat-isolation', messages: [{ value: 'plain' }] })
    expect(await show('kcat-isolation', 'read_committed')).toEqual(['committed', ''])
    expect(await show('kcat-isolation', 'read_uncommitted')).toEqual(['committed', 'aborted', 'open', 'plain', ''])
    await open.commit()
    await eventually('the rest', async () =>
      (await show('kcat-isolation', 'read_committed')).join() === 'committed,open,plain,' ? true : undefined,
    )
    await plain.disconnect()
    await producer.disconnect()
  })
})

describeWith(['java', 'apache-kafka'], 'Apache Kafka’s tools', () => {
  let tools: KafkaTools
  beforeAll(() => {
    tools = new KafkaTools()
  })
  afterAll(async () => {
    await tools?.stop()
  })
  const transactions = (...args: string[]): Promise<string> =>
    tools.succeed('TransactionsCommand', '--bootstrap-server', cluster.bootstrap, ...args)

  test('kafka-transactions lists, describes and finds, and aborts what is open in a partition', async () => {
    await create('tool-open')
    const producer = await transactional('tool-open')
    const transaction = await producer.transaction()
    await transaction.send({ topic: 'tool-open', messages: [{ value: 'open' }] })
    expect(await transactions('list')).toMatch(/tool-open\s+\d+\s+\d+\s+Ongoing/)
    expect(await transactions('list', '--duration-filter', '3600000')).not.toMatch(/tool-open\s.*Ongoing/)
    expect(await transactions('list', '--transactional-id-pattern', 'tool-.*')).toContain('tool-open')
    expect(await transactions('list', '--transactional-id-pattern', 'tool')).not.toContain('tool-open')
    const described = await transactions('describe', '--transactional-id', 'tool-open')
    expect(described).toMatch(/tool-open\s+\d+\s+0\s+Ongoing\s+60000/)
    expect(described).toContain('tool-open-0')
    const producers = await transactions('describe-producers', '--topic', 'tool-open', '--partition', '0')
    expect(producers).toMatch(/\d+\s+0\s/)
    expect(await transactions('find-hanging', '--topic', 'tool-open')).not.toMatch(/tool-open\s+0/)
    await transactions('abort', '--topic', 'tool-open', '--partition', '0', '--start-offset', '0')
    const plain = kafka.producer()
    await plain.connect()
    await plain.send({ topic: 'tool-open', messages: [{ value: 'plain' }] })
    await plain.disconnect()
    expect(await read('tool-open', 1)).toEqual(['plain'])
    await producer.disconnect()
  })

  test('kafka-producer-perf-test writes in transactions', async () => {
    await create('tool-perf', 3)
    const output = await tools.succeed(
      'ProducerPerformance',
      ...['--topic', 'tool-perf', '--num-records', '2000', '--record-size', '100', '--throughput', '-1'],
      ...['--transactional-id', 'tool-perf', '--transaction-duration-ms', '100'],
      ...['--producer-props', `bootstrap.servers=${cluster.bootstrap}`],
    )
    expect(output).toContain('2000 records sent')
    expect(await read('tool-perf', 2000)).toHaveLength(2000)
  })
})
