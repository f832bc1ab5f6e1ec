/**
 * A member by the protocol of KIP-848: one request, ConsumerGroupHeartbeat, by which the coordinator tells it what it is to have. There is no
 * rebalance in which all take part: each member gives up what is asked of it, says so with its next heartbeat, and gets what others have given up.
 */
import { errorName } from '#broker/protocol/errors.ts'
import {
  consumerGroupHeartbeatRequest,
  consumerGroupHeartbeatResponse,
} from '#broker/protocol/messages/68-consumer-group-heartbeat.ts'
import type { DecodedFields } from '#broker/protocol/schema.ts'
import { NotOffered } from '../../observe/lines.ts'
import type { GroupCoordinator } from './coordinator.ts'
import {
  MemberRefusedError,
  without,
  type Changes,
  type Identity,
  type GroupMembership,
  type MembershipOptions,
} from './membership.ts'

const beat = { request: consumerGroupHeartbeatRequest, response: consumerGroupHeartbeatResponse }
type Answer = DecodedFields<typeof consumerGroupHeartbeatResponse.fields>

const leaves = -1
const leavesForAWhile = -2

export class ModernMembership implements GroupMembership {
  readonly #options: MembershipOptions
  readonly #coordinator: GroupCoordinator
  #memberId: string
  /** 0: not joined yet. */
  #epoch = 0
  #owned: readonly number[] = []
  /** What it is to have, as the coordinator said last. */
  #target: readonly number[] | undefined
  #topicId: string | undefined
  #isLost = false
  #refused: MemberRefusedError | undefined
  /** Heartbeats go one after the other: each says what changed since the one before. */
  #last: Promise<unknown> = Promise.resolve()
  #isBeating = false
  #isEnded = false

  constructor(options: MembershipOptions, coordinator: GroupCoordinator) {
    this.#options = options
    this.#coordinator = coordinator
    // Since version 1 of the request a member makes its own id.
    this.#memberId = options.cluster.random.bytes(16).toString('base64url')
  }

  get identity(): Identity {
    return { memberId: this.#memberId, generation: this.#epoch, instanceId: this.#options.instanceId ?? null }
  }

  async attend(changes: Changes): Promise<void> {
    if (this.#refused !== undefined) throw this.#refused
    if (this.#isLost) await this.#lose(changes)
    if (this.#epoch === 0) await this.#beat('everything')
    this.#startBeating()
    // With the answer there may be more to have, and more to give up.
    for (let given = this.#toGive; given.length > 0; given = this.#toGive) {
      await changes.revoked(given)
      this.#owned = without(this.#owned, given)
      await this.#beat('owned')
    }
    const added = this.#isLost ? [] : without(this.#target ?? [], this.#owned)
    if (added.length === 0) return
    this.#owned = [...this.#owned, ...added]
    await changes.assigned(this.#owned, added)
    await this.#beat('owned')
  }

  async renew(): Promise<boolean> {
    const before = this.#epoch
    await this.#beat('nothing')
    return !this.#isLost && this.#epoch !== before
  }

  async leave(): Promise<void> {
    if (this.#epoch > 0) {
      this.#epoch = this.#options.instanceId === undefined ? leaves : leavesForAWhile
      await this.#beat('goodbye')
    }
    this.end()
  }

  end(): void {
    this.#isEnded = true
    this.#coordinator.close()
  }

  get #toGive(): readonly number[] {
    return this.#isLost || this.#target === undefined ? [] : without(this.#owned, this.#target)
  }

  async #lose(changes: Changes): Promise<void> {
    const lost = this.#owned
    this.#owned = []
    this.#target = undefined
    this.#epoch = 0
    this.#isLost = false
    if (lost.length > 0) await changes.lost(lost)
  }

  #startBeating(): void {
    if (this.#isBeating) return
    this.#isBeating = true
    this.#beatOnAndOn().catch((error: unknown) => {
      this.#isBeating = false
      // What is asked when the member ends is not answered any more.
      if (this.#isEnded) return
      this.#refused = error instanceof MemberRefusedError ? error : new MemberRefusedError('NO_ANSWER', String(error))
    })
  }

  async #beatOnAndOn(): Promise<void> {
    for (;;) {
      await this.#options.cluster.clock.sleep(this.#options.times.heartbeatMs)
      if (this.#isEnded) return
      if (!this.#isLost && this.#epoch > 0) await this.#beat('nothing')
    }
  }

  async #beat(news: 'everything' | 'owned' | 'nothing' | 'goodbye'): Promise<void> {
    const before = this.#last
    const asked = (async () => {
      await before
      if (this.#isEnded || this.#isLost) return
      this.#take(await this.#ask(news))
    })()
    // Whoever asks is told of a failure; the next one asks all the same.
    this.#last = asked.catch(() => undefined)
    await asked
  }

  async #ask(news: 'everything' | 'owned' | 'nothing' | 'goodbye'): Promise<Answer> {
    const { topic, instanceId, times } = this.#options
    const owned =
      this.#topicId === undefined || this.#owned.length === 0
        ? []
        : [{ topicId: this.#topicId, partitions: [...this.#owned] }]
    const joining = { rebalanceTimeoutMs: times.maxPollIntervalMs, subscribedTopicNames: [topic], topicPartitions: [] }
    const body = {
      groupId: this.#coordinator.group,
      memberId: this.#memberId,
      memberEpoch: this.#epoch,
      instanceId: instanceId ?? null,
      ...(news === 'everything' ? joining : news === 'owned' ? { topicPartitions: owned } : {}),
    }
    try {
      return await this.#coordinator.ask('membership', beat, body, ({ errorCode }) => errorCode)
    } catch (error) {
      if (error instanceof NotOffered && error.api === 'ConsumerGroupHeartbeat')
        throw new MemberRefusedError('UNSUPPORTED_VERSION', error.api)
      throw error
    }
  }

  #take({ errorCode, memberId, memberEpoch, assignment }: Answer): void {
    const code = errorName(errorCode)
    if (code === 'FENCED_MEMBER_EPOCH' || code === 'UNKNOWN_MEMBER_ID') {
      this.#isLost = true
      return
    }
    if (code !== 'NONE') throw new MemberRefusedError(code, 'ConsumerGroupHeartbeat')
    this.#memberId = memberId ?? this.#memberId
    this.#epoch = memberEpoch
    if (assignment === null) return
    this.#topicId = assignment.topicPartitions[0]?.topicId ?? this.#topicId
    this.#target = assignment.topicPartitions.flatMap(({ partitions }) => partitions)
  }
}
