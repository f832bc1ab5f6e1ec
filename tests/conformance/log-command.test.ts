/**
 * `./faultline log` beside Apache Kafka's own tool, and on directories that Apache Kafka wrote: the same batches, offsets, positions and
 * checksums as DumpLogSegments, on whole and on damaged files; nothing to find fault with in what a broker of Apache Kafka leaves, also after
 * a kill, and every record of its internal topics in words.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeDisk } from '#broker/environment/node/disk.ts'
import { dumpFile } from '#scripts/log-files/dump.ts'
import { takeDirectory } from '#scripts/log-files/in-use.ts'
import { filesAt } from '#scripts/log-files/places.ts'
import { verifyPlace } from '#scripts/log-files/verify-place.ts'
import { describeWith } from '#tests/machine.ts'
import { sampleLog } from '#tests/scripts/log-files/sample-log.ts'
import type { SampleLog } from '#tests/scripts/log-files/sample-log.ts'
import { createTopics, patiently, topicOffsets } from '#tests/topics.ts'
import { startApacheKafka } from './apache-kafka.ts'
import { runJava } from './java.ts'

interface Batch {
  readonly position: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly recordsCount: number
  readonly crc: number
  readonly sizeBytes: number
}

function refusalOf(run: () => unknown): unknown {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}

/** The batches of files as DumpLogSegments prints them. */
async function kafkaBatches(files: readonly string[]): Promise<Record<string, Batch[]>> {
  const { output } = await runJava('org.apache.kafka.tools.DumpLogSegments', ['--files', files.join(',')])
  const found: Record<string, Batch[]> = {}
  for (const section of output.split(/^Dumping /m).slice(1)) {
    const file = section.slice(0, section.indexOf('\n'))
    found[file] = [
      ...section.matchAll(
        /^baseOffset: (\d+) lastOffset: (\d+) count: (\d+) .*? position: (\d+) .*? size: (\d+) .*? crc: (\d+) isvalid: true$/gm,
      ),
    ].map(([, baseOffset, lastOffset, recordsCount, position, sizeBytes, crc]) => ({
      position: Number(position),
      baseOffset: Number(baseOffset),
      lastOffset: Number(lastOffset),
      recordsCount: Number(recordsCount),
      crc: Number(crc),
      sizeBytes: Number(sizeBytes),
    }))
  }
  return found
}

function ourBatches(root: string): Record<string, Batch[]> {
  const found: Record<string, Batch[]> = {}
  for (const { file, partition } of filesAt(nodeDisk, root)) {
    if (file.kind !== 'log') continue
    found[file.path] = [...dumpFile(nodeDisk, file, { records: false, partition })]
      .map(({ document }) => document)
      .filter(document => document['isValid'] === true)
      .map(document => ({
        position: Number(document['position']),
        baseOffset: Number(document['baseOffset']),
        lastOffset: Number(document['lastOffset']),
        recordsCount: Number(document['recordsCount']),
        crc: Number(document['crc']),
        sizeBytes: Number(document['sizeBytes']),
      }))
  }
  return found
}

describeWith(['java', 'apache-kafka'], 'beside DumpLogSegments', () => {
  let sample: SampleLog
  beforeAll(() => {
    sample = sampleLog()
  })
  afterAll(() => sample.remove())

  test('the same batches with the same offsets, positions and checksums', async () => {
    const ours = ourBatches(sample.root)
    expect(await kafkaBatches(Object.keys(ours))).toEqual(ours)
    expect(Object.values(ours).flat().length).toBe(107)
  })

  test('the same batch is damaged, and the others are not', async () => {
    const file = path.join(
      sample.log,
      readdirSync(sample.log)
        .filter(name => name.endsWith('.log'))
        .sort()[0]!,
    )
    const bytes = readFileSync(file)
    const before = ourBatches(sample.root)[file]!
    bytes[before[3]!.position + 75]! ^= 1
    writeFileSync(file, bytes)
    const ours = ourBatches(file)
    expect(ours[file]).toEqual(before.filter(batch => batch !== before[3]))
    expect(await kafkaBatches([file])).toEqual(ours)
  })
})

describeWith(['java', 'apache-kafka'], 'on a directory that Apache Kafka wrote', () => {
  const parent = mkdtempSync(path.join(tmpdir(), 'faultline-kafka-made-'))
  const root = path.join(parent, 'data')

  /** What a repair says while the broker runs. */
  let refusal: unknown

  beforeAll(async () => {
    const kafka = await startApacheKafka({
      'log.dirs': root,
      'offsets.topic.num.partitions': '1',
      'offsets.topic.replication.factor': '1',
      'transaction.state.log.num.partitions': '1',
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
      'log.segment.bytes': '1048576',
      'group.initial.rebalance.delay.ms': '0',
    })
    try {
      await work(kafka.bootstrap)
      refusal = refusalOf(() => takeDirectory(nodeDisk, { path: root }))
    } finally {
      await kafka.stop()
    }
  })
  afterAll(() => rmSync(parent, { recursive: true, force: true }))

  /** Records of every kind over several segments, transactions of either outcome, and a group that commits. */
  async function work(bootstrap: string): Promise<void> {
    const kafka = new Kafka({
      clientId: 'log-command',
      brokers: [bootstrap],
      logLevel: logLevel.NOTHING,
      retry: { retries: 100 },
    })
    const admin = kafka.admin()
    await admin.connect()
    await createTopics(admin, [{ topic: 'made-by-kafka', numPartitions: 1, replicationFactor: 1 }])
    const producer = kafka.producer({ idempotent: true })
    await producer.connect()
    for (let round = 0; round < 30; round++) {
      const messages = Array.from({ length: 100 }, (_, index) => ({
        key: `k${index}`,
        value: 'v'.repeat(1000),
        headers: { round: `${round}` },
      }))
      const compression = round % 2 === 0 ? CompressionTypes.None : CompressionTypes.GZIP
      await producer.send({ topic: 'made-by-kafka', acks: -1, compression, messages })
    }
    await producer.disconnect()
    const transactional = kafka.producer({ transactionalId: 'maker', idempotent: true, maxInFlightRequests: 1 })
    await transactional.connect()
    for (const outcome of ['commit', 'abort', 'commit'] as const) {
      const transaction = await transactional.transaction()
      await transaction.send({ topic: 'made-by-kafka', messages: [{ key: outcome, value: outcome }] })
      await transaction[outcome]()
    }
    await transactional.disconnect()
    const consumer = kafka.consumer({ groupId: 'readers' })
    await consumer.connect()
    await consumer.subscribe({ topic: 'made-by-kafka', fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      let seen = 0
      consumer.run({ eachMessage: () => Promise.resolve(++seen === 3_000 ? resolve() : undefined) }).catch(reject)
    })
    await consumer.disconnect()
    // The marker of the last transaction is written when its producer has been told already; a kill would take it away.
    await patiently('every marker is there', async () => {
      const [partition] = await topicOffsets(admin, 'made-by-kafka')
      return partition?.high === String(3_000 + 3 + 3) || undefined
    })
    await admin.disconnect()
  }

  test('a repair refuses while the broker of Apache Kafka runs, and not when it is gone', () => {
    expect(String(refusal)).toMatch(/A broker uses .* \(process \d+ holds it\)/)
    expect(refusalOf(() => takeDirectory(nodeDisk, { path: root }).release())).toBeUndefined()
  })

  test('nothing is damaged, though the broker was killed', () => {
    const { problems, partitions } = verifyPlace(nodeDisk, root, { records: true, progress: () => {} })
    expect(problems.filter(({ severity }) => severity === 'damage')).toEqual([])
    const made = partitions.filter(({ directory }) => directory.partition.topic === 'made-by-kafka')
    expect(made.reduce((sum, { log }) => sum + log.records, 0)).toBe(3_000 + 3 + 3)
    expect(made.some(({ directory }) => directory.baseOffsets.length > 1)).toBe(true)
    expect(made.flatMap(({ log }) => [...log.aborted.values()].flat())).toHaveLength(1)
  })

  test('the same batches with the same offsets, positions and checksums', async () => {
    const ours = ourBatches(root)
    const theirs = await kafkaBatches(Object.keys(ours).filter(file => statSync(file).size > 0))
    for (const [file, batches] of Object.entries(theirs))
      expect({ file, batches }).toEqual({ file, batches: ours[file] })
    expect(Object.keys(theirs).length).toBeGreaterThan(4)
  })

  test('every record of the metadata, of groups and of transactions is told in words', () => {
    const types = new Map<string, number>()
    for (const { file, partition } of filesAt(nodeDisk, root)) {
      if (file.kind !== 'log' && file.kind !== 'metadata-snapshot') continue
      for (const { document, isDamaged } of dumpFile(nodeDisk, file, { records: true, partition })) {
        expect(isDamaged).toBeUndefined()
        for (const { decoded } of document['records'] as { decoded?: { type: string; problem?: string } }[]) {
          if (decoded === undefined) continue
          expect(decoded.problem).toBeUndefined()
          types.set(decoded.type, (types.get(decoded.type) ?? 0) + 1)
        }
      }
    }
    for (const type of [
      'TopicRecord',
      'RegisterBrokerRecord',
      'OffsetCommit',
      'GroupMetadata',
      'TransactionLog',
      'leader change',
      'commit marker',
      'abort marker',
    ])
      expect([type, (types.get(type) ?? 0) > 0]).toEqual([type, true])
  })
})
