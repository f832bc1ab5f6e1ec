/**
 * The KRaft quorum of `__cluster_metadata-0` as a synchronous machine: events in, a Ready out, no clock, no I/O, no promise. raft-driver.ts
 * carries out what it decides. It must never let anything leave that relies on state which a crash could still take back.
 *
 * Role         Next          When
 * Unattached   Unattached    a higher epoch is heard of, or the vote of this epoch is given
 *              Prospective   the election timeout passed (voters only)
 *              Follower      the leader of this or a later epoch is heard of
 * Prospective  Candidate     a majority would vote for it (pre-vote)
 *              Follower      no majority would, and it knows a leader; or a leader is heard of
 *              Unattached    no majority would, and it knows none; a higher epoch; or it gives its vote
 * Candidate    Leader        a majority voted for it
 *              Prospective   the election is lost or timed out, after a random wait
 *              Follower, Unattached   a leader of this or a later epoch, or a higher epoch, is heard of
 * Leader       Resigned      it shuts down, no majority has fetched for 1.5 fetch timeouts, or its disk was full for a proposal
 *              Follower, Unattached   a higher epoch is heard of
 * Resigned     Unattached    the election timeout passed (in the next epoch), or a higher epoch is heard of
 *              Follower      a leader of a later epoch is heard of
 * Follower     Prospective   the fetch timeout passed, or nobody listens at the leader's address any more (voters only)
 *              Follower, Unattached   a higher epoch is heard of
 *
 * Observers are Unattached or Follower. After a restart a node that led is Resigned, one that followed is Follower, all others Unattached.
 *
 * What must be durable: epoch and vote (`hardState`) before any message leaves; a voter's log before its next Fetch names its end, and
 * before the leader counts itself. A record is committed once a majority of the voters holds it durably and it is of the leader's own epoch,
 * or precedes one that is.
 * Sources: KIP-595, KIP-630, KIP-996, KIP-1166; Raft (Ongaro, 2014) §3.6.2, §9.6.
 */
import { answerRequest, isSameSnapshot, wakeParkedFetches } from './answer-requests.ts'
import type { ReplicaProgress } from './leader-progress.ts'
import { isStopped, nextDeadlineMs, poll } from './poll.ts'
import { lastEpoch, QuorumCore, type MachineOptions, type Recovered } from './quorum-core.ts'
import type { SnapshotId, StoredSnapshot } from './quorum-messages.ts'
import type { LeaderAndEpoch } from './raft.ts'
import { emptyReady, type HardState, type QuorumEvent, type Ready } from './ready.ts'
import type { Follower, Resigned, Role } from './roles.ts'
import { takeResponse } from './take-responses.ts'

/** Snapshots kept; the log reaches back to the oldest of them. */
const snapshotsKept = 2
/** How often a leader that stops tries to reach each of the others. */
const noticeAttempts = 3

export interface QuorumDescription {
  readonly epoch: number
  readonly highWatermark: number
  readonly voters: readonly ReplicaProgress[]
  readonly observers: readonly ReplicaProgress[]
}

export class QuorumMachine {
  private readonly core: QuorumCore
  private persisted: HardState | undefined
  private told: LeaderAndEpoch | undefined = undefined

  constructor(options: MachineOptions, recovered: Recovered, nowMs: number) {
    this.core = new QuorumCore(options, recovered, nowMs)
    this.persisted = recovered.hardState
  }

  /** First Ready after a start: writes down the epoch it begins with and makes the rest of the log durable. */
  start(nowMs: number): Ready {
    this.core.out = emptyReady()
    this.core.requestFlush()
    return this.finish(nowMs)
  }

  step(event: QuorumEvent, nowMs: number): Ready {
    this.core.out = emptyReady()
    this.core.peers.expire(nowMs)
    this.take(event, nowMs)
    return this.finish(nowMs)
  }

  get role(): Role['name'] {
    return this.core.role.name
  }

  get epoch(): number {
    return this.core.epoch
  }

  get highWatermark(): number {
    return this.core.highWatermark
  }

  get logEndOffset(): number {
    return this.core.history.endOffset
  }

  get logStartOffset(): number {
    return this.core.history.startOffset
  }

  get lastEpoch(): number {
    return this.core.history.lastEpoch
  }

  get snapshots(): readonly StoredSnapshot[] {
    return this.core.snapshots
  }

  /** Who leads now: unlike what `electedId` says to other nodes, a leader that resigned leads no more. */
  get leader(): LeaderAndEpoch {
    const { role, epoch } = this.core
    return { leaderId: role.name === 'resigned' ? undefined : this.core.electedId(), epoch }
  }

  /** What a leader knows of its replicas; undefined on other nodes. */
  describe(nowMs: number): QuorumDescription | undefined {
    const { role, epoch } = this.core
    if (role.name !== 'leader') return undefined
    const { progress } = role
    return {
      epoch,
      highWatermark: progress.highWatermark ?? -1,
      voters: [...progress.voters.values()],
      observers: progress.observerStates(nowMs),
    }
  }

  private take(event: QuorumEvent, nowMs: number): void {
    const { core } = this
    switch (event.kind) {
      case 'tick':
        return
      case 'request': {
        const response = answerRequest(core, event.token, event.request, nowMs)
        if (response !== undefined) core.out.replies.push({ token: event.token, response })
        return
      }
      case 'forget':
        if (core.role.name === 'leader')
          core.role.parked = core.role.parked.filter(fetch => fetch.token !== event.token)
        return
      case 'response':
        if (!core.peers.answered(event.from, event.requestId)) return
        if (!takeResponse(core, event.from, event.response, nowMs)) core.peers.backOff(event.from, nowMs)
        return
      case 'failed':
        return this.requestFailed(event, nowMs)
      case 'persisted':
        return this.logPersisted(event, nowMs)
      case 'propose':
        return this.propose(event)
      case 'snapshotReceived':
        return this.snapshotReceived(event.snapshot)
      case 'snapshotCreated':
        return this.snapshotCreated(event.snapshot)
      case 'shutdown':
        core.shutdownDeadlineMs = nowMs + event.timeoutMs
        return
      case 'resign':
        if (core.role.name === 'leader' && core.epoch === event.epoch)
          core.becomeResigned(core.role.progress.successors(), nowMs)
        return
    }
  }

  private finish(nowMs: number): Ready {
    const { core } = this
    poll(core, nowMs)
    wakeParkedFetches(core, nowMs)
    const { out } = core
    const hardState = core.hardState()
    if (!isSameHardState(this.persisted, hardState)) out.hardState = hardState
    this.persisted = hardState
    out.highWatermark = core.highWatermark
    const { leader } = this
    if (leader.leaderId !== this.told?.leaderId || leader.epoch !== this.told?.epoch) {
      const tellAfterOffset = core.role.name === 'leader' ? core.role.progress.epochStartOffset : 0
      out.leader = { ...leader, tellAfterOffset }
      this.told = leader
    }
    out.deadlineMs = nextDeadlineMs(core, nowMs)
    out.stopped = isStopped(core, nowMs)
    return out
  }

  private requestFailed(event: Extract<QuorumEvent, { kind: 'failed' }>, nowMs: number): void {
    const { core } = this
    if (!core.peers.answered(event.from, event.requestId)) return
    const { role } = core
    if (role.name === 'resigned') this.noticeFailed(role, event.from)
    if (role.name === 'follower' && event.refused === true && event.from === role.leaderId) this.leaderGone(role, nowMs)
    // A voter that knows no pre-vote cannot be asked; the election is held without (KIP-996, compatibility).
    const canStand = role.name === 'prospective' && core.epoch < lastEpoch
    if (event.unsupported === true && canStand) core.becomeCandidate(nowMs)
    else core.peers.backOff(event.from, nowMs)
  }

  /**
   * Nobody listens any more where the leader did: its process has ended, and one that starts again leads this epoch no
   * more. Should it live all the same, behind a proxy, say, those who still hear from it grant no pre-vote. Once per
   * leader: after that the fetch timeout decides.
   */
  private leaderGone(role: Follower, nowMs: number): void {
    if (!role.hasFetched) return
    role.hasFetched = false
    role.deadlineMs = Math.min(role.deadlineMs, nowMs + this.core.successionDelayMs())
  }

  /** A voter that cannot be reached need not keep this node from stopping: it finds out by its fetch timeout. */
  private noticeFailed(role: Resigned, voterId: number): void {
    const failures = (role.failures.get(voterId) ?? 0) + 1
    role.failures.set(voterId, failures)
    if (this.core.shutdownDeadlineMs !== undefined && failures >= noticeAttempts) role.unacknowledged.delete(voterId)
  }

  private logPersisted(event: Extract<QuorumEvent, { kind: 'persisted' }>, nowMs: number): void {
    const { core } = this
    if (event.generation !== core.flushGeneration) return
    core.durableOffset = Math.max(core.durableOffset, Math.min(event.durableOffset, core.history.endOffset))
    const { role } = core
    if (role.name === 'leader' && role.progress.localDurable(core.durableOffset)) {
      core.raiseHighWatermark(role.progress.highWatermark ?? 0)
    }
    // The fetch timeout stood still while the disk was busy.
    if (role.name === 'follower' && role.hasFetched) role.deadlineMs = nowMs + core.options.fetchTimeoutMs
  }

  private propose(event: Extract<QuorumEvent, { kind: 'propose' }>): void {
    const { core } = this
    if (core.role.name !== 'leader' || event.epoch !== core.epoch || core.shutdownDeadlineMs !== undefined) return
    if (event.records.length === 0) throw new Error('expected at least one record to propose, got none')
    const baseOffset = core.history.endOffset
    core.out.appends.push({ kind: 'records', epoch: core.epoch, baseOffset, values: event.records })
    core.grewTo(core.epoch, baseOffset + event.records.length)
    core.out.proposed = { baseOffset, lastOffset: core.history.endOffset - 1 }
  }

  private snapshotReceived(snapshot: StoredSnapshot): void {
    const { core } = this
    const { role, history } = core
    if (role.name !== 'follower' || role.snapshot === undefined || !isSameSnapshot(role.snapshot.id, snapshot)) return
    if (!role.snapshot.complete) return
    role.snapshot = undefined
    const id = { endOffset: snapshot.endOffset, epoch: snapshot.epoch }
    if (!isAheadOfLog(id, history)) {
      core.out.snapshotWork.push({ kind: 'discard', id })
      return
    }
    core.out.snapshotWork.push({ kind: 'install', id })
    core.out.retention = { remove: core.snapshots, logStartOffset: id.endOffset }
    core.snapshots = [snapshot]
    history.startAfter(id)
    core.flushGeneration += 1
    core.durableOffset = id.endOffset
    core.raiseHighWatermark(id.endOffset)
  }

  private snapshotCreated(snapshot: StoredSnapshot): void {
    const { core } = this
    const { history } = core
    const latest = core.snapshots.at(-1)
    if (latest !== undefined && snapshot.endOffset <= latest.endOffset) {
      const isKnown = core.snapshots.some(known => isSameSnapshot(known, snapshot))
      if (!isKnown) core.out.retention = { remove: [snapshot], logStartOffset: history.startOffset }
      return
    }
    core.snapshots = [...core.snapshots, snapshot]
    const remove = core.snapshots.slice(0, -snapshotsKept)
    const oldest = core.snapshots.at(-snapshotsKept)
    if (remove.length === 0 || oldest === undefined) return
    core.snapshots = core.snapshots.slice(-snapshotsKept)
    history.trimTo(oldest)
    core.out.retention = { remove, logStartOffset: history.startOffset }
  }
}

/** A snapshot holds committed records only: a log that does not reach its end, or ends in an older epoch, gives way to it. */
export function isAheadOfLog(id: SnapshotId, log: { readonly lastEpoch: number; readonly endOffset: number }): boolean {
  return id.epoch > log.lastEpoch || id.endOffset > log.endOffset
}

function isSameHardState(left: HardState | undefined, right: HardState): boolean {
  return left?.epoch === right.epoch && left.leaderId === right.leaderId && left.votedId === right.votedId
}
