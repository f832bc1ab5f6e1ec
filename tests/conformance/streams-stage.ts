/** Three processes and a Kafka Streams application that counts words in them, for tests that kill one after the other. */
import { Kafka, KafkaJSError, logLevel, type Admin, type ITopicConfig } from 'kafkajs'
import { eventually, startCluster, type Cluster } from './harness.ts'
import { compile } from './java.ts'
import { createTopics } from '#tests/topics.ts'

export interface StreamsStageOptions {
  /** In java/. */
  readonly programs: string | string[]
  readonly settings: Readonly<Record<string, string>>
  readonly topics: readonly ITopicConfig[]
}

export class StreamsStage {
  readonly classes: string
  readonly cluster: Cluster
  readonly admin: Admin

  private constructor(classes: string, cluster: Cluster, admin: Admin) {
    this.classes = classes
    this.cluster = cluster
    this.admin = admin
  }

  static async begin({ programs, settings, topics }: StreamsStageOptions): Promise<StreamsStage> {
    const classes = compile(programs)
    const cluster = await startCluster({ brokers: 3, settings })
    const retry = { initialRetryTime: 50, maxRetryTime: 500, retries: 100 }
    const admin = new Kafka({ brokers: cluster.addresses, logLevel: logLevel.NOTHING, retry }).admin()
    const stage = new StreamsStage(classes, cluster, admin)
    try {
      await admin.connect()
      await createTopics(
        admin,
        topics.map(topic => ({ replicationFactor: 3, ...topic })),
      )
    } catch (error) {
      await stage.end()
      throw error
    }
    return stage
  }

  async end(): Promise<void> {
    await this.admin.disconnect()
    await this.cluster.stop()
  }

  /** Resolves when so many words have been written. */
  written(count: number): Promise<true> {
    return eventually(
      `${count} words`,
      async () => {
        try {
          const ends = await this.admin.fetchTopicOffsets('words')
          return ends.reduce((sum, { high }) => sum + Number(high), 0) >= count ? true : undefined
        } catch (error) {
          // The broker it asked was killed; the next one it asks is not.
          if (error instanceof KafkaJSError) return undefined
          throw error
        }
      },
      300_000,
    )
  }
}
