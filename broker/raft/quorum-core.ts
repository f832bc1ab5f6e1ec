/**
 * State of the quorum machine and the transitions between its roles. The rules that cause them are in answer-requests.ts,
 * take-responses.ts and poll.ts; the table of transitions heads quorum-machine.ts. Must never do I/O: it only fills `out`.
 * Sources: KIP-595, KIP-996.
 */
import type { Random } from '../environment/environment.ts'
import type { ErrorName } from '../protocol/errors.ts'
import { EpochHistory } from './epoch-history.ts'
import { LeaderProgress } from './leader-progress.ts'
import { Peers } from './peers.ts'
import type { EpochStart, ResponseHead, StoredSnapshot } from './quorum-messages.ts'
import { emptyReady, type HardState, type Ready } from './ready.ts'
import { type Role, Votes } from './roles.ts'

export interface MachineOptions {
  readonly nodeId: number
  readonly directoryId: string
  readonly clusterId: string
  /** Ids of the static voters. */
  readonly voters: readonly number[]
  readonly electionTimeoutMs: number
  /** Spread of the first election of a new quorum; undefined: it waits like any other. */
  readonly firstElectionWithinMs?: number | undefined
  readonly electionBackoffMaxMs: number
  readonly fetchTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly retryBackoffMs: number
  /** How long the leader may hold a fetch that brings nothing new. */
  readonly fetchMaxWaitMs: number
  readonly fetchMaxBytes: number
  readonly random: Random
}

/** What was found on disk at start. */
export interface Recovered {
  readonly hardState: HardState | undefined
  readonly log: {
    readonly startOffset: number
    readonly endOffset: number
    readonly durableOffset: number
    /** Epoch of the snapshot that ends at `startOffset`, else 0. */
    readonly baseEpoch: number
    readonly epochs: readonly EpochStart[]
  }
  /** Ascending. */
  readonly snapshots: readonly StoredSnapshot[]
}

/** Base of the exponential wait after a lost election, ms. */
const electionBackoffBaseMs = 100
const electionBackoffExponentMax = 20
/** After a leader ended: time for the other voters to notice it too, and a spread so that they rarely compete, ms. */
const successionWaitMs = 50
const successionSpreadMs = 100
/** Epochs are int32. */
export const lastEpoch = 2 ** 31 - 1
/**
 * Epochs grow by one with each election that is held: with one a second, a node falls so far behind in twelve days without a leader. What is
 * further ahead is no epoch of this quorum.
 */
const leapEpochsMax = 2 ** 20

export class QuorumCore {
  readonly options: MachineOptions
  readonly isVoter: boolean
  readonly peers: Peers
  readonly history: EpochHistory
  snapshots: StoredSnapshot[]
  epoch: number
  votedId: number | undefined
  role: Role
  highWatermark: number
  /** The log is durable below it. */
  durableOffset: number
  /** Rises with every truncation: a flush begun before says nothing about the log after. */
  flushGeneration = 0
  shutdownDeadlineMs: number | undefined = undefined
  out: Ready = emptyReady()
  private electionRetries = 0

  constructor(options: MachineOptions, recovered: Recovered, nowMs: number) {
    this.options = options
    this.isVoter = options.voters.includes(options.nodeId)
    this.peers = new Peers(
      options.voters.filter(id => id !== options.nodeId),
      options,
    )
    this.history = new EpochHistory(recovered.log)
    this.snapshots = [...recovered.snapshots]
    this.durableOffset = Math.min(recovered.log.durableOffset, recovered.log.endOffset)
    this.highWatermark = Math.max(recovered.log.startOffset, recovered.snapshots.at(-1)?.endOffset ?? 0)
    const { hardState } = recovered
    const lostState = hardState === undefined || hardState.epoch < this.history.lastEpoch
    this.epoch = lostState ? this.history.lastEpoch : hardState.epoch
    this.votedId = lostState ? undefined : hardState.votedId
    this.role = this.initialRole(lostState ? undefined : hardState.leaderId, nowMs)
  }

  get isOnlyVoter(): boolean {
    return this.isVoter && this.options.voters.length === 1
  }

  /** Too far ahead to be believed. Kafka believes any epoch; its next candidate may then have no number left, and its node ends. */
  isLeap(epoch: number): boolean {
    return epoch - this.epoch > leapEpochsMax
  }

  /** Who was elected in this epoch, as far as known; also when that leader has resigned. */
  electedId(): number | undefined {
    switch (this.role.name) {
      case 'leader':
      case 'resigned':
        return this.options.nodeId
      case 'follower':
      case 'prospective':
        return this.role.leaderId
      case 'unattached':
      case 'candidate':
        return undefined
    }
  }

  /** The part of a response that tells the requester who leads. */
  head(error: ErrorName): ResponseHead {
    return { topLevelError: 'NONE', error, leaderId: this.electedId() ?? -1, epoch: this.epoch }
  }

  hardState(): HardState {
    return { epoch: this.epoch, leaderId: this.electedId(), votedId: this.votedId }
  }

  electionDeadlineMs(nowMs: number): number {
    if (!this.isVoter) return Infinity
    if (this.isOnlyVoter) return nowMs
    return nowMs + this.options.electionTimeoutMs + this.options.random.below(this.options.electionTimeoutMs)
  }

  /** Wait after a lost election: random, growing with the number of elections lost in a row. */
  electionBackoffMs(): number {
    const exponent = Math.min(electionBackoffExponentMax, Math.max(0, this.electionRetries - 1))
    const randomMs = electionBackoffBaseMs * this.options.random.below(2 * 2 ** exponent)
    return Math.min(randomMs, this.options.electionBackoffMaxMs)
  }

  /** Wait after the leader's process ended. */
  successionDelayMs(): number {
    return successionWaitMs + this.options.random.below(successionSpreadMs)
  }

  // ------------------------------------------------------------------------------------------------------ transitions

  /** A higher epoch, or the same one after a fruitless pre-vote. */
  becomeUnattached(epoch: number, nowMs: number): void {
    const deadlineMs = this.isVoter ? this.roleDeadlineMs(nowMs) : Infinity
    const fresh = epoch === this.epoch ? this.electionDeadlineMs(nowMs) : deadlineMs
    this.enterEpoch(epoch)
    this.leaveFor({ name: 'unattached', deadlineMs: fresh })
  }

  /** Grants the vote of this epoch. Waits a whole election timeout for the outcome. */
  voteFor(candidateId: number, nowMs: number): void {
    if (this.votedId === candidateId) return
    this.votedId = candidateId
    this.leaveFor({ name: 'unattached', deadlineMs: this.electionDeadlineMs(nowMs) })
  }

  becomeProspective(nowMs: number): void {
    const votes = new Votes(this.options.voters, this.options.nodeId)
    this.leaveFor({
      name: 'prospective',
      leaderId: this.electedId(),
      deadlineMs: this.electionDeadlineMs(nowMs),
      votes,
    })
  }

  becomeCandidate(nowMs: number): void {
    this.electionRetries += 1
    this.enterEpoch(this.epoch + 1)
    this.votedId = this.options.nodeId
    const votes = new Votes(this.options.voters, this.options.nodeId)
    this.leaveFor({ name: 'candidate', deadlineMs: this.electionDeadlineMs(nowMs), votes, backoffUntilMs: undefined })
  }

  becomeLeader(grantingVoters: readonly number[], nowMs: number): void {
    const { nodeId, voters, fetchTimeoutMs } = this.options
    const epochStartOffset = this.history.endOffset
    this.electionRetries = 0
    const progress = new LeaderProgress({ nodeId, voters, epochStartOffset, fetchTimeoutMs, nowMs })
    this.leaveFor({ name: 'leader', progress, parked: [], beginEpochDueMs: nowMs })
    this.out.startEpoch = { epoch: this.epoch, startOffset: epochStartOffset }
    this.out.appends.push({
      kind: 'leaderChange',
      epoch: this.epoch,
      baseOffset: epochStartOffset,
      leaderId: nodeId,
      voters,
      grantingVoters: [...grantingVoters].sort((left, right) => left - right),
    })
    this.grewTo(this.epoch, epochStartOffset + 1)
  }

  becomeFollower(leaderId: number, epoch: number, nowMs: number): void {
    this.enterEpoch(epoch)
    this.electionRetries = 0
    const deadlineMs = nowMs + this.options.fetchTimeoutMs
    this.leaveFor({ name: 'follower', leaderId, deadlineMs, hasFetched: false, snapshot: undefined })
  }

  becomeResigned(successors: readonly number[], nowMs: number): void {
    const unacknowledged = new Set(this.options.voters.filter(id => id !== this.options.nodeId))
    this.leaveFor({
      name: 'resigned',
      deadlineMs: this.electionDeadlineMs(nowMs),
      unacknowledged,
      failures: new Map(),
      successors,
    })
  }

  // -------------------------------------------------------------------------------------------------------------- log

  /** Records were added to the log; they must become durable. */
  grewTo(epoch: number, endOffset: number): void {
    this.history.append(epoch, endOffset)
    this.requestFlush()
  }

  truncateTo(offset: number): void {
    if (offset < this.highWatermark) {
      throw new Error(`asked to truncate the metadata log to ${offset}, below the high watermark ${this.highWatermark}`)
    }
    if (offset >= this.history.endOffset) return
    this.history.truncateTo(offset)
    this.out.truncateTo = offset
    this.flushGeneration += 1
    this.durableOffset = Math.min(this.durableOffset, offset)
    this.requestFlush()
  }

  /** Observers take no part in commits, so nothing waits for their disks. */
  requestFlush(): void {
    if (this.isVoter && this.durableOffset < this.history.endOffset) this.out.flush = this.flushGeneration
  }

  raiseHighWatermark(offset: number): void {
    this.highWatermark = Math.max(this.highWatermark, Math.min(offset, this.history.endOffset))
  }

  // ---------------------------------------------------------------------------------------------------------- private

  private initialRole(leaderId: number | undefined, nowMs: number): Role {
    const { nodeId, voters, fetchTimeoutMs } = this.options
    if (leaderId === nodeId) {
      // It led this epoch, and may have lost records of it that were not durable: it must not append to this epoch again, so that a
      // record stays uniquely named by its offset and epoch.
      const unacknowledged = new Set(voters.filter(id => id !== nodeId))
      return {
        name: 'resigned',
        deadlineMs: this.electionDeadlineMs(nowMs),
        unacknowledged,
        failures: new Map(),
        successors: [],
      }
    }
    if (leaderId !== undefined && voters.includes(leaderId) && !this.isOnlyVoter) {
      return { name: 'follower', leaderId, deadlineMs: nowMs + fetchTimeoutMs, hasFetched: false, snapshot: undefined }
    }
    // Epoch 0 has no leader that might be heard of yet: a new quorum elects one as soon as its voters are up.
    const { firstElectionWithinMs } = this.options
    if (this.epoch === 0 && this.isVoter && !this.isOnlyVoter && firstElectionWithinMs !== undefined)
      return { name: 'unattached', deadlineMs: nowMs + this.options.random.below(firstElectionWithinMs) }
    // Also when it voted for itself: the log may have been longer when others granted that vote, so the epoch is given up.
    return { name: 'unattached', deadlineMs: this.electionDeadlineMs(nowMs) }
  }

  private enterEpoch(epoch: number): void {
    if (epoch < this.epoch) throw new Error(`expected an epoch >= ${this.epoch}, got ${epoch}`)
    if (epoch > this.epoch) this.votedId = undefined
    this.epoch = epoch
  }

  private leaveFor(role: Role): void {
    const left = this.role
    this.role = role
    this.peers.reset()
    if (left.name === 'follower' && left.snapshot !== undefined) {
      this.out.snapshotWork.push({ kind: 'discard', id: left.snapshot.id })
    }
    if (left.name !== 'leader') return
    for (const { token } of left.parked) {
      this.out.replies.push({
        token,
        response: {
          kind: 'fetch',
          ...this.head('NOT_LEADER_OR_FOLLOWER'),
          highWatermark: -1,
          logStartOffset: this.history.startOffset,
          divergingEpoch: undefined,
          snapshotId: undefined,
          read: undefined,
          records: undefined,
        },
      })
    }
  }

  /** A voter that hears of a new epoch does not wait any longer for its own chance than it would have. */
  private roleDeadlineMs(nowMs: number): number {
    switch (this.role.name) {
      case 'unattached':
      case 'prospective':
      case 'resigned':
      case 'follower':
        return this.role.deadlineMs
      case 'candidate':
        return this.role.backoffUntilMs ?? this.role.deadlineMs
      case 'leader':
        return this.electionDeadlineMs(nowMs)
    }
  }
}
