/** A broker that has joined holds nothing: a partition moves to it, and clients go on there. */
import type { Kafka } from 'kafkajs'
import { poll } from '#scripts/cluster/clock.ts'

/** Moves a new partition to a broker that has none, and writes there. Fails when that broker does not come to lead it. */
export async function writeToMoved(kafka: Kafka, broker: number, topic = 'moved'): Promise<void> {
  const admin = kafka.admin()
  const producer = kafka.producer({ idempotent: true })
  try {
    await admin.connect()
    const replicaAssignment = [{ partition: 0, replicas: [1] }]
    const configEntries = [{ name: 'min.insync.replicas', value: '1' }]
    await admin.createTopics({ topics: [{ topic, replicaAssignment, configEntries }] })
    await admin.alterPartitionReassignments({
      topics: [{ topic, partitionAssignment: [{ partition: 0, replicas: [broker] }] }],
    })
    const leads = async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      return topics[0]?.partitions[0]?.leader === broker ? true : undefined
    }
    if ((await poll(leads, { timeoutMs: 60_000 })) === undefined)
      throw new Error(`broker ${broker} does not lead ${topic}-0 after a minute`)
    await producer.connect()
    await producer.send({ topic, acks: -1, messages: [{ value: 'there' }] })
  } finally {
    await producer.disconnect()
    await admin.disconnect()
  }
}
