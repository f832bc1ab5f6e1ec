/**
 * A node that does nothing but take part in the metadata quorum: real driver, log, handlers, listener and client on any Environment. Its
 * listener is a list of the records it was given, which is also its state.
 */
import { logConfig } from '../../../bench/measure/log-config.ts'
import type { BrokerConfig } from '#broker/config/broker-config.ts'
import type { Environment } from '#broker/environment/environment.ts'
import { Dispatcher } from '#broker/handlers/dispatch.ts'
import { handler } from '#broker/handlers/handler.ts'
import type { Services } from '#broker/handlers/services.ts'
import { apiVersions } from '#broker/handlers/18-api-versions.ts'
import { vote } from '#broker/handlers/52-vote.ts'
import { beginQuorumEpoch } from '#broker/handlers/53-begin-quorum-epoch.ts'
import { endQuorumEpoch } from '#broker/handlers/54-end-quorum-epoch.ts'
import { describeQuorum } from '#broker/handlers/55-describe-quorum.ts'
import { fetchSnapshot } from '#broker/handlers/59-fetch-snapshot.ts'
import { updateRaftVoter } from '#broker/handlers/82-update-raft-voter.ts'
import type { LogConfig } from '#broker/log/log.ts'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { makeDurableDirectory } from '#broker/log/small-files.ts'
import { closeMetadataLog } from '#broker/storage.ts'
import { Server } from '#broker/net/listener.ts'
import { NetworkRequestClient } from '#broker/net/request-client.ts'
import type { FetchRequest } from '#broker/protocol/messages/01-fetch.ts'
import { handleMetadataFetch } from '#broker/raft/metadata-fetch.ts'
import { openMetadataLog } from '#broker/raft/metadata-log.ts'
import { metadataPartition, metadataTopicId } from '#broker/raft/quorum-wire.ts'
import { RaftDriver } from '#broker/raft/raft-driver.ts'
import type { CommittedBatch, LeaderAndEpoch, MetadataListener, QuorumConfig, Voter } from '#broker/raft/raft.ts'

export const clusterId = 'AAAAAAAAAAAAAAAAAAAAbQ'

const metadataConfig: LogConfig = {
  ...logConfig,
  segmentBytes: 8 * 1024 * 1024,
  segmentIndexBytes: 1024 * 1024,
  maxMessageBytes: 8 * 1024 * 1024,
  fileDeleteDelayMs: 1000,
}

const fetchMetadata = handler<FetchRequest, object>({
  apiKey: 1,
  versions: [4, 18],
  listeners: ['controller'],
  authorization: 'anyone',
  fail: () => ({ errorCode: -1, responses: [] }),
  handle: (request, context) => handleMetadataFetch(request, context),
})

export const handlers = [
  apiVersions,
  fetchMetadata,
  vote,
  beginQuorumEpoch,
  endQuorumEpoch,
  describeQuorum,
  fetchSnapshot,
  updateRaftVoter,
]

/** Remembers what it was told. */
export class RecordingListener implements MetadataListener {
  values: string[] = []
  readonly leaders: LeaderAndEpoch[] = []
  snapshotsLoaded = 0
  /** Values known when this node was told that it leads, by epoch. */
  readonly knownAtElection = new Map<number, readonly string[]>()
  private readonly nodeId: number
  onCommitted: ((batch: CommittedBatch) => void) | undefined

  constructor(nodeId: number) {
    this.nodeId = nodeId
  }

  committed(batch: CommittedBatch): void {
    this.values.push(...batch.records.map(record => record.toString()))
    this.onCommitted?.(batch)
  }

  loadSnapshot(snapshot: CommittedBatch): void {
    this.snapshotsLoaded += 1
    this.values = snapshot.records.map(record => record.toString())
  }

  leaderChanged(leader: LeaderAndEpoch): void {
    this.leaders.push(leader)
    if (leader.leaderId === this.nodeId) this.knownAtElection.set(leader.epoch, [...this.values])
  }

  snapshot(): readonly Buffer[] {
    return this.values.map(value => Buffer.from(value))
  }
}

export interface RaftNodeOptions {
  readonly id: number
  readonly voters: readonly Voter[]
  readonly directory: string
  /** Where to listen, for voters. */
  readonly listen?: { readonly host: string; readonly port: number }
  readonly quorum?: Partial<QuorumConfig>
  readonly clusterId?: string
}

export class RaftNode {
  readonly id: number
  readonly listener: RecordingListener
  readonly driver: RaftDriver
  readonly log: SegmentedLog
  readonly server: Server
  readonly client: NetworkRequestClient
  private readonly environment: Environment

  constructor(environment: Environment, options: RaftNodeOptions) {
    const { id, voters, directory } = options
    this.environment = environment
    this.id = id
    this.listener = new RecordingListener(id)
    this.client = new NetworkRequestClient(environment, `raft-${id}`)
    makeDurableDirectory(environment.disk, directory)
    this.log = openMetadataLog({
      environment,
      directory: `${directory}/__cluster_metadata-0`,
      topicPartition: metadataPartition,
      topicId: metadataTopicId,
      config: metadataConfig,
    })
    const config: QuorumConfig = {
      nodeId: id,
      clusterId: options.clusterId ?? clusterId,
      voters,
      electionTimeoutMs: 1000,
      electionBackoffMaxMs: 1000,
      fetchTimeoutMs: 2000,
      requestTimeoutMs: 2000,
      retryBackoffMs: 20,
      maxBatchBytes: 8 * 1024 * 1024,
      snapshotAfterBytes: 20 * 1024 * 1024,
      snapshotAfterMs: 3_600_000,
      ...options.quorum,
    }
    this.driver = new RaftDriver({
      environment,
      config,
      directoryId: `AAAAAAAAAAAAAAAAAAAA${id}A`,
      log: this.log,
      metadataLogDirectory: directory,
      client: this.client,
      controllerListenerName: 'CONTROLLER',
    })
    const dispatcher = new Dispatcher(environment, {} as BrokerConfig, handlers)
    const services: Partial<Services> = {
      clusterId: config.clusterId,
      nodeId: id,
      quorum: this.driver,
      dispatch: dispatcher,
      metadata: () => ({ offset: 0, features: new Map() }) as unknown as ReturnType<Services['metadata']>,
    }
    dispatcher.attach(services as Services)
    this.server = new Server(environment, {
      maxFrameBytes: 100_000_000,
      maxQueued: 100,
      idleMs: 600_000,
      serve: (frame, connection) => dispatcher.serve(frame, connection),
    })
    const { listen } = options
    if (listen !== undefined)
      void this.server.listen({ name: 'CONTROLLER', ...listen } as Parameters<Server['listen']>[0], 'controller')
    this.driver.start(this.listener)
  }

  get isLeader(): boolean {
    return this.driver.leader.leaderId === this.id
  }

  propose(...values: string[]): { readonly baseOffset: number; readonly lastOffset: number } | undefined {
    return this.driver.propose(
      this.driver.leader.epoch,
      values.map(value => Buffer.from(value)),
    )
  }

  async stop(): Promise<void> {
    await this.driver.stop()
    await this.server.close()
    this.client.close()
    closeMetadataLog(this.environment, this.log)
  }
}
