/**
 * A member by the classic protocol (JoinGroup, SyncGroup, Heartbeat, LeaveGroup), as Kafka's Java consumer is one and kafkajs is not: eager or
 * cooperative (KIP-429), dynamic or static (KIP-345), with a limit on the time between two polls (KIP-62).
 *
 * Eager: who joins again has given up everything before. Cooperative: it goes on with what it owns, gives up only what the new generation
 * gives to nobody, and joins once more when it has.
 */
import { errorName } from '#broker/protocol/errors.ts'
import { joinGroupRequest, joinGroupResponse } from '#broker/protocol/messages/11-join-group.ts'
import { heartbeatRequest, heartbeatResponse } from '#broker/protocol/messages/12-heartbeat.ts'
import { leaveGroupRequest, leaveGroupResponse } from '#broker/protocol/messages/13-leave-group.ts'
import { syncGroupRequest, syncGroupResponse } from '#broker/protocol/messages/14-sync-group.ts'
import {
  assignCooperatively,
  assignRanges,
  decodeAssignment,
  encodeAssignment,
  encodeSubscription,
  ownedIn,
} from './assignors.ts'
import type { GroupCoordinator } from './coordinator.ts'
import {
  MemberRefusedError,
  without,
  type Changes,
  type Identity,
  type GroupMembership,
  type MembershipOptions,
} from './membership.ts'

const join = { request: joinGroupRequest, response: joinGroupResponse, oldest: 5 }
const sync = { request: syncGroupRequest, response: syncGroupResponse, oldest: 3 }
const beat = { request: heartbeatRequest, response: heartbeatResponse, oldest: 3 }
const leave = { request: leaveGroupRequest, response: leaveGroupResponse, oldest: 3 }

const protocolType = 'consumer'
const protocols = {
  eager: { name: 'range', assign: assignRanges },
  cooperative: { name: 'cooperative-sticky', assign: assignCooperatively },
} as const
export type ClassicProtocol = keyof typeof protocols

interface Rebalance {
  /** The partitions that it gave. */
  readonly done: Promise<readonly number[]>
  assigned?: readonly number[]
}

export class ClassicMembership implements GroupMembership {
  readonly #options: MembershipOptions
  readonly #coordinator: GroupCoordinator
  readonly #protocol: ClassicProtocol
  #memberId = ''
  #generation = -1
  #owned: readonly number[] = []
  /** What the member has to do when it polls next; when it has lost what it had, it begins anew. */
  #due: 'nothing' | 'join' | 'join-anew' = 'join'
  /** The coordinator has removed the member. */
  #isForgotten = false
  /** The same was told in a rebalance, so others may have read what it owns: it says so no more, and loses it when it polls next. */
  #hasLost = false
  #refused: MemberRefusedError | undefined
  /** A rebalance in which it takes part, and what it gave as soon as that is known. */
  #rebalance: Rebalance | undefined
  #polledMs: number
  #isEnded = false
  #isBeating = false

  constructor(options: MembershipOptions, coordinator: GroupCoordinator, protocol: ClassicProtocol) {
    this.#options = options
    this.#coordinator = coordinator
    this.#protocol = protocol
    this.#polledMs = options.cluster.clock.nowMs()
  }

  get identity(): Identity {
    return { memberId: this.#memberId, generation: this.#generation, instanceId: this.#instanceId }
  }

  get #instanceId(): string | null {
    return this.#options.instanceId ?? null
  }

  async attend(changes: Changes): Promise<void> {
    this.#polledMs = this.#options.cluster.clock.nowMs()
    if (this.#refused !== undefined) throw this.#refused
    if (this.#due === 'join-anew') {
      this.#rebalance = undefined
      if (this.#isForgotten) this.#forget()
      await this.#lose(changes)
      this.#due = 'join'
    } else if (this.#hasLost) await this.#lose(changes)
    if (this.#protocol === 'eager') await this.#attendEagerly(changes)
    else await this.#attendCooperatively(changes)
    this.#polledMs = this.#options.cluster.clock.nowMs()
  }

  /** A generation changes only in a rebalance, in which the member takes part itself. */
  renew(): Promise<boolean> {
    return Promise.resolve(false)
  }

  async leave(): Promise<void> {
    if (this.#instanceId === null && this.#memberId !== '') await this.#sayGoodbye('the consumer is being closed')
    this.end()
  }

  end(): void {
    this.#isEnded = true
    this.#coordinator.close()
  }

  async #attendEagerly(changes: Changes): Promise<void> {
    if (this.#due === 'nothing') return
    const before = this.#owned
    if (before.length > 0) await changes.revoked(before)
    this.#owned = []
    const assigned = await this.#begin().done
    this.#rebalance = undefined
    // What the coordinator forgot in this rebalance had been given up before it.
    this.#hasLost = false
    this.#owned = assigned
    await changes.assigned(assigned, assigned)
  }

  async #attendCooperatively(changes: Changes): Promise<void> {
    for (;;) {
      const rebalance = this.#rebalance ?? (this.#due === 'join' ? this.#begin() : undefined)
      if (rebalance === undefined) return
      // Who owns something goes on reading meanwhile.
      if (this.#owned.length > 0 && rebalance.assigned === undefined) return
      const assigned = rebalance.assigned ?? (await rebalance.done)
      this.#rebalance = undefined
      if (this.#hasLost) await this.#lose(changes)
      const given = without(this.#owned, assigned)
      const added = without(assigned, this.#owned)
      if (given.length > 0) await changes.revoked(given)
      this.#owned = assigned
      await changes.assigned(assigned, added)
      if (given.length > 0) this.#due = 'join'
    }
  }

  async #lose(changes: Changes): Promise<void> {
    const lost = this.#owned
    this.#owned = []
    this.#hasLost = false
    if (lost.length > 0) await changes.lost(lost)
  }

  #begin(): Rebalance {
    this.#due = 'nothing'
    const rebalance: Rebalance = { done: this.#takePart() }
    rebalance.done.then(
      assigned => (rebalance.assigned = assigned),
      (error: unknown) => {
        // A member that has ended expects no answer; every other one is told when it polls next.
        if (!this.#isEnded) this.#fail(error)
      },
    )
    this.#rebalance = rebalance
    return rebalance
  }

  #fail(error: unknown): void {
    this.#refused = error instanceof MemberRefusedError ? error : new MemberRefusedError('NO_ANSWER', String(error))
  }

  /** JoinGroup and SyncGroup until both were answered for the same generation. */
  async #takePart(): Promise<readonly number[]> {
    for (;;) {
      const joined = await this.#join()
      if (joined === 'forgotten') {
        this.#forget()
        continue
      }
      const { leader, skipAssignment, members } = joined
      const isLeader = leader === joined.memberId && !skipAssignment
      const assigned = await this.#sync(isLeader ? this.#assign(members) : [])
      if (assigned === 'forgotten') this.#forget()
      else if (assigned !== 'again') {
        this.#startBeating()
        return assigned
      }
    }
  }

  #forget(): void {
    this.#hasLost ||= this.#generation >= 0
    this.#memberId = ''
    this.#generation = -1
    this.#isForgotten = false
  }

  async #join() {
    const { times, topic } = this.#options
    const { name } = protocols[this.#protocol]
    for (;;) {
      const owned = this.#protocol === 'cooperative' && !this.#hasLost ? this.#owned : []
      const body = {
        groupId: this.#coordinator.group,
        sessionTimeoutMs: times.sessionTimeoutMs,
        rebalanceTimeoutMs: times.maxPollIntervalMs,
        memberId: this.#memberId,
        groupInstanceId: this.#instanceId,
        protocolType,
        protocols: [{ name, metadata: encodeSubscription(topic, owned) }],
      }
      const answer = await this.#coordinator.ask('membership', join, body, ({ errorCode }) => errorCode)
      const code = errorName(answer.errorCode)
      if (code === 'MEMBER_ID_REQUIRED') {
        this.#memberId = answer.memberId
        continue
      }
      if (code === 'UNKNOWN_MEMBER_ID') return 'forgotten'
      if (code === 'REBALANCE_IN_PROGRESS') continue
      if (code !== 'NONE') throw new MemberRefusedError(code, 'JoinGroup')
      this.#memberId = answer.memberId
      this.#generation = answer.generationId
      return answer
    }
  }

  #assign(members: readonly { memberId: string; groupInstanceId: string | null; metadata: Buffer }[]) {
    const { topic, partitions } = this.#options
    const candidates = members.map(({ memberId, groupInstanceId, metadata }) => ({
      id: memberId,
      instanceId: groupInstanceId,
      owned: ownedIn(metadata, topic),
    }))
    const shares = protocols[this.#protocol].assign(candidates, partitions)
    return [...shares].map(([memberId, share]) => ({ memberId, assignment: encodeAssignment(topic, share) }))
  }

  async #sync(assignments: { memberId: string; assignment: Buffer }[]) {
    const body = {
      groupId: this.#coordinator.group,
      generationId: this.#generation,
      memberId: this.#memberId,
      groupInstanceId: this.#instanceId,
      protocolType,
      protocolName: protocols[this.#protocol].name,
      assignments,
    }
    const answer = await this.#coordinator.ask('membership', sync, body, ({ errorCode }) => errorCode)
    const code = errorName(answer.errorCode)
    if (code === 'UNKNOWN_MEMBER_ID') return 'forgotten'
    if (code === 'REBALANCE_IN_PROGRESS' || code === 'ILLEGAL_GENERATION') return 'again'
    if (code !== 'NONE') throw new MemberRefusedError(code, 'SyncGroup')
    return decodeAssignment(answer.assignment, this.#options.topic)
  }

  #startBeating(): void {
    if (this.#isBeating) return
    this.#isBeating = true
    this.#beatOnAndOn().catch((error: unknown) => {
      this.#isBeating = false
      // What is asked when the member ends is not answered any more.
      if (!this.#isEnded) this.#fail(error)
    })
  }

  async #beatOnAndOn(): Promise<void> {
    const { clock } = this.#options.cluster
    const { heartbeatMs, maxPollIntervalMs } = this.#options.times
    for (;;) {
      await clock.sleep(heartbeatMs)
      if (this.#isEnded) return
      // Whoever waits in a rebalance, or has to join, is no silent member.
      const isWaiting = this.#rebalance !== undefined && this.#rebalance.assigned === undefined
      if (isWaiting || this.#due === 'join-anew') continue
      if (clock.nowMs() - this.#polledMs <= maxPollIntervalMs) {
        await this.#beat()
        continue
      }
      this.#due = 'join-anew'
      // A static one only falls silent: it is taken for dead after the session timeout.
      if (this.#instanceId !== null) continue
      this.#isForgotten = true
      await this.#sayGoodbye('consumer poll timeout has expired')
    }
  }

  async #beat(): Promise<void> {
    const { memberId, generation } = this.identity
    const body = {
      groupId: this.#coordinator.group,
      generationId: generation,
      memberId,
      groupInstanceId: this.#instanceId,
    }
    const answer = await this.#coordinator.ask('membership', beat, body, ({ errorCode }) => errorCode)
    // An answer to who it was before says nothing.
    if (this.#generation !== generation || this.#memberId !== memberId) return
    const code = errorName(answer.errorCode)
    if (code === 'NONE') return
    if (code === 'REBALANCE_IN_PROGRESS') this.#due = this.#due === 'nothing' ? 'join' : this.#due
    else if (code === 'UNKNOWN_MEMBER_ID' || code === 'ILLEGAL_GENERATION') {
      this.#due = 'join-anew'
      this.#isForgotten ||= code === 'UNKNOWN_MEMBER_ID'
    } else throw new MemberRefusedError(code, 'Heartbeat')
  }

  async #sayGoodbye(reason: string): Promise<void> {
    const members = [{ memberId: this.#memberId, groupInstanceId: null, reason }]
    const body = { groupId: this.#coordinator.group, members }
    await this.#coordinator.ask('membership', leave, body, ({ errorCode }) => errorCode)
  }
}
