/** Consumer groups under test: topics by hand, and members that behave as Kafka's consumers do. */
import { applyRecords } from '#broker/controller/image-builder.ts'
import { MetadataImage } from '#broker/controller/image.ts'
import type { MetadataRecord } from '#broker/controller/metadata-record.ts'
import type { Assignment } from '#broker/coordinator/groups/modern/assignment.ts'
import { assignmentOf, partitionsOf, topicPartitionsOf } from '#broker/coordinator/groups/modern/assignment.ts'
import type { ConsumerHeartbeat, HeartbeatAnswer } from '#broker/coordinator/groups/modern/consumer-heartbeat.ts'
import { ShardHarness } from '../harness.ts'

export const topicId = (name: string): string => Buffer.from(name.padEnd(16)).toString('base64url')

/** Partitions by topic name. */
export function imageOf(topics: Readonly<Record<string, number>>): MetadataImage {
  const records = Object.entries(topics).flatMap(([name, count]): MetadataRecord[] => [
    { type: 'Topic', name, topicId: topicId(name) },
    ...Array.from({ length: count }, (_, partitionId): MetadataRecord => partitionRecord(topicId(name), partitionId)),
  ])
  return applyRecords(MetadataImage.empty(''), records, { offset: 0, epoch: 0 }).image
}

function partitionRecord(topic: string, partitionId: number): MetadataRecord {
  return {
    type: 'Partition',
    partitionId,
    topicId: topic,
    replicas: [1],
    isr: [1],
    removingReplicas: [],
    addingReplicas: [],
    leader: 1,
    leaderRecoveryState: 0,
    leaderEpoch: 0,
    partitionEpoch: 0,
    directories: [],
    eligibleLeaderReplicas: null,
    lastKnownElr: null,
  }
}

/** `t0 t1 u0` */
export function text(assignment: Assignment | undefined): string {
  const names = [...partitionsOf(assignment ?? new Map())].map(
    ([id, partition]) => `${Buffer.from(id, 'base64url').toString().trim()}${partition}`,
  )
  return names.sort().join(' ')
}

export class ConsumerHarness extends ShardHarness {
  constructor(topics: Readonly<Record<string, number>> = { t: 4 }) {
    super()
    this.setTopics(topics)
  }

  setTopics(topics: Readonly<Record<string, number>>): void {
    const before = [...this.image.topicsByName.keys()]
    this.image = imageOf(topics)
    this.step(shard => shard.topicsChanged([...before, ...Object.keys(topics)]))
  }

  beat(over: Partial<ConsumerHeartbeat> & { memberId: string }): { answer: HeartbeatAnswer | undefined } {
    const box: { answer: HeartbeatAnswer | undefined } = { answer: undefined }
    const request: ConsumerHeartbeat = {
      groupId: 'g',
      memberEpoch: 0,
      instanceId: null,
      rackId: null,
      rebalanceTimeoutMs: 30_000,
      clientId: 'client',
      clientHost: '/127.0.0.1',
      subscribedTopicNames: ['t'],
      subscribedTopicRegex: null,
      serverAssignor: null,
      owned: new Map(),
      ...over,
    }
    const ticket = { resolve: (answer: HeartbeatAnswer) => void (box.answer = answer) }
    this.step(shard => shard.consumerHeartbeat(request, () => true, ticket, this.nowMs))
    return box
  }

  get group() {
    return this.shard.consumerGroup('g')
  }
}

/** A member that does what it is told: gives up first, says so, takes what it is given. */
export class Consumer {
  readonly #harness: ConsumerHarness
  readonly memberId: string
  epoch = 0
  owned = new Set<string>()
  error = 'NONE'
  #assigned: Assignment = new Map()
  #acknowledged = true
  readonly #over: Partial<ConsumerHeartbeat>

  constructor(harness: ConsumerHarness, memberId: string, over: Partial<ConsumerHeartbeat> = {}) {
    this.#harness = harness
    this.memberId = memberId
    this.#over = over
  }

  get has(): string {
    return [...this.owned].sort().join(' ')
  }

  beat(over: Partial<ConsumerHeartbeat> = {}): HeartbeatAnswer | undefined {
    const joins = this.epoch === 0
    const owned = joins || !this.#acknowledged ? assignmentOf(topicPartitionsOf(this.#assigned)) : null
    const full = joins ? this.#over : { subscribedTopicNames: null, rebalanceTimeoutMs: -1 }
    const { answer } = this.#harness.beat({ memberId: this.memberId, memberEpoch: this.epoch, owned, ...full, ...over })
    if (answer === undefined) return undefined
    this.error = answer.error
    if (answer.error !== 'NONE') {
      this.lose()
      return answer
    }
    this.#acknowledged = true
    this.epoch = answer.memberEpoch
    if (answer.assignment !== undefined) {
      this.#assigned = answer.assignment
      this.#acknowledged = false
      const names = text(answer.assignment)
      this.owned = new Set(names === '' ? [] : names.split(' '))
    }
    return answer
  }

  /** Fenced, or gone: it must begin anew. */
  lose(): void {
    this.epoch = 0
    this.owned = new Set()
    this.#assigned = new Map()
    this.#acknowledged = true
  }

  leave(epoch = -1): void {
    this.#harness.beat({ memberId: this.memberId, memberEpoch: epoch, ...this.#over })
    if (epoch === -1) this.lose()
    else this.epoch = 0
  }
}

/** Heartbeats of all until nothing moves any more. */
export function settle(consumers: readonly Consumer[], rounds = 8): void {
  for (let round = 0; round < rounds; round++) for (const consumer of consumers) consumer.beat()
}
