/** The fetchers of this broker, one per leader it follows; made with the first partition, retired after the last. */
import type { MetadataImage } from '../controller/image.ts'
import type { DiskError, Logger } from '../environment/environment.ts'
import type { LocalReplica } from './local-replica.ts'
import { positionKey, ReplicaFetcher, type FetcherHost } from './replica-fetcher.ts'
import type { ReplicaManagerParts } from './replica-manager-parts.ts'
import type { ReplicationQuota } from './replication-quotas.ts'

export interface FetcherPoolHost {
  readonly log: Logger
  readonly quota: ReplicationQuota
  image(): MetadataImage
  diskFailed(replica: LocalReplica, error: DiskError): void
}

export class FetcherPool {
  private readonly fetchers = new Map<number, ReplicaFetcher>()
  /** Replica by key, of those that are followed. */
  private readonly followed = new Map<string, LocalReplica>()
  private readonly fetcherHost: FetcherHost

  constructor(parts: ReplicaManagerParts, host: FetcherPoolHost) {
    const { config } = parts
    this.fetcherHost = {
      environment: parts.environment,
      log: host.log,
      quota: host.quota,
      brokerId: parts.brokerId,
      settings: {
        backoffMs: config['replica.fetch.backoff.ms'],
        requestTimeoutMs: config['replica.socket.timeout.ms'],
        maxWaitMs: config['replica.fetch.wait.max.ms'],
        minBytes: config['replica.fetch.min.bytes'],
        partitionMaxBytes: config['replica.fetch.max.bytes'],
        responseMaxBytes: config['replica.fetch.response.max.bytes'],
      },
      brokerEpoch: () => parts.brokerEpoch(),
      leaderAddress: id =>
        host
          .image()
          .brokers.get(id)
          ?.endpoints.find(endpoint => endpoint.name === parts.interBrokerListener),
      newClient: () => parts.newClient(),
      replica: key => this.followed.get(key),
      diskFailed: (replica, error) => host.diskFailed(replica, error),
    }
  }

  add(replica: LocalReplica, leaderId: number): void {
    let fetcher = this.fetchers.get(leaderId)
    if (fetcher === undefined) {
      fetcher = new ReplicaFetcher(leaderId, this.fetcherHost)
      this.fetchers.set(leaderId, fetcher)
    }
    // It asks the log, which may have no descriptor: then the replica is not followed.
    fetcher.add(replica)
    this.followed.set(keyOf(replica), replica)
  }

  isFollowed(replica: LocalReplica): boolean {
    return this.followed.get(keyOf(replica)) === replica
  }

  remove(replica: LocalReplica): void {
    const key = keyOf(replica)
    if (!this.followed.delete(key)) return
    for (const fetcher of this.fetchers.values()) fetcher.remove(key)
  }

  /** Fetchers without partitions close their connection. */
  retireIdle(): void {
    for (const [leaderId, fetcher] of this.fetchers) {
      if (fetcher.size > 0) continue
      fetcher.stop()
      this.fetchers.delete(leaderId)
    }
  }

  stop(): void {
    for (const fetcher of this.fetchers.values()) fetcher.stop()
    this.fetchers.clear()
  }
}

function keyOf(replica: LocalReplica): string {
  return positionKey(replica.topicId, replica.topicPartition.partition)
}
