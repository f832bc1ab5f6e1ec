/**
 * Brokers with the real ReplicaManager, log and handlers on simulated disks, a controller of a few lines, and a network that carries encoded
 * messages with one millisecond of delay. Time moves only when the test says so.
 */
import { anonymous } from '#broker/net/principal.ts'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import type { BrokerConfig } from '#broker/config/broker-config.ts'
import { withOverrides } from '#broker/config/dynamic.ts'
import { logConfig, resolveTopicConfig } from '#broker/config/topic-config.ts'
import { applyRecords, compareImages } from '#broker/controller/image-builder.ts'
import { MetadataImage, type MetadataDelta, type PartitionImage } from '#broker/controller/image.ts'
import { configResource, partitionChange, type MetadataRecord } from '#broker/controller/metadata-record.ts'
import {
  DiskError,
  NetworkError,
  type Address,
  type Disk,
  type DiskErrorCode,
  type DiskFile,
  type Environment,
  type LogFields,
  type Logger,
} from '#broker/environment/environment.ts'
import { produce } from '#broker/handlers/00-produce.ts'
import { fetch } from '#broker/handlers/01-fetch.ts'
import { listOffsets } from '#broker/handlers/02-list-offsets.ts'
import { initProducerId } from '#broker/handlers/22-init-producer-id.ts'
import { offsetForLeaderEpoch } from '#broker/handlers/23-offset-for-leader-epoch.ts'
import { deleteRecords } from '#broker/handlers/21-delete-records.ts'
import { writeTxnMarkers } from '#broker/handlers/27-write-txn-markers.ts'
import { describeProducers } from '#broker/handlers/61-describe-producers.ts'
import { noReply, type Handler } from '#broker/handlers/handler.ts'
import { ServedRequest } from '#broker/handlers/request-context.ts'
import { DirectoryLogManager } from '#broker/log/log-manager.ts'
import type { RequestClient } from '#broker/net/client.ts'
import { MemoryPool } from '#broker/net/memory-pool.ts'
import { codec } from '#broker/protocol/codec.ts'
import { errorCode, type ErrorName } from '#broker/protocol/errors.ts'
import { fetchRequest, fetchResponse } from '#broker/protocol/messages/01-fetch.ts'
import { listOffsetsRequest, listOffsetsResponse } from '#broker/protocol/messages/02-list-offsets.ts'
import { produceRequest, produceResponse, type ProduceResponse } from '#broker/protocol/messages/00-produce.ts'
import { initProducerIdRequest, initProducerIdResponse } from '#broker/protocol/messages/22-init-producer-id.ts'
import {
  offsetForLeaderEpochRequest,
  offsetForLeaderEpochResponse,
} from '#broker/protocol/messages/23-offset-for-leader-epoch.ts'
import { deleteRecordsRequest, deleteRecordsResponse } from '#broker/protocol/messages/21-delete-records.ts'
import { writeTxnMarkersRequest, writeTxnMarkersResponse } from '#broker/protocol/messages/27-write-txn-markers.ts'
import { describeProducersRequest, describeProducersResponse } from '#broker/protocol/messages/61-describe-producers.ts'
import type { AlterPartitionRequest, AlterPartitionResponse } from '#broker/protocol/messages/56-alter-partition.ts'
import { buildBatch, type BatchOptions } from '#broker/protocol/records/batch-build.ts'
import type { Message } from '#broker/protocol/schema.ts'
import type { ReplicaId } from '#broker/replication/log-dir-moves.ts'
import { ReplicaManager } from '#broker/replication/replica-manager.ts'
import type { ControllerLink } from '#broker/replication/replica-manager-parts.ts'
import type { TransactionVerifier } from '#broker/replication/transaction-verifier.ts'
import { SimulatedDisk } from '#simulator/disk/simulated-disk.ts'
import { Prng } from '#simulator/world/prng.ts'
import { TestTime } from './test-time.ts'

export const startWallMs = 1_700_000_000_000

interface Served {
  readonly handler: Handler
  readonly request: Message
  readonly response: Message
}

const served: ReadonlyMap<number, Served> = new Map(
  [
    { handler: produce, request: produceRequest, response: produceResponse },
    { handler: fetch, request: fetchRequest, response: fetchResponse },
    { handler: listOffsets, request: listOffsetsRequest, response: listOffsetsResponse },
    { handler: initProducerId, request: initProducerIdRequest, response: initProducerIdResponse },
    { handler: deleteRecords, request: deleteRecordsRequest, response: deleteRecordsResponse },
    { handler: writeTxnMarkers, request: writeTxnMarkersRequest, response: writeTxnMarkersResponse },
    { handler: describeProducers, request: describeProducersRequest, response: describeProducersResponse },
    { handler: offsetForLeaderEpoch, request: offsetForLeaderEpochRequest, response: offsetForLeaderEpochResponse },
  ].map(each => [each.handler.apiKey, each as unknown as Served]),
)

export class TestBroker {
  readonly id: number
  readonly disk = new SimulatedDisk()
  readonly cluster: TestCluster
  readonly lines: { message: string; fields: LogFields | undefined }[] = []
  image = MetadataImage.empty('cluster')
  epoch = -1
  generation = 0
  isAlive = false
  halted: string | undefined
  diskFails = false
  /** Files below it cannot be written, and as a directory it cannot be opened. */
  failingPath: string | undefined
  /** How; for want of descriptors it is files that cannot be opened. */
  failingCode: DiskErrorCode = 'EIO'
  readonly failedDirectories: string[] = []
  /** Asked of the controller, which answers when the test calls `done`. */
  readonly assignments: { replica: ReplicaId; directoryId: string; done: (taken: boolean) => void }[] = []
  readonly changedDirectories: ReplicaId[] = []
  manager!: ReplicaManager
  logs!: DirectoryLogManager

  constructor(cluster: TestCluster, id: number) {
    this.cluster = cluster
    this.id = id
  }

  start(): void {
    this.generation += 1
    this.isAlive = true
    const environment = this.environment(this.generation)
    const { config } = this.cluster
    // As in a node: it opens its logs before it knows any topic.
    this.image = MetadataImage.empty('cluster')
    this.logs = new DirectoryLogManager({
      environment,
      logDirs: this.cluster.logDirs,
      clusterId: 'AAAAAAAAAAAAAAAAAAAABA',
      nodeId: this.id,
      configOf: ({ topic }) => logConfig(resolveTopicConfig(this.image.config('topic', topic), config)),
    })
    this.logs.start()
    const incarnation = this.incarnation
    this.manager = new ReplicaManager({
      environment,
      config,
      brokerId: this.id,
      logs: this.logs,
      controller: this.cluster.controllerLink(this),
      interBrokerListener: 'PLAINTEXT',
      newClient: () => this.cluster.client(this),
      brokerEpoch: () => this.epoch,
      isRegisteredIn: image => image.brokers.get(this.id)?.incarnationId === incarnation,
      liveConfig: image =>
        withOverrides(config, [image.config('broker', ''), image.config('broker', String(this.id))], error => {
          throw error
        }),
      directoryFailed: id => this.failedDirectories.push(id),
      assignDirectory: (replica, directoryId, done) => {
        this.assignments.push({ replica, directoryId, done })
        if (this.cluster.assignsDirectories) this.cluster.time.timers.soon(() => this.assigned())
      },
      directoryChanged: replica => this.changedDirectories.push(replica),
      transactions: { verify: (...question) => this.cluster.verifyTransaction(...question) },
    })
  }

  get incarnation(): string {
    return Buffer.from(`broker ${this.id} life ${this.generation}`.padEnd(16, ' ').slice(0, 16)).toString('base64url')
  }

  /** The controller takes the first directory that it was asked to take, and says so. */
  assigned(): void {
    const { replica, directoryId, done } = this.assignments.shift()!
    const topic = this.cluster.image.topicsById.get(replica.topicId)
    const partition = topic?.partitions.get(replica.partition)
    if (topic === undefined || partition === undefined) return done(false)
    const directories = partition.replicas.map((id, index) =>
      id === this.id ? directoryId : partition.directories[index]!,
    )
    this.cluster.change(topic.name, { directories }, replica.partition)
    done(true)
  }

  /** kill -9: the disk keeps everything, nothing else survives. */
  kill(): void {
    this.isAlive = false
    this.generation += 1
  }

  apply(delta: MetadataDelta): void {
    this.image = delta.image
    this.manager.applyMetadata(delta.image, delta)
  }

  private environment(generation: number): Environment {
    const { time } = this.cluster
    const isAlive = (): boolean => generation === this.generation
    const guard = (run: () => void) => () => {
      if (isAlive()) run()
    }
    const line = (message: string, fields?: LogFields): void => {
      this.lines.push({ message, fields })
    }
    const log: Logger = { debug: line, info: line, warn: line, error: line, child: () => log }
    const random = new Prng(this.id * 1000 + generation)
    return {
      clock: { monotonicMs: () => time.nowMs, wallMs: () => startWallMs + time.nowMs },
      timers: {
        after: (delayMs, run) => time.timers.after(delayMs, guard(run)),
        soon: run => time.timers.soon(guard(run)),
      },
      random,
      disk: this.failable(
        this.disk.for({
          nowUs: 0,
          wallMs: startWallMs,
          alive: () => {
            if (!isAlive()) throw new Error('a dead process used its disk')
          },
          fsyncBlocks: () => {},
          fsyncLater: done => time.timers.soon(guard(done)),
          note: () => {},
        }),
      ),
      network: undefined as never,
      log,
      halt: reason => {
        this.halted = reason
        this.kill()
        return undefined as never
      },
    }
  }

  /** The disk, whose files cannot be written while `diskFails`. */
  private failable(disk: Disk): Disk {
    const failingFile = (file: DiskFile): DiskFile => ({
      path: file.path,
      size: () => file.size(),
      read: (target, position) => file.read(target, position),
      write: (chunks, position) => {
        if (this.diskFails || (this.failingPath !== undefined && file.path.startsWith(`${this.failingPath}/`)))
          throw new DiskError(this.failingCode, 'write', file.path)
        file.write(chunks, position)
      },
      truncate: bytes => file.truncate(bytes),
      sync: () => file.sync(),
      syncLater: done => file.syncLater(done),
      close: () => file.close(),
    })
    return {
      open: (path, mode) => {
        if (this.failingCode === 'EMFILE' && this.failingPath !== undefined && path.startsWith(`${this.failingPath}/`))
          throw new DiskError('EMFILE', 'open', path)
        return failingFile(disk.open(path, mode))
      },
      list: path => {
        if (path === this.failingPath) throw new DiskError(this.failingCode, 'list', path)
        return disk.list(path)
      },
      stat: path => disk.stat(path),
      makeDirectory: path => {
        if (path === this.failingPath) throw new DiskError('EIO', 'mkdir', path)
        disk.makeDirectory(path)
      },
      rename: (from, to) => disk.rename(from, to),
      remove: path => disk.remove(path),
      syncDirectory: path => disk.syncDirectory(path),
      syncDirectoryLater: (path, done) => disk.syncDirectoryLater(path, done),
      lock: path => disk.lock(path),
      space: path => disk.space(path),
    }
  }

  // ------------------------------------------------------------------------------------------------------- as a client

  /** A request of a client that is connected to this broker; undefined when there is no reply. */
  request<Response>(
    apiKey: number,
    version: number,
    body: object,
    options: { clientId?: string; onClose?: (run: () => void) => () => void; replyRoomBytes?: () => number } = {},
  ): Promise<Response | undefined> {
    const api = served.get(apiKey)
    if (api === undefined) throw new Error(`no handler for key ${apiKey}`)
    const decoded = codec(api.request, version).decode(codec(api.request, version).encodeToBuffer(body))
    const generation = this.generation
    const connection = {
      id: 1,
      listenerName: 'PLAINTEXT',
      listenerKind: 'broker' as const,
      clientPort: 1,
      clientHost: '127.0.0.1',
      securityProtocol: 'PLAINTEXT' as const,
      principal: anonymous,
      clientSoftware: { name: 'test', version: '1' },
      toldClientSoftware: () => undefined,
      mute: () => undefined,
      replyRoomBytes: options.replyRoomBytes ?? (() => Infinity),
      onClose: options.onClose ?? (() => () => {}),
      isOpen: () => generation === this.generation,
    }
    const node = {
      services: { nodeId: this.id, metadata: () => this.image, broker: { replicas: this.manager } },
      config: this.cluster.config,
      memory: new MemoryPool(),
      environment: {
        timers: this.cluster.time.timers,
        clock: {
          monotonicMs: () => this.cluster.time.nowMs,
          wallMs: () => startWallMs + this.cluster.time.nowMs,
        },
      },
    }
    const clientId = options.clientId ?? 'test'
    const header = { requestApiKey: apiKey, requestApiVersion: version, correlationId: 1, clientId }
    const context = new ServedRequest(header, Buffer.alloc(0), connection, node as never)
    const encode = (response: unknown): Response | undefined => {
      if (response === noReply) return undefined
      const bytes = codec(api.response, version).encodeToBuffer(response as never)
      return codec(api.response, version).decode(bytes) as Response
    }
    const result = api.handler.handle(decoded as never, context)
    return result instanceof Promise ? result.then(encode) : Promise.resolve(encode(result))
  }

  /** Produces one batch to one partition; resolves with the partition's answer. */
  async produce(
    topic: string,
    values: readonly string[],
    options: { acks?: number; timeoutMs?: number; partition?: number; batch?: BatchOptions } = {},
  ): Promise<ProduceResponse['responses'][number]['partitionResponses'][number]> {
    const records = buildBatch(
      values.map(value => ({ key: value, value })),
      { timestamp: startWallMs, ...options.batch },
    )
    const reply = await this.request<ProduceResponse>(0, 12, {
      acks: options.acks ?? -1,
      timeoutMs: options.timeoutMs ?? 1500,
      topicData: [{ name: topic, partitionData: [{ index: options.partition ?? 0, records }] }],
    })
    return reply!.responses[0]!.partitionResponses[0]!
  }

  replica(topic: string, partition = 0) {
    const found = this.manager.find(topic, partition)
    if (typeof found === 'string') throw new Error(`broker ${this.id}: ${found}`)
    return found
  }
}

export class TestCluster {
  /** Plays the transaction coordinator; by default every partition belongs to every transaction. */
  verifyTransaction: TransactionVerifier['verify'] = (_transaction, partitions) =>
    Promise.resolve(partitions.map(() => 'NONE' as const))
  rackOf: (id: number) => string | null = () => null
  readonly time = new TestTime()
  readonly config: BrokerConfig
  readonly brokers = new Map<number, TestBroker>()
  readonly logDirs: readonly string[]
  image = MetadataImage.empty('cluster')
  /** Pairs `from>to` whose requests get lost. */
  readonly cut = new Set<string>()
  /** Brokers that get no metadata and reach no controller. */
  readonly isolated = new Set<number>()
  /** Answers AlterPartition instead of the controller. */
  alterPartitionHook: ((request: AlterPartitionRequest) => AlterPartitionResponse | undefined) | undefined
  /** False: whoever waits for the controller to take a directory waits for the test. */
  assignsDirectories = true
  private offset = -1
  private nextTopicId = 1
  private nextProducerId = 0n

  constructor(count: number, settings: Record<string, string> = {}, logDirs: readonly string[] = ['/data']) {
    this.logDirs = logDirs
    this.config = parseBrokerConfig(
      new Map(
        Object.entries({
          'process.roles': 'broker',
          'node.id': '1',
          'controller.quorum.voters': '100@localhost:9093',
          'log.dirs': '/data',
          ...settings,
        }),
      ),
    ).config
    for (let id = 1; id <= count; id += 1) {
      const broker = new TestBroker(this, id)
      this.brokers.set(id, broker)
      broker.start()
      this.register(broker)
    }
  }

  broker(id: number): TestBroker {
    const found = this.brokers.get(id)
    if (found === undefined) throw new Error(`no broker ${id}`)
    return found
  }

  // -------------------------------------------------------------------------------------------------------- controller

  commit(records: readonly MetadataRecord[]): void {
    this.offset += records.length
    const delta = applyRecords(this.image, records, { offset: this.offset, epoch: 1 })
    this.image = delta.image
    for (const broker of this.brokers.values()) {
      if (!broker.isAlive || this.isolated.has(broker.id)) continue
      if (broker.image === delta.previous) broker.apply(delta)
      else broker.apply(compareImages(broker.image, this.image))
    }
  }

  register(broker: TestBroker): void {
    broker.epoch = this.offset + 1
    this.commit([
      {
        type: 'RegisterBroker',
        brokerId: broker.id,
        isMigratingZkBroker: false,
        incarnationId: broker.incarnation,
        brokerEpoch: broker.epoch,
        endPoints: [{ name: 'PLAINTEXT', host: `broker-${broker.id}`, port: 9092, securityProtocol: 0 }],
        features: [],
        rack: this.rackOf(broker.id),
        fenced: false,
        inControlledShutdown: false,
        logDirs: [],
        cordonedLogDirs: null,
      },
    ])
    // Partitions without a leader get one back when a member of the in-sync set is there.
    this.electAll()
  }

  createTopic(name: string, replicas: number[], configs: Record<string, string> = {}, partitions = 1): string {
    const topicId = Buffer.from(String(this.nextTopicId++).padStart(16, '0')).toString('base64url')
    const records: MetadataRecord[] = [{ type: 'Topic', name, topicId }]
    for (const [key, value] of Object.entries(configs)) {
      records.push({ type: 'Config', resourceType: configResource.topic, resourceName: name, name: key, value })
    }
    for (let partitionId = 0; partitionId < partitions; partitionId += 1) {
      records.push({
        type: 'Partition',
        partitionId,
        topicId,
        replicas,
        isr: replicas,
        removingReplicas: [],
        addingReplicas: [],
        leader: replicas[0]!,
        leaderRecoveryState: 0,
        leaderEpoch: 0,
        partitionEpoch: 0,
        directories: [],
        eligibleLeaderReplicas: null,
        lastKnownElr: null,
      })
    }
    this.commit(records)
    return topicId
  }

  partition(topic: string, partition = 0): PartitionImage {
    return this.image.partition(topic, partition)!
  }

  change(topic: string, change: Parameters<typeof partitionChange>[2], partition = 0): void {
    this.commit([partitionChange(this.image.topicsByName.get(topic)!.id, partition, change)])
  }

  /** Sets one setting of a topic, or of all brokers (name ''). */
  configure(resourceType: 'topic' | 'broker', resourceName: string, name: string, value: string | null): void {
    this.commit([{ type: 'Config', resourceType: configResource[resourceType], resourceName, name, value }])
  }

  /** The broker is gone as far as the controller can tell: fenced, out of every in-sync set, its partitions led by others. */
  fence(id: number): void {
    const { epoch } = this.image.brokers.get(id)!
    this.commit([{ type: 'FenceBroker', id, epoch }])
    this.electAll()
  }

  kill(id: number): void {
    this.broker(id).kill()
    this.fence(id)
  }

  restart(id: number): void {
    const broker = this.broker(id)
    broker.start()
    this.register(broker)
  }

  private electAll(): void {
    for (const topic of this.image.topicsByName.values()) {
      for (const [index, state] of topic.partitions) {
        const alive = state.isr.filter(id => this.image.isBrokerAlive(id))
        const isr = alive.length === 0 ? state.isr.slice(0, 1) : alive
        const leaderLives = alive.includes(state.leader)
        if (leaderLives && isr.length === state.isr.length) continue
        if (!leaderLives && alive.length === 0 && state.leader === -1) continue
        const leader = leaderLives ? {} : { leader: alive[0] ?? -1 }
        this.change(topic.name, { isr, ...leader }, index)
      }
    }
  }

  controllerLink(broker: TestBroker): ControllerLink {
    return {
      alterPartition: async (sender, proposal) => {
        const { generation } = broker
        await this.delay()
        // As a ControllerChannel, which sends it again until somebody answers.
        while (this.isolated.has(broker.id) && generation === broker.generation) await this.delay(100)
        if (generation !== broker.generation) return new Promise(() => {})
        const request = { ...sender(), ...proposal }
        const response = this.alterPartitionHook?.(request) ?? this.alterPartition(request)
        await this.delay()
        return response
      },
      allocateProducerIds: async () => {
        await this.delay()
        const producerIdStart = this.nextProducerId
        this.nextProducerId += 1000n
        return { throttleTimeMs: 0, errorCode: 0, producerIdStart, producerIdLen: 1000 }
      },
    }
  }

  alterPartition(request: AlterPartitionRequest): AlterPartitionResponse {
    return {
      throttleTimeMs: 0,
      errorCode: 0,
      topics: request.topics.map(({ topicId, partitions }) => ({
        topicId,
        partitions: partitions.map(each => {
          const topic = this.image.topicsById.get(topicId)
          const state = topic?.partitions.get(each.partitionIndex)
          let error: ErrorName = 'NONE'
          if (topic === undefined || state === undefined) error = 'UNKNOWN_TOPIC_ID'
          else if (state.leaderEpoch !== each.leaderEpoch || state.leader !== request.brokerId)
            error = 'FENCED_LEADER_EPOCH'
          else if (state.partitionEpoch !== each.partitionEpoch) error = 'INVALID_UPDATE_VERSION'
          else if (!each.newIsrWithEpochs.every(member => this.isEligible(member))) error = 'INELIGIBLE_REPLICA'
          else
            this.change(topic.name, { isr: each.newIsrWithEpochs.map(member => member.brokerId) }, each.partitionIndex)
          const now = this.image.topicsById.get(topicId)?.partitions.get(each.partitionIndex)
          return {
            partitionIndex: each.partitionIndex,
            errorCode: errorCode(error),
            leaderId: now?.leader ?? -1,
            leaderEpoch: now?.leaderEpoch ?? -1,
            isr: [...(now?.isr ?? [])],
            leaderRecoveryState: 0,
            partitionEpoch: now?.partitionEpoch ?? -1,
          }
        }),
      })),
    }
  }

  private isEligible(member: { brokerId: number; brokerEpoch: number }): boolean {
    const broker = this.image.brokers.get(member.brokerId)
    return broker?.fenced === false && (member.brokerEpoch === -1 || broker.epoch === member.brokerEpoch)
  }

  // ----------------------------------------------------------------------------------------------------------- network

  client(from: TestBroker): RequestClient {
    const { generation } = from
    let isClosed = false
    return {
      send: async <Response>(to: Address, apiKey: number, body: object, options: { timeoutMs: number }) => {
        const target = this.broker(Number(to.host.replace('broker-', '')))
        const fail = () => new NetworkError('CONNECTION_CLOSED', 'lost')
        const isLost = () => this.cut.has(`${from.id}>${target.id}`) || !target.isAlive
        await this.delay()
        if (isClosed || generation !== from.generation) return new Promise<never>(() => {})
        if (isLost()) throw fail()
        const version = served.get(apiKey)!.handler.versions[1]
        const life = target.generation
        const answer = target.request<Response>(apiKey, version, body)
        const response = await Promise.race([answer, this.delay(options.timeoutMs).then(() => undefined)])
        await this.delay()
        if (response === undefined || isLost() || life !== target.generation) throw fail()
        if (isClosed || generation !== from.generation) return new Promise<never>(() => {})
        return { response, version }
      },
      close: () => {
        isClosed = true
      },
    }
  }

  private delay(ms = 1): Promise<void> {
    return new Promise(resolve => {
      this.time.timers.after(ms, resolve)
    })
  }

  /** Runs the clock until the promise is settled. */
  async until<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    const state = { settled: false }
    const settle = (): void => {
      state.settled = true
    }
    promise.then(settle, settle)
    for (let ms = 0; !state.settled && ms < limitMs; ms += 5) await this.time.run(5)
    if (!state.settled) throw new Error(`nothing came within ${limitMs} virtual milliseconds`)
    return promise
  }
}
