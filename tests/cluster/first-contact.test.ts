/** The first moments with a cluster: what `up` promises when it returns, with what nobody has configured. */
import { readFileSync } from 'node:fs'
import { Kafka, logLevel, type LogEntry } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClusterDocument } from '#scripts/commands/describe.ts'
import { describeWith } from '../machine.ts'
import { createTopics, subscribe } from '../topics.ts'
import { freePort, Toolkit } from './faultline-command.ts'

const MiB = 2 ** 20

/**
 * The first group and the first transaction of a cluster find their topic being made, and its coordinator still reading it; a broker may hear
 * later of a topic than the one that was asked first. Clients ask again.
 */
const asInKafka =
  /The group coordinator is not available|The coordinator is loading|not the correct coordinator|does not host this topic-partition/

describe.each([1, 3])('a cluster of %i right after up returned', brokers => {
  const toolkit = new Toolkit()
  let cluster: ClusterDocument
  /** What clients had to complain of. */
  const complaints: string[] = []
  let kafka: Kafka
  beforeAll(async () => {
    const up = ['up', '--runtime', 'process', '--brokers', String(brokers), '--port', await freePort()]
    cluster = await toolkit.document(...up)
    kafka = new Kafka({
      brokers: cluster.bootstrap.split(','),
      connectionTimeout: 30_000,
      logLevel: logLevel.ERROR,
      logCreator:
        () =>
        ({ log }: LogEntry) =>
          complaints.push(`${log.message} ${JSON.stringify(log)}`),
    })
  })
  afterAll(() => toolkit.remove())

  test('serves producers, transactions and groups, with nothing to complain of but what Kafka has too', async () => {
    const admin = kafka.admin()
    await admin.connect()
    await createTopics(admin, [{ topic: 'letters', numPartitions: 2 }])
    const producer = kafka.producer({ transactionalId: 'writer', maxInFlightRequests: 1, idempotent: true })
    await producer.connect()
    const transaction = await producer.transaction()
    await transaction.send({ topic: 'letters', messages: [{ value: 'a' }] })
    await transaction.commit()
    const consumer = kafka.consumer({ groupId: 'readers', maxWaitTimeInMs: 100 })
    await consumer.connect()
    await subscribe(consumer, 'letters')
    const value = await new Promise<string>((resolve, reject) => {
      consumer.on('consumer.crash', ({ payload }) => reject(payload.error))
      consumer
        .run({ eachMessage: ({ message }) => Promise.resolve(resolve(String(message.value))) })
        .catch((error: unknown) => reject(error instanceof Error ? error : new Error(String(error))))
    })
    await Promise.all([consumer.disconnect(), producer.disconnect(), admin.disconnect()])
    expect(value).toBe('a')
    expect(complaints.filter(text => !asInKafka.test(text))).toEqual([])
  })

  test('tells every client the same addresses, which are those that up has printed', async () => {
    const admin = kafka.admin()
    await admin.connect()
    const described = await admin.describeCluster()
    await admin.disconnect()
    const addresses = described.brokers.map(({ host, port }) => `${host}:${port}`).sort()
    expect(addresses).toEqual(cluster.bootstrap.split(',').sort())
    for (const address of addresses) expect(address).toMatch(/^127\.0\.0\.1:/)
  })
})

describeWith(['proc'], 'a broker that nobody gave a limit', () => {
  const toolkit = new Toolkit()
  afterAll(() => toolkit.remove())

  test('takes less than 150 MiB, idle', async () => {
    const { brokers } = await toolkit.document(
      'up',
      '--runtime',
      'process',
      '--brokers',
      '1',
      '--port',
      await freePort(),
    )
    const status = readFileSync(`/proc/${brokers[0]?.pid}/status`, 'utf8')
    const residentBytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
    expect(residentBytes).toBeGreaterThan(20 * MiB)
    expect(residentBytes).toBeLessThan(150 * MiB)
  })
})
