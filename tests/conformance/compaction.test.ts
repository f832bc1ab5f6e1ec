/**
 * What compaction leaves of a topic, batch by batch: of keys, tombstones, transactions that were committed and aborted, compressed batches;
 * as clients read it, and as Apache Kafka's DumpLogSegments finds it in the files of the broker. Each append begins a segment, since the
 * timestamps of the records are further apart than segment.ms: so the cleaner has something to clean, and every offset is known beforehand.
 */
import { readdirSync } from 'node:fs'
import path from 'node:path'
import {
  CompressionTypes,
  ConfigResourceTypes,
  Kafka,
  logLevel,
  type Admin,
  type Message,
  type Producer,
} from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeDisk } from '#broker/environment/node/disk.ts'
import { verifyPlace } from '#scripts/log-files/verify-place.ts'
import { describeWith } from '#tests/machine.ts'
import { startCluster, type Cluster } from './harness.ts'
import { runJava } from './java.ts'
import { createTopics } from '#tests/topics.ts'

const topic = 'compacted'
const day = 86_400_000
// Later than the markers, which are dated by the broker; no later than message.timestamp.after.max.ms.
const startMs = Date.now() + 600_000

const entries = (policy: string, deleteRetentionMs: number) =>
  Object.entries({
    'cleanup.policy': policy,
    'min.cleanable.dirty.ratio': '0.01',
    'segment.ms': '5000',
    'delete.retention.ms': String(deleteRetentionMs),
  }).map(([name, value]) => ({ name, value }))

describeWith(['java', 'apache-kafka'], 'a compacted topic', () => {
  let cluster: Cluster
  let kafka: Kafka
  let admin: Admin
  let producer: Producer
  let segments = 0

  beforeAll(async () => {
    cluster = await startCluster({ settings: { 'log.cleaner.backoff.ms': '100' } })
    kafka = new Kafka({ brokers: cluster.addresses, logLevel: logLevel.NOTHING })
    admin = kafka.admin()
    producer = kafka.producer()
    await Promise.all([admin.connect(), producer.connect()])
    await createTopics(admin, [{ topic, numPartitions: 1, configEntries: entries('delete', day) }])
  })

  afterAll(async () => {
    await producer?.disconnect()
    await admin?.disconnect()
    await cluster?.stop()
  })

  const record = (key: string, value: string | null): Message => ({
    key,
    value,
    timestamp: String(startMs + segments * 10_000),
  })

  async function send(records: [key: string, value: string | null][], compression = CompressionTypes.None) {
    segments++
    const messages = records.map(([key, value]) => record(key, value))
    await producer.send({ topic, messages, compression })
  }

  async function transaction(id: string, key: string, value: string, outcome: 'commit' | 'abort'): Promise<void> {
    segments++
    const transactional = kafka.producer({ transactionalId: id, maxInFlightRequests: 1, idempotent: true })
    await transactional.connect()
    const begun = await transactional.transaction()
    await begun.send({ topic, messages: [record(key, value)] })
    await begun[outcome]()
    await transactional.disconnect()
  }

  /** Every batch of the partition, in Kafka's own words; the tool must find nothing wrong with them. */
  async function batches(): Promise<string[]> {
    const directory = path.join(cluster.broker().dataDirectory, `${topic}-0`)
    const files = readdirSync(directory)
      .filter(name => name.endsWith('.log'))
      .sort()
      .map(name => path.join(directory, name))
    const { code, output } = await runJava('org.apache.kafka.tools.DumpLogSegments', [
      '--deep-iteration',
      '--files',
      files.join(','),
    ])
    // A segment that was replaced meanwhile.
    if (code !== 0 && output.includes('NoSuchFileException')) return []
    expect([code, /corrupt|mismatch|invalid|Exception/i.exec(output)?.[0]]).toEqual([0, undefined])
    return output.split('\n').flatMap(line => {
      const batch =
        /^baseOffset: (\d+) lastOffset: (\d+) count: (\d+) .* isControl: (\w+) deleteHorizonMs: (\S+) .* compresscodec: (\w+) .* isvalid: (\w+)/.exec(
          line,
        )
      if (batch === null) return []
      const [, base, last, count, isControl, horizon, codec, isValid] = batch
      expect(isValid).toBe('true')
      const kind = isControl === 'true' ? 'marker' : codec!
      return [`${base}-${last} ${count} ${kind}${horizon?.startsWith('OptionalLong[') === true ? ' horizon' : ''}`]
    })
  }

  /** Offset, key and value of all that a reader of committed records sees. */
  async function readAll(): Promise<string[]> {
    const consumer = kafka.consumer({ groupId: `reader-${segments}-${Math.random()}` })
    const [end] = (await admin.fetchTopicOffsets(topic)) as { high: string }[]
    const seen: string[] = []
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
      void consumer.run({
        eachBatchAutoResolve: true,
        eachBatch: async ({ batch }) => {
          for (const { offset, key, value } of batch.messages) seen.push(`${offset} ${String(key)}=${String(value)}`)
          if (Number(batch.lastOffset()) >= Number(end!.high) - 1) resolve()
        },
      })
    })
    await consumer.disconnect()
    return seen
  }

  /** Once there are these batches; else the last that were found. */
  async function whenCleanedTo(expected: readonly string[]): Promise<string[]> {
    let found: string[] = []
    const deadlineMs = Date.now() + 180_000
    while (Date.now() < deadlineMs) {
      found = await batches()
      if (found.join() === expected.join()) break
    }
    return found
  }

  const alter = (policy: string, deleteRetentionMs: number) =>
    admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: entries(policy, deleteRetentionMs) }],
    })

  test('keeps the newest record of each key, markers while they are needed, and the last batch of each producer', async () => {
    await send([
      ['a', '1'],
      ['b', '1'],
    ])
    await send([['a', '2']])
    await send([['b', null]])
    await transaction('committing', 'c', '1', 'commit')
    await transaction('aborting', 'a', 'never', 'abort')
    await send(
      [
        ['d', '1'],
        ['e', '1'],
      ],
      CompressionTypes.GZIP,
    )
    await send([['d', '2']])
    await send([['active', '1']])
    await alter('compact', day)
    const expected = [
      '2-2 1 none',
      '3-3 1 none horizon',
      '4-4 1 none',
      '5-5 1 marker',
      '6-6 0 none',
      '7-7 1 marker',
      '8-9 1 gzip',
      '10-10 1 none',
      '11-11 1 none',
    ]
    expect(await whenCleanedTo(expected)).toEqual(expected)
    expect(await readAll()).toEqual(['2 a=2', '3 b=null', '4 c=1', '9 e=1', '10 d=2', '11 active=1'])
  })

  test('drops a tombstone in the cleaning after the one that marked it, once delete.retention.ms is over', async () => {
    await alter('compact', 0)
    await send([['a', null]])
    await send([['active', '2']])
    const kept = [
      '3-3 1 none horizon',
      '4-4 1 none',
      '5-5 1 marker',
      '6-6 0 none',
      '7-7 1 marker',
      '8-9 1 gzip',
      '10-10 1 none',
    ]
    const marked = [...kept, '11-11 1 none', '12-12 1 none horizon', '13-13 1 none']
    expect(await whenCleanedTo(marked)).toEqual(marked)
    await send([['active', '3']])
    const dropped = [...kept, '13-13 1 none', '14-14 1 none']
    expect(await whenCleanedTo(dropped)).toEqual(dropped)
    expect(await readAll()).toEqual(['3 b=null', '4 c=1', '9 e=1', '10 d=2', '13 active=2', '14 active=3'])
  })

  test('leaves nothing that ./faultline log verify calls damaged', async () => {
    await producer.disconnect()
    await admin.disconnect()
    const { dataDirectory } = cluster.broker()
    await cluster.broker().stop()
    const { problems, partitions } = verifyPlace(nodeDisk, dataDirectory, { records: true, progress: () => {} })
    expect(problems.filter(({ severity }) => severity === 'damage')).toEqual([])
    const found = partitions.find(({ directory }) => directory.partition.topic === topic)
    expect(found?.log.records).toBeLessThan(found!.log.logEndOffset)
  })
})
