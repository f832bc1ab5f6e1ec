/** What a broker does for share groups besides coordinating them: the share coordinator, the way to it, the share partitions it leads. */
import type { BrokerConfig } from '../../config/broker-config.ts'
import type { MetadataDelta, MetadataImage } from '../../controller/image.ts'
import { NetworkError, type Environment } from '../../environment/environment.ts'
import type { RequestClient } from '../../net/client.ts'
import type { ListOffsetsResponse } from '../../protocol/messages/02-list-offsets.ts'
import { offsetTimestamps } from '../../replication/offset-lookup.ts'
import type { ReplicaManager } from '../../replication/replica-manager.ts'
import { SharePersister } from '../share/persister.ts'
import { ShareCoordinator } from '../share/share-coordinator.ts'
import { SharePartitions } from './share-partitions.ts'
import { ShareSessions, type SharePlace } from './share-sessions.ts'
import type { AcknowledgeOutcome } from './share-partition.ts'

const listOffsetsKey = 2
const timeoutMs = 10_000

export interface SharesOptions {
  readonly environment: Environment
  readonly config: BrokerConfig
  /** Settings as they are now. */
  readonly liveConfig: () => BrokerConfig
  readonly nodeId: number
  readonly interBrokerListener: string
  readonly client: RequestClient
  readonly replicas: ReplicaManager
  readonly metadata: () => MetadataImage
  readonly createStateTopic: () => void
}

export class Shares {
  readonly coordinator: ShareCoordinator
  readonly persister: SharePersister
  readonly partitions: SharePartitions
  readonly sessions: ShareSessions
  readonly #options: SharesOptions

  constructor(options: SharesOptions) {
    const { environment, config, replicas, metadata, createStateTopic: createTopic } = options
    this.#options = options
    this.coordinator = new ShareCoordinator({ environment, config, replicas, metadata })
    this.persister = new SharePersister({ ...options, coordinator: this.coordinator, createTopic })
    this.partitions = new SharePartitions({
      environment,
      config: options.liveConfig,
      metadata,
      replicas,
      persister: this.persister,
    })
    this.sessions = new ShareSessions({
      maxSessions: config['group.share.max.share.sessions'],
      lost: ({ groupId, memberId, places }) => void this.release({ groupId, memberId }, places),
      groupIdle: groupId => this.partitions.groupIdle(groupId),
    })
  }

  start(): void {
    this.coordinator.start()
  }

  stop(): void {
    this.partitions.stop()
    this.persister.stop()
    this.coordinator.stop()
  }

  /** Whether share groups are on: share.version 1 (KIP-932). */
  get isEnabled(): boolean {
    return this.#options.metadata().feature('share.version') >= 1
  }

  /** Gives back what a member holds in these partitions. */
  release(
    member: { readonly groupId: string; readonly memberId: string },
    places: readonly SharePlace[],
  ): Promise<readonly { readonly place: SharePlace; readonly outcome: AcknowledgeOutcome }[]> {
    return Promise.all(places.map(async place => ({ place, outcome: await this.partitions.release(member, place) })))
  }

  /** The end of a partition for readers, asked of its leader; undefined when that cannot be had now. */
  async endOffset({ topicId, partition }: SharePlace): Promise<number | undefined> {
    const { nodeId, interBrokerListener, client, replicas } = this.#options
    const image = this.#options.metadata()
    const topic = image.topicsById.get(topicId)
    const leader = topic?.partitions.get(partition)?.leader ?? -1
    if (topic === undefined || leader < 0) return undefined
    if (leader === nodeId) return replicas.highWatermark({ topic: topic.name, partition })
    const address = image.brokers.get(leader)?.endpoints.find(({ name }) => name === interBrokerListener)
    if (address === undefined) return undefined
    const asked = { partitionIndex: partition, currentLeaderEpoch: -1, timestamp: offsetTimestamps.latest }
    const body = { replicaId: -1, isolationLevel: 0, topics: [{ name: topic.name, partitions: [asked] }] }
    try {
      const { response } = await client.send<ListOffsetsResponse>(address, listOffsetsKey, body, { timeoutMs })
      const found = response.topics[0]?.partitions[0]
      return found?.errorCode === 0 ? found.offset : undefined
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      return undefined
    }
  }

  metadataApplied(delta: MetadataDelta): void {
    this.partitions.metadataApplied()
    if (delta.deletedTopics.size > 0) this.coordinator.topicsDeleted(delta.deletedTopics.keys())
  }
}
