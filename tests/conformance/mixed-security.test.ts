/**
 * A cluster whose listeners for brokers and for controllers differ in protocol, mechanism and user: what one of them takes, the other turns
 * away, so that each conversation among nodes must be held on the right one.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { startCluster, type Cluster } from './harness.ts'
import { KafkaTools } from './java.ts'
import { keyFile, keyText, scramLogin, tlsSettings } from './security.ts'
import { createTopics, subscribe } from '#tests/topics.ts'

const plain = (options: string): string =>
  `org.apache.kafka.common.security.plain.PlainLoginModule required ${options};`

describeWith(
  ['java', 'apache-kafka'],
  'brokers over SASL_SSL with SCRAM, controllers over SASL_PLAINTEXT with PLAIN',
  () => {
    let cluster: Cluster
    let folder: string
    let tools: KafkaTools

    beforeAll(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'faultline-mixed-'))
      tools = new KafkaTools()
      cluster = await startCluster({
        brokers: 3,
        settings: {
          ...tlsSettings,
          'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
          'sasl.mechanism.inter.broker.protocol': 'SCRAM-SHA-512',
          'sasl.mechanism.controller.protocol': 'PLAIN',
          'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': scramLogin('broker', 'broker-secret'),
          'listener.name.controller.sasl.enabled.mechanisms': 'PLAIN',
          'listener.name.controller.plain.sasl.jaas.config': plain(
            'username="controller" password="controller-secret" user_controller="controller-secret"',
          ),
          'bootstrap.scram.credentials':
            'SCRAM-SHA-512=[name=broker,password=broker-secret];SCRAM-SHA-512=[name=alice,password=alice-secret]',
        },
        protocols: { client: 'SASL_SSL', controller: 'SASL_PLAINTEXT' },
      })
      const properties = {
        'security.protocol': 'SASL_SSL',
        'sasl.mechanism': 'SCRAM-SHA-512',
        'sasl.jaas.config': scramLogin('alice', 'alice-secret'),
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': keyFile('ca.pem'),
      }
      const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`)
      writeFileSync(path.join(folder, 'alice.properties'), lines.join(''))
    })
    afterAll(async () => {
      await tools?.stop()
      await cluster?.stop()
      rmSync(folder, { recursive: true, force: true })
    })

    const asAlice = (): Kafka =>
      new Kafka({
        brokers: cluster.addresses,
        ssl: { ca: [keyText('ca.pem')] },
        sasl: { mechanism: 'scram-sha-512', username: 'alice', password: 'alice-secret' },
        logLevel: logLevel.NOTHING,
        connectionTimeout: 60_000,
        authenticationTimeout: 60_000,
        retry: { retries: 60 },
      })
    /** Six partitions: each broker leads some, so that for most of them the coordinator is another one. */
    const numPartitions = 6
    async function createTopic(topic: string): Promise<void> {
      const admin = asAlice().admin()
      await admin.connect()
      await createTopics(admin, [{ topic, numPartitions, replicationFactor: 3 }])
      await admin.disconnect()
    }
    /** Values that a reader of committed records sees. */
    async function committed(topic: string, count: number): Promise<string[]> {
      const values: string[] = []
      const consumer = asAlice().consumer({ groupId: `readers-of-${topic}`, readUncommitted: false })
      await consumer.connect()
      await subscribe(consumer, topic)
      await new Promise<void>((resolve, reject) => {
        consumer
          .run({
            eachMessage: ({ message }) => {
              values.push(String(message.value))
              if (values.length === count) resolve()
              return Promise.resolve()
            },
          })
          .catch(reject)
      })
      await consumer.disconnect()
      return values
    }

    test('kafkajs commits and aborts over partitions of all brokers (Produce before v12)', async () => {
      const topic = 'by-kafkajs'
      await createTopic(topic)
      const producer = asAlice().producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 })
      await producer.connect()
      const send = async (value: string, end: 'commit' | 'abort') => {
        const transaction = await producer.transaction()
        const messages = Array.from({ length: numPartitions }, (_, partition) => ({ partition, value }))
        await transaction.send({ topic, messages })
        await transaction[end]()
      }
      await send('dropped', 'abort')
      await send('kept', 'commit')
      await producer.disconnect()
      expect(await committed(topic, numPartitions)).toEqual(Array.from({ length: numPartitions }, () => 'kept'))
    })

    test('Apache Kafka’s producer commits over partitions of all brokers (Produce v12 and later)', async () => {
      const topic = 'by-java'
      await createTopic(topic)
      const output = await tools.succeed(
        'ProducerPerformance',
        ...['--bootstrap-server', cluster.bootstrap, '--command-config', path.join(folder, 'alice.properties')],
        ...['--topic', topic, '--num-records', '60', '--record-size', '10', '--throughput', '-1'],
        ...['--transactional-id', topic, '--transaction-duration-ms', '1'],
        ...['--command-property', 'partitioner.class=org.apache.kafka.clients.producer.RoundRobinPartitioner'],
      )
      expect(output).toContain('60 records sent')
      expect(await committed(topic, 60)).toHaveLength(60)
    })

    test('no node was turned away', () => {
      for (const broker of cluster.brokers)
        expect(broker.log()).not.toMatch(/authentication failed|could not log in|handshake failed/)
    })
  },
)
