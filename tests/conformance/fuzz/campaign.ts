/** What all fuzzers have in common: how much they play and what of it, and a broker with topics that they know. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { eventually, startCluster, type Cluster } from '../harness.ts'
import { createTopics } from '#tests/topics.ts'
import type { Known } from './values.ts'

export const MiB = 1 << 20

/** FUZZ_SEED plays others, FUZZ_SECONDS plays longer, FUZZ_FROM and FUZZ_TO play some of them. */
export const campaign = {
  seed: Number(process.env['FUZZ_SEED'] ?? 1),
  seconds: Number(process.env['FUZZ_SECONDS'] ?? 10),
  from: Number(process.env['FUZZ_FROM'] ?? 0),
  to: Number(process.env['FUZZ_TO'] ?? Infinity),
} as const

export const fuzzedTopics = [
  { topic: 'fuzzed', numPartitions: 2 },
  { topic: 'fuzzed-too', numPartitions: 1 },
] as const

/** One broker, with these settings besides those that share groups need there. */
export async function startFuzzed(
  settings: Readonly<Record<string, string>>,
): Promise<{ readonly cluster: Cluster; readonly known: Known }> {
  const cluster = await startCluster({
    settings: {
      'share.coordinator.state.topic.replication.factor': '1',
      'share.coordinator.state.topic.min.isr': '1',
      'share.coordinator.state.topic.num.partitions': '4',
      ...settings,
    },
  })
  const admin = new Kafka({ brokers: cluster.addresses, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await createTopics(admin, [...fuzzedTopics])
  await admin.disconnect()
  const topics = fuzzedTopics.map(async ({ topic, numPartitions }) => ({
    name: topic,
    id: await topicId(cluster, topic),
    partitions: numPartitions,
  }))
  return { cluster, known: { clusterId: cluster.clusterId, topics: await Promise.all(topics) } }
}

/** Apache Kafka writes it down a moment after the topic has a leader. */
function topicId(cluster: Cluster, name: string): Promise<string> {
  const file = path.join(cluster.broker().dataDirectory, `${name}-0`, 'partition.metadata')
  return eventually(`${file} names a topic id`, () =>
    existsSync(file) ? /topic_id: (\S+)/.exec(readFileSync(file, 'utf8'))?.[1] : undefined,
  )
}
