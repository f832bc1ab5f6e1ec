/**
 * Kafka Streams 4.3.1 with processing.guarantee=exactly_once_v2 against three processes, of which one after the other is killed; see
 * java/WordCount.java.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { runJava } from './java.ts'
import { StreamsStage } from './streams-stage.ts'

const words = 3000
const spreadMs = 30_000
const stepsOfKills = 2 * 3 + 1

describeWith(['java', 'kafka-streams'], 'Kafka Streams, exactly once', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'faultline-streams-'))
  let stage: StreamsStage

  beforeAll(async () => {
    stage = await StreamsStage.begin({
      programs: 'WordCount',
      settings: { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' },
      topics: ['words', 'counts'].map(topic => ({ topic, numPartitions: 2 })),
    })
  })

  afterAll(async () => {
    await stage?.end()
    rmSync(folder, { recursive: true, force: true })
  })

  test('counts every word once, although each broker is killed', { timeout: 900_000 }, async () => {
    const { cluster, classes } = stage
    const run = runJava('WordCount', [cluster.bootstrap, String(words), String(spreadMs), folder], classes)
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
