/** A broker that has joined holds nothing: a partition moves to it, and clients go on there. */
import type { Kafka } from 'kafkajs'
import { createTopics, partitionWhen } from '../topics.ts'

/** Moves a new partition to a broker that has none, and writes there. Fails when that broker does not come to lead it. */
export async function writeToMoved(kafka: Kafka, broker: number, topic = 'moved'): Promise<void> {
  const admin = kafka.admin()
  const producer = kafka.producer({ idempotent: true, retry: { retries: 60 } })
  try {
    await admin.connect()
    const replicaAssignment = [{ partition: 0, replicas: [1] }]
    const configEntries = [{ name: 'min.insync.replicas', value: '1' }]
    await createTopics(admin, [{ topic, replicaAssignment, configEntries }])
    const topics = [{ topic, partitionAssignment: [{ partition: 0, replicas: [broker] }] }]
    await admin.alterPartitionReassignments({ topics, timeout: 60_000 })
    await partitionWhen(admin, topic, ({ leader }) => leader === broker, { what: `broker ${broker} leads ${topic}-0` })
    await producer.connect()
    await producer.send({ topic, acks: -1, messages: [{ value: 'there' }] })
  } finally {
    await producer.disconnect()
    await admin.disconnect()
  }
}
