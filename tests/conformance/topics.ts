/** Topics made through kafkajs. */
import { KafkaJSProtocolError, type Admin, type ITopicConfig } from 'kafkajs'
import { eventually } from './harness.ts'

/**
 * Creates topics, false for such as are there already, and resolves once a broker names a leader of each partition. `waitForLeaders` of kafkajs gives up when it meets a broker that has
 * not heard of the topic yet, as Apache Kafka's may not have when the controller has answered.
 */
export async function createTopics(admin: Admin, topics: ITopicConfig[]): Promise<boolean> {
  const areNew = await admin.createTopics({ topics, waitForLeaders: false })
  const names = topics.map(({ topic }) => topic)
  await eventually(`${names.join(', ')} have leaders`, async () => {
    try {
      const metadata = await admin.fetchTopicMetadata({ topics: names })
      const partitions = metadata.topics.flatMap(each => each.partitions)
      return partitions.every(({ leader }) => leader >= 0) ? true : undefined
    } catch (error) {
      if (error instanceof KafkaJSProtocolError && error.retriable) return undefined
      throw error
    }
  })
  return areNew
}
