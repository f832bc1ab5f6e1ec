/** One member of a consumer group, of the consumer protocol, without records: its position in a partition only goes up. */
import type { Address } from '#broker/environment/environment.ts'
import { errorName } from '#broker/protocol/errors.ts'
import type { OffsetCommitResponse } from '#broker/protocol/messages/08-offset-commit.ts'
import type { OffsetFetchResponse } from '#broker/protocol/messages/09-offset-fetch.ts'
import type { ConsumerGroupHeartbeatResponse } from '#broker/protocol/messages/68-consumer-group-heartbeat.ts'
import type { Stage } from './actor.ts'
import { keyTypes, type Wire } from './wire.ts'

/** Highest acknowledged offset of each partition, and who committed it. */
export interface Commits {
  readonly acknowledged: Map<number, { readonly offset: number; readonly by: string }>
  made: number
}

export interface MemberOptions {
  readonly stage: Stage
  readonly wire: Wire
  readonly name: string
  readonly group: string
  readonly topic: string
  readonly pauseMsMax: number
  readonly commits: Commits
}

const leaves = -1
const rebalanceTimeoutMs = 60_000
/** After its session is over by anybody's count. */
const silenceMs = 12_000

export class GroupMember {
  readonly name: string
  topicId = ''
  readonly #options: MemberOptions
  #running = true
  #isRestless = true
  #lives = 0
  #memberId = ''
  #epoch = 0
  /** Partition → the next offset to commit. */
  #positions = new Map<number, number>()
  #isNews = true
  /** Who answered the last heartbeat. */
  #coordinator: Address | undefined

  constructor(options: MemberOptions) {
    this.name = options.name
    this.#options = options
  }

  get owned(): Iterable<number> {
    return this.#positions.keys()
  }

  get state(): string {
    return `epoch ${this.#epoch}`
  }

  stop(): void {
    this.#running = false
  }

  /** From now on, when it runs again, it neither leaves nor falls silent. */
  settleDown(): void {
    this.#running = true
    this.#isRestless = false
  }

  async run(): Promise<void> {
    const { world, random } = this.#options.stage
    while (this.#running) {
      if (this.#memberId === '') this.#join()
      await this.#beat()
      if (this.#positions.size > 0) await this.#commit()
      if (this.#isRestless && this.#epoch > 0 && random.chance(1, 30)) await this.#goAway()
      await world.sleep(random.between(50, this.#options.pauseMsMax))
    }
  }

  /** A new member id: whatever the one before was given is not its own. */
  #join(): void {
    this.#memberId = `${this.name}-${this.#lives++}`
    this.#begin()
  }

  #begin(): void {
    this.#epoch = 0
    this.#positions = new Map()
    this.#isNews = true
  }

  /** Leaves, or falls silent for longer than its session; then it comes back as somebody else, or as who it was. */
  async #goAway(): Promise<void> {
    const { random, world } = this.#options.stage
    const says = random.chance(1, 2)
    if (says) await this.#heartbeat(leaves)
    else await world.sleep(silenceMs)
    if (random.chance(1, 2)) this.#memberId = ''
    // Who was silent does not know that it was removed, and goes on in its old epoch.
    else if (says) this.#begin()
  }

  async #beat(): Promise<void> {
    const answer = await this.#heartbeat(this.#epoch)
    if (answer === undefined) {
      // The coordinator may have seen it or not: everything is said again.
      this.#isNews = true
      return
    }
    const error = errorName(answer.errorCode)
    if (error === 'FENCED_MEMBER_EPOCH' || error === 'UNKNOWN_MEMBER_ID') return this.#begin()
    if (error !== 'NONE') return
    this.#epoch = answer.memberEpoch
    if (answer.assignment !== null) await this.#take(answer.assignment.topicPartitions.flatMap(each => each.partitions))
  }

  /** Gives back what is not in the assignment, which the next heartbeat tells, and begins where the group stands with what is new. */
  async #take(assigned: readonly number[]): Promise<void> {
    for (const partition of [...this.#positions.keys()]) {
      if (assigned.includes(partition)) continue
      this.#positions.delete(partition)
      this.#isNews = true
    }
    for (const partition of assigned) {
      if (this.#positions.has(partition)) continue
      // What it could not begin with, the answer to the next full heartbeat offers again.
      this.#isNews = true
      const committed = await this.#committed(partition)
      if (committed === undefined) return
      this.#positions.set(partition, committed + 1)
    }
  }

  async #heartbeat(memberEpoch: number): Promise<ConsumerGroupHeartbeatResponse | undefined> {
    const { wire, group, topic } = this.#options
    const isNews = this.#isNews || memberEpoch === 0
    const partitions = [...this.#positions.keys()]
    const body = {
      groupId: group,
      memberId: this.#memberId,
      memberEpoch,
      rebalanceTimeoutMs: isNews ? rebalanceTimeoutMs : -1,
      subscribedTopicNames: isNews ? [topic] : null,
      topicPartitions: isNews ? (partitions.length === 0 ? [] : [{ topicId: this.topicId, partitions }]) : null,
    }
    this.#isNews = false
    try {
      this.#coordinator = await wire.coordinator(group, keyTypes.group)
      return await wire.send<ConsumerGroupHeartbeatResponse>(this.#coordinator, 68, body, 1)
    } catch {
      // No coordinator, or no answer of it.
      return undefined
    }
  }

  /** Undefined when nobody says so: the partition is then asked for again with the next assignment. */
  async #committed(partition: number): Promise<number | undefined> {
    const { wire, group, topic } = this.#options
    // Of the broker that gave the partition: one that was deposed may know this epoch and not the newest commits.
    const to = this.#coordinator
    if (to === undefined) return undefined
    const topics = [{ name: topic, partitionIndexes: [partition] }]
    const groups = [{ groupId: group, memberId: this.#memberId, memberEpoch: this.#epoch, topics }]
    try {
      const answer = await wire.send<OffsetFetchResponse>(to, 9, { groups, requireStable: true }, 9)
      const found = answer.groups[0]!
      const part = found.topics[0]?.partitions[0]
      if (found.errorCode !== 0 || part === undefined || part.errorCode !== 0) return undefined
      return part.committedOffset
    } catch {
      return undefined
    }
  }

  /** One step further in one partition. Without an answer the member is given up: its commit may still come, but no other after it. */
  async #commit(): Promise<void> {
    const { stage, wire, group, topic, commits } = this.#options
    const partition = stage.random.pick([...this.#positions.keys()])
    const offset = this.#positions.get(partition)!
    const by = `${this.#memberId} in epoch ${this.#epoch}`
    const before = commits.acknowledged.get(partition)
    const entry = { partitionIndex: partition, committedOffset: offset, committedMetadata: '' }
    const body = {
      groupId: group,
      generationIdOrMemberEpoch: this.#epoch,
      memberId: this.#memberId,
      topics: [{ name: topic, partitions: [entry] }],
    }
    let code: number
    try {
      const to = await wire.coordinator(group, keyTypes.group)
      code = (await wire.send<OffsetCommitResponse>(to, 8, body, 9)).topics[0]!.partitions[0]!.errorCode
    } catch {
      this.#memberId = ''
      return
    }
    commits.made++
    const error = errorName(code)
    if (error === 'NONE') {
      if (before !== undefined && before.offset >= offset) {
        throw new Error(
          `${group}: ${by} could commit ${offset} of ${topic}-${partition} after ${before.by} had committed ${before.offset}`,
        )
      }
      commits.acknowledged.set(partition, { offset, by })
      this.#positions.set(partition, offset + 1)
    } else if (error === 'UNKNOWN_MEMBER_ID') this.#begin()
    else if (error !== 'STALE_MEMBER_EPOCH') this.#memberId = ''
  }
}
