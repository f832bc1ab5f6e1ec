/** The replicas of this broker by topic and partition, and those that it should have but whose log could not be opened. Pure. */
import { partitionKey } from '../log/log-files.ts'
import type { TopicPartition } from '../log/log.ts'
import type { ErrorName } from '../protocol/errors.ts'
import type { LocalReplica } from './local-replica.ts'

export class ReplicaTable {
  readonly #byTopic = new Map<string, Map<number, LocalReplica>>()
  /** Keys of partitions. */
  readonly offline = new Set<string>()

  /** Also one whose log is gone. */
  at({ topic, partition }: TopicPartition): LocalReplica | undefined {
    return this.#byTopic.get(topic)?.get(partition)
  }

  /** One whose log can be used. */
  usable(topicPartition: TopicPartition): LocalReplica | undefined {
    const replica = this.at(topicPartition)
    return replica?.gone === undefined ? replica : undefined
  }

  /** The replica, or why a request for it is refused. With a topic id: only of that very topic. `isKnown`: the metadata has the partition. */
  find(
    topicPartition: TopicPartition,
    asked: { readonly topicId: string | undefined; isKnown(): boolean },
  ): LocalReplica | ErrorName {
    const replica = this.at(topicPartition)
    if (replica !== undefined) {
      if (replica.gone !== undefined) return replica.gone
      return asked.topicId === undefined || asked.topicId === replica.topicId ? replica : 'INCONSISTENT_TOPIC_ID'
    }
    if (this.isOffline(topicPartition)) return 'KAFKA_STORAGE_ERROR'
    return asked.isKnown() ? 'NOT_LEADER_OR_FOLLOWER' : 'UNKNOWN_TOPIC_OR_PARTITION'
  }

  isOffline(topicPartition: TopicPartition): boolean {
    return this.offline.has(partitionKey(topicPartition))
  }

  add(replica: LocalReplica): void {
    const { topic, partition } = replica.topicPartition
    const partitions = this.#byTopic.get(topic)
    if (partitions === undefined) this.#byTopic.set(topic, new Map([[partition, replica]]))
    else partitions.set(partition, replica)
  }

  delete({ topic, partition }: TopicPartition): void {
    const partitions = this.#byTopic.get(topic)
    partitions?.delete(partition)
    if (partitions?.size === 0) this.#byTopic.delete(topic)
  }

  get topics(): Iterable<string> {
    return this.#byTopic.keys()
  }

  of(topic: string): Iterable<LocalReplica> {
    return this.#byTopic.get(topic)?.values() ?? []
  }

  *all(): Iterable<LocalReplica> {
    for (const partitions of this.#byTopic.values()) yield* partitions.values()
  }
}
