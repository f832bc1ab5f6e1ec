/**
 * A broker that may have fewer files open than it has partitions, and clients that take what is left: it serves all partitions, refuses what it
 * finds no descriptor for, loses nothing, and goes on when the clients are gone.
 */
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { Kafka, KafkaJSError, logLevel, type Producer } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'
import { createTopics } from '#tests/topics.ts'

const topic = 'many'
const partitions = Array.from({ length: 300 }, (_, partition) => partition)
const openFiles = 128

describeWith(['proc'], `a broker with ${partitions.length} partitions and ${openFiles} file descriptors`, () => {
  let cluster: Cluster
  let kafka: Kafka
  let producer: Producer
  /** By partition. */
  const acknowledged = partitions.map((): string[] => [])
  const crowd: Socket[] = []

  const descriptors = (): number => readdirSync(`/proc/${cluster.broker().pid}/fd`).length
  const send = async (round: string): Promise<void> => {
    const messages = partitions.map(partition => ({ partition, value: `${round}/${partition}` }))
    await producer.send({ topic, acks: -1, messages })
    for (const { partition, value } of messages) acknowledged[partition]!.push(value)
  }
  /** All records, from the beginning. */
  const readAll = async (): Promise<Map<number, string[]>> => {
    const found = new Map(partitions.map(partition => [partition, [] as string[]]))
    const consumer = kafka.consumer({ groupId: `readers-${acknowledged[0]!.length}` })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    const expected = acknowledged.flat().length
    let count = 0
    try {
      await new Promise<void>((resolve, reject) => {
        const eachMessage = ({ partition, message }: { partition: number; message: { value: Buffer | null } }) => {
          found.get(partition)!.push(String(message.value))
          if (++count >= expected) resolve()
          return Promise.resolve()
        }
        consumer.run({ eachMessage }).catch(reject)
      })
    } finally {
      await consumer.disconnect()
    }
    return found
  }
  const expectAll = async (): Promise<void> => {
    const found = await readAll()
    expect(partitions.map(partition => [...new Set(found.get(partition))])).toEqual(acknowledged)
  }

  beforeAll(async () => {
    cluster = await startCluster({ openFiles, settings: { 'log.segment.bytes': '1048576' } })
    kafka = new Kafka({ brokers: cluster.addresses, logLevel: logLevel.NOTHING, retry: { retries: 60 } })
    const admin = kafka.admin()
    await admin.connect()
    await createTopics(admin, [{ topic, numPartitions: partitions.length }])
    await admin.disconnect()
    producer = kafka.producer({ allowAutoTopicCreation: false })
    await producer.connect()
  })

  afterAll(async () => {
    for (const socket of crowd) socket.destroy()
    await producer?.disconnect()
    await cluster?.stop()
  })

  test('serves them all', async () => {
    for (let round = 0; round < 3; round++) await send(`few ${round}`)
    expect(descriptors()).toBeLessThanOrEqual(openFiles)
    await expectAll()
  })

  test('loses nothing while clients take what is left, and goes on when they are gone', async () => {
    // As many as it lets in; the others wait at its door.
    for (let count = 0; count < 2 * openFiles; count++) {
      const socket = connect({ host: '127.0.0.1', port: cluster.broker().port })
      socket.on('error', () => socket.destroy())
      crowd.push(socket)
      await Promise.race([once(socket, 'connect'), once(socket, 'close')])
    }
    await eventually('hardly any is left', () => (descriptors() > openFiles - 8 ? true : undefined))
    for (let round = 0; round < 3; round++) {
      try {
        await send(`crowded ${round}`)
      } catch (error) {
        // Refused, all or in part; what of it is in the log nobody was promised.
        if (!(error instanceof KafkaJSError)) throw error
      }
    }
    for (const socket of crowd.splice(0)) socket.destroy()
    await eventually('they are gone', () => (descriptors() < openFiles - 20 ? true : undefined))
    await send('afterwards')
    const log = cluster.broker().log()
    expect(log).not.toMatch(/offline/)
    expect(await cluster.broker().isHealthy()).toBe(true)
    const found = await readAll()
    for (const partition of partitions)
      expect([...new Set(found.get(partition))]).toEqual(expect.arrayContaining(acknowledged[partition]!))
  })

  test('starts again with them', async () => {
    await cluster.broker().kill()
    await cluster.broker().start()
    await eventually('it takes records', () =>
      send('again').then(
        () => true,
        () => undefined,
      ),
    )
    expect(descriptors()).toBeLessThanOrEqual(openFiles)
  })
})
