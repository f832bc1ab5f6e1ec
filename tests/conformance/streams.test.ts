/**
 * Kafka Streams 4.3.1 with processing.guarantee=exactly_once_v2 against three processes, of which one after the other is killed; see
 * java/WordCount.java.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { runJava } from './java.ts'
import { StreamsStage } from './streams-stage.ts'

const words = 3000
const spreadMs = 30_000
const stepsOfKills = 2 * 3 + 1

describeWith(['java', 'kafka-streams'], 'Kafka Streams, exactly once', () => {
  let stage: StreamsStage

  beforeAll(async () => {
    stage = await StreamsStage.begin({
      programs: 'WordCount',
      settings: { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' },
      topics: ['words', 'counts'].map(topic => ({ topic, numPartitions: 2 })),
    })
  })

  afterAll(() => stage?.end())

  test('counts every word once, although each broker is killed', { timeout: 300_000 }, async () => {
    const { cluster, program } = stage
    const run = runJava('WordCount', [cluster.bootstrap, String(words), String(spreadMs)], program.classes)
    let step = 0
    for (const broker of cluster.brokers) {
      await stage.written((words * ++step) / stepsOfKills)
      await broker.kill()
      await stage.written((words * ++step) / stepsOfKills)
      await broker.start()
    }
    const { output } = await run
    expect(output.split('\n').find(line => /^(in)?exact/.test(line)) ?? output).toBe('exact')
  })
})
