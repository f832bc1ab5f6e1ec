/**
 * One node: puts the parts together for its roles, starts them in the order in which they need each other, stops them in reverse. The
 * only place that knows all parts. Runs on any Environment.
 */
import type { BrokerConfig } from './config/broker-config.ts'
import { withOverrides } from './config/dynamic.ts'
import { parseVoters, resolveListeners, securityProtocolIds, type Listeners } from './config/listeners.ts'
import { logConfig, resolveTopicConfig } from './config/topic-config.ts'
import { BrokerRole } from './broker-role.ts'
import { Controller } from './controller/controller-driver.ts'
import { topicSetting } from './controller/effective-config.ts'
import { ControllerRegistrar } from './controller/controller-registration.ts'
import { bootstrapRecords } from './controller/features.ts'
import type { MetadataRecord } from './controller/metadata-record.ts'
import { MetadataImage, type MetadataDelta } from './controller/image.ts'
import { MetadataPublisher } from './controller/publisher.ts'
import { decodeRecord } from './controller/records.ts'
import { NetworkError, type Address, type Environment } from './environment/environment.ts'
import { Dispatcher } from './handlers/dispatch.ts'
import { handlers } from './handlers/registry.ts'
import type { Services } from './handlers/services.ts'
import { Server } from './net/listener.ts'
import { NetworkRequestClient } from './net/request-client.ts'
import { Inspector } from './observe/inspector.ts'
import { nodeView } from './observe/node-view.ts'
import type { RequestLedger } from './observe/request-ledger.ts'
import { RaftDriver } from './raft/raft-driver.ts'
import { NodeListeners } from './node-listeners.ts'
import { NodeSecurity } from './node-security.ts'
import { StartupError } from './startup-error.ts'
import { makeAuthorizer } from './security/authorization/make-authorizer.ts'
import { connectionQuotas, makeQuotas } from './security/quotas/make-quotas.ts'
import { closeMetadataLog, openStorage, type Storage } from './storage.ts'

export interface NodeOptions {
  readonly config: BrokerConfig
  readonly environment: Environment
}

/** metadata.max.… of the raft log is in the configuration; these have no setting in Kafka. */
const maxBatchBytes = 8 * 1024 * 1024
const firstElectionWithinMs = 200

export class Node {
  readonly config: BrokerConfig
  readonly #environment: Environment
  readonly #listeners: Listeners
  readonly #isController: boolean
  readonly #isBroker: boolean
  readonly #security: NodeSecurity
  readonly #server: Server
  readonly #openListeners: NodeListeners
  readonly #dispatcher: Dispatcher
  readonly #client: NetworkRequestClient
  #storage: Storage | undefined
  #publisher: MetadataPublisher | undefined
  #quorum: RaftDriver | undefined
  #controller: Controller | undefined
  #registrar: ControllerRegistrar | undefined
  #broker: BrokerRole | undefined
  #inspector: Inspector | undefined
  #stopping: Promise<void> | undefined

  constructor({ config, environment }: NodeOptions) {
    this.config = config
    this.#environment = environment
    this.#listeners = resolveListeners(config)
    this.#isController = config['process.roles'].includes('controller')
    this.#isBroker = config['process.roles'].includes('broker')
    this.#dispatcher = new Dispatcher(environment, config, handlers)
    this.#security = new NodeSecurity({
      environment,
      config,
      listeners: this.#listeners,
      metadata: () => this.#publisher?.image ?? MetadataImage.empty(''),
    })
    this.#client = new NetworkRequestClient(environment, `node-${config['node.id']}`, this.#security.toControllers)
    this.#server = new Server(environment, {
      maxFrameBytes: config['socket.request.max.bytes'],
      maxQueued: config['queued.max.requests'],
      idleMs: config['connections.max.idle.ms'],
      admissions: this.#connectionQuotas(),
      backlog: config['socket.listen.backlog.size'],
      serve: (frame, connection) => this.#dispatcher.serve(frame, connection),
      security: {
        ...this.#security.server,
        refuse: (frame, connection, error, message) => this.#dispatcher.refuse(frame, connection, error, message),
        answered: (apiKey, apiVersion, { clientSoftware }) =>
          this.#dispatcher.ledger.served(apiKey, apiVersion, clientSoftware.name),
      },
    })
    this.#openListeners = new NodeListeners({ environment, config, security: this.#security, server: this.#server })
  }

  /** The parts, for invariants of the simulator and for the inspector; undefined before `start`. */
  get quorum(): RaftDriver | undefined {
    return this.#quorum
  }

  get requests(): RequestLedger {
    return this.#dispatcher.ledger
  }

  get publisher(): MetadataPublisher | undefined {
    return this.#publisher
  }

  get controller(): Controller | undefined {
    return this.#controller
  }

  get broker(): BrokerRole | undefined {
    return this.#broker
  }

  get storage(): Storage | undefined {
    return this.#storage
  }

  get connectionCount(): number {
    return this.#server.connectionsCount
  }

  /** With what was altered at run time. */
  #liveConfig(): BrokerConfig {
    const { image } = this.#publisher ?? {}
    if (image === undefined) return this.config
    const overrides = [image.config('broker', ''), image.config('broker', String(this.config['node.id']))]
    return withOverrides(this.config, overrides, () => undefined)
  }

  /** As in Kafka, the quorum's connections have quotas of their own, with the same limits. */
  #connectionQuotas() {
    const image = () => this.#publisher?.image
    const protectedListener = (): string | undefined => {
      const { broker, interBrokerName } = this.#openListeners.current
      return broker.length > 1 ? interBrokerName : undefined
    }
    return {
      broker: connectionQuotas(this.config, image, protectedListener),
      controller: connectionQuotas(this.config, image),
    }
  }

  /** As it holds for the topic now. */
  minInSyncReplicas(topic: string): number {
    const { image } = this.#publisher ?? {}
    const context = { config: this.config, nodeId: this.config['node.id'] }
    return image === undefined ? 1 : topicSetting({ image, ...context }, topic, 'min.insync.replicas')
  }

  /**
   * Resolves when the node serves: a broker is unfenced, a controller knows the leader of the quorum. Rejects with StartupError, which
   * says what to do; the directories are closed cleanly then, so that a port in use does not cost a recovery.
   */
  async start(): Promise<void> {
    try {
      await this.#start()
    } catch (error) {
      if (error instanceof StartupError && this.#storage !== undefined) await this.stop()
      throw error
    }
  }

  async #start(): Promise<void> {
    const { log, clock } = this.#environment
    const startedMs = clock.monotonicMs()
    this.#assemble()
    const { quorum, publisher } = this
    if (quorum === undefined || publisher === undefined) throw new Error('the node was not put together')
    for (const listener of this.#listeners.controller)
      await this.#bind(listener, () => this.#server.listen(listener, 'controller'))
    await this.#inspect()
    const leaderKnown = new Promise<void>(resolve =>
      publisher.subscribeLeader(({ leaderId }) => {
        if (leaderId !== undefined) resolve()
      }),
    )
    quorum.start(publisher)
    if (this.#broker === undefined) await leaderKnown
    else
      await this.#broker.start(async () => {
        for (const listener of this.#listeners.broker)
          await this.#bind(listener, () => this.#server.listen(listener, 'broker'))
        this.#openListeners.bound()
      })
    log.info('node started', {
      nodeId: this.config['node.id'],
      roles: this.config['process.roles'].join(','),
      listeners: [...this.#listeners.broker, ...this.#listeners.controller]
        .map(({ name, host, port }) => `${name}://${host}:${port}`)
        .join(','),
      tookMs: clock.monotonicMs() - startedMs,
    })
  }

  /** Moves leaderships away, stops serving, flushes, marks the directories as cleanly stopped. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    await this.#broker?.leave()
    this.#broker?.stop()
    await this.#broker?.replicas.stop()
    this.#registrar?.stop()
    this.#controller?.stop()
    await this.#quorum?.stop()
    await this.#server.close()
    await this.#inspector?.close()
    this.#client.close()
    if (this.#storage !== undefined) closeMetadataLog(this.#environment, this.#storage.metadataLog)
    const replicas = this.#broker?.replicas
    await this.#storage?.logs?.writeOut()
    // Last: with the lock of its directories the node gives up everything on disk.
    if (replicas !== undefined) this.#storage?.logs?.close(partition => replicas.checkpointOf(partition))
    this.#storage?.metadataLock?.release()
    this.#environment.log.info('node stopped', { nodeId: this.config['node.id'] })
  }

  #assemble(): void {
    const { config } = this
    const environment = this.#environment
    const nodeId = config['node.id']
    const storage = openStorage(environment, config, {
      configOf: () => logConfig(resolveTopicConfig(undefined, config)),
      brokerEpoch: () => this.#broker?.lifecycle.brokerEpoch ?? -1,
      // Until the metadata says how long they are kept, none is forgotten.
      producerIdExpirationMs: () =>
        this.#publisher === undefined ? Number.MAX_SAFE_INTEGER : this.#liveConfig()['producer.id.expiration.ms'],
    })
    const { clusterId } = storage
    const publisher = new MetadataPublisher(clusterId)
    const quorum = this.#makeQuorum(storage)
    const controller = this.#isController ? this.#makeController(quorum, publisher, clusterId) : undefined
    const parts = {
      environment,
      config,
      listeners: this.#listeners,
      storage,
      publisher,
      quorum,
      client: this.#client,
      peerSecurity: this.#security.toBrokers,
      clusterId,
    }
    const broker = this.#isBroker ? new BrokerRole(parts) : undefined
    this.#storage = storage
    this.#publisher = publisher
    this.#quorum = quorum
    this.#controller = controller
    this.#broker = broker
    const authorizer = makeAuthorizer(config, environment.log, publisher, quorum)
    const quotas = makeQuotas(config, publisher)
    const services: Services = {
      settingsRefusal: next => this.#security.refusalOf(next) ?? this.#openListeners.refusalOf(next),
      clusterId,
      nodeId,
      listeners: this.#listeners,
      quorum,
      dispatch: this.#dispatcher,
      metadata: () => publisher.image,
      quotas,
      ...(authorizer === undefined ? {} : { authorizer }),
      ...(controller === undefined ? {} : { controller }),
      ...(broker === undefined ? {} : { broker }),
    }
    this.#dispatcher.attach(services)
    publisher.subscribe((image, delta) => this.#followSettings(image, delta))
  }

  /** Other listeners, new keys and other security settings take effect without a restart (KIP-226). */
  #followSettings(image: MetadataImage, { changedConfigs }: MetadataDelta): void {
    const own = String(this.config['node.id'])
    if (!changedConfigs.some(({ type, name }) => type === 'broker' && (name === '' || name === own))) return
    const overrides = [image.config('broker', ''), image.config('broker', own)]
    const refused = (error: Error): void =>
      this.#environment.log.warn('ignored a dynamic setting', { reason: error.message })
    const live = withOverrides(this.config, overrides, refused)
    this.#security.reconfigure(live, this.#server)
    this.#openListeners.follow(live)
    this.#server.admitWaiting()
  }

  #makeQuorum(storage: Storage): RaftDriver {
    const { config } = this
    return new RaftDriver({
      environment: storage.environment,
      config: {
        nodeId: config['node.id'],
        clusterId: storage.clusterId,
        voters: parseVoters(config),
        firstElectionWithinMs,
        electionTimeoutMs: config['controller.quorum.election.timeout.ms'],
        electionBackoffMaxMs: config['controller.quorum.election.backoff.max.ms'],
        fetchTimeoutMs: config['controller.quorum.fetch.timeout.ms'],
        requestTimeoutMs: config['controller.quorum.request.timeout.ms'],
        retryBackoffMs: config['controller.quorum.retry.backoff.ms'],
        maxBatchBytes,
        snapshotAfterBytes: config['metadata.log.max.record.bytes.between.snapshots'],
        snapshotAfterMs: config['metadata.log.max.snapshot.interval.ms'],
      },
      directoryId: storage.metadataDirectoryId,
      log: storage.metadataLog,
      metadataLogDirectory: storage.metadataDirectory,
      client: this.#client,
      controllerListenerName: config['controller.listener.names'][0] ?? 'CONTROLLER',
    })
  }

  #makeController(quorum: RaftDriver, publisher: MetadataPublisher, clusterId: string): Controller {
    const { config } = this
    const environment = this.#environment
    const nodeId = config['node.id']
    this.#registrar = new ControllerRegistrar({
      environment,
      client: this.#client,
      quorum,
      publisher,
      nodeId,
      listeners: this.#listeners.controller.map(({ name, host, port, securityProtocol }) => ({
        name,
        host: host === '' || host === '0.0.0.0' ? 'localhost' : host,
        port,
        securityProtocol: securityProtocolIds[securityProtocol],
      })),
      requestTimeoutMs: config['controller.quorum.request.timeout.ms'],
    })
    return new Controller({
      environment,
      config,
      nodeId,
      clusterId,
      quorum,
      publisher,
      ...this.#bootstrap(quorum),
    })
  }

  /** First records of a new cluster: those it was formatted with, and the users that the settings name. */
  #bootstrap(quorum: RaftDriver): { bootstrap?: readonly MetadataRecord[] } {
    const formatted = quorum.bootstrapRecords?.map(record => decodeRecord(record))
    const users = this.#security.bootstrapUsers
    if (users.length === 0) return formatted === undefined ? {} : { bootstrap: formatted }
    return { bootstrap: [...(formatted ?? bootstrapRecords()), ...users] }
  }

  async #bind(address: Address, bind: () => Promise<unknown>): Promise<void> {
    try {
      await bind()
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      const where = `${address.host === '' ? '0.0.0.0' : address.host}:${address.port}`
      throw new StartupError(
        `cannot listen on ${where}: ${error.message}. Stop what uses the port, or change the setting listeners.`,
        error,
      )
    }
  }

  async #inspect(): Promise<void> {
    const where = this.config['inspector.listener']
    if (where === '') return
    const match = /^(.*):(\d+)$/.exec(where)
    if (match === null) throw new StartupError(`inspector.listener: expected host:port, got "${where}"`)
    const address = { host: match[1] || '127.0.0.1', port: Number(match[2]) }
    const inspector = new Inspector(this.#environment, nodeView(this))
    this.#inspector = inspector
    await this.#bind(address, () => inspector.listen(address))
  }
}
