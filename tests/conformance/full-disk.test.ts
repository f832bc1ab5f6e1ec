/**
 * A real volume without space under a real client: everything of the node, its metadata log too, lies on a tmpfs of 48 MB. Producers are
 * refused with a retriable error, reads go on, and when there is space again so do the writes, in the same process.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Kafka, KafkaJSError, logLevel, type Producer } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WireClient } from '#scripts/cluster/wire.ts'
import { fetchFrom } from '#scripts/cluster/wire-requests.ts'
import { describeWith } from '#tests/machine.ts'
import { createTopics } from '#tests/topics.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'

const topic = 'crowded'
const valueBytes = 256 * 1024

const kafkaOf = (cluster: Cluster): Kafka => new Kafka({ brokers: cluster.addresses, logLevel: logLevel.NOTHING })

describeWith(['mount'], 'a broker on a volume without space', () => {
  const volume = mkdtempSync(path.join(tmpdir(), 'faultline-volume-'))
  const ballast = path.join(volume, 'ballast')
  let cluster: Cluster
  let producer: Producer
  const acknowledged: string[] = []

  beforeAll(async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'faultline', volume])
    writeFileSync(ballast, Buffer.alloc(16 * 1024 * 1024))
    const settings = {
      'log.dirs': path.join(volume, 'data'),
      'log.segment.bytes': String(4 * 1024 * 1024),
      'log.retention.check.interval.ms': '1000',
    }
    cluster = await startCluster({ settings })
    const kafka = kafkaOf(cluster)
    const admin = kafka.admin()
    await admin.connect()
    await createTopics(admin, [{ topic, numPartitions: 1 }])
    await admin.disconnect()
    producer = kafka.producer({ retry: { retries: 0 }, allowAutoTopicCreation: false })
    await producer.connect()
  })

  afterAll(async () => {
    await producer?.disconnect()
    await cluster?.stop()
    execFileSync('umount', [volume])
    rmSync(volume, { recursive: true, force: true })
  })

  const send = async (): Promise<void> => {
    const name = `record ${acknowledged.length}`
    const value = name.padEnd(valueBytes, '.')
    await producer.send({ topic, acks: -1, messages: [{ key: name, value }] })
    acknowledged.push(name)
  }
  /** Sends until it is refused. */
  const refusal = async (): Promise<KafkaJSError> => {
    for (let sent = 0; sent < 1_000; sent++) {
      try {
        await send()
      } catch (error) {
        if (error instanceof KafkaJSError) return error
        throw error
      }
    }
    throw new Error('a volume of 48 MB took 250 MB')
  }
  /** Names of the records, read one batch after the other. */
  const readAll = async (): Promise<string[]> => {
    const client = await WireClient.open({ host: '127.0.0.1', port: cluster.broker().port })
    try {
      const found: string[] = []
      for (let offset = 0; ; offset++) {
        const { errorCode, batches } = await fetchFrom(client, { topic, partition: 0, offset }, 100)
        if (errorCode !== 0) throw new Error(`fetch at ${offset}: error ${errorCode}`)
        const name = /record \d+/.exec(batches.toString('latin1'))?.[0]
        if (name === undefined) return found
        found.push(name)
      }
    } finally {
      client.close()
    }
  }

  test('refuses producers with KAFKA_STORAGE_ERROR, serves what it acknowledged, and goes on with the space', async () => {
    const { pid } = cluster.broker()
    const refused = await refusal()
    expect(refused.cause).toMatchObject({ type: 'KAFKA_STORAGE_ERROR', retriable: true })
    expect(acknowledged.length).toBeGreaterThan(50)
    expect(statfsSync(volume).bavail * statfsSync(volume).bsize).toBeLessThan(4 * 1024 * 1024)
    const read = await readAll()
    expect(read.slice(0, acknowledged.length)).toEqual(acknowledged)
    expect(await cluster.broker().isHealthy()).toBe(true)
    // What was refused is nowhere.
    expect(read).toHaveLength(acknowledged.length)
    rmSync(ballast)
    await eventually('writes go on', () =>
      send().then(
        () => true,
        () => undefined,
      ),
    )
    for (let more = 0; more < 8; more++) await send()
    expect(cluster.broker().pid).toBe(pid)
    expect(await readAll()).toEqual(acknowledged)
    expect(cluster.broker().log()).toMatch(/A log directory is full[\s\S]*A log directory has space again/)
  })

  test('a second time it is retention that makes room', async () => {
    await refusal()
    const admin = kafkaOf(cluster).admin()
    await admin.connect()
    // Looks the leader up, which deleteTopicRecords does not.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(acknowledged.length - 20) }] })
    await admin.disconnect()
    await eventually('writes go on', () =>
      send().then(
        () => true,
        () => undefined,
      ),
    )
    await cluster.broker().kill()
    await cluster.broker().start()
    const again = kafkaOf(cluster).producer({ allowAutoTopicCreation: false })
    await again.connect()
    await again.send({ topic, messages: [{ key: 'after', value: 'a kill and a start' }] })
    await again.disconnect()
  })
})
