/**
 * Kafka Streams 4.3.1 with processing.guarantee=exactly_once_v2 against three processes, of which one after the other is killed; see
 * java/WordCount.java.
 */
import { Kafka, KafkaJSError, logLevel, type Admin } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'
import { compile, runJava } from './java.ts'
import { createTopics } from './topics.ts'

const words = 3000
const spreadMs = 30_000
const stepsOfKills = 2 * 3 + 1

describeWith(['java', 'kafka-streams'], 'Kafka Streams, exactly once', () => {
  let cluster: Cluster
  let program: ReturnType<typeof compile>
  let admin: Admin

  beforeAll(async () => {
    program = compile('WordCount')
    cluster = await startCluster({
      brokers: 3,
      settings: { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' },
    })
    const retry = { initialRetryTime: 50, maxRetryTime: 500, retries: 100 }
    admin = new Kafka({ brokers: cluster.addresses, logLevel: logLevel.NOTHING, retry }).admin()
    await admin.connect()
    await createTopics(
      admin,
      ['words', 'counts'].map(topic => ({ topic, numPartitions: 2, replicationFactor: 3 })),
    )
  })

  afterAll(async () => {
    await admin?.disconnect()
    program?.remove()
    await cluster?.stop()
  })

  const written = (count: number) =>
    eventually(
      `${count} words`,
      async () => {
        try {
          const ends = await admin.fetchTopicOffsets('words')
          return ends.reduce((sum, { high }) => sum + Number(high), 0) >= count ? true : undefined
        } catch (error) {
          // The broker it asked was killed; the next one it asks is not.
          if (error instanceof KafkaJSError) return undefined
          throw error
        }
      },
      120_000,
    )

  test('counts every word once, although each broker is killed', { timeout: 300_000 }, async () => {
    const run = runJava('WordCount', [cluster.bootstrap, String(words), String(spreadMs)], program.classes)
    let step = 0
    for (const broker of cluster.brokers) {
      await written((words * ++step) / stepsOfKills)
      await broker.kill()
      await written((words * ++step) / stepsOfKills)
      await broker.start()
    }
    const { output } = await run
    expect(output.split('\n').find(line => /^(in)?exact/.test(line)) ?? output).toBe('exact')
  })
})
