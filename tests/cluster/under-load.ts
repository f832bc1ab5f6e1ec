/** A real client that writes while a fault is carried out, and what is there afterwards. */
import { Kafka, logLevel } from 'kafkajs'
import { attachCluster } from '#scripts/cluster/runtimes.ts'
import type { AppliedFault } from '#scripts/faults/kind.ts'
import { createTopics } from '../topics.ts'
import { sendUntil } from './broken-cluster.ts'
import type { Toolkit } from './faultline-command.ts'

/** Sends records one after the other while the fault is carried out. @returns what it was, and how many were acknowledged */
export async function underLoad(
  toolkit: Toolkit,
  ...fault: string[]
): Promise<{ applied: AppliedFault[]; acked: number }> {
  const { bootstrap } = await attachCluster(nameOf(fault))
  const kafka = new Kafka({
    clientId: 'load',
    brokers: [...bootstrap],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1_000,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 200 },
  })
  const admin = kafka.admin()
  await admin.connect()
  await createTopics(admin, [{ topic: 'orders', numPartitions: 1, replicationFactor: 3 }])
  await admin.disconnect()
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, metadataMaxAge: 2_000 })
  await producer.connect()
  try {
    const changing = toolkit.here('fault', 'add', ...fault) as Promise<AppliedFault[]>
    const acked = await sendUntil(producer, 'orders', 0, changing)
    return { applied: await changing, acked }
  } finally {
    await producer.disconnect()
  }
}

export async function valuesOf(toolkit: Toolkit, topic: string, ...name: string[]): Promise<string[]> {
  const records = (await toolkit.here('consume', topic, ...name)) as { value: string }[]
  return records.map(({ value }) => value)
}

function nameOf(words: readonly string[]): string {
  const at = words.indexOf('--name')
  return at < 0 ? 'default' : (words[at + 1] ?? 'default')
}
