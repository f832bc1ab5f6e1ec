/** The parts of a node that has the role `broker`: replicas, groups, registration, and what they need to talk to the controller. */
import type { BrokerConfig } from './config/broker-config.ts'
import { cleanerSettings } from './config/cleaner-settings.ts'
import { cordonedLogDirs } from './config/cordoned-log-dirs.ts'
import { withOverrides } from './config/dynamic.ts'
import { securityProtocolIds, type Listeners } from './config/listeners.ts'
import { randomUuid } from './controller/uuid.ts'
import { AutoTopics } from './controller/auto-topics.ts'
import { BrokerLifecycle } from './controller/broker-lifecycle.ts'
import { ControllerChannel } from './controller/controller-channel.ts'
import { DirectoryAssignments } from './controller/directory-assignments.ts'
import { metadataVersionOf } from './controller/features.ts'
import type { MetadataDelta, MetadataImage } from './controller/image.ts'
import type { MetadataPublisher } from './controller/publisher.ts'
import { Groups } from './coordinator/groups/groups.ts'
import { ShareGroupService } from './coordinator/groups/share/share-group-service.ts'
import { shareStateTopic } from './coordinator/share/share-coordinator.ts'
import { Shares } from './coordinator/share-partitions/shares.ts'
import { Transactions } from './coordinator/transactions/transactions.ts'
import { CoordinatorVerifier } from './coordinator/transactions/verifier.ts'
import type { Environment } from './environment/environment.ts'
import { EnvelopeForwarder } from './handlers/forwarder.ts'
import type { BrokerServices } from './handlers/services.ts'
import type { RequestClient } from './net/client.ts'
import type { PeerSecurity } from './net/peer-security.ts'
import { NetworkRequestClient } from './net/request-client.ts'
import type { RaftDriver } from './raft/raft-driver.ts'
import { ClientTelemetry } from './observe/client-telemetry.ts'
import { ReplicaManager } from './replication/replica-manager.ts'
import type { Storage } from './storage.ts'

export interface BrokerRoleParts {
  readonly environment: Environment
  readonly config: BrokerConfig
  readonly listeners: Listeners
  readonly storage: Storage
  readonly publisher: MetadataPublisher
  readonly quorum: RaftDriver
  /** To controllers. */
  readonly client: RequestClient
  /** Of connections to other brokers. */
  readonly peerSecurity: PeerSecurity
  readonly clusterId: string
}

export class BrokerRole implements BrokerServices {
  readonly lifecycle: BrokerLifecycle
  readonly replicas: ReplicaManager
  readonly groups: Groups
  readonly shares: Shares
  readonly shareGroups: ShareGroupService
  readonly transactions: Transactions
  readonly autoTopics: AutoTopics
  readonly telemetry: ClientTelemetry
  readonly forwarder: EnvelopeForwarder
  readonly #parts: BrokerRoleParts
  readonly #clients: RequestClient[] = []
  readonly #channel: ControllerChannel
  readonly #directoryAssignments: DirectoryAssignments
  #live: { readonly overrides: readonly ReadonlyMap<string, string>[]; readonly config: BrokerConfig } | undefined

  constructor(parts: BrokerRoleParts) {
    const { environment, config, storage, publisher, quorum, client } = parts
    const { logs } = storage
    if (logs === undefined) throw new Error('a broker needs log directories')
    this.#parts = parts
    this.#channel = new ControllerChannel({
      environment,
      client,
      quorum,
      requestTimeoutMs: config['request.timeout.ms'],
      retryBackoffMs: config['controller.quorum.retry.backoff.ms'],
    })
    this.lifecycle = this.#makeLifecycle(logs.directories, logs.previousBrokerEpoch)
    this.replicas = new ReplicaManager({
      environment,
      config,
      brokerId: config['node.id'],
      logs,
      controller: this.#channel,
      interBrokerListener: parts.listeners.interBrokerName,
      newClient: () => new NetworkRequestClient(environment, `broker-${config['node.id']}-fetcher`, parts.peerSecurity),
      brokerEpoch: () => this.lifecycle.brokerEpoch,
      isRegisteredIn: image => image.brokers.get(config['node.id'])?.incarnationId === this.lifecycle.incarnationId,
      liveConfig: image => this.#liveConfig(image),
      directoryFailed: id => this.lifecycle.directoryFailed(id),
      assignDirectory: (...assignment) => this.#directoryAssignments.assign(...assignment),
      directoryChanged: replica => this.#directoryAssignments.reconsider(replica),
      transactions: new CoordinatorVerifier({
        environment,
        client: this.#clientOfBrokers('txn-verifier'),
        interBrokerListener: parts.listeners.interBrokerName,
        requestTimeoutMs: config['request.timeout.ms'],
        metadata: () => publisher.image,
      }),
    })
    this.groups = new Groups({
      environment,
      config,
      liveConfig: () => this.#liveConfig(publisher.image),
      replicas: this.replicas,
      metadata: () => publisher.image,
      verifyTransaction: (...question) => this.replicas.verifyTransaction(...question),
    })
    this.transactions = new Transactions({
      environment,
      config,
      replicas: this.replicas,
      metadata: () => publisher.image,
      client: this.#clientOfBrokers('txn-marker-sender'),
      interBrokerListener: parts.listeners.interBrokerName,
      producerIds: this.replicas.producerIds,
    })
    this.autoTopics = new AutoTopics(environment, this.#channel, () => this.#liveConfig(publisher.image))
    this.forwarder = new EnvelopeForwarder(environment, client, quorum, config['request.timeout.ms'])
    this.#directoryAssignments = this.#makeDirectoryAssignments()
    this.telemetry = new ClientTelemetry({
      maxBytes: config['telemetry.max.bytes'],
      newId: () => randomUuid(environment.random),
    })
    this.shares = this.#makeShares()
    this.shareGroups = new ShareGroupService(this.groups, this.shares.persister)
    this.groups.start()
    this.shares.start()
    this.transactions.start()
    publisher.subscribe((image, delta) => this.#metadataApplied(image, delta))
  }

  /** To other brokers, whose listener may be secured in another way than the controllers'; open until this node stops. */
  #clientOfBrokers(purpose: string): RequestClient {
    const { environment, config, peerSecurity } = this.#parts
    const client = new NetworkRequestClient(environment, `broker-${config['node.id']}-${purpose}`, peerSecurity)
    this.#clients.push(client)
    return client
  }

  #metadataApplied(image: MetadataImage, delta: MetadataDelta): void {
    this.lifecycle.metadataApplied(image, delta)
    this.#cordonDirectories(image, delta)
    this.replicas.applyMetadata(image, delta)
    this.#parts.storage.logs?.cleaner.configure(cleanerSettings(this.#liveConfig(image)))
    this.#directoryAssignments.metadataApplied(image, delta)
    this.groups.metadataApplied(delta)
    this.shares.metadataApplied(delta)
    if (delta.changedConfigs.some(({ type }) => type === 'client-metrics'))
      this.telemetry.subscribe(image.configsOf('client-metrics'))
  }

  /** As the settings say now; below its metadata.version there is no such thing (KIP-1066). */
  #cordonDirectories(image: MetadataImage, delta: MetadataDelta): void {
    const isChanged =
      delta.changedFeatures.has('metadata.version') || delta.changedConfigs.some(({ type }) => type === 'broker')
    if (!isChanged) return
    const { logs } = this.#parts.storage
    const isSupported = image.metadataVersion() >= metadataVersionOf.cordonedDirectories
    const paths = isSupported ? cordonedLogDirs(this.#liveConfig(image)) : new Set<string>()
    logs?.cordon(paths)
    const ids = logs?.directories.flatMap(({ path, id, online }) => (online && paths.has(path) ? [id] : [])) ?? []
    this.lifecycle.directoriesCordoned(isSupported ? ids.sort() : null)
  }

  #makeDirectoryAssignments(): DirectoryAssignments {
    return new DirectoryAssignments({
      environment: this.#parts.environment,
      channel: this.#channel,
      nodeId: this.#parts.config['node.id'],
      brokerEpoch: () => this.lifecycle.brokerEpoch,
      directoryOf: partition => this.replicas.assignedDirectory(partition),
    })
  }

  #makeShares(): Shares {
    const { environment, config, listeners, publisher } = this.#parts
    return new Shares({
      environment,
      config,
      liveConfig: () => this.#liveConfig(publisher.image),
      nodeId: config['node.id'],
      interBrokerListener: listeners.interBrokerName,
      client: this.#clientOfBrokers('share-persister'),
      replicas: this.replicas,
      metadata: () => publisher.image,
      createStateTopic: () => void this.autoTopics.request([shareStateTopic]),
    })
  }

  #makeLifecycle(
    directories: readonly { id: string; online: boolean }[],
    previousBrokerEpoch: number,
  ): BrokerLifecycle {
    const { environment, config, client, quorum, clusterId, listeners, publisher } = this.#parts
    return new BrokerLifecycle({
      environment,
      config,
      client,
      quorum,
      nodeId: config['node.id'],
      clusterId,
      listeners: listeners.advertised.map(({ name, host, port, securityProtocol }) => ({
        name,
        host,
        port,
        securityProtocol: securityProtocolIds[securityProtocol],
      })),
      directories: directories.filter(({ online }) => online).map(({ id }) => id),
      metadataOffset: () => publisher.deliveredOffset,
      previousBrokerEpoch,
    })
  }

  /**
   * Registers, catches up with the metadata, opens the doors, asks to be unfenced. The doors are bound before the registration, which
   * the controller takes as proof that no other process of this broker runs.
   */
  async start(bindListeners: () => Promise<void>): Promise<void> {
    await bindListeners()
    await this.lifecycle.start()
    await this.lifecycle.readyToUnfence()
  }

  /** Controlled shutdown: leaves only after the leaderships have moved. */
  async leave(): Promise<void> {
    const { config, environment } = this.#parts
    if (!config['controlled.shutdown.enable'] || this.lifecycle.brokerEpoch < 0) return
    const outcome = await this.#untilGivenUp(this.lifecycle.beginControlledShutdown(controlledShutdownTimeoutMs))
    if (outcome === 'timeout')
      environment.log.warn('the controller did not agree to the shutdown in time; leaving without')
  }

  /** Ends early with 'timeout' when no controller has been known for a while: when all nodes stop at once, the last ones have nobody to ask. */
  #untilGivenUp(granted: Promise<'granted' | 'timeout'>): Promise<'granted' | 'timeout'> {
    const { environment, quorum } = this.#parts
    const { clock, timers } = environment
    return new Promise(resolve => {
      let isOver = false
      let knownMs = clock.monotonicMs()
      const look = (): void => {
        if (isOver) return
        if (quorum.leaderAddress() !== undefined) knownMs = clock.monotonicMs()
        if (clock.monotonicMs() - knownMs >= leaderlessLimitMs) resolve('timeout')
        else timers.after(leaderlessLookMs, look)
      }
      look()
      void granted.then(outcome => {
        isOver = true
        resolve(outcome)
      })
    })
  }

  stop(): void {
    this.shares.stop()
    this.groups.stop()
    this.transactions.stop()
    this.#directoryAssignments.stop()
    this.#channel.close()
    this.lifecycle.stop()
    for (const client of this.#clients) client.close()
  }

  /** The same object as long as nothing was altered. */
  #liveConfig(image: MetadataImage): BrokerConfig {
    const { config, environment } = this.#parts
    const overrides = [image.config('broker', ''), image.config('broker', String(config['node.id']))]
    if (overrides.every((each, index) => each === this.#live?.overrides[index])) return this.#live!.config
    const live = withOverrides(config, overrides, error =>
      environment.log.warn('ignored a dynamic setting', { reason: error.message }),
    )
    this.#live = { overrides, config: live }
    return live
  }
}

/** Two session timeouts: a controller that cannot be reached for so long has fenced this broker anyway. */
const controlledShutdownTimeoutMs = 18_000
/** Three times as long as an election takes by default. */
const leaderlessLimitMs = 3000
const leaderlessLookMs = 100
