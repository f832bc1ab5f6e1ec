/**
 * The consumer groups of one shard: routes records, heartbeats and time to them, and sees to it that an answer leaves only when its records
 * are committed.
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { ErrorName } from '../../../protocol/errors.ts'
import type { Ticket } from '../../runtime/effects.ts'
import type { ClassicGroup } from '../classic-group.ts'
import type { JoinAnswer, SyncAnswer } from '../classic-member.ts'
import { refuseJoin, refuseSync, type JoinRequest, type MemberIdentity, type SyncRequest } from '../classic-requests.ts'
import type { GroupTable } from '../group.ts'
import type { AppliedWrites } from './applied-writes.ts'
import { heartbeatAsClassic, joinAsClassic, joinError, leaveAsClassic, syncAsClassic } from './consumer-classic.ts'
import { ConsumerGroup } from './consumer-group.ts'
import {
  heartbeat,
  refuseHeartbeat,
  type ConsumerHeartbeat,
  type ConsumerSettings,
  type GroupStep,
  type HeartbeatAnswer,
} from './consumer-heartbeat.ts'
import type { ConsumerMember } from './consumer-member.ts'
import type { ConsumerRecord } from './consumer-records.ts'
import { fence, leave } from './departure.ts'
import { heartbeatRefusal } from './heartbeat-checks.ts'
import { downgrade, mayDowngrade, upgrade } from './migration.ts'
import type { TopicPatterns } from './topic-patterns.ts'

export interface ConsumerGroupsParts {
  readonly groups: GroupTable
  readonly writes: AppliedWrites
  readonly image: () => MetadataImage
  readonly wallMs: () => number
  readonly settings: (groupId: string) => ConsumerSettings
  readonly patterns: TopicPatterns
}

const everyTopic = (): boolean => true

export class ConsumerGroups {
  readonly #parts: ConsumerGroupsParts

  constructor(parts: ConsumerGroupsParts) {
    this.#parts = parts
  }

  replay(record: ConsumerRecord): void {
    const { groups } = this.#parts
    const known = groups.get(record.groupId)
    if (record.kind === 'epoch' && record.value === undefined) {
      if (known?.type === 'Consumer') groups.delete(record.groupId)
      return
    }
    if (known?.type === 'Consumer') {
      known.replay(record)
      return
    }
    // A tombstone of a group that is not there says nothing new.
    if (record.value === undefined) return
    const group = new ConsumerGroup(record.groupId)
    groups.set(record.groupId, group)
    group.replay(record)
  }

  /** Everybody gets a full session to report. */
  loaded(group: ConsumerGroup, nowMs: number): void {
    const { sessionTimeoutMs } = this.#parts.settings(group.groupId)
    for (const member of group.members.values()) {
      group.heard(member.memberId, nowMs, member.classic?.sessionTimeoutMs ?? sessionTimeoutMs)
      if (member.classic === null && member.state === 'unrevoked')
        group.awaitRevocation(member.memberId, nowMs, member.rebalanceTimeoutMs)
    }
  }

  step(groupId: string, nowMs: number, mayDescribe: (topic: string) => boolean = everyTopic): GroupStep {
    const { writes, image, wallMs, settings, patterns } = this.#parts
    return {
      image: image(),
      nowMs,
      nowWallMs: wallMs(),
      settings: settings(groupId),
      write: record => writes.write(record),
      fence: (group, members) => this.#fence(group, members, nowMs),
      mayDescribe,
      patterns,
    }
  }

  /** Out of a classic group with members; undefined, and why, when it cannot be done. */
  upgrade(classic: ClassicGroup, step: GroupStep): ConsumerGroup | string {
    const { groupId } = classic
    const records = upgrade(classic, step.image, step.settings)
    if (typeof records === 'string') return records
    classic.die('REBALANCE_IN_PROGRESS')
    for (const record of records) step.write(record)
    const group = this.#parts.groups.get(groupId)
    if (group?.type !== 'Consumer') throw new Error(`group ${groupId} did not become a consumer group`)
    this.loaded(group, step.nowMs)
    return group
  }

  #fence(group: ConsumerGroup, members: readonly ConsumerMember[], nowMs: number): void {
    const step = this.step(group.groupId, nowMs)
    const leaving = new Set(members.map(({ memberId }) => memberId))
    if (mayDowngrade(group, leaving, step.settings)) this.#downgrade(group, leaving, step)
    else fence(group, members, step)
  }

  #downgrade(group: ConsumerGroup, leaving: ReadonlySet<string>, step: GroupStep): void {
    const { groupId } = group
    const { record, protocols } = downgrade(group, leaving, step.image, step.nowWallMs)
    for (const tombstone of group.tombstones()) step.write(tombstone)
    step.write(record)
    const classic = this.#parts.groups.get(groupId)
    if (classic?.type !== 'Classic') throw new Error(`group ${groupId} did not become a classic group`)
    for (const member of classic.members.values()) member.protocols = protocols.get(member.memberId) ?? member.protocols
    classic.loaded(step.nowMs)
    classic.rebalance(step.nowMs)
  }

  join(group: ConsumerGroup, request: JoinRequest, ticket: Ticket<JoinAnswer>, nowMs: number): void {
    const step = this.step(group.groupId, nowMs)
    const memberId = request.memberId === '' ? request.newMemberId : request.memberId
    const refusal = joinError(group, request, memberId, step)
    const isLastReplaced = this.#replacesLast(group, request)
    const answer = refusal === undefined ? joinAsClassic(group, request, memberId, step) : refuseJoin(refusal, memberId)
    if (answer.error === 'NONE' && isLastReplaced && mayDowngrade(group, new Set(), step.settings))
      this.#downgrade(group, new Set(), step)
    this.#parts.writes.answer(ticket, answer, error => refuseJoin(error, memberId))
  }

  /** A static member comes back with the classic protocol. */
  #replacesLast(group: ConsumerGroup, { groupInstanceId, memberId }: JoinRequest): boolean {
    if (groupInstanceId === null || memberId !== '') return false
    return group.staticMember(groupInstanceId)?.classic === null
  }

  sync(group: ConsumerGroup, request: SyncRequest, ticket: Ticket<SyncAnswer>, nowMs: number): void {
    const answer = syncAsClassic(group, request, this.step(group.groupId, nowMs))
    this.#parts.writes.answer(ticket, answer, error => refuseSync(error))
  }

  classicHeartbeat(group: ConsumerGroup, identity: MemberIdentity, generationId: number, nowMs: number): ErrorName {
    return heartbeatAsClassic(group, identity, generationId, this.step(group.groupId, nowMs))
  }

  classicLeave(group: ConsumerGroup, leaving: readonly MemberIdentity[], nowMs: number): ErrorName[] {
    const errors = leaveAsClassic(group, leaving, this.step(group.groupId, nowMs))
    this.#parts.writes.flush()
    return errors
  }

  /** `group`: the one that the member belongs to, or a new one for the first member. */
  heartbeat(group: ConsumerGroup, request: ConsumerHeartbeat, step: GroupStep, ticket: Ticket<HeartbeatAnswer>): void {
    this.#parts.writes.answer(ticket, this.#answer(group, request, step), error => refuseHeartbeat(error))
  }

  #answer(group: ConsumerGroup, request: ConsumerHeartbeat, step: GroupStep): HeartbeatAnswer {
    if (request.memberEpoch < 0) return leave(group, request, step)
    const refusal = heartbeatRefusal(group, request, step)
    return refusal === undefined ? heartbeat(group, request, step) : refuseHeartbeat(refusal.error, refusal.message)
  }

  /** Members whose time ran out are fenced. */
  tick(group: ConsumerGroup, nowMs: number): void {
    const late = group
      .due(nowMs)
      .map(({ memberId }) => group.members.get(memberId))
      .filter(member => member !== undefined)
    if (late.length === 0) return
    this.#fence(group, [...new Set(late)], nowMs)
    this.#parts.writes.flush()
  }
}
