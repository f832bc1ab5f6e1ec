/** A controller machine with a metadata log of its own, for scenario tests: what is proposed is committed when the test says so. */
import { parseBrokerConfig } from '#broker/config/parse.ts'
import type { BrokerConfig } from '#broker/config/broker-config.ts'
import type { Random } from '#broker/environment/environment.ts'
import { alterPartition } from '#broker/controller/alter-partition.ts'
import { brokerHeartbeat } from '#broker/controller/broker-heartbeat.ts'
import { ControllerMachine } from '#broker/controller/controller-machine.ts'
import { createTopics } from '#broker/controller/create-topics.ts'
import { bootstrapRecords, featureRanges } from '#broker/controller/features.ts'
import { ImageBuilder } from '#broker/controller/image-builder.ts'
import { MetadataImage } from '#broker/controller/image.ts'
import type { PartitionImage } from '#broker/controller/image.ts'
import type { MetadataRecord } from '#broker/controller/metadata-record.ts'
import { isRefusal } from '#broker/controller/operation.ts'
import type { Operation, Refusal } from '#broker/controller/operation.ts'
import { registerBroker } from '#broker/controller/register-broker.ts'
import { decodeRecord, encodeRecord } from '#broker/controller/records.ts'

export const clusterId = 'KRaftClusterAAAAAAAAAA'

export function testConfig(overrides: Readonly<Record<string, string>> = {}): BrokerConfig {
  const given = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    listeners: 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
    'controller.quorum.voters': '1@127.0.0.1:9093',
    ...overrides,
  }
  return parseBrokerConfig(new Map(Object.entries(given))).config
}

/** A small generator (mulberry32), so that a test draws the same every time. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  return {
    below: limit => Math.floor((next() / 2 ** 32) * limit),
    bytes: count => Buffer.from(Array.from({ length: count }, () => next() & 0xff)),
  }
}

/** A UUID that is readable in a failing test: 22 characters. */
export const uuidOf = (name: string) => name.padEnd(21, '-') + 'A'

export interface TestRegistration {
  readonly incarnation?: string
  readonly directories?: readonly string[]
  readonly rack?: string
  readonly port?: number
  readonly cluster?: string
  /** Left out: it did not stop cleanly. */
  readonly previousBrokerEpoch?: number
}

export class Harness {
  readonly machine: ControllerMachine
  readonly log: MetadataRecord[] = []
  nowMs = 1_000
  committedOffset = -1
  committed = MetadataImage.empty(clusterId)
  epoch = 1

  constructor(
    options: { config?: Readonly<Record<string, string>>; seed?: number; metadataVersion?: number; elr?: boolean } = {},
  ) {
    const config = testConfig({ 'auto.leader.rebalance.enable': 'false', ...options.config })
    const random = seededRandom(options.seed ?? 1)
    const { metadataVersion, elr } = options
    const level = (name: string, featureLevel: number): MetadataRecord => ({ type: 'FeatureLevel', name, featureLevel })
    const bootstrap = [
      ...(metadataVersion === undefined ? bootstrapRecords() : [level('metadata.version', metadataVersion)]),
      ...(elr === true ? [level('eligible.leader.replicas.version', 1)] : []),
    ]
    this.machine = new ControllerMachine({ nodeId: 1, clusterId, config, random, bootstrap })
    this.activate()
  }

  get image(): MetadataImage {
    return this.machine.image
  }

  activate(): void {
    const start = { image: this.committed, epoch: this.epoch, openTransaction: false }
    this.log.push(...this.machine.activate(start, this.moment()))
    this.commit()
  }

  /** Loses the leadership with everything that is not committed, and gets it back in a later epoch. */
  failOver(): void {
    this.log.length = this.committedOffset + 1
    this.machine.deactivate()
    this.epoch++
    this.activate()
  }

  moment() {
    return { nowMs: this.nowMs, wallMs: this.nowMs, nextOffset: this.log.length }
  }

  /** Runs and keeps the records, not committed yet. */
  propose<Request, Reply>(operation: Operation<Request, Reply>, request: Request): Reply | Refusal {
    const outcome = this.machine.run(operation, request, this.moment())
    if (isRefusal(outcome)) return outcome
    // Through bytes and back, as the real log does it.
    this.log.push(...outcome.records.map(record => decodeRecord(encodeRecord(record, 30))))
    return outcome.reply
  }

  /** Runs and commits; a refusal is an error of the test. */
  submit<Request, Reply extends object>(operation: Operation<Request, Reply>, request: Request): Reply {
    const reply = this.propose(operation, request)
    if (isRefusal(reply)) throw new Error(`refused: ${reply.refused} ${reply.message}`)
    this.commit()
    return reply
  }

  commit(): void {
    if (this.committedOffset === this.log.length - 1) return
    const builder = new ImageBuilder(this.committed)
    for (const record of this.log.slice(this.committedOffset + 1)) builder.replay(record)
    this.committedOffset = this.log.length - 1
    this.committed = builder.build(this.committedOffset, this.epoch).image
  }

  /** Lets time pass, with everything done that is due on the way. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const nextMs = Math.max(this.nowMs, this.machine.nextTickMs())
      if (nextMs > untilMs) break
      this.nowMs = nextMs
      for (;;) {
        const records = this.machine.tick(this.moment())
        if (records === undefined) break
        this.log.push(...records)
        this.commit()
      }
    }
    this.nowMs = untilMs
  }

  registration(id: number, options: TestRegistration = {}) {
    const port = options.port ?? 9092 + id
    return {
      brokerId: id,
      clusterId: options.cluster ?? clusterId,
      incarnationId: uuidOf(options.incarnation ?? `incarnation${id}`),
      listeners: [{ name: 'PLAINTEXT', host: '127.0.0.1', port, securityProtocol: 0 }],
      features: featureRanges(),
      rack: options.rack ?? null,
      previousBrokerEpoch: options.previousBrokerEpoch ?? -1,
      logDirs: (options.directories ?? [`directory${id}`]).map(uuidOf),
    }
  }

  register(id: number, options: TestRegistration = {}): number {
    return this.submit(registerBroker, this.registration(id, options)).brokerEpoch
  }

  epochOf(id: number): number {
    return this.image.brokers.get(id)?.epoch ?? -1
  }

  heartbeat(
    id: number,
    options: {
      wantFence?: boolean
      wantShutDown?: boolean
      offset?: number
      epoch?: number
      cordoned?: readonly string[] | null
    } = {},
  ) {
    return this.submit(brokerHeartbeat, {
      brokerId: id,
      brokerEpoch: options.epoch ?? this.epochOf(id),
      currentMetadataOffset: options.offset ?? this.committedOffset,
      wantFence: options.wantFence ?? false,
      wantShutDown: options.wantShutDown ?? false,
      ...(options.cordoned === undefined ? {} : { cordonedLogDirs: options.cordoned }),
    })
  }

  /** Registered and unfenced. */
  start(...ids: number[]): void {
    for (const id of ids) {
      this.register(id)
      this.heartbeat(id)
    }
  }

  /** These brokers beat until the time is over, the others are silent. */
  beat(ms: number, ...ids: number[]): void {
    const untilMs = this.nowMs + ms
    while (this.nowMs < untilMs) {
      this.pass(Math.min(1_000, untilMs - this.nowMs))
      for (const id of ids) this.heartbeat(id)
    }
  }

  createTopic(
    name: string,
    assignments: readonly (readonly number[])[],
    configs: Readonly<Record<string, string>> = {},
  ) {
    const { topics } = this.submit(createTopics, {
      validateOnly: false,
      topics: [
        {
          name,
          numPartitions: -1,
          replicationFactor: -1,
          assignments: assignments.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        },
      ],
    })
    if (topics[0]?.errorCode !== 0) throw new Error(`topic not created: ${JSON.stringify(topics[0])}`)
  }

  partition(topic: string, index = 0): PartitionImage {
    const partition = this.image.partition(topic, index)
    if (partition === undefined) throw new Error(`no partition ${topic}-${index}`)
    return partition
  }

  /** What a leader sends when it wants this in-sync set, on the state as it is, unless told otherwise. */
  isrProposal(
    topic: string,
    isr: readonly number[],
    change: {
      leaderEpoch?: number
      partitionEpoch?: number
      epochs?: ReadonlyMap<number, number>
      sender?: number
      recovery?: number
    } = {},
  ) {
    const partition = this.partition(topic)
    const sender = change.sender ?? partition.leader
    return {
      brokerId: sender,
      brokerEpoch: this.epochOf(sender),
      topics: [
        {
          topicId: this.image.topicsByName.get(topic)!.id,
          partitions: [
            {
              partitionIndex: 0,
              leaderEpoch: change.leaderEpoch ?? partition.leaderEpoch,
              partitionEpoch: change.partitionEpoch ?? partition.partitionEpoch,
              leaderRecoveryState: change.recovery ?? 0,
              newIsrWithEpochs: isr.map(brokerId => ({
                brokerId,
                brokerEpoch: change.epochs?.get(brokerId) ?? this.epochOf(brokerId),
              })),
            },
          ],
        },
      ],
    }
  }

  alterIsr(request: ReturnType<Harness['isrProposal']>) {
    const reply = this.submit(alterPartition, request)
    const result = reply.topics[0]?.partitions[0]
    if (result === undefined) throw new Error('no result for the partition')
    return result
  }
}
