/**
 * One classic consumer group, the machine. Never waits, never reads a clock.
 *
 * Empty               → PreparingRebalance: a member joins
 * PreparingRebalance  → CompletingRebalance: all known members joined, or the rebalance timeout passed
 *                     → Empty: nobody is left
 * CompletingRebalance → Stable: the leader's assignment is committed
 *                     → PreparingRebalance: a member joins, leaves, fails, changes its subscription, or does not sync in time
 * Stable              → PreparingRebalance: likewise, or the leader joins again
 * any                 → Dead: the group is deleted or the coordinator moves away
 *
 * Sources: "Kafka Client-side Assignment Proposal"; KIP-62 (rebalance timeout), KIP-134 (initial delay), KIP-345 (static members),
 * KIP-389 (group.max.size), KIP-394 (member id required), KIP-559 (protocol in sync), KIP-814 (static leader skips assignment).
 */
import type { ErrorName } from '../../protocol/errors.ts'
import {
  electProtocol,
  metadataFor,
  sameProtocols,
  type ClassicMember,
  type JoinAnswer,
  type SyncAnswer,
} from './classic-member.ts'
import {
  assignmentOf,
  joinRefusal,
  refuseJoin,
  refuseSync,
  type ClassicState,
  type GroupLimits,
  type JoinRequest,
  type MemberIdentity,
  type SyncRequest,
} from './classic-requests.ts'
import type { Effects, CoordinatorRecord, Ticket } from '../runtime/effects.ts'
import { expiryRuleOf, subscribedTopicsOf } from './classic-subscription.ts'
import type { AnyGroup } from './group.ts'
import type { ExpiryRule } from './group-offsets.ts'
import { JoinPhase } from './join-phase.ts'

/** A new member may take this long in its first rebalance, whatever its session timeout: it cannot send heartbeats yet. */
const newMemberJoinTimeoutMs = 300_000
const noBytes = Buffer.alloc(0)

export class ClassicGroup implements AnyGroup {
  readonly type = 'Classic'
  readonly groupId: string
  readonly #limits: GroupLimits
  readonly #effects: Effects
  /** The group as a record, from the state at the time of the call. */
  readonly #encode: (group: ClassicGroup, nowWallMs: number) => CoordinatorRecord
  readonly #tombstone: (groupId: string) => CoordinatorRecord
  state: ClassicState = 'Empty'
  generationId = 0
  protocolType: string | null = null
  protocolName: string | null = null
  leaderId: string | null = null
  /** Wall ms of the last change of state, for offset expiry. */
  stateChangedWallMs: number
  readonly members = new Map<string, ClassicMember>()
  readonly #static = new Map<string, string>()
  /** Ids given out and not used yet, with the deadline after which they are void. */
  readonly #pending = new Map<string, number>()
  readonly #pendingSync = new Set<string>()
  readonly #joining = new JoinPhase()
  #syncDeadlineMs = Infinity
  #wallMs: number

  constructor(
    groupId: string,
    options: {
      limits: GroupLimits
      effects: Effects
      encode: (group: ClassicGroup, nowWallMs: number) => CoordinatorRecord
      tombstone: (groupId: string) => CoordinatorRecord
      wallMs: number
    },
  ) {
    this.groupId = groupId
    this.#limits = options.limits
    this.#effects = options.effects
    this.#encode = options.encode
    this.#tombstone = options.tombstone
    this.stateChangedWallMs = options.wallMs
    this.#wallMs = options.wallMs
  }

  /** The driver tells the calendar time with each step. */
  set wallMs(value: number) {
    this.#wallMs = value
  }

  // ------------------------------------------------------------------------------------------------------------- join

  join(request: JoinRequest, ticket: Ticket<JoinAnswer>, nowMs: number): void {
    const refusal = joinRefusal(this, request, this.#limits)
    // A group that is full does not know the member, whatever it is called.
    const refusedId = refusal === 'GROUP_MAX_SIZE_REACHED' ? '' : request.memberId
    if (refusal !== undefined) this.#effects.reply(ticket, refuseJoin(refusal, refusedId))
    else if (request.memberId === '') this.#joinWithoutId(request, ticket, nowMs)
    else this.#joinWithId(request, ticket, nowMs)
  }

  #joinWithoutId(request: JoinRequest, ticket: Ticket<JoinAnswer>, nowMs: number): void {
    const memberId = request.newMemberId
    if (request.groupInstanceId !== null) {
      const oldId = this.#static.get(request.groupInstanceId)
      if (oldId === undefined) this.#addAndRebalance(memberId, request, ticket, nowMs)
      else this.#replaceStatic(oldId, memberId, request, ticket, nowMs)
    } else if (request.memberIdRequired) {
      this.#pending.set(memberId, nowMs + request.sessionTimeoutMs)
      this.#effects.reply(ticket, refuseJoin('MEMBER_ID_REQUIRED', memberId))
    } else this.#addAndRebalance(memberId, request, ticket, nowMs)
  }

  #joinWithId(request: JoinRequest, ticket: Ticket<JoinAnswer>, nowMs: number): void {
    if (this.#pending.delete(request.memberId)) {
      this.#addAndRebalance(request.memberId, request, ticket, nowMs)
      return
    }
    const member = this.#find(request)
    if ('error' in member) {
      this.#effects.reply(ticket, refuseJoin(member.error, request.memberId))
      return
    }
    const unchanged = sameProtocols(member.protocols, request.protocols)
    const isLeader = member.memberId === this.leaderId
    if (this.state === 'CompletingRebalance' && unchanged) this.#answerJoin(member, ticket)
    else if (this.state === 'Stable' && unchanged && !isLeader) this.#answerJoin(member, ticket)
    else this.#updateAndRebalance(member, request, ticket, nowMs)
  }

  #addAndRebalance(memberId: string, request: JoinRequest, ticket: Ticket<JoinAnswer>, nowMs: number): void {
    const member: ClassicMember = {
      memberId,
      groupInstanceId: request.groupInstanceId,
      clientId: request.clientId,
      clientHost: request.clientHost,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      sessionTimeoutMs: request.sessionTimeoutMs,
      protocols: request.protocols,
      assignment: noBytes,
      joinTicket: ticket,
      syncTicket: undefined,
      sessionDeadlineMs: nowMs + newMemberJoinTimeoutMs,
    }
    if (this.members.size === 0) this.protocolType = request.protocolType
    this.leaderId ??= memberId
    this.members.set(memberId, member)
    if (member.groupInstanceId !== null) this.#static.set(member.groupInstanceId, memberId)
    this.#joining.memberCame()
    this.#prepareRebalance(nowMs)
  }

  #updateAndRebalance(member: ClassicMember, request: JoinRequest, ticket: Ticket<JoinAnswer>, nowMs: number): void {
    this.#update(member, request)
    this.#supersedeJoin(member, ticket)
    this.#prepareRebalance(nowMs)
  }

  #update(member: ClassicMember, request: JoinRequest): void {
    member.protocols = request.protocols
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    member.sessionTimeoutMs = request.sessionTimeoutMs
  }

  /** A client that asks again has given up on its earlier request. */
  #supersedeJoin(member: ClassicMember, ticket: Ticket<JoinAnswer>): void {
    if (member.joinTicket !== undefined)
      this.#effects.reply(member.joinTicket, refuseJoin('UNKNOWN_MEMBER_ID', member.memberId))
    member.joinTicket = ticket
    member.sessionDeadlineMs = Infinity
  }

  /**
   * KIP-345: a static member came back without its id. It gets a new one, the old one is fenced, and as long as the group's protocol stays
   * the same it goes on without a rebalance. What the member's metadata says does not count: a consumer that starts anew owns nothing yet,
   * so its metadata always differs.
   */
  #replaceStatic(oldId: string, newId: string, request: JoinRequest, ticket: Ticket<JoinAnswer>, nowMs: number): void {
    const old = this.members.get(oldId)
    if (old === undefined) throw new Error(`static member ${oldId} is not in group ${this.groupId}`)
    const wasChosen = this.protocolName
    if (old.joinTicket !== undefined) this.#effects.reply(old.joinTicket, refuseJoin('FENCED_INSTANCE_ID', oldId))
    if (old.syncTicket !== undefined) this.#effects.reply(old.syncTicket, refuseSync('FENCED_INSTANCE_ID'))
    const member: ClassicMember = {
      ...old,
      memberId: newId,
      clientId: request.clientId,
      clientHost: request.clientHost,
      joinTicket: undefined,
      syncTicket: undefined,
    }
    this.#update(member, request)
    this.#rename(oldId, member)
    this.#heard(member, nowMs)
    const keepsProtocol = this.members.size > 0 && electProtocol([...this.members.values()]) === wasChosen
    if (this.state !== 'Stable' || !keepsProtocol) {
      member.joinTicket = ticket
      member.sessionDeadlineMs = Infinity
      this.#prepareRebalance(nowMs)
      return
    }
    this.#effects.persist([this.#encode(this, this.#wallMs)], (outcome, thenMs) => {
      if (outcome !== 'NONE') {
        this.#effects.reply(ticket, refuseJoin(outcome, newId))
        return
      }
      if (this.members.get(newId) !== member || this.state !== 'Stable') {
        this.#effects.reply(ticket, refuseJoin('REBALANCE_IN_PROGRESS', newId))
        return
      }
      this.#heard(member, thenMs)
      this.#answerJoin(member, ticket, { skipAssignment: request.skipAssignmentSupported, oldLeader: oldId })
    })
  }

  /** Takes the place of the old id, also in the order of members. */
  #rename(oldId: string, member: ClassicMember): void {
    const entries = [...this.members].map(([id, each]) =>
      id === oldId ? ([member.memberId, member] as const) : ([id, each] as const),
    )
    this.members.clear()
    for (const [id, each] of entries) this.members.set(id, each)
    if (member.groupInstanceId !== null) this.#static.set(member.groupInstanceId, member.memberId)
    if (this.leaderId === oldId) this.leaderId = member.memberId
    if (this.#pendingSync.delete(oldId)) this.#pendingSync.add(member.memberId)
  }

  #answerJoin(
    member: ClassicMember,
    ticket: Ticket<JoinAnswer>,
    returning?: { skipAssignment: boolean; oldLeader: string },
  ): void {
    const isLeader = member.memberId === this.leaderId
    // KIP-814: a static leader that returns is told it leads, but need not assign; older clients are told the old leader's id instead.
    const skipAssignment = isLeader && returning?.skipAssignment === true
    const leader = isLeader && returning !== undefined && !skipAssignment ? returning.oldLeader : (this.leaderId ?? '')
    const withMembers = isLeader && (returning === undefined || skipAssignment)
    const protocolName = this.protocolName ?? ''
    this.#effects.reply(ticket, {
      error: 'NONE',
      memberId: member.memberId,
      generationId: this.generationId,
      protocolType: this.protocolType,
      protocolName: this.protocolName,
      leader,
      skipAssignment,
      members: withMembers
        ? [...this.members.values()].map(each => ({
            memberId: each.memberId,
            groupInstanceId: each.groupInstanceId,
            metadata: metadataFor(each, protocolName),
          }))
        : [],
    })
  }

  // -------------------------------------------------------------------------------------------------------- rebalance

  /** Everybody has to join again. */
  rebalance(nowMs: number): void {
    this.#prepareRebalance(nowMs)
  }

  #prepareRebalance(nowMs: number): void {
    if (this.state === 'PreparingRebalance') {
      this.#tryCompleteJoin(nowMs)
      return
    }
    if (this.state === 'CompletingRebalance') this.#resetSyncs('REBALANCE_IN_PROGRESS', nowMs)
    const wasEmpty = this.state === 'Empty'
    this.#become('PreparingRebalance')
    const timeoutMs = this.#rebalanceTimeoutMs()
    const delayMs = this.#limits.initialRebalanceDelayMs
    if (wasEmpty && delayMs > 0) this.#joining.beginDelayed(nowMs, { delayMs, timeoutMs })
    // The first rebalance waits for nobody but during the delay, not for ids that were given out either.
    else if (wasEmpty) this.#completeJoin(nowMs)
    else {
      this.#joining.begin(nowMs, timeoutMs)
      this.#tryCompleteJoin(nowMs)
    }
  }

  #rebalanceTimeoutMs(): number {
    return Math.max(0, ...[...this.members.values()].map(member => member.rebalanceTimeoutMs))
  }

  #tryCompleteJoin(nowMs: number): void {
    if (this.state !== 'PreparingRebalance' || this.#joining.isDelayed || this.#pending.size > 0) return
    if ([...this.members.values()].every(member => member.joinTicket !== undefined)) this.#completeJoin(nowMs)
  }

  #completeJoin(nowMs: number): void {
    for (const member of [...this.members.values()]) {
      // A static member that is late keeps its place until its session ends.
      if (member.joinTicket === undefined && member.groupInstanceId === null) this.#forget(member)
    }
    this.#joining.end()
    if (this.members.size === 0) {
      this.#becomeEmpty()
      return
    }
    if (![...this.members.values()].some(member => member.joinTicket !== undefined)) {
      // Only absent static members: wait for one to come back, or for all sessions to end.
      this.#joining.begin(nowMs, this.#rebalanceTimeoutMs())
      return
    }
    if (this.members.get(this.leaderId ?? '')?.joinTicket === undefined)
      this.leaderId = [...this.members.values()].find(member => member.joinTicket !== undefined)?.memberId ?? null
    this.generationId++
    this.protocolName = electProtocol([...this.members.values()])
    this.#become('CompletingRebalance')
    this.#pendingSync.clear()
    for (const member of this.members.values()) {
      member.assignment = noBytes
      const ticket = member.joinTicket
      member.joinTicket = undefined
      this.#heard(member, nowMs)
      this.#pendingSync.add(member.memberId)
      if (ticket !== undefined) this.#answerJoin(member, ticket)
    }
    this.#syncDeadlineMs = nowMs + this.#rebalanceTimeoutMs()
  }

  #becomeEmpty(): void {
    this.generationId++
    this.protocolName = null
    this.leaderId = null
    this.#become('Empty')
    // Nobody waits for this record; if it is lost, the members that an older one names time out after the next load.
    this.#effects.persist([this.#encode(this, this.#wallMs)], () => undefined)
  }

  // ------------------------------------------------------------------------------------------------------------- sync

  sync(request: SyncRequest, ticket: Ticket<SyncAnswer>, nowMs: number): void {
    const member = this.#validate(request, request.generationId)
    if ('error' in member) {
      this.#effects.reply(ticket, refuseSync(member.error))
      return
    }
    const otherProtocol =
      (request.protocolType !== null && request.protocolType !== this.protocolType) ||
      (request.protocolName !== null && request.protocolName !== this.protocolName)
    if (otherProtocol) this.#effects.reply(ticket, refuseSync('INCONSISTENT_GROUP_PROTOCOL'))
    else if (this.state === 'PreparingRebalance') this.#effects.reply(ticket, refuseSync('REBALANCE_IN_PROGRESS'))
    else if (this.state === 'CompletingRebalance') this.#syncNow(member, request, ticket)
    else {
      this.#heard(member, nowMs)
      this.#effects.reply(ticket, assignmentOf(this, member))
    }
  }

  #syncNow(member: ClassicMember, request: SyncRequest, ticket: Ticket<SyncAnswer>): void {
    if (member.syncTicket !== undefined) this.#effects.reply(member.syncTicket, refuseSync('UNKNOWN_MEMBER_ID'))
    member.syncTicket = ticket
    member.sessionDeadlineMs = Infinity
    this.#pendingSync.delete(member.memberId)
    if (this.#pendingSync.size === 0) this.#syncDeadlineMs = Infinity
    if (member.memberId !== this.leaderId) return
    const generationId = this.generationId
    for (const each of this.members.values()) each.assignment = request.assignments.get(each.memberId) ?? noBytes
    this.#effects.persist([this.#encode(this, this.#wallMs)], (outcome, thenMs) => {
      // A member may have joined meanwhile: then this assignment is history.
      if (this.state !== 'CompletingRebalance' || this.generationId !== generationId) return
      if (outcome === 'NONE') this.#settle(thenMs)
      else {
        this.#resetSyncs(outcome, thenMs)
        this.#prepareRebalance(thenMs)
      }
    })
  }

  #settle(nowMs: number): void {
    this.#become('Stable')
    for (const member of this.members.values()) {
      const ticket = member.syncTicket
      if (ticket === undefined) continue
      member.syncTicket = undefined
      this.#heard(member, nowMs)
      this.#effects.reply(ticket, assignmentOf(this, member))
    }
  }

  #resetSyncs(error: ErrorName, nowMs: number): void {
    this.#pendingSync.clear()
    this.#syncDeadlineMs = Infinity
    for (const member of this.members.values()) {
      member.assignment = noBytes
      const ticket = member.syncTicket
      if (ticket === undefined) continue
      member.syncTicket = undefined
      this.#heard(member, nowMs)
      this.#effects.reply(ticket, refuseSync(error))
    }
  }

  /** Members that did not sync within the rebalance timeout are out, and the others start over. */
  #syncDeadlinePassed(nowMs: number): void {
    this.#syncDeadlineMs = Infinity
    if (this.state !== 'CompletingRebalance' || this.#pendingSync.size === 0) return
    for (const memberId of [...this.#pendingSync]) {
      const member = this.members.get(memberId)
      if (member !== undefined) this.#forget(member)
    }
    this.#prepareRebalance(nowMs)
  }

  // ------------------------------------------------------------------------------------------------- heartbeat, leave

  heartbeat(identity: MemberIdentity, generationId: number, nowMs: number): ErrorName {
    const member = this.#validate(identity, generationId)
    if ('error' in member) return member.error
    if (this.state === 'Empty') return 'UNKNOWN_MEMBER_ID'
    this.#heard(member, nowMs)
    return this.state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE'
  }

  leave(identity: MemberIdentity, nowMs: number): ErrorName {
    if (this.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    if (this.#pending.delete(identity.memberId)) {
      this.#tryCompleteJoin(nowMs)
      return 'NONE'
    }
    // LeaveGroup v3+: an operator may name a static member by its instance id alone.
    const memberId =
      identity.memberId === '' && identity.groupInstanceId !== null
        ? this.#static.get(identity.groupInstanceId)
        : identity.memberId
    if (memberId === undefined) return 'UNKNOWN_MEMBER_ID'
    const member = this.#find({ ...identity, memberId })
    if ('error' in member) return member.error
    this.#remove(member, nowMs)
    return 'NONE'
  }

  #remove(member: ClassicMember, nowMs: number): void {
    this.#forget(member)
    if (this.state === 'PreparingRebalance') {
      if (this.members.size === 0 && !this.#joining.isDelayed) this.#completeJoin(nowMs)
      else this.#tryCompleteJoin(nowMs)
    } else if (this.state === 'Stable' || this.state === 'CompletingRebalance') this.#prepareRebalance(nowMs)
  }

  /** Out of the books; whoever still waits for it learns that it is unknown. */
  #forget(member: ClassicMember): void {
    this.members.delete(member.memberId)
    this.#pendingSync.delete(member.memberId)
    if (member.groupInstanceId !== null && this.#static.get(member.groupInstanceId) === member.memberId)
      this.#static.delete(member.groupInstanceId)
    if (this.leaderId === member.memberId) this.leaderId = this.members.keys().next().value ?? null
    if (member.joinTicket !== undefined)
      this.#effects.reply(member.joinTicket, refuseJoin('UNKNOWN_MEMBER_ID', member.memberId))
    if (member.syncTicket !== undefined) this.#effects.reply(member.syncTicket, refuseSync('UNKNOWN_MEMBER_ID'))
  }

  // ------------------------------------------------------------------------------------------------------------- time

  /** Monotonic ms of the next thing that happens by itself. */
  get deadlineMs(): number {
    let earliest = Math.min(this.#joining.deadlineMs, this.#syncDeadlineMs)
    for (const deadline of this.#pending.values()) earliest = Math.min(earliest, deadline)
    for (const { sessionDeadlineMs } of this.members.values()) earliest = Math.min(earliest, sessionDeadlineMs)
    return earliest
  }

  tick(nowMs: number): void {
    for (const [memberId, deadline] of [...this.#pending]) {
      if (deadline > nowMs) continue
      this.#pending.delete(memberId)
      this.#tryCompleteJoin(nowMs)
    }
    for (const member of [...this.members.values()]) {
      if (member.sessionDeadlineMs <= nowMs && this.members.has(member.memberId)) this.#remove(member, nowMs)
    }
    if (this.#joining.deadlineMs <= nowMs && !this.#joining.putOff(nowMs)) this.#completeJoin(nowMs)
    if (this.#syncDeadlineMs <= nowMs) this.#syncDeadlinePassed(nowMs)
  }

  #heard(member: ClassicMember, nowMs: number): void {
    const owed = member.joinTicket !== undefined || member.syncTicket !== undefined
    member.sessionDeadlineMs = owed ? Infinity : nowMs + member.sessionTimeoutMs
  }

  // ----------------------------------------------------------------------------------------------------------- checks

  /** For OffsetCommit: may this member of this generation commit? A commit also proves that it lives. */
  validateCommit(identity: MemberIdentity, generationId: number, nowMs: number): ErrorName {
    if (generationId < 0 && identity.memberId === '' && identity.groupInstanceId === null) {
      // A consumer that assigns itself, or an operator: only while the group has no members of its own.
      return this.state === 'Empty' ? 'NONE' : this.state === 'Dead' ? 'COORDINATOR_NOT_AVAILABLE' : 'UNKNOWN_MEMBER_ID'
    }
    const member = this.#validate(identity, generationId)
    if ('error' in member) return member.error
    if (this.state === 'CompletingRebalance') return 'REBALANCE_IN_PROGRESS'
    this.#heard(member, nowMs)
    return 'NONE'
  }

  /** For TxnOffsetCommit. Clients that know no membership (v0-2) are let in whatever the state; KIP-447 made them tell it. */
  validateTransactionalCommit(identity: MemberIdentity, generationId: number): ErrorName {
    if (this.state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    if (generationId < 0 && (this.state === 'Empty' || (identity.memberId === '' && identity.groupInstanceId === null)))
      return 'NONE'
    const member = this.#validate(identity, generationId)
    return 'error' in member ? member.error : 'NONE'
  }

  #validate(identity: MemberIdentity, generationId: number): ClassicMember | { error: ErrorName } {
    if (this.state === 'Dead') return { error: 'COORDINATOR_NOT_AVAILABLE' }
    const member = this.#find(identity)
    if ('error' in member) return member
    return generationId === this.generationId ? member : { error: 'ILLEGAL_GENERATION' }
  }

  #find({ memberId, groupInstanceId }: MemberIdentity): ClassicMember | { error: ErrorName } {
    if (groupInstanceId !== null) {
      const current = this.#static.get(groupInstanceId)
      if (current === undefined) return { error: 'UNKNOWN_MEMBER_ID' }
      if (current !== memberId) return { error: 'FENCED_INSTANCE_ID' }
    }
    return this.members.get(memberId) ?? { error: 'UNKNOWN_MEMBER_ID' }
  }

  // --------------------------------------------------------------------------------------------------- subscriptions

  get isEmpty(): boolean {
    return this.state === 'Empty' || this.state === 'Dead'
  }

  subscribedTopics(): ReadonlySet<string> | undefined {
    return subscribedTopicsOf(this)
  }

  isSubscribedTo(topic: string): boolean {
    return this.subscribedTopics()?.has(topic) === true
  }

  expiryRule(): ExpiryRule | undefined {
    return expiryRuleOf(this)
  }

  tombstones(): CoordinatorRecord[] {
    return [this.#tombstone(this.groupId)]
  }

  // ------------------------------------------------------------------------------------------------ loading, unloading

  /** A member from a GroupMetadata record. */
  restoreMember(member: ClassicMember): void {
    this.members.set(member.memberId, member)
    if (member.groupInstanceId !== null) this.#static.set(member.groupInstanceId, member.memberId)
  }

  /**
   * After the last record of the log: members get a full session to report. When they are more than group.max.size now allows, all join anew,
   * which lets them commit first, and the last to come are turned away (KIP-389).
   */
  loaded(nowMs: number): void {
    for (const member of this.members.values()) this.#heard(member, nowMs)
    if (this.members.size > this.#limits.maxSize) this.#prepareRebalance(nowMs)
  }

  /** The coordinator moves away, or the group is deleted: everybody who waits is told. */
  die(error: ErrorName): void {
    for (const member of this.members.values()) {
      if (member.joinTicket !== undefined) this.#effects.reply(member.joinTicket, refuseJoin(error, member.memberId))
      if (member.syncTicket !== undefined) this.#effects.reply(member.syncTicket, refuseSync(error))
      member.joinTicket = undefined
      member.syncTicket = undefined
    }
    this.members.clear()
    this.#pending.clear()
    this.#joining.end()
    this.#syncDeadlineMs = Infinity
    this.#become('Dead')
  }

  #become(state: ClassicState): void {
    this.state = state
    this.stateChangedWallMs = this.#wallMs
  }
}
